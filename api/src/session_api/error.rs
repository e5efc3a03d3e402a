//! Errors of the session API: `{"error":{"code","message"}}`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use crate::backend::BackendError;
use crate::error::{ApiError, ErrorKind};
use crate::telemetry::chain;

use super::guard::{LoginRefusal, Refusal};

/// A refused or failed request of the page.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// The guard does not let it through.
    #[error("{}", refusal_text(*.0))]
    Refused(Refusal),
    /// No cookie for this password.
    #[error("{}", login_text(*.0))]
    Login(LoginRefusal),
    /// The body is no JSON of the right shape.
    #[error("the body {0}")]
    Body(String),
    /// No such route.
    #[error("no such route")]
    NoRoute,
    /// An IVS operation said no.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl From<BackendError> for SessionError {
    fn from(error: BackendError) -> Self {
        Self::Api(error.into())
    }
}

fn refusal_text(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Host => {
            "the Host header names another server; open the page by the server's own address"
        }
        Refusal::Origin => "the Origin header names another page",
        Refusal::Token => {
            "the X-Session-Token header is not the token of this server start; reload the page"
        }
        Refusal::Login => "log in with the admin password first",
    }
}

fn login_text(refusal: LoginRefusal) -> &'static str {
    match refusal {
        LoginRefusal::Wrong => "the password is wrong",
        LoginRefusal::TooMany => "too many wrong passwords; wait a minute",
    }
}

impl SessionError {
    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Refused(Refusal::Host) => (StatusCode::FORBIDDEN, "HostNotAllowed"),
            Self::Refused(Refusal::Origin) => (StatusCode::FORBIDDEN, "OriginNotAllowed"),
            Self::Refused(Refusal::Token) => (StatusCode::FORBIDDEN, "SessionTokenMismatch"),
            Self::Refused(Refusal::Login) => (StatusCode::UNAUTHORIZED, "LoginRequired"),
            Self::Login(LoginRefusal::Wrong) => (StatusCode::UNAUTHORIZED, "PasswordWrong"),
            Self::Login(LoginRefusal::TooMany) => {
                (StatusCode::TOO_MANY_REQUESTS, "TooManyAttempts")
            }
            Self::Body(_) => (StatusCode::BAD_REQUEST, "BodyInvalid"),
            Self::NoRoute => (StatusCode::NOT_FOUND, "NotFound"),
            Self::Api(error) => (error.kind().status(), error.kind().name()),
        }
    }
}

impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        if let Self::Api(error) = &self
            && error.kind() == ErrorKind::InternalServer
        {
            tracing::error!(error = %chain(error), "a request of the page failed");
        }
        let (status, code) = self.status_and_code();
        let body = json!({ "error": { "code": code, "message": self.to_string() } });
        (status, Json(body)).into_response()
    }
}
