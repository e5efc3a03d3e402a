//! Everything an operation needs that is not in the store: the stage gateway, channels, S3 and the composition driver.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use channel::{AdBreakRefusal, AdBreakRequest};
use compositor_core::id::{
    ChannelId, CompositionId, DestinationId, ParticipantId, SessionId, StageId,
};
use compositor_core::layout::LayoutSpec;
use compositor_core::time::{FrameRate, WallTime};
use recorder::AdBreak;
use serde::{Deserialize, Serialize};

use crate::arn::Arn;
use crate::composition::MachineFull;
use crate::store::Revocation;

/// What operations call. Implemented over the gateway, the channels and the composition driver.
///
/// Methods answer fast: they hand work over, they do not wait for media.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Signs a participant token; nothing is stored here.
    async fn mint_participant_token(&self, request: &TokenRequest) -> Result<String, BackendError>;

    /// Ends the participant's connections, if it has any; then its token is refused from now on. The store has the
    /// revocation of a token that has not expired. Answers whether the participant was connected.
    async fn disconnect_participant(
        &self,
        stage: &StageId,
        participant: &ParticipantId,
        reason: &str,
    ) -> Result<bool, BackendError>;

    /// The stage is gone from the store: disconnect everybody, end its compositions.
    async fn stage_deleted(&self, stage: &StageId);

    /// The session that the stage has now.
    async fn active_session(&self, stage: &StageId) -> Option<SessionId>;

    /// The session of the stage in which the participant publishes now.
    async fn publishing_session(
        &self,
        stage: &StageId,
        participant: &ParticipantId,
    ) -> Option<SessionId>;

    /// What S3 says of a bucket.
    async fn look_at_bucket(&self, bucket: &str) -> Result<BucketLook, BackendError>;

    /// Whether an object can be written into this bucket, by doing it. An error says nothing about the next time.
    async fn bucket_writable(&self, bucket: &str) -> Result<bool, BackendError>;

    /// Begins a composition that the store holds in STARTING. From here on the driver reports every change with
    /// `Store::update_composition`. On an error the composition is forgotten.
    async fn start_composition(&self, spec: &CompositionSpec) -> Result<(), StartError>;

    /// Begins a graceful stop; nothing happens when it is stopping or over.
    async fn stop_composition(&self, composition: &CompositionId) -> Result<(), BackendError>;

    /// The live stream of a channel.
    async fn stream_of(&self, channel: &ChannelId) -> Option<LiveStream>;

    /// Whether somebody publishes to a channel, who may not be live yet.
    async fn has_stream_session(&self, channel: &ChannelId) -> bool;

    /// All live streams, in any order.
    async fn live_streams(&self) -> Vec<LiveStream>;

    /// Drops the ingest connection of a channel. Answers whether it had a stream session.
    async fn stop_stream(&self, channel: &ChannelId) -> Result<bool, BackendError>;

    /// Cuts off the viewer sessions that a revocation means. The store has it already, for those that begin later.
    async fn revoke_viewer(&self, revocation: &Revocation<'_>);

    /// Puts timed metadata into the stream of a channel. Answers whether it was live.
    async fn put_metadata(&self, channel: &ChannelId, text: &str) -> bool;

    /// Plans an ad break in the stream of a channel. The same request again answers the same.
    async fn insert_ad_break(
        &self,
        channel: &ChannelId,
        request: AdBreakRequest,
    ) -> Result<AdBreak, AdBreakRefusal>;

    /// The channel and its stream keys are gone from the store.
    async fn channel_deleted(&self, channel: &ChannelId);
}

/// Why the backend could not do it; shown to users as InternalServerException, logged in full.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct BackendError {
    /// What was tried, on what.
    pub what: String,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl BackendError {
    /// An error with its cause.
    pub fn new(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            what: what.into(),
            source: Some(source.into()),
        }
    }

    /// An error without a deeper cause.
    pub fn plain(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            source: None,
        }
    }
}

/// Why a composition does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The machine has no room for it; callers see why.
    #[error(transparent)]
    Full(#[from] MachineFull),
    /// Something inside failed.
    #[error(transparent)]
    Failed(#[from] BackendError),
}

/// What there is under the name of a bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BucketLook {
    /// A bucket.
    There,
    /// Nothing.
    Missing,
    /// What our key may not see.
    Denied,
}

/// The claims of a participant token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenRequest {
    /// `resource`, and `topic` its last part.
    pub stage: Arn,
    /// `jti`.
    pub participant: ParticipantId,
    /// `user_id`, when given.
    pub user_id: Option<String>,
    /// `attributes`.
    pub attributes: BTreeMap<String, String>,
    /// `capabilities.allow_publish`.
    pub allow_publish: bool,
    /// `capabilities.allow_subscribe`.
    pub allow_subscribe: bool,
    /// `iat`.
    pub issued_at: WallTime,
    /// `exp`.
    pub expires_at: WallTime,
}

/// A composition with every ARN resolved and every default filled in. Also what the store keeps of it, so that an
/// unfinished composition can be adopted after a restart.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CompositionSpec {
    /// The last part of its ARN.
    pub id: CompositionId,
    /// Its ARN.
    pub arn: String,
    /// Which stage it composes.
    pub stage: StageId,
    /// The stage's ARN, for recording metadata and events.
    pub stage_arn: String,
    /// How participants are arranged.
    pub layout: LayoutSpec,
    /// When StartComposition was answered.
    pub started_at: WallTime,
    /// One or two.
    pub destinations: Vec<DestinationSpec>,
}

/// One destination of a composition.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DestinationSpec {
    /// Its identifier.
    pub id: DestinationId,
    /// What is encoded for it. Destinations with equal values can share one encoder.
    pub video: VideoSpec,
    /// Where it goes.
    pub target: DestinationTarget,
}

/// The video part of an encoder configuration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct VideoSpec {
    /// Pixels, even.
    pub width: u16,
    /// Pixels, even.
    pub height: u16,
    /// Frames per second.
    pub fps: FrameRate,
    /// Bits per second.
    pub bitrate: u32,
}

/// Where a destination goes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum DestinationTarget {
    /// A broadcast to a channel of this server.
    Channel {
        /// Which.
        channel: ChannelId,
        /// Its ARN.
        channel_arn: String,
        /// What authenticates the broadcast.
        stream_key: StreamKeyValue,
    },
    /// An HLS recording.
    S3 {
        /// Which bucket.
        bucket: String,
        /// `<stageId>/<compositionId>/<destinationId>/composite`, without slashes at the ends.
        prefix: String,
        /// Target segment duration, seconds, 2 to 10.
        segment_seconds: u32,
        /// `None`: no thumbnails.
        thumbnails: Option<ThumbnailSpec>,
    },
}

/// Thumbnails of a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ThumbnailSpec {
    /// Seconds between two thumbnails, 1 to 86400.
    pub interval_seconds: u32,
    /// Keep each.
    pub sequential: bool,
    /// Overwrite the latest.
    pub latest: bool,
}

/// A stream key `sk_<region>_<id>_<secret>`; never shown in logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamKeyValue(String);

impl StreamKeyValue {
    /// Wraps a key.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StreamKeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamKeyValue(..)")
    }
}

/// A broadcast that is on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LiveStream {
    /// Of which channel.
    pub channel: ChannelId,
    /// `st-` and 23 alphanumerics.
    pub stream_id: String,
    /// When it began.
    pub started_at: WallTime,
    /// How ingest does.
    pub health: StreamHealth,
    /// Concurrent views.
    pub viewer_count: u32,
}

/// How the ingest of a stream does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StreamHealth {
    /// Media arrives at the pace of its timestamps.
    Healthy,
    /// Media arrives too slowly.
    Starving,
    /// Too early to tell.
    Unknown,
}
