//! The JSON documents of a recording: `recording-started.json`, `recording-ended.json`, `recording-failed.json`.

mod channel;

use compositor_core::time::WallTime;
use serde::Serialize;

use crate::key_layout::{KeyLayout, PLAYLIST};
use crate::recording::{RecordingOutcome, RecordingSpec, Source};
use crate::rfc3339::rfc3339;

/// How the recording went, as the closing document tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Closing {
    /// When it ended.
    pub ended_at: WallTime,
    /// How.
    pub outcome: RecordingOutcome,
    /// Length of what was recorded, milliseconds.
    pub duration_ms: u64,
}

/// The text of `recording-started.json`.
pub fn started(spec: &RecordingSpec, started_at: WallTime) -> String {
    render(spec, Some(started_at), None)
}

/// The text of `recording-ended.json` or `recording-failed.json`.
pub fn closed(spec: &RecordingSpec, started_at: WallTime, closing: &Closing) -> String {
    // Of a channel there is no status for that.
    let never_started = matches!(spec.source, Source::Composition { .. })
        && matches!(closing.outcome, RecordingOutcome::Failed { .. })
        && closing.duration_ms == 0;
    render(spec, (!never_started).then_some(started_at), Some(closing))
}

fn render(spec: &RecordingSpec, started_at: Option<WallTime>, closing: Option<&Closing>) -> String {
    let layout = spec.key_layout();
    let duration_ms = closing.map(|closing| closing.duration_ms);
    let (stage_arn, channel_arn, media) = match &spec.source {
        Source::Composition { stage_arn, .. } => {
            let media = MediaOf::Composition(media(spec, &layout, duration_ms));
            (Some(stage_arn.as_str()), None, media)
        }
        Source::Channel(source) => {
            let media = channel::Media::new(spec, source, &layout, duration_ms);
            let arn = Some(source.channel_arn.as_str());
            (None, arn, MediaOf::Channel(media))
        }
    };
    let status = match (closing.map(|closing| &closing.outcome), started_at) {
        (None, _) => Status::Started,
        (Some(RecordingOutcome::Ended), _) => Status::Ended,
        (Some(RecordingOutcome::Failed { .. }), None) => Status::StartFailed,
        (Some(RecordingOutcome::Failed { .. }), Some(_)) => Status::EndedWithFailure,
    };
    let message = match closing.map(|closing| &closing.outcome) {
        Some(RecordingOutcome::Failed { message }) => message.as_deref(),
        Some(RecordingOutcome::Ended) | None => None,
    };
    let document = Document {
        version: "v1",
        stage_arn,
        channel_arn,
        recording_started_at: started_at.map(rfc3339),
        recording_ended_at: started_at
            .and(closing)
            .map(|closing| rfc3339(closing.ended_at)),
        recording_status: status,
        recording_status_message: message,
        media,
    };
    serde_json::to_string(&document).expect("strings and numbers can be written as JSON")
}

fn media<'a>(spec: &RecordingSpec, layout: &'a KeyLayout, duration_ms: Option<u64>) -> Media<'a> {
    let (resolution_width, resolution_height) = (spec.rendition.width, spec.rendition.height);
    let resolution = format!("{resolution_width}x{resolution_height}");
    let images = |path| Images {
        path,
        resolutions: [Resolution {
            path: resolution.clone(),
            resolution_width,
            resolution_height,
        }],
    };
    let rendition = Rendition {
        path: layout.rendition(),
        playlist: PLAYLIST,
        resolution_width,
        resolution_height,
    };
    let path = "media/hls";
    let hls = Hls {
        duration_ms,
        path,
        playlist: layout.multivariant(),
        renditions: [rendition],
    };
    Media {
        hls,
        thumbnails: spec
            .thumbnails
            .sequential
            .then(|| images("media/thumbnails")),
        latest_thumbnail: spec
            .thumbnails
            .latest
            .then(|| images("media/latest_thumbnail")),
    }
}

#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage_arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording_started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording_ended_at: Option<String>,
    recording_status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording_status_message: Option<&'a str>,
    media: MediaOf<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum MediaOf<'a> {
    Composition(Media<'a>),
    Channel(channel::Media<'a>),
}

#[derive(Serialize)]
enum Status {
    #[serde(rename = "RECORDING_STARTED")]
    Started,
    #[serde(rename = "RECORDING_ENDED")]
    Ended,
    #[serde(rename = "RECORDING_START_FAILED")]
    StartFailed,
    #[serde(rename = "RECORDING_ENDED_WITH_FAILURE")]
    EndedWithFailure,
}

#[derive(Serialize)]
struct Media<'a> {
    hls: Hls<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbnails: Option<Images>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_thumbnail: Option<Images>,
}

#[derive(Serialize)]
struct Hls<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    path: &'static str,
    playlist: &'static str,
    renditions: [Rendition<'a>; 1],
}

#[derive(Serialize)]
struct Rendition<'a> {
    path: &'a str,
    playlist: &'static str,
    resolution_width: u16,
    resolution_height: u16,
}

#[derive(Serialize)]
struct Images {
    path: &'static str,
    resolutions: [Resolution; 1],
}

#[derive(Serialize)]
struct Resolution {
    path: String,
    resolution_width: u16,
    resolution_height: u16,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::tests::spec;

    const START: WallTime = WallTime(1_767_225_600_000_000);

    #[test]
    fn started_names_where_everything_will_be() {
        let expected = serde_json::json!({
            "version": "v1",
            "stage_arn": "arn:aws:ivs:us-east-1:123456789012:stage/StAgE0000001",
            "recording_started_at": "2026-01-01T00:00:00Z",
            "recording_status": "RECORDING_STARTED",
            "media": {
                "hls": {"path": "media/hls", "playlist": "multivariant.m3u8", "renditions": [
                    {"path": "720p30-AAAABBBBCCCC", "playlist": "playlist.m3u8",
                     "resolution_width": 1280, "resolution_height": 720}]},
                "thumbnails": {"path": "media/thumbnails", "resolutions": [
                    {"path": "1280x720", "resolution_width": 1280, "resolution_height": 720}]},
                "latest_thumbnail": {"path": "media/latest_thumbnail", "resolutions": [
                    {"path": "1280x720", "resolution_width": 1280, "resolution_height": 720}]},
            },
        });
        let text = started(&spec("unused"), START);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).expect("JSON"),
            expected
        );
    }

    fn closed_fields(outcome: RecordingOutcome, duration_ms: u64) -> serde_json::Value {
        let ended_at = WallTime(START.0 + 460_315_000);
        let mut spec = spec("unused");
        spec.thumbnails.sequential = false;
        let text = closed(
            &spec,
            START,
            &Closing {
                ended_at,
                outcome,
                duration_ms,
            },
        );
        serde_json::from_str(&text).expect("JSON")
    }

    #[test]
    fn ended_tells_duration_and_both_times() {
        let document = closed_fields(RecordingOutcome::Ended, 460_315);
        assert_eq!(document["recording_status"], "RECORDING_ENDED");
        assert_eq!(document["recording_started_at"], "2026-01-01T00:00:00Z");
        assert_eq!(document["recording_ended_at"], "2026-01-01T00:07:40Z");
        assert_eq!(document["media"]["hls"]["duration_ms"], 460_315);
        assert!(document["media"].get("thumbnails").is_none());
        assert!(document.get("recording_status_message").is_none());
    }

    #[test]
    fn failed_tells_whether_anything_was_recorded() {
        let failed = || RecordingOutcome::Failed {
            message: Some("DestinationFailure".to_owned()),
        };
        let document = closed_fields(failed(), 1000);
        assert_eq!(document["recording_status"], "RECORDING_ENDED_WITH_FAILURE");
        assert_eq!(document["recording_status_message"], "DestinationFailure");
        let document = closed_fields(failed(), 0);
        assert_eq!(document["recording_status"], "RECORDING_START_FAILED");
        assert!(document.get("recording_started_at").is_none());
        assert!(document.get("recording_ended_at").is_none());
        assert_eq!(document["media"]["hls"]["duration_ms"], 0);
    }
}
