//! From request bodies to typed requests, and from wire types to the core's.

pub mod channel;
pub mod composition;
pub mod encoder_configuration;
pub mod layout;
pub mod stage;

use crate::arn::{Arn, ArnKind};
use crate::error::{ApiError, ErrorKind};
use crate::validate::Members;

/// An ARN that must be there.
pub fn required_arn(members: &Members<'_>, name: &str, kind: ArnKind) -> Result<Arn, ApiError> {
    let arn = members.arn(name, kind)?;
    members.required(name, arn)
}

/// An option that this server does not have yet was asked for. Accepting it would be a lie.
pub fn not_built(path: &str, value: &str) -> ApiError {
    ApiError::new(
        ErrorKind::NotImplemented,
        format!("`{path}`: {value} given, this server does not have that yet"),
    )
}
