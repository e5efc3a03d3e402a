//! One handler per operation: read the request, ask store and backend, render the answer.

pub mod channel;
pub mod composition;
pub mod encoder_configuration;
pub mod not_built;
pub mod participant;
mod resolve;
pub mod stage;
pub mod storage_configuration;
pub mod stream;
pub mod stream_key;
pub mod tag;

use crate::arn::Arn;
use crate::error::ApiError;
use crate::input::Input;
use crate::reply::Reply;
use crate::state::Context;
use crate::store::{Deletion, Record, Resource};

/// The resource that the member `name` of the request names.
pub(crate) async fn find_named<T: Record>(
    cx: Context<'_>,
    input: &Input,
    name: &str,
) -> Result<Resource<T>, ApiError> {
    find(cx, &input.arn(name)?).await
}

/// The resource of that ARN, which must be there.
pub(crate) async fn find<T: Record>(cx: Context<'_>, arn: &Arn) -> Result<Resource<T>, ApiError> {
    let found = cx.store().find(cx.account(), arn).await?;
    found.ok_or_else(|| ApiError::not_found("the resource", arn))
}

/// Deletes the resource of that ARN, which must be there and not in use.
pub(crate) async fn delete(cx: Context<'_>, arn: &Arn) -> Result<(), ApiError> {
    match cx.store().delete(cx.account(), arn).await? {
        Deletion::Deleted => Ok(()),
        Deletion::Missing => Err(ApiError::not_found("the resource", arn)),
        Deletion::InUse { composition } => Err(ApiError::conflict(format!(
            "{arn} is used by {composition}, which has not ended"
        ))),
    }
}

/// Delete operations that answer an empty object.
pub(crate) async fn delete_named(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let arn = input.arn("arn")?;
    delete(cx, &arn).await?;
    Ok(Reply::empty())
}
