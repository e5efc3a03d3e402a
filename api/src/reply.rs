//! What an operation answers: a status and a JSON body, and how that becomes HTTP.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::response::Response;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use serde_json::json;

use crate::error::ApiError;
use crate::ids;

/// The security and CORS headers that the service puts on its answers.
const FIXED_HEADERS: [(HeaderName, &str); 7] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        "Access-Control-Allow-Origin,Access-Control-Expose-Headers,Cache-Control,Content-Length,\
         Content-Security-Policy,Content-Type,date,Strict-Transport-Security,x-amz-apigw-id,x-amzn-errormessage,\
         x-amzn-errortype,x-amzn-requestid,x-amzn-trace-id,X-Content-Type-Options,X-Frame-Options",
    ),
    (header::CACHE_CONTROL, "no-store, no-cache"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; upgrade-insecure-requests;",
    ),
    (
        header::STRICT_TRANSPORT_SECURITY,
        "max-age:47304000; includeSubDomains",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// A successful answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// 200 or 204.
    pub status: StatusCode,
    /// JSON; empty with 204.
    pub body: Vec<u8>,
}

impl Reply {
    /// 200 with a body.
    pub fn ok(body: &impl Serialize) -> Result<Self, ApiError> {
        let body = serde_json::to_vec(body).map_err(ApiError::internal)?;
        Ok(Self {
            status: StatusCode::OK,
            body,
        })
    }

    /// 200 with an object of one member: a resource under its name in the model.
    pub fn one(member: &str, value: &impl Serialize) -> Result<Self, ApiError> {
        Self::ok(&BTreeMap::from([(member, value)]))
    }

    /// 200 with a page of a list, under its name in the model.
    pub fn page(
        member: &str,
        items: &[impl Serialize],
        next_token: Option<String>,
    ) -> Result<Self, ApiError> {
        let mut body = json!({ member: items });
        if let Some(token) = next_token {
            body["nextToken"] = token.into();
        }
        Self::ok(&body)
    }

    /// 200 with an empty object.
    pub fn empty() -> Self {
        Self {
            status: StatusCode::OK,
            body: b"{}".to_vec(),
        }
    }

    /// 204.
    pub fn no_content() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            body: Vec::new(),
        }
    }
}

/// The HTTP form of an outcome. Logs the causes of internal errors under the request's identifier.
pub fn respond(outcome: Result<Reply, ApiError>) -> Response {
    let request_id = ids::request_id();
    let mut response = match outcome {
        Ok(reply) => json_response(reply.status, reply.body),
        Err(error) => {
            log(&error, &request_id);
            error_response(&error)
        }
    };
    let headers = response.headers_mut();
    for (name, value) in FIXED_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    insert(headers, "x-amzn-requestid", &request_id);
    response
}

fn error_response(error: &ApiError) -> Response {
    let message = error.message();
    // SDKs differ in which member they read.
    let body = json!({ "message": message, "exceptionMessage": message }).to_string();
    let mut response = json_response(error.kind().status(), body.into_bytes());
    insert(
        response.headers_mut(),
        "x-amzn-errortype",
        error.kind().name(),
    );
    if let Some(seconds) = error.retry_after() {
        insert(response.headers_mut(), "retry-after", &seconds.to_string());
    }
    response
}

fn json_response(status: StatusCode, body: Vec<u8>) -> Response {
    let has_body = status != StatusCode::NO_CONTENT;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    if has_body {
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
    }
    response
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn log(error: &ApiError, request_id: &str) {
    if error.kind().status().is_server_error() {
        tracing::error!(request_id, error = %chain(error), "request failed");
    } else {
        tracing::debug!(request_id, kind = error.kind().name(), error = %error, "request refused");
    }
}

/// An error and its causes, outermost first.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
