//! One handler per operation: read the request, ask store and backend, render the answer.

pub mod ad_configuration;
pub mod channel;
pub mod composition;
pub mod connection_token;
pub mod encoder_configuration;
pub mod failover_slate_configuration;
pub mod in_stream;
pub mod ingest_configuration;
pub mod participant;
pub mod playback_key_pair;
pub mod playback_restriction_policy;
pub mod public_key;
pub mod recording_configuration;
pub mod replication;
mod resolve;
pub mod stage;
pub mod stage_session;
pub mod storage_configuration;
pub mod stream;
pub mod stream_key;
pub mod stream_session;
pub mod tag;
pub mod viewer_session;

use serde::Deserialize;

use crate::arn::Arn;
use crate::dto::{Shown, Tags};
use crate::error::ApiError;
use crate::input::Input;
use crate::paging::{PageLimits, Paging};
use crate::reply::Reply;
use crate::state::Context;
use crate::store::{Deletion, NewResource, Record, Resource, StoreError};

/// Largest page of almost every list (IVS).
pub(crate) const PAGE_MAX: u32 = 100;

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

/// The resources that the member `arns` names, as far as they are there, and the ARNs of the others.
pub(crate) async fn find_each<T: Record>(
    cx: Context<'_>,
    input: &Input,
) -> Result<(Vec<Resource<T>>, Vec<Arn>), ApiError> {
    let Arns { arns } = input.read()?;
    let (mut all, mut missing) = (Vec::with_capacity(arns.len()), Vec::new());
    for arn in arns {
        match cx.store().find(cx.account(), &arn).await? {
            Some(found) => all.push(found),
            None => missing.push(arn),
        }
    }
    Ok((all, missing))
}

#[derive(Deserialize)]
struct Arns {
    arns: Vec<Arn>,
}

/// Keeps a new resource.
pub(crate) async fn keep<T: Record>(
    cx: Context<'_>,
    record: T,
    tags: Tags,
) -> Result<Shown<T>, ApiError> {
    let arn = cx.new_arn(T::KIND);
    let new = NewResource {
        arn: &arn,
        record: &record,
        tags: &tags,
    };
    cx.store().insert(cx.account(), new).await?;
    Ok(Shown { arn, record, tags })
}

/// The page of a list without filters that the request asks for, and the token for the next one.
pub(crate) async fn list_page<T: Record>(
    cx: Context<'_>,
    input: &Input,
    default: u32,
) -> Result<(Vec<Resource<T>>, Option<String>), ApiError> {
    let limits = PageLimits {
        default: default.min(PAGE_MAX),
        max: PAGE_MAX,
    };
    let paging = Paging::read(cx, input, &[input.operation()], limits)?;
    let page = cx.store().list(cx.account(), paging.request, None).await?;
    let next_token = paging.next_token(&page);
    Ok((page.items, next_token))
}

/// Changes the resource that the request names, which must be there.
pub(crate) async fn update_named<T: Record>(
    cx: Context<'_>,
    input: &Input,
    change: impl FnOnce(&mut T) + Send,
) -> Result<Resource<T>, ApiError> {
    let arn = input.arn("arn")?;
    let change = |record: &mut T| -> Result<(), ApiError> {
        change(record);
        Ok(())
    };
    let changed = cx.store().update(cx.account(), &arn, change).await?;
    changed.ok_or_else(|| ApiError::not_found("the resource", &arn))
}

/// For operations whose model has no ResourceNotFoundException: the member `path` names what is not there.
pub(crate) fn invalid_reference(path: &str, error: StoreError) -> ApiError {
    match error {
        StoreError::MissingReference { arn } => ApiError::validation(format!(
            "`{path}`: '{arn}' given, must be a resource that exists"
        )),
        other => other.into(),
    }
}

/// A resource whose answers show all that is kept.
pub(crate) fn shown<T>(found: Resource<T>) -> Shown<T> {
    Shown {
        arn: found.arn,
        record: found.record,
        tags: found.tags,
    }
}

/// Deletes the resource of that ARN, which must be there and not in use.
pub(crate) async fn delete(cx: Context<'_>, arn: &Arn) -> Result<(), ApiError> {
    match cx.store().delete(cx.account(), arn).await? {
        Deletion::Deleted => Ok(()),
        Deletion::Missing => Err(ApiError::not_found("the resource", arn)),
        Deletion::InUse { composition } => Err(ApiError::conflict(format!(
            "{arn} is used by {composition}, which has not ended"
        ))),
        Deletion::Attached { by } => Err(ApiError::conflict(format!(
            "{arn} is used by {by}; update that first"
        ))),
    }
}

/// Delete operations that answer an empty object.
pub(crate) async fn delete_named(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let arn = input.arn("arn")?;
    delete(cx, &arn).await?;
    Ok(Reply::empty())
}

/// Delete operations that answer nothing.
pub(crate) async fn remove_named(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    delete(cx, &input.arn("arn")?).await?;
    Ok(Reply::no_content())
}
