//! StreamSession.

use channel::{AudioDescription, IngestDescription, VideoDescription};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::dto::Tags;
use crate::dto::channel::{Channel, ChannelRecord};

/// The channel and what it referred to when a session began, as the store keeps it.
#[derive(Debug, Serialize, Deserialize)]
pub struct StreamSnapshot {
    /// The channel.
    pub channel: ChannelRecord,
    /// Its tags.
    pub tags: Tags,
    /// As GetRecordingConfiguration showed it, if there was one.
    pub recording_configuration: Option<Value>,
    /// As GetFailoverSlateConfiguration showed it, if there was one.
    pub failover_slate_configuration: Option<Value>,
}

impl StreamSnapshot {
    /// What the store keeps; `None` when another version wrote it.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// In lists.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamSessionSummary {
    /// `st-` and 23 alphanumerics.
    pub stream_id: String,
    /// ISO 8601.
    pub start_time: String,
    /// ISO 8601; absent while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// Whether a limit was breached, or something failed.
    pub has_error_event: bool,
}

/// An event of a session.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamEvent {
    /// The event's, the limit's or the status' name.
    pub name: String,
    /// The event's `detail-type`.
    #[serde(rename = "type")]
    pub detail_type: String,
    /// ISO 8601.
    pub event_time: String,
    /// A failure's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// GetStreamSession.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamSession {
    /// `st-` and 23 alphanumerics.
    pub stream_id: String,
    /// ISO 8601.
    pub start_time: String,
    /// ISO 8601; absent while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// As it was when the session began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// `ingestConfiguration` and `ingestConfigurations`, once media came.
    #[serde(flatten)]
    pub ingest: Option<Value>,
    /// As it was when the session began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording_configuration: Option<Value>,
    /// As it was when the session began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failover_slate_configuration: Option<Value>,
    /// Newest first.
    pub truncated_events: Vec<StreamEvent>,
}

/// The only track of an ingest.
const TRACK: &str = "Track0";

/// `ingestConfiguration` and `ingestConfigurations` of a session.
pub fn ingest_json(description: &IngestDescription) -> String {
    let mut video = video_json(&description.video);
    let audio = description.audio.as_ref().map(audio_json);
    let videos = [video.clone()];
    let audios: Vec<&Value> = audio.iter().collect();
    let all = json!({ "videoConfigurations": videos, "audioConfigurations": audios });
    // The older form names profile and level twice.
    video["avcProfile"] = video["profile"].clone();
    video["avcLevel"] = video["level"].clone();
    let mut first = json!({ "video": video });
    if let Some(audio) = &audio {
        first["audio"] = audio.clone();
    }
    json!({ "ingestConfiguration": first, "ingestConfigurations": all }).to_string()
}

fn video_json(video: &VideoDescription) -> Value {
    let mut json = json!({
        "codec": video.codec,
        "encoder": video.encoder.as_deref().unwrap_or_default(),
        "level": video.level,
        "profile": video.profile,
        "track": TRACK,
        "videoHeight": video.height,
        "videoWidth": video.width,
    });
    if let Some(bitrate) = video.target_bitrate {
        json["targetBitrate"] = bitrate.into();
    }
    if let Some(framerate) = video.target_framerate {
        json["targetFramerate"] = framerate.into();
    }
    json
}

fn audio_json(audio: &AudioDescription) -> Value {
    let mut json = json!({
        "channels": audio.channels,
        "codec": audio.codec,
        "sampleRate": audio.sample_rate,
        "track": TRACK,
    });
    if let Some(bitrate) = audio.target_bitrate {
        json["targetBitrate"] = bitrate.into();
    }
    json
}
