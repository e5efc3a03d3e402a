//! Channels.

use compositor_core::id::ChannelId;
use serde::Deserialize;

use crate::arn::{Arn, ArnKind, ArnOrEmpty};
use crate::convert::channel::ChannelMembers;
use crate::dto::Tags;
use crate::dto::channel::{
    BatchError, BatchGetChannelResponse, Channel, ChannelRecord, ChannelSummary,
    CreateChannelResponse, REFERENCE_KINDS, Srt,
};
use crate::error::ApiError;
use crate::ids;
use crate::input::Input;
use crate::ops::{PAGE_MAX, find, find_each, find_named, stream_key};
use crate::paging::{PageLimits, Paging};
use crate::reply::Reply;
use crate::state::Context;
use crate::store::{ChannelFilter, NewResource, Resource};

const MEMBER: &str = "channel";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Filters {
    filter_by_name: Option<String>,
    filter_by_recording_configuration_arn: Option<ArnOrEmpty>,
    filter_by_playback_restriction_policy_arn: Option<ArnOrEmpty>,
    filter_by_ad_configuration_arn: Option<ArnOrEmpty>,
    filter_by_failover_slate_configuration_arn: Option<ArnOrEmpty>,
}

#[derive(Deserialize)]
struct Tagged {
    #[serde(default)]
    tags: Tags,
}

/// CreateChannel, with its one stream key. The tags are the channel's alone.
pub async fn create(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let mut record = ChannelRecord::new(ids::srt_passphrase());
    input.read::<ChannelMembers>()?.apply(&mut record)?;
    let channel = Resource {
        seq: 0,
        arn: cx.new_arn(ArnKind::Channel),
        parent: None,
        record,
        tags: input.read::<Tagged>()?.tags,
    };
    let key = stream_key::new(cx, &channel.arn, Tags::new());
    cx.store()
        .insert_channel(
            cx.account(),
            NewResource::of(&channel),
            NewResource::of(&key),
        )
        .await?;
    Reply::ok(&CreateChannelResponse {
        channel: render(cx, channel),
        stream_key: stream_key::render(key),
    })
}

/// GetChannel.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let found = find_named(cx, input, "arn").await?;
    Reply::one(MEMBER, &render(cx, found))
}

/// BatchGetChannel.
pub async fn batch_get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let (found, missing) = find_each(cx, input).await?;
    Reply::ok(&BatchGetChannelResponse {
        channels: found.into_iter().map(|found| render(cx, found)).collect(),
        errors: missing.iter().map(BatchError::not_found).collect(),
    })
}

/// ListChannels.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let filter = input.read::<Filters>()?.only_one()?;
    let limits = PageLimits {
        default: PAGE_MAX,
        max: PAGE_MAX,
    };
    let scope = format!("{filter:?}");
    let paging = Paging::read(cx, input, &["ListChannels", &scope], limits)?;
    let page = cx
        .store()
        .list_channels(cx.account(), paging.request, &filter)
        .await?;
    let next_token = paging.next_token(&page);
    let channels: Vec<_> = page.items.iter().map(summary).collect();
    Reply::page("channels", &channels, next_token)
}

/// UpdateChannel. What the request leaves out stays; a running stream goes on as it began.
pub async fn update(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let arn = input.arn("arn")?;
    let members: ChannelMembers = input.read()?;
    let changed = cx
        .store()
        .update_channel(cx.account(), &arn, |channel| members.apply(channel))
        .await?;
    let changed = changed.ok_or_else(|| ApiError::not_found("the resource", &arn))?;
    Reply::one(MEMBER, &render(cx, changed))
}

/// DeleteChannel, and its stream key with it.
pub async fn delete(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let arn = input.arn("arn")?;
    find::<ChannelRecord>(cx, &arn).await?;
    let id = ChannelId::new(arn.id());
    if cx.backend().stream_of(&id).await.is_some() {
        return Err(ApiError::conflict(format!(
            "{arn} is live; stop its stream first"
        )));
    }
    super::delete(cx, &arn).await?;
    cx.backend().channel_deleted(&id).await;
    Ok(Reply::no_content())
}

impl Filters {
    /// They exclude each other.
    fn only_one(self) -> Result<ChannelFilter, ApiError> {
        let references = [
            self.filter_by_recording_configuration_arn,
            self.filter_by_playback_restriction_policy_arn,
            self.filter_by_ad_configuration_arn,
            self.filter_by_failover_slate_configuration_arn,
        ];
        let references = REFERENCE_KINDS.into_iter().zip(references);
        let references = references
            .filter_map(|(kind, given)| given.map(|given| ChannelFilter::Reference(kind, given.0)));
        let name = self.filter_by_name.map(ChannelFilter::Name);
        let mut filters: Vec<ChannelFilter> = name.into_iter().chain(references).collect();
        if filters.len() > 1 {
            return Err(ApiError::conflict(format!(
                "{} filters given, at most 1 allowed",
                filters.len()
            )));
        }
        Ok(filters.pop().unwrap_or(ChannelFilter::All))
    }
}

pub(super) fn render(cx: Context<'_>, found: Resource<ChannelRecord>) -> Channel {
    let settings = &cx.state.settings;
    Channel {
        summary: summary(&found),
        ingest_endpoint: settings.ingest_endpoint.clone(),
        playback_url: playback_url(cx, &found.arn),
        srt: Srt {
            endpoint: settings.ingest_host().to_owned(),
            passphrase: found.record.srt_passphrase,
        },
        multitrack_input_configuration: found.record.multitrack_input,
        container_format: found.record.container_format,
    }
}

/// Where a channel of this account plays.
pub(super) fn playback_url(cx: Context<'_>, channel: &Arn) -> String {
    cx.state.settings.playback_url(cx.account(), channel.id())
}

fn summary(found: &Resource<ChannelRecord>) -> ChannelSummary {
    let record = &found.record;
    ChannelSummary {
        arn: found.arn.to_string(),
        name: record.name.clone(),
        latency_mode: record.latency_mode,
        channel_type: record.channel_type,
        recording_configuration_arn: ArnOrEmpty(record.recording_configuration.clone()),
        authorized: record.authorized,
        tags: found.tags.clone(),
        insecure_ingest: record.insecure_ingest,
        preset: record.preset,
        playback_restriction_policy_arn: ArnOrEmpty(record.playback_restriction_policy.clone()),
        ad_configuration_arn: ArnOrEmpty(record.ad_configuration.clone()),
        failover_slate_configuration_arn: ArnOrEmpty(record.failover_slate_configuration.clone()),
    }
}
