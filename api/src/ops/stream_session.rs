//! Stream sessions: what there was, also of channels that are gone.

use serde::Deserialize;

use crate::arn::{Arn, ArnKind};
use crate::dto::channel::ChannelRecord;
use crate::dto::stream_session::{
    StreamEvent, StreamSession, StreamSessionSummary, StreamSnapshot,
};
use crate::error::ApiError;
use crate::input::Input;
use crate::ops::{PAGE_MAX, channel, find};
use crate::paging::{PageLimits, Paging};
use crate::reply::Reply;
use crate::state::Context;
use crate::store::{Resource, StoredStreamSession};
use crate::wall_clock::iso8601;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GetRequest {
    channel_arn: Arn,
    stream_id: Option<String>,
}

/// GetStreamSession; without an id, the newest.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let GetRequest {
        channel_arn,
        stream_id,
    } = input.read()?;
    let found = cx
        .store()
        .find_stream_session(cx.account(), &channel_arn, stream_id.as_deref())
        .await?;
    match found {
        Some(found) => Reply::one("streamSession", &render(cx, found)),
        None => Err(ApiError::not_found("a stream session of", &channel_arn)),
    }
}

/// ListStreamSessions, newest first.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let channel = input.arn("channelArn")?;
    let limits = PageLimits {
        default: PAGE_MAX,
        max: PAGE_MAX,
    };
    let scope = channel.to_string();
    let paging = Paging::read(cx, input, &["ListStreamSessions", &scope], limits)?;
    let page = cx
        .store()
        .list_stream_sessions(cx.account(), &channel, paging.request)
        .await?;
    if page.items.is_empty() {
        // Sessions outlive their channel; without any, it must be there.
        find::<ChannelRecord>(cx, &channel).await?;
    }
    let next_token = paging.next_token(&page);
    let sessions = page.map(|row| StreamSessionSummary {
        stream_id: row.stream_id,
        start_time: iso8601(row.started_at),
        end_time: row.ended_at.map(iso8601),
        has_error_event: row.has_error,
    });
    Reply::page("streamSessions", &sessions.items, next_token)
}

fn render(cx: Context<'_>, found: StoredStreamSession) -> StreamSession {
    let (arn, row) = (found.channel, found.row);
    let snapshot = StreamSnapshot::read(&found.snapshot);
    let events = found.events.into_iter().map(|entry| StreamEvent {
        name: entry.name,
        detail_type: entry.detail_type,
        event_time: iso8601(entry.at),
        code: entry.code,
    });
    let mut session = StreamSession {
        stream_id: row.stream_id,
        start_time: iso8601(row.started_at),
        end_time: row.ended_at.map(iso8601),
        channel: None,
        ingest: found
            .ingest
            .and_then(|text| serde_json::from_str(&text).ok()),
        recording_configuration: None,
        failover_slate_configuration: None,
        truncated_events: events.collect(),
    };
    if let Some(snapshot) = snapshot {
        let channel = Resource {
            seq: 0,
            arn,
            parent: None,
            record: snapshot.channel,
            tags: snapshot.tags,
        };
        session.channel = Some(channel::render(cx, channel));
        session.recording_configuration = snapshot.recording_configuration;
        session.failover_slate_configuration = snapshot.failover_slate_configuration;
    }
    session
}

/// The ad configuration of the channel when this session began, if the session is known.
pub(super) async fn ad_configuration(
    cx: Context<'_>,
    channel: &Resource<ChannelRecord>,
    stream_id: &str,
) -> Result<Option<Arn>, ApiError> {
    debug_assert_eq!(channel.arn.kind(), ArnKind::Channel);
    let session = cx
        .store()
        .find_stream_session(cx.account(), &channel.arn, Some(stream_id))
        .await?;
    let snapshot = session.and_then(|session| StreamSnapshot::read(&session.snapshot));
    Ok(match snapshot {
        Some(snapshot) => snapshot.channel.ad_configuration,
        None => channel.record.ad_configuration.clone(),
    })
}
