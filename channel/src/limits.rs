//! Every cap of the channel in one place, each with its reason.

use std::time::Duration;

/// RTMP connections at once at one listener, by the live streams that an account may have: these, their takeovers, and a
/// margin for probes.
pub fn connections_max(broadcasts_max: u32) -> usize {
    const PROBES_MAX: usize = 56;
    let broadcasts = usize::try_from(broadcasts_max).unwrap_or(usize::MAX);
    let connections = broadcasts.saturating_mul(2).saturating_add(PROBES_MAX);
    connections.min(tokio::sync::Semaphore::MAX_PERMITS)
}

/// Connections from one address that have no accepted publish request yet; encoders behind one router seldom begin at once.
pub const NEWCOMERS_MAX: usize = 32;

/// From accept to an accepted publish request; a slower peer is not a broadcaster.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A stream session without media for this long is over (IVS troubleshooting guide).
pub const NO_DATA_TIMEOUT: Duration = Duration::from_secs(30);

/// How long one write to an RTMP peer may take.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a refused peer has to read why.
pub const REFUSAL_LINGER: Duration = Duration::from_secs(1);

/// Largest RTMP message: a keyframe of a few seconds' budget at 8.5 Mb/s.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Largest command or data message; real ones stay below 2 KiB.
pub const COMMAND_BYTES_MAX: usize = 64 * 1024;

/// Commands on one connection; real publishers send about ten.
pub const COMMANDS_MAX: usize = 256;

/// Chunk streams on one connection; real publishers use four.
pub const CHUNK_STREAMS_MAX: usize = 32;

/// Bytes of unfinished messages of one connection, over all its chunk streams.
pub const PARTIAL_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Largest chunk size of the protocol: a message length has 24 bits (RTMP 1.0, 5.4.1).
pub const CHUNK_BYTES_MAX: u32 = 0xFF_FFFF;

/// Chunk size we announce: a keyframe needs few headers, a small message is not delayed.
pub const OUTGOING_CHUNK_BYTES: u32 = 4096;

/// Nesting of AMF0 values; real metadata has two levels.
pub const AMF_DEPTH_MAX: usize = 8;

/// How often one publisher may change its resolution or codec parameters; encoders that adapt do so a few times an hour.
pub const FORMATS_MAX: u32 = 100;

/// Longest name of an encoder that is kept.
pub const ENCODER_CHARS_MAX: usize = 128;

/// Longest stream key with its query.
pub const STREAM_KEY_CHARS_MAX: usize = 512;

/// Takeovers of one stream session (IVS quota).
pub const TAKEOVERS_MAX: u32 = 100;

/// How often timers of the sessions are looked at.
pub const TICK: Duration = Duration::from_millis(250);

/// A segment is cut at the first keyframe at least this long after its start.
pub const SEGMENT_TARGET: Duration = Duration::from_secs(2);

/// A segment is cut even without a keyframe when it gets this long.
pub const SEGMENT_MAX: Duration = Duration::from_secs(12);

/// How much of the stream a live playlist shows.
pub const WINDOW: Duration = Duration::from_secs(30);

/// Segments kept behind the window for players that are about to fetch them.
pub const SEGMENTS_BEHIND_MAX: usize = 4;

/// Bytes of segments kept for one stream: the window at far more than the 8.5 Mb/s ingest limit.
pub const ORIGIN_BYTES_MAX: usize = 96 * 1024 * 1024;

/// Bytes of the open segment; a stream that fills it before its next keyframe is cut there.
pub const OPEN_SEGMENT_BYTES_MAX: usize = 24 * 1024 * 1024;

/// ID3 tags that wait for the next segment to begin: five a second are allowed, for a few seconds.
pub const METADATA_PENDING_MAX: usize = 32;

/// Ids of past ad breaks that a stream remembers.
pub const AD_BREAK_IDS_MAX: usize = 256;

/// How much of an interruption a slate fills when it begins: more than its longest threshold.
pub const SLATE_BEHIND_MAX: Duration = Duration::from_secs(8);

/// How long the playlist of an ended stream stays, so that every player sees its end.
pub const ENDED_STREAM_KEPT: Duration = Duration::from_secs(180);

/// Ended streams kept at once.
pub const ENDED_STREAMS_MAX: usize = 64;

/// Bytes of all ended streams; the oldest go first.
pub const ENDED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A viewer session that fetched its media playlist within this time is a view; players do so every few seconds.
pub const VIEWER_WINDOW: Duration = Duration::from_secs(15);

/// Views are recounted at most this often.
pub const VIEWER_SWEEP: Duration = Duration::from_secs(1);

/// Concurrent views of an account, unless configured (IVS quota).
pub const VIEWERS_MAX: usize = 15_000;

/// An account that was refused no view for this long is told again when the limit is reached.
pub const VIEWER_BREACH_QUIET: Duration = Duration::from_secs(60);

/// Viewer sessions of all channels, whether they play or not: twice the default quota of views, and some who only began.
pub const SESSIONS_MAX: usize = 40_000;

/// A viewer session of a protected channel that never fetched a media playlist is over after this.
pub const SESSION_UNUSED: Duration = Duration::from_secs(60);

/// A viewer session that fetches nothing for this long is over; a paused player may resume before.
pub const SESSION_IDLE: Duration = Duration::from_secs(600);

/// Longest viewer session; then the player begins again with a new token.
pub const SESSION_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Longest playback token (IVS quota).
pub const PLAYBACK_TOKEN_BYTES_MAX: usize = 2048;

/// Longest `aws:viewer-id` (IVS).
pub const VIEWER_ID_CHARS_MAX: usize = 40;

/// Origins of a token with strict enforcement (IVS).
pub const STRICT_ORIGINS_MAX: usize = 5;

/// A timestamp step beyond this, either way, is a discontinuity.
pub const TIMESTAMP_JUMP: Duration = Duration::from_secs(3);

/// Units of a stream that wait to be recorded: ten seconds and more at 60 pictures a second with sound.
pub const TAP_UNITS_MAX: usize = 2048;

/// Bytes of a stream that wait to be recorded: half a minute at the 8.5 Mb/s ingest limit.
pub const TAP_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Streams that wait to be looked at by the recordings: all that may be live at once.
pub const TAPS_MAX: usize = 256;

/// Events waiting for the reader of the event channel.
pub const EVENTS_PENDING_MAX: usize = 4096;

/// Capacity of the event channel.
pub const EVENT_CHANNEL: usize = 256;

/// Bytes the publisher holds while it is connecting or the peer is slow: seconds at 8.5 Mb/s.
pub const PUBLISH_QUEUE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Media time the publisher holds before it drops until the next keyframe.
pub const PUBLISH_QUEUE_SPAN_MAX: Duration = Duration::from_secs(8);

/// How long one track may run ahead of the other before the publisher stops waiting to interleave them.
pub const INTERLEAVE_WAIT_MAX: Duration = Duration::from_millis(500);

/// Bytes after which a server is asked to acknowledge: within a second even of a still picture without sound, so that one
/// that hangs is noticed within three.
pub const ACKNOWLEDGEMENT_WINDOW: u32 = 1024;

/// A server that acknowledges nothing, or takes no byte, for this long hangs.
pub const PUBLISH_STALL_MAX: Duration = Duration::from_secs(2);

/// From connect to an accepted publish request, as a client.
pub const PUBLISH_ACCEPT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long `finish` may take to send what is queued.
pub const FINISH_TIMEOUT: Duration = Duration::from_secs(5);
