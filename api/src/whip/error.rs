//! What a WHIP client is told: a status of RFC 9725 and `{"code": ..., "message": ...}`.

use axum::Json;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use compositor_core::error_chain::error_chain;
use compositor_core::id::StageId;
use serde_json::json;
use stage_gateway::error::{OfferError, ResourceError, TokenError};

use crate::store::StoreError;

/// When a full server may be asked again.
const RETRY_AFTER_SECONDS: &str = "10";

/// A refused WHIP request.
#[derive(Debug)]
pub(super) struct WhipError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl WhipError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    pub(super) fn no_token() -> Self {
        let message = "the Authorization header must be Bearer and a participant token";
        Self::new(StatusCode::UNAUTHORIZED, "MissingToken", message)
    }

    pub(super) fn stage_gone(stage: &StageId) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "StageNotFound",
            format!("stage {stage} does not exist"),
        )
    }

    pub(super) fn content_type(given: &str, wanted: &str) -> Self {
        let message = format!("Content-Type is {given:?}, it must be {wanted}");
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            message,
        )
    }

    pub(super) fn not_text() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "MalformedSdp",
            "the body is not UTF-8 text",
        )
    }

    pub(super) fn method_not_allowed() -> Self {
        let message = "publish and subscribe by POST, sessions take PATCH and DELETE";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    }

    pub(super) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            "internal error",
        )
    }
}

impl From<TokenError> for WhipError {
    fn from(error: TokenError) -> Self {
        let (status, code) = match &error {
            TokenError::Malformed { .. } => (StatusCode::UNAUTHORIZED, "MalformedToken"),
            TokenError::BadSignature => (StatusCode::UNAUTHORIZED, "InvalidToken"),
            TokenError::Expired { .. } => (StatusCode::UNAUTHORIZED, "ExpiredToken"),
            TokenError::UnknownKey { .. } => (StatusCode::UNAUTHORIZED, "UnknownKey"),
            TokenError::ForeignStage { .. } => (StatusCode::UNAUTHORIZED, "ForeignToken"),
            TokenError::Revoked { .. } => (StatusCode::UNAUTHORIZED, "RevokedToken"),
            TokenError::MissingCapability { .. } => {
                (StatusCode::FORBIDDEN, "InsufficientCapabilities")
            }
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<OfferError> for WhipError {
    fn from(error: OfferError) -> Self {
        let (status, code) = match &error {
            OfferError::Token(token) => return token.clone().into(),
            OfferError::Malformed { .. } => (StatusCode::BAD_REQUEST, "MalformedSdp"),
            OfferError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "OfferTooLarge"),
            OfferError::Unacceptable { .. } | OfferError::UnsupportedCodec { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "UnacceptableOffer")
            }
            OfferError::StageFull { .. } => (StatusCode::SERVICE_UNAVAILABLE, "StageFull"),
            OfferError::HistoryBehind { .. } => (StatusCode::SERVICE_UNAVAILABLE, "HistoryBehind"),
            OfferError::ServerFull { .. } => (StatusCode::SERVICE_UNAVAILABLE, "ServerFull"),
            OfferError::PublisherNotFound { .. } => (StatusCode::NOT_FOUND, "PublisherNotFound"),
            OfferError::Session(_) | OfferError::Internal { .. } => {
                tracing::error!(error = %error_chain(&error), "offer not answered");
                return Self::internal();
            }
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<ResourceError> for WhipError {
    fn from(error: ResourceError) -> Self {
        let (status, code) = match &error {
            ResourceError::NotFound { .. } => (StatusCode::NOT_FOUND, "SessionNotFound"),
            ResourceError::NotOwner { .. } => (StatusCode::FORBIDDEN, "NotOwner"),
            ResourceError::PreconditionRequired => {
                (StatusCode::PRECONDITION_REQUIRED, "PreconditionRequired")
            }
            ResourceError::PreconditionFailed { .. } => {
                (StatusCode::PRECONDITION_FAILED, "PreconditionFailed")
            }
            ResourceError::Malformed { .. } => (StatusCode::BAD_REQUEST, "MalformedSdp"),
            ResourceError::Unprocessable { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "UnacceptableFragment")
            }
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<StoreError> for WhipError {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = %error_chain(&error), "the store did not answer a WHIP request");
        Self::internal()
    }
}

impl IntoResponse for WhipError {
    fn into_response(self) -> Response {
        let body = Json(json!({ "code": self.code, "message": self.message }));
        let extra: Option<(HeaderName, &str)> = match self.status {
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
            StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, RETRY_AFTER_SECONDS)),
            _ => None,
        };
        match extra {
            Some(extra) => (self.status, [extra], body).into_response(),
            None => (self.status, body).into_response(),
        }
    }
}
