//! What an access key may do: actions on resources.

mod operations;
mod policy;

pub use crate::access::operations::new_resource_kind;
pub use crate::access::policy::{Pattern, Policy, Statement};

use crate::error::{ApiError, ErrorKind};
use crate::sigv4::Principal;

/// Refuses what the caller's policy does not allow: the operation on every resource that the request names. An operation
/// that names none, as Create and List, acts on all resources of its type: `arn:aws:ivs:<region>:<account>:stage/*`.
pub fn authorize(
    region: &str,
    principal: &Principal,
    operation: &str,
    named: &[&str],
) -> Result<(), ApiError> {
    let action = format!("ivs:{operation}");
    let of_type = new_resource_kind(operation).map(|kind| {
        format!(
            "arn:aws:ivs:{region}:{}:{}/*",
            principal.account,
            kind.as_str()
        )
    });
    let all = of_type.as_deref().unwrap_or("*");
    let mut resources = named.iter().copied().chain(named.is_empty().then_some(all));
    match resources.find(|resource| !principal.policy.allows(&action, resource)) {
        None => Ok(()),
        Some(resource) => Err(ApiError::new(
            ErrorKind::AccessDenied,
            format!(
                "access key {} of account {} is not authorized to perform {action} on resource {resource}",
                principal.access_key, principal.account
            ),
        )),
    }
}

#[cfg(test)]
mod tests;
