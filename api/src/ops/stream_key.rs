//! Stream keys. A channel is made with one; deleting it closes the channel to new broadcasts until there is another.

use serde::Deserialize;

use crate::arn::{Arn, ArnKind};
use crate::backend::StreamKeyValue;
use crate::dto::Tags;
use crate::dto::channel::{
    BatchError, BatchGetStreamKeyResponse, ChannelRecord, StreamKey, StreamKeyRecord,
};
use crate::error::ApiError;
use crate::ids;
use crate::input::Input;
use crate::ops::{find, find_each, find_named};
use crate::paging::{PageLimits, Paging};
use crate::reply::Reply;
use crate::state::Context;
use crate::store::{NewResource, Resource};

const MEMBER: &str = "streamKey";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateRequest {
    channel_arn: Arn,
    #[serde(default)]
    tags: Tags,
}

/// CreateStreamKey.
pub async fn create(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let request: CreateRequest = input.read()?;
    let key = new(cx, &request.channel_arn, request.tags);
    let kept = cx
        .store()
        .insert_stream_key(cx.account(), &request.channel_arn, NewResource::of(&key))
        .await?;
    if !kept {
        return Err(ApiError::not_found("the resource", &request.channel_arn));
    }
    Reply::one(MEMBER, &render(key))
}

/// GetStreamKey.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let found = find_named(cx, input, "arn").await?;
    Reply::one(MEMBER, &render(found))
}

/// BatchGetStreamKey.
pub async fn batch_get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let (found, missing) = find_each(cx, input).await?;
    Reply::ok(&BatchGetStreamKeyResponse {
        stream_keys: found.into_iter().map(render).collect(),
        errors: missing.iter().map(BatchError::not_found).collect(),
    })
}

/// ListStreamKeys.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let channel = input.arn("channelArn")?;
    let limits = PageLimits {
        default: 1,
        max: 50,
    };
    let scope = channel.to_string();
    let paging = Paging::read(cx, input, &["ListStreamKeys", &scope], limits)?;
    find::<ChannelRecord>(cx, &channel).await?;
    let page = cx
        .store()
        .list_stream_keys(cx.account(), &channel, paging.request)
        .await?;
    let next_token = paging.next_token(&page);
    let summary = |found| StreamKey {
        value: None,
        ..render(found)
    };
    Reply::page("streamKeys", &page.map(summary).items, next_token)
}

/// A new key of a channel.
pub(super) fn new(cx: Context<'_>, channel: &Arn, tags: Tags) -> Resource<StreamKeyRecord> {
    let value = ids::stream_key_value(&cx.state.settings.region);
    Resource {
        seq: 0,
        arn: cx.new_arn(ArnKind::StreamKey),
        parent: Some(channel.clone()),
        record: StreamKeyRecord {
            value: StreamKeyValue::new(value),
        },
        tags,
    }
}

/// The key with its value.
pub(super) fn render(found: Resource<StreamKeyRecord>) -> StreamKey {
    StreamKey {
        arn: found.arn.to_string(),
        value: Some(found.record.value),
        channel_arn: found
            .parent
            .as_ref()
            .map(Arn::to_string)
            .unwrap_or_default(),
        tags: found.tags,
    }
}
