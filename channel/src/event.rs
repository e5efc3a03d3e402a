//! What a channel reports about its stream sessions.

use compositor_core::id::ChannelId;
use compositor_core::time::WallTime;

use crate::stream_session::StreamEvent;

/// One thing that happened to a stream session, in order per channel.
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
    /// When it happened.
    pub at: WallTime,
    /// What happened.
    pub event: StreamEvent,
}
