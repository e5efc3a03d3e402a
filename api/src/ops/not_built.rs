//! Operations of the two IVS models that this server does not have yet. They answer so, and pretend nothing.

use crate::error::{ApiError, ErrorKind};

/// The answer to one of them.
pub fn refuse(operation: &str) -> ApiError {
    ApiError::new(
        ErrorKind::NotImplemented,
        format!("{operation}: this server does not have that operation yet"),
    )
}
