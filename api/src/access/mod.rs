//! What an access key may do: actions on resources.

mod operations;
mod policy;

pub use crate::access::operations::new_resource_kind;
pub use crate::access::policy::{Pattern, Policy, Statement};

use crate::arn::Arn;
use crate::error::{ApiError, ErrorKind};
use crate::sigv4::Principal;

/// Refuses what the caller's policy does not allow: the operation on every resource that the request names. An operation
/// that names none acts on all resources of its type: `arn:aws:ivs:<region>:<account>:stage/*`. So do Create and List
/// unless they name one of that type, as CreateParticipantToken does: whoever lists the compositions of a stage must be
/// allowed to list compositions, whoever makes a stream key of a channel to make stream keys.
pub fn authorize(
    region: &str,
    principal: &Principal,
    operation: &str,
    named: &[&str],
) -> Result<(), ApiError> {
    let action = format!("ivs:{operation}");
    let kind = new_resource_kind(operation);
    let of_type = kind.map(|kind| {
        format!(
            "arn:aws:ivs:{region}:{}:{}/*",
            principal.account,
            kind.as_str()
        )
    });
    let all = of_type.as_deref().unwrap_or("*");
    let names_its_type = named
        .iter()
        .any(|text| Arn::parse(text).map(|arn| arn.kind()) == kind);
    let is_about_all = operation.starts_with("Create") || operation.starts_with("List");
    let acts_on_all = named.is_empty() || (kind.is_some() && is_about_all && !names_its_type);
    let mut resources = named.iter().copied().chain(acts_on_all.then_some(all));
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
