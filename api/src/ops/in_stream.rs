//! What is put into a live stream: timed metadata and ad breaks.

use std::time::Duration;

use channel::{AdBreakRefusal, AdBreakRequest};
use compositor_core::id::ChannelId;
use compositor_core::time::WallTime;
use serde::{Deserialize, Serialize};

use crate::arn::Arn;
use crate::dto::channel::ChannelRecord;
use crate::error::ApiError;
use crate::ids;
use crate::input::Input;
use crate::ops::stream::offline;
use crate::ops::stream_session::ad_configuration;
use crate::ops::{find, find_named};
use crate::reply::Reply;
use crate::state::Context;
use crate::store::Resource;
use crate::wall_clock::{iso8601, parse_iso8601};

/// Bytes of one text of metadata (IVS quota).
const METADATA_BYTES_MAX: usize = 1024;

/// How far ahead an ad break may be planned; the service does not say.
const AD_BREAK_AHEAD_MAX: Duration = Duration::from_secs(60 * 60);

/// How far in the past a start may be: clocks differ, and clients send whole seconds. Such a break begins at once.
const AD_BREAK_LATE_MAX: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetadataRequest {
    channel_arn: Arn,
    metadata: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BreakRequest {
    duration_seconds: u32,
    ad_break_id: Option<String>,
    target_start_at: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BreakResponse {
    ad_break_id: String,
    target_start_at: String,
}

/// PutMetadata: into the segment that is being made.
pub async fn put_metadata(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let MetadataRequest {
        channel_arn,
        metadata,
    } = input.read()?;
    if metadata.len() > METADATA_BYTES_MAX {
        return Err(ApiError::validation(format!(
            "`metadata`: {} bytes of UTF-8 given, must be at most {METADATA_BYTES_MAX}",
            metadata.len()
        )));
    }
    let found = find::<ChannelRecord>(cx, &channel_arn).await?;
    let channel = ChannelId::new(found.arn.id());
    if cx.backend().put_metadata(&channel, &metadata).await {
        Ok(Reply::no_content())
    } else {
        Err(offline(&found.arn))
    }
}

/// InsertAdBreak: a signal in the playlists; nothing is put in place of the stream.
pub async fn insert_ad_break(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let found: Resource<ChannelRecord> = find_named(cx, input, "channelArn").await?;
    let request: BreakRequest = input.read()?;
    let start = request
        .target_start_at
        .map(|text| read_start(cx.now, &text))
        .transpose()?;
    let channel = ChannelId::new(found.arn.id());
    let live = cx.backend().stream_of(&channel).await;
    let live = live.ok_or_else(|| offline(&found.arn))?;
    if ad_configuration(cx, &found, &live.stream_id)
        .await?
        .is_none()
    {
        return Err(ApiError::conflict(format!(
            "{} had no ad configuration when its stream began",
            found.arn
        )));
    }
    let request = AdBreakRequest {
        id: request.ad_break_id.unwrap_or_else(ids::resource_id),
        start,
        duration: Duration::from_secs(request.duration_seconds.into()),
    };
    let inserted = cx.backend().insert_ad_break(&channel, request).await;
    let inserted = inserted.map_err(|refusal| match refusal {
        AdBreakRefusal::NotLive => offline(&found.arn),
        AdBreakRefusal::Busy(_) | AdBreakRefusal::IdTaken(_) => {
            ApiError::conflict(refusal.to_string())
        }
    })?;
    Reply::ok(&BreakResponse {
        ad_break_id: inserted.id,
        target_start_at: iso8601(inserted.start),
    })
}

fn read_start(now: WallTime, text: &str) -> Result<WallTime, ApiError> {
    let rule = |rule: &str| ApiError::validation(format!("`targetStartAt`: {text} given, {rule}"));
    let start = parse_iso8601(text).ok_or_else(|| rule("must be a time in ISO 8601"))?;
    if start.plus(AD_BREAK_LATE_MAX) < now {
        return Err(rule("must not be in the past"));
    }
    if start > now.plus(AD_BREAK_AHEAD_MAX) {
        return Err(rule("must be at most an hour ahead"));
    }
    Ok(start)
}
