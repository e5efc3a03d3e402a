//! What an encoder is told.

use compositor_core::time::FrameRate;

use crate::backend::VideoSpec;
use crate::dto::encoder_configuration::Video;

/// What the encoder is told.
pub fn to_spec(video: Video) -> VideoSpec {
    let Video {
        width,
        height,
        framerate,
        bitrate,
    } = video;
    VideoSpec {
        width,
        height,
        fps: FrameRate::from_api(framerate),
        bitrate,
    }
}
