//! Stream keys. Each channel has one, made with it.

use crate::arn::Arn;
use crate::dto::channel::{
    ChannelRecord, GetStreamKeyResponse, ListStreamKeysResponse, StreamKey, StreamKeyRecord,
};
use crate::error::ApiError;
use crate::input::Input;
use crate::ops::{find, find_named};
use crate::paging::{PageLimits, Paging};
use crate::reply::Reply;
use crate::state::Context;
use crate::store::Resource;

/// GetStreamKey.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let found = find_named(cx, input, "arn").await?;
    Reply::ok(&GetStreamKeyResponse {
        stream_key: render(found),
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
    let stream_keys = page.map(|found| StreamKey {
        value: None,
        ..render(found)
    });
    Reply::ok(&ListStreamKeysResponse {
        stream_keys: stream_keys.items,
        next_token,
    })
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
