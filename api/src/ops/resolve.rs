//! From a StartComposition request to what the driver works from: every ARN looked up, every default filled in.

use compositor_core::id::{ChannelId, CompositionId, DestinationId, StageId};

use crate::arn::{Arn, ArnKind};
use crate::backend::{
    CompositionSpec, DestinationSpec, DestinationTarget, ThumbnailSpec, VideoSpec,
};
use crate::convert::composition::StartComposition;
use crate::convert::{encoder_configuration, layout};
use crate::dto::composition::{self as dto, S3DestinationConfiguration};
use crate::dto::encoder_configuration::{EncoderConfigurationRecord, Video};
use crate::dto::stage::{StageRecord, ThumbnailStorage};
use crate::dto::storage_configuration::StorageConfigurationRecord;
use crate::error::ApiError;
use crate::ids;
use crate::ops::find;
use crate::pagination::PageRequest;
use crate::state::Context;
use crate::store::Resource;

/// A composition ready to be kept.
#[derive(Debug)]
pub(super) struct Resolved {
    /// For the driver.
    pub(super) spec: CompositionSpec,
    /// What it holds on to, besides the stage.
    pub(super) uses: Vec<Arn>,
    /// The channel among them.
    pub(super) channel: Option<Arn>,
}

/// Looks everything up. A missing resource or a channel on air ends it.
pub(super) async fn resolve(
    cx: Context<'_>,
    request: &StartComposition,
) -> Result<Resolved, ApiError> {
    find::<StageRecord>(cx, &request.stage).await?;
    let arn = cx.new_arn(ArnKind::Composition);
    let stage = StageId::new(request.stage.id());
    let id = CompositionId::new(arn.id());
    let mut uses = Vec::new();
    let mut destinations = Vec::with_capacity(request.destinations.len());
    for destination in &request.destinations {
        let encoder = destination.target.encoder_configuration();
        uses.extend(encoder.cloned());
        uses.push(destination.target.arn().clone());
        let destination_id = DestinationId::new(ids::resource_id());
        let prefix = format!("{stage}/{id}/{destination_id}/composite");
        destinations.push(DestinationSpec {
            video: video(cx, encoder).await?,
            target: target(cx, &destination.target, prefix).await?,
            id: destination_id,
        });
    }
    let channel = uses
        .iter()
        .find(|used| used.kind() == ArnKind::Channel)
        .cloned();
    let spec = CompositionSpec {
        id,
        arn: arn.to_string(),
        stage,
        stage_arn: request.stage.to_string(),
        layout: layout::to_spec(&request.layout),
        started_at: cx.now,
        destinations,
    };
    Ok(Resolved {
        spec,
        uses,
        channel,
    })
}

/// A destination without encoder configuration gets the defaults of one.
async fn video(cx: Context<'_>, encoder: Option<&Arn>) -> Result<VideoSpec, ApiError> {
    let video = match encoder {
        Some(arn) => {
            find::<EncoderConfigurationRecord>(cx, arn)
                .await?
                .record
                .video
        }
        None => Video::default(),
    };
    Ok(encoder_configuration::to_spec(video))
}

async fn target(
    cx: Context<'_>,
    target: &dto::DestinationTarget,
    prefix: String,
) -> Result<DestinationTarget, ApiError> {
    match target {
        dto::DestinationTarget::Channel(channel) => channel_target(cx, &channel.channel_arn).await,
        dto::DestinationTarget::S3(s3) => {
            let storage: Resource<StorageConfigurationRecord> =
                find(cx, &s3.storage_configuration_arn).await?;
            Ok(s3_target(s3, storage.record.s3.bucket_name, prefix))
        }
    }
}

async fn channel_target(cx: Context<'_>, arn: &Arn) -> Result<DestinationTarget, ApiError> {
    find::<crate::dto::channel::ChannelRecord>(cx, arn).await?;
    let channel = ChannelId::new(arn.id());
    if cx.backend().has_stream_session(&channel).await {
        return Err(ApiError::conflict(format!(
            "`destinations`: {arn} has a stream session; a composition needs a channel that is offline"
        )));
    }
    let first = PageRequest { after: 0, limit: 1 };
    let keys = cx
        .store()
        .list_stream_keys(cx.account(), arn, first)
        .await?;
    let key = keys.items.into_iter().next();
    let key = key.ok_or_else(|| ApiError::not_found("a stream key of", arn))?;
    Ok(DestinationTarget::Channel {
        channel,
        channel_arn: arn.to_string(),
        stream_key: key.record.value,
    })
}

fn s3_target(s3: &S3DestinationConfiguration, bucket: String, prefix: String) -> DestinationTarget {
    let hls = s3.recording_configuration.hls_configuration;
    let thumbnails = s3.thumbnail_configurations.first();
    DestinationTarget::S3 {
        bucket,
        prefix,
        segment_seconds: hls.target_segment_duration_seconds,
        thumbnails: thumbnails.map(|thumbnails| ThumbnailSpec {
            interval_seconds: thumbnails.target_interval_seconds,
            sequential: thumbnails.storage.contains(&ThumbnailStorage::Sequential),
            latest: thumbnails.storage.contains(&ThumbnailStorage::Latest),
        }),
    }
}
