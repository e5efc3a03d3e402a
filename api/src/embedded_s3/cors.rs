//! Players in browsers: any page may read objects that are public anyway.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CONTENT_SECURITY_POLICY, HeaderValue,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use s3s::service::S3Service;
use s3s::{Body, HttpError};

const READ_METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");
const READ_HEADERS: HeaderValue =
    HeaderValue::from_static("Range, If-None-Match, If-Modified-Since, *");
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static(
    "Accept-Ranges, Content-Length, Content-Range, Content-Type, Date, ETag, Last-Modified",
);
const ONE_DAY: HeaderValue = HeaderValue::from_static("86400");

/// Answers a preflight itself and lets the S3 service answer everything else.
pub(super) async fn answer(
    service: &S3Service,
    public_read: bool,
    request: Request<Incoming>,
) -> Result<Response<Body>, HttpError> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if public_read && request.method() == Method::OPTIONS {
        return Ok(preflight());
    }
    let mut response = service.call(request.map(Body::from)).await?;
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // What somebody stored as a page runs no script beside the page of this server.
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    if public_read && reads {
        allow_reading(headers);
    }
    Ok(response)
}

fn preflight() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    allow_reading(headers);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, READ_METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, READ_HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, ONE_DAY);
    response
}

fn allow_reading(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
}
