//! Names of a recording's objects below its prefix, as IVS lays out composite recordings and recordings of channels.

use serde::{Deserialize, Serialize};

use crate::recording::{RecordingSpec, Source};

/// Content type of a playlist.
const PLAYLIST_TYPE: &str = "application/vnd.apple.mpegurl";

/// Objects with one content for ever.
const CACHE_FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Objects that are overwritten, or whose appearance is being waited for.
const CACHE_NOT: &str = "no-cache";

/// One object of a recording.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectName {
    /// `events/recording-started.json`.
    Started,
    /// `media/hls/<rendition>/<i>.ts`.
    Segment(u64),
    /// `media/thumbnails/<w>x<h>/<j>.jpg`, of a channel `media/thumbnails/thumb<j>.jpg`.
    Thumbnail(u64),
    /// `events/recording-ended.json`, last of all.
    Ended,
    /// `events/recording-failed.json`, last of all, instead of [`Self::Ended`].
    Failed,
    /// `media/hls/<rendition>/playlist.m3u8`; overwritten as the recording grows.
    Playlist,
    /// `media/hls/<rendition>/byte-range-variant.m3u8`, of a channel; overwritten together with [`Self::Playlist`].
    ByteRangePlaylist,
    /// `media/hls/multivariant.m3u8`, of a channel `media/hls/master.m3u8`; overwritten once, when the peak bit rate is
    /// known.
    Multivariant,
    /// `media/hls/byte-range-multivariant.m3u8`, of a channel; overwritten together with [`Self::Multivariant`].
    ByteRangeMultivariant,
    /// `media/latest_thumbnail/<w>x<h>/thumb.jpg`, of a channel `media/latest_thumbnail/thumb.jpg`; overwritten at each
    /// interval.
    LatestThumbnail,
}

impl ObjectName {
    /// The `Content-Type` of the object.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Started | Self::Ended | Self::Failed => "application/json",
            Self::Segment(_) => "video/mp2t",
            Self::Thumbnail(_) | Self::LatestThumbnail => "image/jpeg",
            Self::Playlist
            | Self::ByteRangePlaylist
            | Self::Multivariant
            | Self::ByteRangeMultivariant => PLAYLIST_TYPE,
        }
    }

    /// The `Cache-Control` of the object.
    pub fn cache_control(self) -> &'static str {
        match self {
            Self::Segment(_) | Self::Thumbnail(_) => CACHE_FOR_EVER,
            Self::Started
            | Self::Ended
            | Self::Failed
            | Self::Playlist
            | Self::ByteRangePlaylist
            | Self::Multivariant
            | Self::ByteRangeMultivariant
            | Self::LatestThumbnail => CACHE_NOT,
        }
    }

    /// Whether later content may replace earlier content under the same key.
    pub fn is_mutable(self) -> bool {
        matches!(
            self,
            Self::Playlist
                | Self::ByteRangePlaylist
                | Self::Multivariant
                | Self::ByteRangeMultivariant
                | Self::LatestThumbnail
        )
    }
}

/// Where the objects of one recording are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyLayout {
    prefix: String,
    rendition: String,
    /// The folder of a composite recording's thumbnails; a channel has one size, and no folder for it.
    resolution: Option<String>,
}

impl KeyLayout {
    /// The layout that a recording has.
    pub fn new(spec: &RecordingSpec) -> Self {
        let (width, height) = (spec.rendition.width, spec.rendition.height);
        let class = format!("{height}p{}", spec.rendition.fps.frames_in(1));
        let (rendition, resolution) = match &spec.source {
            Source::Composition { rendition_id, .. } => (
                format!("{class}-{rendition_id}"),
                Some(format!("{width}x{height}")),
            ),
            Source::Channel(_) => (class, None),
        };
        Self {
            prefix: spec.prefix.trim_matches('/').to_owned(),
            rendition,
            resolution,
        }
    }

    /// The key of an object.
    pub fn key(&self, object: ObjectName) -> String {
        let Self {
            prefix,
            rendition,
            resolution,
        } = self;
        let below = |folder: &str, name: String| match resolution {
            Some(resolution) => format!("{prefix}/media/{folder}/{resolution}/{name}"),
            None => format!("{prefix}/media/{folder}/{name}"),
        };
        match object {
            ObjectName::Started => format!("{prefix}/events/recording-started.json"),
            ObjectName::Ended => format!("{prefix}/events/recording-ended.json"),
            ObjectName::Failed => format!("{prefix}/events/recording-failed.json"),
            ObjectName::Segment(i) => format!("{prefix}/media/hls/{rendition}/{i}.ts"),
            ObjectName::Playlist => format!("{prefix}/media/hls/{rendition}/{PLAYLIST}"),
            ObjectName::ByteRangePlaylist => {
                format!("{prefix}/media/hls/{rendition}/{BYTE_RANGE_PLAYLIST}")
            }
            ObjectName::Multivariant => format!("{prefix}/media/hls/{}", self.multivariant()),
            ObjectName::ByteRangeMultivariant => {
                format!("{prefix}/media/hls/{BYTE_RANGE_MULTIVARIANT}")
            }
            ObjectName::Thumbnail(j) => {
                let thumb = if resolution.is_some() { "" } else { "thumb" };
                below("thumbnails", format!("{thumb}{j}.jpg"))
            }
            ObjectName::LatestThumbnail => below("latest_thumbnail", "thumb.jpg".to_owned()),
        }
    }

    /// The rendition's folder below `media/hls`.
    pub fn rendition(&self) -> &str {
        &self.rendition
    }

    /// The file name of [`ObjectName::Multivariant`].
    pub fn multivariant(&self) -> &'static str {
        match self.resolution {
            Some(_) => "multivariant.m3u8",
            None => "master.m3u8",
        }
    }
}

/// The file name of [`ObjectName::Playlist`].
pub const PLAYLIST: &str = "playlist.m3u8";

/// The file name of [`ObjectName::ByteRangePlaylist`].
pub const BYTE_RANGE_PLAYLIST: &str = "byte-range-variant.m3u8";

/// The file name of [`ObjectName::ByteRangeMultivariant`].
pub const BYTE_RANGE_MULTIVARIANT: &str = "byte-range-multivariant.m3u8";

#[cfg(test)]
mod tests {
    use compositor_core::time::FrameRate;

    use super::*;
    use crate::recording::tests::{channel_spec, spec};

    #[test]
    fn keys_are_those_of_ivs_composite_recording() {
        let mut spec = spec("");
        spec.prefix = "st/co/de/composite".to_owned();
        spec.rendition.fps = FrameRate {
            num: 30_000,
            den: 1001,
        };
        let layout = KeyLayout::new(&spec);
        let names = [
            (ObjectName::Started, "events/recording-started.json"),
            (ObjectName::Multivariant, "media/hls/multivariant.m3u8"),
            (ObjectName::Segment(7), "media/hls/720p30-AAAABBBBCCCC/7.ts"),
            (ObjectName::Thumbnail(0), "media/thumbnails/1280x720/0.jpg"),
            (
                ObjectName::LatestThumbnail,
                "media/latest_thumbnail/1280x720/thumb.jpg",
            ),
        ];
        for (object, name) in names {
            assert_eq!(layout.key(object), format!("st/co/de/composite/{name}"));
        }
    }

    #[test]
    fn keys_are_those_of_ivs_channel_recording() {
        let spec = channel_spec("");
        let layout = KeyLayout::new(&spec);
        let names = [
            (ObjectName::Ended, "events/recording-ended.json"),
            (ObjectName::Multivariant, "media/hls/master.m3u8"),
            (
                ObjectName::ByteRangeMultivariant,
                "media/hls/byte-range-multivariant.m3u8",
            ),
            (ObjectName::Segment(7), "media/hls/720p30/7.ts"),
            (ObjectName::Playlist, "media/hls/720p30/playlist.m3u8"),
            (
                ObjectName::ByteRangePlaylist,
                "media/hls/720p30/byte-range-variant.m3u8",
            ),
            (ObjectName::Thumbnail(3), "media/thumbnails/thumb3.jpg"),
            (
                ObjectName::LatestThumbnail,
                "media/latest_thumbnail/thumb.jpg",
            ),
        ];
        for (object, name) in names {
            assert_eq!(layout.key(object), format!("{}/{name}", spec.prefix));
        }
    }
}
