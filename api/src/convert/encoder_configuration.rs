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

/// The encoder configuration that means this.
pub fn from_spec(spec: VideoSpec) -> Video {
    let VideoSpec {
        width,
        height,
        fps,
        bitrate,
    } = spec;
    Video {
        width,
        height,
        framerate: f64::from(fps.num) / f64::from(fps.den),
        bitrate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_frame_rate_survives_the_way_back() {
        for framerate in [1.0, 12.5, 23.976, 25.0, 29.97, 30.0, 59.94, 60.0] {
            let spec = to_spec(Video {
                framerate,
                ..Video::default()
            });
            assert_eq!(to_spec(from_spec(spec)), spec, "{framerate}");
        }
    }
}
