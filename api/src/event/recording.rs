//! IVS Recording State Change: the words.

use compositor_core::time::WallTime;
use serde::{Deserialize, Serialize};

use crate::arn::Arn;
use crate::event::{DetailType, NewEvent};
use crate::store::StreamEntry;

/// A recording session of a channel, as its events name it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecordingSession {
    /// 16 alphanumerics.
    pub id: String,
    /// The channel.
    pub channel: Arn,
    /// When the first stream began; may be empty.
    pub channel_name: String,
    /// The streams that are in it, oldest first; at least one.
    pub stream_ids: Vec<String>,
    /// Where it goes.
    pub bucket: String,
    /// What its keys begin with; empty when it never got that far.
    pub prefix: String,
}

/// What happened to a recording session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordingChange {
    /// Its first document is in the bucket, and its first picture on disk.
    Start,
    /// All of it is in the bucket.
    End {
        /// Its length.
        duration_ms: u64,
    },
    /// It never began.
    StartFailure {
        /// Name of the exception.
        reason: &'static str,
    },
    /// It ended before its stream did.
    EndFailure {
        /// Name of the exception.
        reason: &'static str,
        /// Its length, as far as that is known.
        duration_ms: u64,
    },
}

#[derive(Serialize)]
struct Detail<'a> {
    channel_name: &'a str,
    stream_id: &'a str,
    recording_status: &'static str,
    recording_status_reason: &'static str,
    recording_s3_bucket_name: &'a str,
    recording_s3_key_prefix: &'a str,
    recording_duration_ms: u64,
    recording_session_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording_session_stream_ids: Option<&'a [String]>,
}

impl RecordingChange {
    /// As it stands in `recording_status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "Recording Start",
            Self::End { .. } => "Recording End",
            Self::StartFailure { .. } => "Recording Start Failure",
            Self::EndFailure { .. } => "Recording End Failure",
        }
    }
}

/// What is told of a recording: to the world, and in its newest stream session.
#[derive(Clone, Debug)]
pub struct RecordingNews {
    /// To the world.
    pub event: NewEvent,
    /// Whose session; empty when there is none.
    pub stream_id: String,
    /// In the session.
    pub entry: StreamEntry,
}

/// What tells of a change of `session` at `at`.
pub fn recording_news(
    session: &RecordingSession,
    change: RecordingChange,
    at: WallTime,
) -> RecordingNews {
    let (reason, duration) = match change {
        RecordingChange::Start => ("", 0),
        RecordingChange::End { duration_ms } => ("", duration_ms),
        RecordingChange::StartFailure { reason } => (reason, 0),
        RecordingChange::EndFailure {
            reason,
            duration_ms,
        } => (reason, duration_ms),
    };
    let ended = matches!(change, RecordingChange::End { .. });
    // There is nothing of what never began.
    let began = !matches!(change, RecordingChange::StartFailure { .. });
    let prefix = if began { session.prefix.as_str() } else { "" };
    let stream_id = session.stream_ids.last().map_or("", String::as_str);
    let detail = Detail {
        channel_name: &session.channel_name,
        stream_id,
        recording_status: change.name(),
        recording_status_reason: reason,
        recording_s3_bucket_name: &session.bucket,
        recording_s3_key_prefix: prefix,
        recording_duration_ms: duration,
        recording_session_id: &session.id,
        recording_session_stream_ids: ended.then_some(&session.stream_ids),
    };
    let detail_type = DetailType::RecordingStateChange;
    RecordingNews {
        event: NewEvent::about(&session.channel, detail_type, at, &detail),
        stream_id: stream_id.to_owned(),
        entry: StreamEntry {
            at,
            detail_type: detail_type.as_str().to_owned(),
            name: change.name().to_owned(),
            code: Some(reason.to_owned()).filter(|reason| !reason.is_empty()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(change: RecordingChange) -> serde_json::Value {
        let channel = "arn:aws:ivs:us-east-1:123456789012:channel/ChAnNeL00001";
        let session = RecordingSession {
            id: "SeSsIoN000000001".to_owned(),
            channel: Arn::parse(channel).unwrap(),
            channel_name: "N".to_owned(),
            stream_ids: vec!["st-A".to_owned(), "st-B".to_owned()],
            bucket: "B".to_owned(),
            prefix: "P".to_owned(),
        };
        let RecordingNews { event, entry, .. } = recording_news(&session, change, WallTime(0));
        assert_eq!(entry.name, change.name());
        let envelope: serde_json::Value = serde_json::from_str(&event.envelope).unwrap();
        assert_eq!(envelope["detail-type"], "IVS Recording State Change");
        assert_eq!(envelope["resources"], serde_json::json!([channel]));
        envelope["detail"].clone()
    }

    #[test]
    fn an_end_tells_length_and_all_streams() {
        let expected = serde_json::json!({
            "channel_name": "N", "stream_id": "st-B", "recording_status": "Recording End",
            "recording_status_reason": "", "recording_s3_bucket_name": "B", "recording_s3_key_prefix": "P",
            "recording_duration_ms": 1234, "recording_session_id": "SeSsIoN000000001",
            "recording_session_stream_ids": ["st-A", "st-B"],
        });
        assert_eq!(detail(RecordingChange::End { duration_ms: 1234 }), expected);
    }

    #[test]
    fn a_failure_to_start_tells_its_reason_and_neither_streams_nor_a_prefix() {
        let reason = "AccessDeniedException";
        let failed = detail(RecordingChange::StartFailure { reason });
        assert_eq!(failed["recording_status"], "Recording Start Failure");
        assert_eq!(failed["recording_status_reason"], reason);
        assert_eq!(failed["recording_duration_ms"], 0);
        assert_eq!(failed["recording_s3_key_prefix"], "");
        assert!(failed.get("recording_session_stream_ids").is_none());
        let started = detail(RecordingChange::Start);
        assert_eq!(started["recording_status"], "Recording Start");
    }
}
