//! Names of a recording's objects below its prefix, as IVS composite recording lays them out.

use compositor_core::time::FrameRate;
use serde::{Deserialize, Serialize};

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
    /// `media/thumbnails/<w>x<h>/<j>.jpg`.
    Thumbnail(u64),
    /// `events/recording-ended.json`, last of all.
    Ended,
    /// `events/recording-failed.json`, last of all, instead of [`Self::Ended`].
    Failed,
    /// `media/hls/<rendition>/playlist.m3u8`; overwritten as the recording grows.
    Playlist,
    /// `media/hls/multivariant.m3u8`; overwritten once, when the peak bit rate is known.
    Multivariant,
    /// `media/latest_thumbnail/<w>x<h>/thumb.jpg`; overwritten at each interval.
    LatestThumbnail,
}

impl ObjectName {
    /// The `Content-Type` of the object.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Started | Self::Ended | Self::Failed => "application/json",
            Self::Segment(_) => "video/mp2t",
            Self::Thumbnail(_) | Self::LatestThumbnail => "image/jpeg",
            Self::Playlist | Self::Multivariant => PLAYLIST_TYPE,
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
            | Self::Multivariant
            | Self::LatestThumbnail => CACHE_NOT,
        }
    }

    /// Whether later content may replace earlier content under the same key.
    pub fn is_mutable(self) -> bool {
        matches!(
            self,
            Self::Playlist | Self::Multivariant | Self::LatestThumbnail
        )
    }
}

/// Where the objects of one recording are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyLayout {
    prefix: String,
    rendition: String,
    resolution: String,
}

impl KeyLayout {
    /// The layout below `prefix` (without slashes at its ends) for one rendition; `rendition_id` makes its folder unique.
    pub fn new(
        prefix: &str,
        (width, height): (u16, u16),
        fps: FrameRate,
        rendition_id: &str,
    ) -> Self {
        let whole_fps = fps.frames_in(1);
        Self {
            prefix: prefix.trim_matches('/').to_owned(),
            rendition: format!("{height}p{whole_fps}-{rendition_id}"),
            resolution: format!("{width}x{height}"),
        }
    }

    /// The key of an object.
    pub fn key(&self, object: ObjectName) -> String {
        let Self {
            prefix,
            rendition,
            resolution,
        } = self;
        match object {
            ObjectName::Started => format!("{prefix}/events/recording-started.json"),
            ObjectName::Ended => format!("{prefix}/events/recording-ended.json"),
            ObjectName::Failed => format!("{prefix}/events/recording-failed.json"),
            ObjectName::Segment(i) => format!("{prefix}/media/hls/{rendition}/{i}.ts"),
            ObjectName::Playlist => format!("{prefix}/media/hls/{rendition}/playlist.m3u8"),
            ObjectName::Multivariant => format!("{prefix}/media/hls/multivariant.m3u8"),
            ObjectName::Thumbnail(j) => format!("{prefix}/media/thumbnails/{resolution}/{j}.jpg"),
            ObjectName::LatestThumbnail => {
                format!("{prefix}/media/latest_thumbnail/{resolution}/thumb.jpg")
            }
        }
    }

    /// The rendition's folder below `media/hls`.
    pub fn rendition(&self) -> &str {
        &self.rendition
    }

    /// `<w>x<h>`, the folder of thumbnails.
    pub fn resolution(&self) -> &str {
        &self.resolution
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_ivs_composite_recording() {
        let fps = FrameRate {
            num: 30_000,
            den: 1001,
        };
        let layout = KeyLayout::new("st/co/de/composite", (1280, 720), fps, "AAAABBBBCCCC");
        let key = |object| layout.key(object);
        assert_eq!(
            key(ObjectName::Started),
            "st/co/de/composite/events/recording-started.json"
        );
        assert_eq!(
            key(ObjectName::Multivariant),
            "st/co/de/composite/media/hls/multivariant.m3u8"
        );
        assert_eq!(
            key(ObjectName::Segment(7)),
            "st/co/de/composite/media/hls/720p30-AAAABBBBCCCC/7.ts"
        );
        assert_eq!(
            key(ObjectName::Thumbnail(0)),
            "st/co/de/composite/media/thumbnails/1280x720/0.jpg"
        );
        assert_eq!(
            key(ObjectName::LatestThumbnail),
            "st/co/de/composite/media/latest_thumbnail/1280x720/thumb.jpg"
        );
    }
}
