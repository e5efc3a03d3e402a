//! What an operation answers when it fails; the only place that knows status codes and `x-amzn-ErrorType`.

use std::error::Error;
use std::time::Duration;

use http::StatusCode;

use crate::backend::{BackendError, StartError};

/// The failure of one request.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    kind: ErrorKind,
    message: String,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
    retry_after: Option<u64>,
}

/// The exceptions of both models, and those that every AWS endpoint may answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// A member of the request breaks a rule.
    Validation,
    /// The caller may not do this.
    AccessDenied,
    /// No such resource.
    ResourceNotFound,
    /// The channel is offline.
    ChannelNotBroadcasting,
    /// The resource is in use, or was asked for with other parameters.
    Conflict,
    /// A limit of the account is reached.
    ServiceQuotaExceeded,
    /// Requests come too fast.
    Throttling,
    /// Something inside failed; the cause is logged, not shown.
    InternalServer,
    /// The stream cannot be reached now.
    StreamUnavailable,
    /// No operation has this method and path.
    UnknownOperation,
    /// The request is not signed.
    MissingAuthenticationToken,
    /// The signature's fields are malformed.
    IncompleteSignature,
    /// No such access key.
    UnrecognizedClient,
    /// The signature does not fit the request, the time or this endpoint.
    InvalidSignature,
    /// The body did not arrive in time.
    RequestTimeout,
}

impl ErrorKind {
    /// The value of `x-amzn-ErrorType`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validation => "ValidationException",
            Self::AccessDenied => "AccessDeniedException",
            Self::ResourceNotFound => "ResourceNotFoundException",
            Self::ChannelNotBroadcasting => "ChannelNotBroadcasting",
            Self::Conflict => "ConflictException",
            Self::ServiceQuotaExceeded => "ServiceQuotaExceededException",
            Self::Throttling => "ThrottlingException",
            Self::InternalServer => "InternalServerException",
            Self::StreamUnavailable => "StreamUnavailable",
            Self::UnknownOperation => "UnknownOperationException",
            Self::MissingAuthenticationToken => "MissingAuthenticationTokenException",
            Self::IncompleteSignature => "IncompleteSignatureException",
            Self::UnrecognizedClient => "UnrecognizedClientException",
            Self::InvalidSignature => "InvalidSignatureException",
            Self::RequestTimeout => "RequestTimeoutException",
        }
    }

    /// The HTTP status that belongs to it.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Validation => StatusCode::BAD_REQUEST,
            Self::ServiceQuotaExceeded => StatusCode::PAYMENT_REQUIRED,
            Self::AccessDenied
            | Self::MissingAuthenticationToken
            | Self::IncompleteSignature
            | Self::UnrecognizedClient
            | Self::InvalidSignature => StatusCode::FORBIDDEN,
            Self::ResourceNotFound | Self::ChannelNotBroadcasting | Self::UnknownOperation => {
                StatusCode::NOT_FOUND
            }
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict => StatusCode::CONFLICT,
            Self::Throttling => StatusCode::TOO_MANY_REQUESTS,
            Self::InternalServer => StatusCode::INTERNAL_SERVER_ERROR,
            Self::StreamUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl ApiError {
    /// An error with the text that the caller sees.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
            retry_after: None,
        }
    }

    /// A rate is exceeded; the caller may come again after `wait`, which is rounded up to seconds.
    pub fn throttled(operation: &str, per_second: u32, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait.as_secs_f64().ceil() as u64),
            ..Self::new(
                ErrorKind::Throttling,
                format!("{operation}: rate exceeded, at most {per_second} per second allowed"),
            )
        }
    }

    /// A member breaks a rule; `message` names member, value and rule.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Validation, message)
    }

    /// No resource has this ARN.
    pub fn not_found(what: &str, arn: &impl std::fmt::Display) -> Self {
        Self::new(
            ErrorKind::ResourceNotFound,
            format!("{what} {arn} does not exist"),
        )
    }

    /// The state of a resource forbids it.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// A limit of the account is reached.
    pub fn quota(what: &str, limit: u32) -> Self {
        Self::new(
            ErrorKind::ServiceQuotaExceeded,
            format!("{what}: at most {limit} allowed"),
        )
    }

    /// Something inside failed. Callers see a fixed text, the log sees the cause.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::with_source(ErrorKind::InternalServer, "Service internal error", source)
    }

    /// An error whose cause is logged.
    pub fn with_source(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            message: message.into(),
            source: Some(source.into()),
            retry_after: None,
        }
    }

    /// Which exception it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The seconds after which the caller may come again.
    pub fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }

    /// What the caller sees.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl From<BackendError> for ApiError {
    fn from(error: BackendError) -> Self {
        Self::internal(error)
    }
}

impl From<StartError> for ApiError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Full(full) => Self::new(ErrorKind::ServiceQuotaExceeded, full.to_string()),
            StartError::Failed(error) => error.into(),
        }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        Self::internal(error)
    }
}
