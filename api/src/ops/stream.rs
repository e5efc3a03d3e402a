//! Live streams of channels.

use compositor_core::id::ChannelId;
use serde::Deserialize;

use crate::arn::{Arn, ArnKind};
use crate::backend::{self, LiveStream};
use crate::dto::channel::ChannelRecord;
use crate::dto::stream::{Stream, StreamHealth, StreamState};
use crate::error::{ApiError, ErrorKind};
use crate::input::Input;
use crate::ops::{PAGE_MAX, channel, find_named};
use crate::pagination::Page;
use crate::paging::{PageLimits, Paging};
use crate::reply::Reply;
use crate::state::Context;
use crate::store::Resource;
use crate::wall_clock::iso8601;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListRequest {
    #[serde(default)]
    filter_by: Filter,
}

#[derive(Default, Deserialize)]
struct Filter {
    health: Option<StreamHealth>,
}

/// GetStream.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let found: Resource<ChannelRecord> = find_named(cx, input, "channelArn").await?;
    let live = cx
        .backend()
        .stream_of(&ChannelId::new(found.arn.id()))
        .await;
    let live = live.ok_or_else(|| offline(&found.arn))?;
    let playback_url = channel::playback_url(cx, &found.arn);
    Reply::one("stream", &render(&found.arn, live, Some(playback_url)))
}

/// ListStreams, in the order in which their channels were made.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let health = input.read::<ListRequest>()?.filter_by.health;
    let limits = PageLimits {
        default: PAGE_MAX,
        max: PAGE_MAX,
    };
    let scope = format!("{health:?}");
    let paging = Paging::read(cx, input, &["ListStreams", &scope], limits)?;
    let mut streams = Vec::new();
    for live in cx.backend().live_streams().await {
        let arn = cx.arn(ArnKind::Channel, live.channel.as_str());
        if health.is_some_and(|wanted| wanted != wire_health(live.health)) {
            continue;
        }
        // Another account's channel, or one deleted at this moment, is not there.
        let found: Option<Resource<ChannelRecord>> = cx.store().find(cx.account(), &arn).await?;
        streams.extend(found.map(|found| (found.seq, render(&arn, live, None))));
    }
    streams.retain(|(seq, _)| *seq > paging.request.after);
    streams.sort_by_key(|(seq, _)| *seq);
    let page = Page::cut(streams, paging.request.limit, |(seq, _)| *seq);
    let next_token = paging.next_token(&page);
    Reply::page("streams", &page.map(|(_, stream)| stream).items, next_token)
}

/// StopStream.
pub async fn stop(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let found: Resource<ChannelRecord> = find_named(cx, input, "channelArn").await?;
    match cx
        .backend()
        .stop_stream(&ChannelId::new(found.arn.id()))
        .await
    {
        Ok(true) => Ok(Reply::empty()),
        Ok(false) => Err(offline(&found.arn)),
        Err(error) => Err(ApiError::with_source(
            ErrorKind::StreamUnavailable,
            format!("the stream of {} cannot be stopped now", found.arn),
            error,
        )),
    }
}

pub(super) fn offline(channel: &Arn) -> ApiError {
    ApiError::new(
        ErrorKind::ChannelNotBroadcasting,
        format!("{channel} is not broadcasting"),
    )
}

fn render(channel: &Arn, live: LiveStream, playback_url: Option<String>) -> Stream {
    Stream {
        channel_arn: channel.to_string(),
        stream_id: live.stream_id,
        playback_url,
        start_time: iso8601(live.started_at),
        state: StreamState::Live,
        health: wire_health(live.health),
        viewer_count: live.viewer_count,
    }
}

fn wire_health(health: backend::StreamHealth) -> StreamHealth {
    match health {
        backend::StreamHealth::Healthy => StreamHealth::Healthy,
        backend::StreamHealth::Starving => StreamHealth::Starving,
        backend::StreamHealth::Unknown => StreamHealth::Unknown,
    }
}
