//! Channels.

use compositor_core::id::ChannelId;

use crate::arn::{Arn, ArnKind, ArnOrEmpty};
use crate::backend::StreamKeyValue;
use crate::convert;
use crate::convert::channel::ChannelFilter;
use crate::dto::channel::{
    Channel, ChannelRecord, ChannelSummary, CreateChannelResponse, GetChannelResponse,
    ListChannelsResponse, Srt, StreamKeyRecord,
};
use crate::error::ApiError;
use crate::ids;
use crate::input::Input;
use crate::ops::{find, find_named, stream_key};
use crate::pagination::Page;
use crate::paging::{PageLimits, Paging};
use crate::reply::Reply;
use crate::state::Context;
use crate::store::{NewResource, Resource};

/// CreateChannel, with its one stream key. The tags are the channel's alone.
pub async fn create(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let members = &input.members()?;
    let (record, tags) = convert::channel::create(members)?;
    let channel = Resource {
        seq: 0,
        arn: cx.new_arn(ArnKind::Channel),
        parent: None,
        record,
        tags,
    };
    let value = ids::stream_key_value(&cx.state.settings.region);
    let key = Resource {
        seq: 0,
        arn: cx.new_arn(ArnKind::StreamKey),
        parent: Some(channel.arn.clone()),
        record: StreamKeyRecord {
            value: StreamKeyValue::new(value),
        },
        tags: crate::dto::Tags::new(),
    };
    cx.store()
        .insert_channel(cx.account(), as_new(&channel), as_new(&key))
        .await?;
    Reply::ok(&CreateChannelResponse {
        channel: render(cx, channel),
        stream_key: stream_key::render(key),
    })
}

/// GetChannel.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let found = find_named(cx, input, "arn").await?;
    Reply::ok(&GetChannelResponse {
        channel: render(cx, found),
    })
}

/// ListChannels.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let members = &input.members()?;
    let filter = convert::channel::list_filter(members)?;
    let limits = PageLimits {
        default: 100,
        max: 100,
    };
    let scope = format!("{filter:?}");
    let paging = Paging::read(cx, input, &["ListChannels", &scope], limits)?;
    let name = match &filter {
        ChannelFilter::Name(name) => Some(name.as_str()),
        ChannelFilter::None | ChannelFilter::WithoutReference | ChannelFilter::Reference(_) => None,
    };
    let page = match &filter {
        ChannelFilter::Reference(_) => Page {
            items: Vec::new(),
            more_after: None,
        },
        ChannelFilter::None | ChannelFilter::WithoutReference | ChannelFilter::Name(_) => {
            cx.store().list(cx.account(), paging.request, name).await?
        }
    };
    let next_token = paging.next_token(&page);
    Reply::ok(&ListChannelsResponse {
        channels: page.map(|found| summary(&found)).items,
        next_token,
    })
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

fn as_new<T>(resource: &Resource<T>) -> NewResource<'_, T> {
    NewResource {
        arn: &resource.arn,
        record: &resource.record,
        tags: &resource.tags,
    }
}

fn render(cx: Context<'_>, found: Resource<ChannelRecord>) -> Channel {
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
