//! The HTTP side of WHIP (RFC 9725): POST an offer, DELETE the session.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

const BODY_BYTES_MAX: usize = 256 * 1024;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the server could not be talked to.
#[derive(Debug, thiserror::Error)]
pub enum WhipError {
    /// Not a URL this client can use.
    #[error("{0} is not an http:// or https:// URL with a host")]
    Url(String),
    /// It said no.
    #[error("{url} answered {status}: {body}")]
    Refused {
        /// Which URL.
        url: String,
        /// What it said.
        status: StatusCode,
        /// And why.
        body: String,
    },
    /// No Location header, or no text.
    #[error("{0} answered 201 without a session")]
    NoSession(String),
    /// Nobody there, or not HTTP.
    #[error("cannot reach {url}")]
    Unreachable {
        /// Which URL.
        url: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A published session.
#[derive(Debug)]
pub(super) struct WhipSession {
    resource: String,
    token: String,
}

impl WhipSession {
    /// Posts the offer; the answer comes back with the session.
    pub(super) async fn create(
        url: &str,
        token: &str,
        offer: &str,
    ) -> Result<(Self, String), WhipError> {
        let response = request(Method::POST, url, token, offer).await?;
        let location = response.headers().get(header::LOCATION);
        let location = location
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let (Some(location), Ok(answer)) =
            (location, String::from_utf8(response.into_body().to_vec()))
        else {
            return Err(WhipError::NoSession(url.to_owned()));
        };
        let resource = absolute(url, &location)?;
        Ok((
            Self {
                resource,
                token: token.to_owned(),
            },
            answer,
        ))
    }

    /// The session's URL.
    pub(super) fn resource(&self) -> &str {
        &self.resource
    }

    /// Ends the session.
    pub(super) async fn delete(&self) -> Result<(), WhipError> {
        request(Method::DELETE, &self.resource, &self.token, "")
            .await
            .map(drop)
    }
}

fn absolute(base: &str, location: &str) -> Result<String, WhipError> {
    if location.starts_with('/') {
        return Ok(format!("{}{location}", origin_of(base)?));
    }
    Ok(location.to_owned())
}

/// Scheme and authority of a URL that this client can use.
fn origin_of(url: &str) -> Result<String, WhipError> {
    let uri: Option<Uri> = url.parse().ok();
    let scheme = uri.as_ref().and_then(Uri::scheme_str);
    let authority = uri.as_ref().and_then(Uri::authority);
    match (scheme, authority) {
        (Some(scheme @ ("http" | "https")), Some(authority)) => {
            Ok(format!("{scheme}://{authority}"))
        }
        _ => Err(WhipError::Url(url.to_owned())),
    }
}

async fn request(
    method: Method,
    url: &str,
    token: &str,
    body: &str,
) -> Result<Response<Bytes>, WhipError> {
    let exchange = tokio::time::timeout(REQUEST_TIMEOUT, exchange(method, url, token, body));
    let unreachable = |source| WhipError::Unreachable {
        url: url.to_owned(),
        source,
    };
    let origin = origin_of(url)?;
    let response = exchange
        .await
        .map_err(|e| unreachable(e.into()))?
        .map_err(unreachable)?;
    if response.status().is_success() {
        return Ok(response);
    }
    let body = String::from_utf8_lossy(response.body()).into_owned();
    Err(WhipError::Refused {
        url: origin,
        status: response.status(),
        body,
    })
}

async fn exchange(
    method: Method,
    url: &str,
    token: &str,
    body: &str,
) -> Result<Response<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
    let request = Request::builder()
        .method(method)
        .uri(url)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/sdp")
        .body(Full::new(Bytes::from(body.to_owned())))?;
    let http = Client::builder(TokioExecutor::new());
    let response = if url.starts_with("https:") {
        let connector = HttpsConnectorBuilder::new().with_native_roots()?;
        let connector = connector.https_only().enable_http1().build();
        http.build(connector).request(request).await?
    } else {
        http.build_http().request(request).await?
    };
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX)
        .collect()
        .await?
        .to_bytes();
    Ok(Response::from_parts(parts, body))
}
