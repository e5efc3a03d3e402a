//! The `media` member of a channel's documents.

use serde::Serialize;

use crate::key_layout::{BYTE_RANGE_MULTIVARIANT, BYTE_RANGE_PLAYLIST, KeyLayout, PLAYLIST};
use crate::recording::{ChannelSource, RecordingSpec};

/// Against a composite recording: byte-range playlists, sizes of thumbnails without a list, the latest one by its name.
#[derive(Serialize)]
pub(super) struct Media<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    hls: Option<Hls<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbnails: Option<Image>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_thumbnail: Option<Image>,
}

impl<'a> Media<'a> {
    pub(super) fn new(
        spec: &RecordingSpec,
        source: &ChannelSource,
        layout: &'a KeyLayout,
        duration_ms: Option<u64>,
    ) -> Self {
        let (resolution_width, resolution_height) = source.thumbnail_size;
        let image = |path| Image {
            path,
            resolution_height,
            resolution_width,
        };
        let rendition = Rendition {
            path: layout.rendition(),
            playlist: PLAYLIST,
            byte_range_playlist: BYTE_RANGE_PLAYLIST,
            resolution_height: spec.rendition.height,
            resolution_width: spec.rendition.width,
        };
        let hls = Hls {
            duration_ms,
            path: "media/hls",
            playlist: layout.multivariant(),
            byte_range_playlist: BYTE_RANGE_MULTIVARIANT,
            renditions: [rendition],
        };
        let wanted = spec.thumbnails;
        Self {
            hls: source.has_rendition.then_some(hls),
            thumbnails: wanted.sequential.then(|| image("media/thumbnails")),
            latest_thumbnail: wanted
                .latest
                .then(|| image("media/latest_thumbnail/thumb.jpg")),
        }
    }
}

#[derive(Serialize)]
struct Hls<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    path: &'static str,
    playlist: &'static str,
    byte_range_playlist: &'static str,
    renditions: [Rendition<'a>; 1],
}

#[derive(Serialize)]
struct Rendition<'a> {
    path: &'a str,
    playlist: &'static str,
    byte_range_playlist: &'static str,
    resolution_height: u16,
    resolution_width: u16,
}

#[derive(Serialize)]
struct Image {
    path: &'static str,
    resolution_height: u16,
    resolution_width: u16,
}

#[cfg(test)]
mod tests {
    use compositor_core::time::WallTime;

    use crate::metadata::{Closing, closed, started};
    use crate::recording::RecordingOutcome;
    use crate::recording::tests::channel_spec;

    const START: WallTime = WallTime(1_767_225_600_000_000);

    #[test]
    fn started_is_that_of_ivs_channel_recording() {
        let expected = serde_json::json!({
            "version": "v1",
            "channel_arn": "arn:aws:ivs:us-east-1:123456789012:channel/ChAnNeL00001",
            "recording_started_at": "2026-01-01T00:00:00Z",
            "recording_status": "RECORDING_STARTED",
            "media": {
                "hls": {"path": "media/hls", "playlist": "master.m3u8",
                    "byte_range_playlist": "byte-range-multivariant.m3u8", "renditions": [
                    {"path": "720p30", "playlist": "playlist.m3u8",
                     "byte_range_playlist": "byte-range-variant.m3u8",
                     "resolution_height": 720, "resolution_width": 1280}]},
                "thumbnails": {"path": "media/thumbnails",
                    "resolution_height": 360, "resolution_width": 640},
                "latest_thumbnail": {"path": "media/latest_thumbnail/thumb.jpg",
                    "resolution_height": 360, "resolution_width": 640},
            },
        });
        let text = started(&channel_spec("unused"), START);
        let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(document, expected);
    }

    #[test]
    fn closing_documents_tell_duration_and_failure() {
        let document = |outcome, duration_ms| -> serde_json::Value {
            let ended_at = WallTime(START.0 + 20_000_000);
            let closing = Closing {
                ended_at,
                outcome,
                duration_ms,
            };
            let text = closed(&channel_spec("unused"), START, &closing);
            serde_json::from_str(&text).expect("JSON")
        };
        let ended = document(RecordingOutcome::Ended, 19_960);
        assert_eq!(ended["recording_status"], "RECORDING_ENDED");
        assert_eq!(ended["recording_ended_at"], "2026-01-01T00:00:20Z");
        assert_eq!(ended["media"]["hls"]["duration_ms"], 19_960);
        let message = Some("InternalServerException".to_owned());
        let failed = document(RecordingOutcome::Failed { message }, 0);
        assert_eq!(failed["recording_status"], "RECORDING_ENDED_WITH_FAILURE");
        assert_eq!(
            failed["recording_status_message"],
            "InternalServerException"
        );
        assert_eq!(failed["recording_started_at"], "2026-01-01T00:00:00Z");
    }

    #[test]
    fn a_recording_of_thumbnails_alone_names_no_playlists() {
        let mut spec = channel_spec("unused");
        let crate::Source::Channel(source) = &mut spec.source else {
            panic!("it is a channel's");
        };
        source.has_rendition = false;
        let document: serde_json::Value =
            serde_json::from_str(&started(&spec, START)).expect("JSON");
        assert!(document["media"].get("hls").is_none());
        assert!(document["media"].get("thumbnails").is_some());
    }
}
