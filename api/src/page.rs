//! The page at `/`, built from `web/` and embedded in the binary.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, HeaderValue,
    REFERRER_POLICY,
};
use http::{HeaderMap, StatusCode};
use rust_embed::RustEmbed;

use crate::session_api::guard::Guard;

/// What `index.html` holds in place of the session token.
const TOKEN_PLACEHOLDER: &str = "__PROSCENIUM_SESSION_TOKEN__";
const INDEX: &str = "index.html";
const NOT_BUILT: &str = "<!doctype html><meta charset=\"utf-8\"><title>Proscenium</title>\
    <p>The server runs. Its page was not built into it: run <code>make web</code> and build again.</p>";
const CLOSED: &str = "<!doctype html><meta charset=\"utf-8\"><title>Proscenium</title>\
    <p>The server runs. Its page is closed at this address: open it by the server's own address, which \
    <code>public_url</code> sets, and set <code>admin_password</code> when that is not a loopback address.</p>";

/// `web/dist`, with the names of its files as Vite wrote them.
#[derive(RustEmbed)]
#[folder = "../web/dist"]
struct Files;

/// What the page needs to know at serving time.
#[derive(Clone, Debug)]
pub struct Page {
    guard: Option<Guard>,
    policy: HeaderValue,
}

impl Page {
    /// A page that may connect to `origins` besides its own; without a guard the session API is off.
    pub fn new(guard: Option<Guard>, origins: &[String]) -> Self {
        let connect = origins.join(" ");
        let policy = format!(
            "default-src 'self'; connect-src 'self' {connect}; media-src 'self' blob: {connect}; \
             img-src 'self' data: blob: {connect}; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; \
             object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        );
        let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static(
            "default-src 'self'; frame-ancestors 'none'",
        ));
        Self { guard, policy }
    }

    /// The routes `/` and every file of the page, each by its own name: other paths belong to others.
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        let mut router = Router::new().route("/", get(index));
        for name in Files::iter().filter(|name| name != INDEX) {
            let path = format!("/{name}");
            router = router.route(&path, get(move |page| file(page, name.clone())));
        }
        router.layer(Extension(self))
    }
}

async fn index(Extension(page): Extension<Page>, headers: HeaderMap) -> Response {
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let guard = page.guard.as_ref().filter(|guard| guard.host_allowed(host));
    let (status, html) = match (guard, Files::get(INDEX)) {
        (None, _) => (StatusCode::OK, CLOSED.to_owned()),
        (Some(_), None) => (StatusCode::OK, NOT_BUILT.to_owned()),
        (Some(guard), Some(index)) => {
            let html = String::from_utf8_lossy(&index.data);
            (
                StatusCode::OK,
                html.replace(TOKEN_PLACEHOLDER, guard.token()),
            )
        }
    };
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    // It holds the token of this start.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, page.policy);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(self), microphone=(self)"),
    );
    response
}

async fn file(Extension(page): Extension<Page>, name: Cow<'static, str>) -> Response {
    let Some(file) = Files::get(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let content_type = HeaderValue::from_str(file.metadata.mimetype())
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let cache = if name.starts_with("assets/") {
        // Vite puts a hash of the content into these names.
        HeaderValue::from_static("public, max-age=31536000, immutable")
    } else {
        HeaderValue::from_static("no-cache")
    };
    let mut response = file.data.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, cache);
    headers.insert(CONTENT_SECURITY_POLICY, page.policy);
    response
}
