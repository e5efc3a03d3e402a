//! What a channel reports about its stream sessions: the words.

use std::sync::Arc;

use compositor_core::id::ChannelId;
use compositor_core::time::WallTime;
use recorder::AdBreak;

use crate::directory::Snapshot;
use crate::ingest::IngestDescription;

/// What the channels report, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Report {
    /// Something happened to a stream session.
    Stream(ChannelEvent),
    /// An account wanted more live streams than it may have.
    BroadcastRefused {
        /// The account.
        account: String,
        /// How many it may have.
        limit: u32,
        /// When.
        at: WallTime,
    },
}

/// One thing that happened to a stream session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChannelEvent {
    /// The channel.
    pub channel: ChannelId,
    /// The channel's ARN when the session began.
    pub arn: String,
    /// The channel's name when the session began; may be empty.
    pub name: String,
    /// The stream session, `st-` and 23 alphanumerics.
    pub stream_id: String,
    /// What the directory said of the channel when the session began, see
    /// [`IngestTerms::snapshot`](crate::IngestTerms::snapshot).
    pub snapshot: Snapshot,
    /// When it happened.
    pub at: WallTime,
    /// What happened.
    pub event: StreamEvent,
}

/// How well the ingest keeps up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StreamHealth {
    /// Media arrives as fast as it plays.
    Healthy,
    /// Media arrives slower than it plays.
    Starving,
    /// Nothing has been measured yet.
    Unknown,
}

impl StreamHealth {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Starving => "STARVING",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// Why a takeover failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TakeoverFailure {
    /// Other resolution, codecs or tracks than the stream it wanted to continue.
    MediaMismatch,
    /// The priority does not exceed the current one.
    InvalidPriority,
    /// The stream was taken over as often as is allowed.
    LimitBreached,
}

impl TakeoverFailure {
    /// The event's `code`.
    pub fn code(self) -> &'static str {
        match self {
            Self::MediaMismatch => "StreamTakeoverMediaMismatch",
            Self::InvalidPriority => "StreamTakeoverInvalidPriority",
            Self::LimitBreached => "StreamTakeoverLimitBreached",
        }
    }
}

/// What the world is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StreamEvent {
    /// A publisher was accepted.
    SessionCreated,
    /// The first media arrived.
    StreamStart,
    /// No more media will come.
    StreamEnd,
    /// The session is over.
    SessionEnded,
    /// Media arrives too slowly.
    StarvationStart,
    /// Media arrives fast enough again.
    StarvationEnd,
    /// Another publisher continues the stream.
    StreamTakeover,
    /// Another publisher wanted to and may not.
    StreamTakeoverFailure(TakeoverFailure),
    /// An ad break was planned, or begins at once.
    AdBreakInserted(AdBreak),
    /// The ingest exceeded a limit and is thrown out.
    LimitBreach(LimitBreach),
    /// What the publisher sends is known; no event for the world.
    IngestDescribed(Arc<IngestDescription>),
}

/// A limit of the ingest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IngestLimit {
    /// Bits per second.
    Bitrate,
    /// Pixels of a picture.
    TotalPixels,
    /// Pixels along the longer edge.
    EdgePixels,
}

/// How an ingest exceeded a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LimitBreach {
    /// Which.
    pub limit: IngestLimit,
    /// What is allowed.
    pub value: u64,
    /// How much more there was.
    pub exceeded_by: u64,
}
