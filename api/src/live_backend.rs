//! [`Backend`] over the real gateway, channels, S3 and compositions.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use channel::{
    AdBreakRefusal, AdBreakRequest, ChannelGrant, ChannelType, Channels, Directory, DirectoryError,
    IngestLimits, IngestTerms, PlaybackTerms, SlateTimes, Snapshot,
};
use compositor_core::access_unit::MediaKind;
use compositor_core::error_chain::error_chain;
use compositor_core::id::{ChannelId, CompositionId, ParticipantId, SessionId, StageId};
use compositor_core::roster::{Publisher, Track};
use recorder::{AdBreak, ObjectStore, StoreFault};
use serde_json::to_value;
use stage_gateway::Gateway;
use stage_gateway::token::TokenSpec;

use crate::arn::Arn;
use crate::backend::{
    Backend, BackendError, BucketLook, CompositionSpec, LiveStream, StartError, StreamHealth,
    TokenRequest,
};
use crate::composition::Compositions;
use crate::dto;
use crate::dto::channel::ChannelRecord;
use crate::dto::failover_slate_configuration::FailoverSlateConfigurationRecord;
use crate::dto::recording_configuration::RecordingConfigurationRecord;
use crate::dto::stream_session::StreamSnapshot;
use crate::ids;
use crate::ops::shown;
use crate::replication;
use crate::session_api::{PageBackend, PublishingParticipant};
use crate::store::{Record, Resource, Revocation, Store, StoreError, plain_json};

/// Where the recorder writes below, and a check for that may leave nothing behind.
const PROBE_KEY_PREFIX: &str = "ivs/proscenium-write-check-";

/// What `proscenium serve` runs.
#[derive(Debug)]
pub struct LiveBackend {
    /// Stages.
    pub gateway: Gateway,
    /// Channels.
    pub channels: Arc<Channels>,
    /// Where recordings go.
    pub objects: ObjectStore,
    /// The running compositions.
    pub compositions: Arc<Compositions>,
}

#[async_trait]
impl Backend for LiveBackend {
    async fn mint_participant_token(&self, request: &TokenRequest) -> Result<String, BackendError> {
        Ok(self.gateway.mint_token(&TokenSpec {
            account: request.stage.account().to_owned(),
            stage: StageId::new(request.stage.id()),
            participant: request.participant.clone(),
            user_id: request.user_id.clone().unwrap_or_default(),
            attributes: request.attributes.clone(),
            allow_publish: request.allow_publish,
            allow_subscribe: request.allow_subscribe,
            issued_at: request.issued_at,
            expires_at: request.expires_at,
        }))
    }

    async fn disconnect_participant(
        &self,
        stage: &StageId,
        participant: &ParticipantId,
        reason: &str,
    ) -> Result<bool, BackendError> {
        tracing::info!(%stage, %participant, reason, "disconnecting a participant");
        Ok(self
            .gateway
            .disconnect_participant(stage, participant)
            .await)
    }

    async fn stage_deleted(&self, stage: &StageId) {
        self.compositions.stage_deleted(stage);
        self.gateway.delete_stage(stage).await;
    }

    async fn active_session(&self, stage: &StageId) -> Option<SessionId> {
        self.gateway.active_session(stage)
    }

    async fn publishing_session(
        &self,
        stage: &StageId,
        participant: &ParticipantId,
    ) -> Option<SessionId> {
        let session = self.gateway.active_session(stage)?;
        replication::is_publishing(&self.gateway, stage, participant).then_some(session)
    }

    async fn look_at_bucket(&self, bucket: &str) -> Result<BucketLook, BackendError> {
        match self.objects.head_bucket(bucket).await {
            Ok(()) => Ok(BucketLook::There),
            Err(error) if error.fault == StoreFault::BucketNotFound => Ok(BucketLook::Missing),
            Err(error) if error.fault == StoreFault::AccessDenied => {
                tracing::warn!(bucket, error = %error_chain(&error), "a bucket may not be accessed");
                Ok(BucketLook::Denied)
            }
            Err(error) => Err(BackendError::new(
                format!("cannot look at bucket {bucket}"),
                error,
            )),
        }
    }

    async fn bucket_writable(&self, bucket: &str) -> Result<bool, BackendError> {
        let key = format!("{PROBE_KEY_PREFIX}{}", ids::resource_id());
        match self.objects.probe(bucket, &key).await {
            Ok(()) => Ok(true),
            Err(error) if error.fault == StoreFault::Transient => Err(BackendError::new(
                format!("cannot write to bucket {bucket}"),
                error,
            )),
            Err(error) => {
                tracing::warn!(bucket, error = %error_chain(&error), "a bucket is not writable");
                Ok(false)
            }
        }
    }

    async fn start_composition(&self, spec: &CompositionSpec) -> Result<(), StartError> {
        self.compositions.start(spec.clone(), rand::random())
    }

    async fn stop_composition(&self, composition: &CompositionId) -> Result<(), BackendError> {
        self.compositions.stop(composition);
        Ok(())
    }

    async fn stream_of(&self, channel: &ChannelId) -> Option<LiveStream> {
        self.channels.stream(channel).map(live_stream)
    }

    async fn has_stream_session(&self, channel: &ChannelId) -> bool {
        self.channels.has_session(channel)
    }

    async fn live_streams(&self) -> Vec<LiveStream> {
        self.channels
            .streams()
            .into_iter()
            .map(live_stream)
            .collect()
    }

    async fn stop_stream(&self, channel: &ChannelId) -> Result<bool, BackendError> {
        Ok(self.channels.stop_stream(channel))
    }

    async fn revoke_viewer(&self, revocation: &Revocation<'_>) {
        let Revocation {
            channel,
            viewer_id,
            version,
        } = revocation;
        let cut = self
            .channels
            .revoke_viewer(&channel.to_string(), viewer_id, *version);
        tracing::info!(%channel, sessions = cut, "a viewer is revoked");
    }

    async fn put_metadata(&self, channel: &ChannelId, text: &str) -> bool {
        self.channels.put_metadata(channel, text)
    }

    async fn insert_ad_break(
        &self,
        channel: &ChannelId,
        request: AdBreakRequest,
    ) -> Result<AdBreak, AdBreakRefusal> {
        self.channels.insert_ad_break(channel, request)
    }

    async fn channel_deleted(&self, channel: &ChannelId) {
        self.channels.stop_stream(channel);
    }
}

#[async_trait]
impl PageBackend for LiveBackend {
    async fn publishing(&self, stage: &StageId) -> Vec<PublishingParticipant> {
        let publishers = self.gateway.publishers(stage).into_iter();
        publishers
            .filter(|publisher| publisher.connected && !publisher.tracks.is_empty())
            .map(publishing)
            .collect()
    }

    async fn ensure_bucket(&self, bucket: &str) -> Result<(), BackendError> {
        match self.look_at_bucket(bucket).await? {
            BucketLook::There => return Ok(()),
            BucketLook::Missing => {}
            BucketLook::Denied => {
                let what = format!("bucket {bucket} may not be accessed");
                return Err(BackendError::plain(what));
            }
        }
        let made = self.objects.create_bucket(bucket).await;
        made.map_err(|error| BackendError::new(format!("cannot make bucket {bucket}"), error))
    }
}

fn publishing(publisher: Publisher) -> PublishingParticipant {
    let has = |kind| {
        let live = |track: &Track| track.codec.kind() == kind && !track.stopped;
        publisher.tracks.iter().any(live)
    };
    PublishingParticipant {
        has_audio: has(MediaKind::Audio),
        has_video: has(MediaKind::Video),
        participant: publisher.participant,
        user_id: Some(publisher.user_id).filter(|user_id| !user_id.is_empty()),
        attributes: publisher.attributes,
        joined_at: None,
    }
}

fn live_stream(stream: channel::LiveStream) -> LiveStream {
    LiveStream {
        channel: stream.channel,
        stream_id: stream.stream_id,
        started_at: stream.start,
        health: match stream.health {
            channel::StreamHealth::Healthy => StreamHealth::Healthy,
            channel::StreamHealth::Starving => StreamHealth::Starving,
            channel::StreamHealth::Unknown => StreamHealth::Unknown,
        },
        viewer_count: u32::try_from(stream.viewer_count).unwrap_or(u32::MAX),
    }
}

/// The stream keys of the store, for the ingest server.
#[derive(Debug)]
pub struct StoreDirectory(pub Store);

#[async_trait]
impl Directory for StoreDirectory {
    async fn channel_of(&self, stream_key: &str) -> Result<Option<ChannelGrant>, DirectoryError> {
        let found = self.0.channel_of_stream_key(stream_key).await;
        let Some(channel) = found.map_err(|error| DirectoryError(Box::new(error)))? else {
            return Ok(None);
        };
        let ingest = self.ingest_terms(&channel).await;
        let ingest = ingest.map_err(|error| DirectoryError(Box::new(error)))?;
        Ok(Some(ChannelGrant {
            ingest,
            channel: ChannelId::new(channel.arn.id()),
            arn: channel.arn.to_string(),
            insecure_ingest: channel.record.insecure_ingest,
            channel_type: ChannelType::Standard,
            playback: playback_terms(&channel.record),
            name: channel.record.name,
        }))
    }
}

impl StoreDirectory {
    async fn ingest_terms(
        &self,
        channel: &Resource<ChannelRecord>,
    ) -> Result<IngestTerms, StoreError> {
        let record = &channel.record;
        let recording = self.referred(channel, record.recording_configuration.as_ref());
        let recording: Option<Resource<RecordingConfigurationRecord>> = recording.await?;
        let slate = self.referred(channel, record.failover_slate_configuration.as_ref());
        let slate: Option<Resource<FailoverSlateConfigurationRecord>> = slate.await?;
        let times = slate.as_ref().map(|slate| slate_times(&slate.record));
        let snapshot = StreamSnapshot {
            channel: record.clone(),
            tags: channel.tags.clone(),
            recording_configuration: recording.and_then(|found| to_value(shown(found)).ok()),
            failover_slate_configuration: slate.and_then(|found| to_value(shown(found)).ok()),
        };
        let quotas = self.0.quotas();
        let is_basic = record.channel_type == dto::channel::ChannelType::Basic;
        let bitrates = if is_basic {
            [
                quotas.ingest_bitrate_basic_480p,
                quotas.ingest_bitrate_basic,
            ]
        } else {
            [quotas.ingest_bitrate; 2]
        };
        let [bitrate_up_to_480p, bitrate] = bitrates.map(u64::from);
        Ok(IngestTerms {
            broadcasts_max: quotas.concurrent_streams,
            limits: IngestLimits {
                bitrate_up_to_480p,
                bitrate,
                edge_pixels: quotas.ingest_pixels_per_edge,
                total_pixels: quotas.ingest_total_pixels,
            },
            slate: times,
            snapshot: Snapshot::new(plain_json(&snapshot)?),
        })
    }

    /// What a channel refers to, as it is now.
    async fn referred<T: Record>(
        &self,
        channel: &Resource<ChannelRecord>,
        arn: Option<&Arn>,
    ) -> Result<Option<Resource<T>>, StoreError> {
        match arn {
            Some(arn) => self.0.find(channel.arn.account(), arn).await,
            None => Ok(None),
        }
    }
}

/// A private channel ignores its restriction policy, as IVS does.
fn playback_terms(channel: &ChannelRecord) -> PlaybackTerms {
    if channel.authorized {
        return PlaybackTerms::Authorized;
    }
    match &channel.playback_restriction_policy {
        Some(policy) => PlaybackTerms::Restricted {
            policy_arn: policy.to_string(),
        },
        None => PlaybackTerms::Open,
    }
}

fn slate_times(slate: &FailoverSlateConfigurationRecord) -> SlateTimes {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    SlateTimes {
        activation: seconds(slate.activation_threshold_seconds),
        min_display: seconds(slate.min_slate_display_seconds),
        max_display: seconds(slate.max_slate_display_seconds),
    }
}
