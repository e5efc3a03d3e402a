//! The JSON of the session API, in and out, as the module's text describes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

// Defaults of the page only; the rules for these values stay with the operations.
const DEFAULT_WIDTH: u32 = 1280;
const DEFAULT_HEIGHT: u32 = 720;
const DEFAULT_FRAMERATE: f64 = 30.0;
const DEFAULT_BITRATE: u32 = 2_500_000;

/// `POST /session/login`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    pub(super) password: String,
}

/// `POST /session/stages`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CreateStage {
    pub(super) name: Option<String>,
}

/// `POST /session/stages/{stageId}/tokens`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(super) struct CreateToken {
    pub(super) user_id: Option<String>,
    pub(super) attributes: Option<BTreeMap<String, String>>,
    pub(super) capabilities: Option<Vec<String>>,
    pub(super) duration_minutes: Option<u32>,
}

/// `GET /session/compositions`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(super) struct ListCompositions {
    pub(super) stage_id: Option<String>,
}

/// `POST /session/compositions`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(super) struct StartComposition {
    pub(super) stage_id: String,
    pub(super) layout: Option<Value>,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) framerate: f64,
    pub(super) bitrate: u32,
    pub(super) channel: bool,
    pub(super) recording: bool,
}

impl Default for StartComposition {
    fn default() -> Self {
        Self {
            stage_id: String::new(),
            layout: None,
            width: DEFAULT_WIDTH,
            height: DEFAULT_HEIGHT,
            framerate: DEFAULT_FRAMERATE,
            bitrate: DEFAULT_BITRATE,
            channel: true,
            recording: true,
        }
    }
}

/// STAGE
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StageView {
    pub(super) stage_id: String,
    pub(super) arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) active_session_id: Option<String>,
}

/// PARTICIPANT
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ParticipantView {
    pub(super) participant_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_id: Option<String>,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) has_audio: bool,
    pub(super) has_video: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) joined_at: Option<String>,
}

/// COMPOSITION
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompositionView {
    pub(super) composition_id: String,
    pub(super) arn: String,
    pub(super) stage_id: String,
    pub(super) state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end_time: Option<String>,
    pub(super) destinations: Vec<DestinationView>,
}

/// DESTINATION
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DestinationView {
    pub(super) id: String,
    pub(super) state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end_time: Option<String>,
    #[serde(flatten)]
    pub(super) target: TargetView,
}

/// The part of DESTINATION that differs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub(super) enum TargetView {
    /// A broadcast.
    Channel { channel: ChannelView },
    /// A recording.
    Recording { recording: RecordingView },
}

/// The channel that a composition is broadcast to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChannelView {
    pub(super) arn: String,
    pub(super) playback_url: String,
}

/// Where a composition is recorded.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecordingView {
    pub(super) bucket: String,
    pub(super) prefix: String,
    pub(super) uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) playback_url: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn starting_needs_a_stage_only() {
        let start: StartComposition = serde_json::from_value(json!({ "stageId": "abc" })).unwrap();
        assert_eq!(
            (start.width, start.height, start.bitrate),
            (1280, 720, 2_500_000)
        );
        assert!(start.channel && start.recording && start.layout.is_none());
        let small: StartComposition =
            serde_json::from_value(json!({ "stageId": "a", "width": 640, "recording": false }))
                .unwrap();
        assert_eq!(
            (small.width, small.height, small.recording),
            (640, 720, false)
        );
        assert!(serde_json::from_value::<StartComposition>(json!({ "stage": "a" })).is_err());
    }

    #[test]
    fn a_recording_is_flattened_with_its_kind() {
        let recording = RecordingView {
            bucket: "b".to_owned(),
            prefix: "p".to_owned(),
            uri: "s3://b/p".to_owned(),
            playback_url: None,
        };
        let view = DestinationView {
            id: "d".to_owned(),
            state: "ACTIVE".to_owned(),
            start_time: None,
            end_time: None,
            target: TargetView::Recording { recording },
        };
        let expected = json!({"id": "d", "state": "ACTIVE", "kind": "recording",
            "recording": {"bucket": "b", "prefix": "p", "uri": "s3://b/p"}});
        assert_eq!(serde_json::to_value(view).unwrap(), expected);
    }
}
