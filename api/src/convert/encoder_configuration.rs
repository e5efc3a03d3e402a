//! CreateEncoderConfiguration.

use compositor_core::time::FrameRate;

use crate::backend::VideoSpec;
use crate::dto::encoder_configuration::{EncoderConfigurationRecord, Video};
use crate::error::ApiError;
use crate::validate::{Members, TextRule};

/// Width x height of 1080p.
const PIXELS_MAX: u32 = 2_073_600;

/// Longest edge.
const EDGE_MAX: u32 = 1920;

/// Bits per second.
const BITRATE_MAX: u32 = 8_500_000;

/// Reads the request, defaults filled in.
pub fn create(members: &Members<'_>) -> Result<EncoderConfigurationRecord, ApiError> {
    let name = members.text("name", &TextRule::NAME)?.unwrap_or_default();
    let video = match members.object("video")? {
        Some(video) => read_video(&video)?,
        None => Video::default(),
    };
    Ok(EncoderConfigurationRecord { name, video })
}

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

fn read_video(members: &Members<'_>) -> Result<Video, ApiError> {
    let default = Video::default();
    let width = read_edge(members, "width", default.width)?;
    let height = read_edge(members, "height", default.height)?;
    let framerate = members.number("framerate", 1.0..=60.0)?;
    let bitrate = members.integer("bitrate", 1..=BITRATE_MAX)?;
    let pixels = u32::from(width) * u32::from(height);
    if pixels > PIXELS_MAX {
        return Err(ApiError::validation(format!(
            "`video.width` x `video.height`: {width} x {height} = {pixels} pixels given, must be at most {PIXELS_MAX}"
        )));
    }
    Ok(Video {
        width,
        height,
        framerate: framerate.unwrap_or(default.framerate),
        bitrate: bitrate.unwrap_or(default.bitrate),
    })
}

fn read_edge(members: &Members<'_>, name: &str, default: u16) -> Result<u16, ApiError> {
    let Some(pixels) = members.integer(name, 2..=EDGE_MAX)? else {
        return Ok(default);
    };
    if !pixels.is_multiple_of(2) {
        let path = members.path_of(name);
        return Err(ApiError::validation(format!(
            "`{path}`: {pixels} given, must be even"
        )));
    }
    Ok(u16::try_from(pixels).expect("the range was checked"))
}
