//! What is the same for every route: the guard before it, JSON in, headers out.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, COOKIE, HOST, HeaderName, HeaderValue, ORIGIN};
use http::{HeaderMap, Method};
use serde::de::DeserializeOwned;

use super::Shared;
use super::error::SessionError;
use super::guard::Shown;

const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-session-token");
const LOGIN_COOKIE: &str = "proscenium_login";
/// The routes that a page may use before the login.
const BEFORE_LOGIN: [&str; 2] = ["/session/config", "/session/login"];

/// Lets a request through that the guard accepts.
pub(super) async fn guarded(
    State(shared): State<Shared>,
    request: Request,
    next: Next,
) -> Response {
    let guard = &shared.api.guard;
    let shown = shown(request.headers());
    let checked = if BEFORE_LOGIN.contains(&request.uri().path()) {
        guard.check_page(shown)
    } else {
        guard.check(shown)
    };
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(refusal) => SessionError::Refused(refusal).into_response(),
    };
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Every path under `/session/` that is no route, and every wrong method.
pub(super) async fn no_route() -> SessionError {
    SessionError::NoRoute
}

/// The value of the login cookie.
pub(super) fn login_cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = cookies
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(name, _)| *name == LOGIN_COOKIE)
        .map(|(_, value)| value)
}

/// The header that sets the login cookie.
pub(super) fn set_login_cookie(value: &str, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{LOGIN_COOKIE}={value}; Path=/session; HttpOnly; SameSite=Strict{secure}")
}

fn shown(headers: &HeaderMap) -> Shown<'_> {
    let text = |name: &HeaderName| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    Shown {
        host: text(&HOST).unwrap_or_default(),
        origin: text(&ORIGIN),
        token: text(&TOKEN_HEADER).unwrap_or_default(),
        cookie: login_cookie(headers),
    }
}

/// A JSON body; an empty one counts as `{}`.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = SessionError;

    async fn from_request(request: Request<Body>, state: &S) -> Result<Self, SessionError> {
        debug_assert_eq!(
            request.method(),
            Method::POST,
            "only POST routes have bodies"
        );
        let content_type = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let is_json = content_type.is_some_and(|value| {
            value
                .split(';')
                .next()
                .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
        });
        let body = Bytes::from_request(request, state).await.map_err(|error| {
            SessionError::Body(format!("cannot be read: {}", error.body_text()))
        })?;
        if body.is_empty() {
            return parse(b"{}");
        }
        if !is_json {
            return Err(SessionError::Body(
                "must have the content type application/json".to_owned(),
            ));
        }
        parse(&body)
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<JsonBody<T>, SessionError> {
    let parsed = serde_json::from_slice(body);
    parsed
        .map(JsonBody)
        .map_err(|error| SessionError::Body(format!("does not fit: {error}")))
}
