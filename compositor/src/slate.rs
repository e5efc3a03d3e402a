//! The failover slate of a channel, encoded: a still picture as a group of pictures that can be repeated.

use std::io::{self, Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use compositor_core::layout::{Canvas, VideoFillMode};
use compositor_core::time::FrameRate;
use compositor_core::worker_protocol::EncoderSpec;

use crate::codec::CodecError;
use crate::codec::h264::{H264Encoder, Search};
use crate::raster::slate::slate;
use crate::raster::{Item, Raster};

/// How long the group plays.
const GROUP_SECONDS: u32 = 2;

/// Enough for one sharp picture and many that repeat it.
const BITRATE: u32 = 600_000;

/// Largest picture that is read back.
const PICTURE_BYTES_MAX: u32 = 4 * 1024 * 1024;

/// Pictures of a group: two seconds at the highest frame rate.
const PICTURES_MAX: usize = 256;

/// What the slate must look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlateSpec {
    /// Pixels, even.
    pub width: u16,
    /// Pixels, even.
    pub height: u16,
    /// Frames per second.
    pub fps: FrameRate,
}

/// Why there is no slate.
#[derive(Debug, thiserror::Error)]
pub enum SlateError {
    /// GStreamer does not start.
    #[error("GStreamer does not start")]
    Gstreamer(#[from] gstreamer::glib::Error),
    /// The pictures cannot be encoded.
    #[error("the slate cannot be encoded")]
    Codec(#[from] CodecError),
    /// The pictures cannot be written.
    #[error("the slate cannot be written")]
    Write(#[from] io::Error),
}

/// Encodes the group and writes it, for [`read_pictures`].
pub fn write_pictures(spec: SlateSpec, out: &mut impl Write) -> Result<(), SlateError> {
    gstreamer::init()?;
    for picture in encode(spec)? {
        let length = u32::try_from(picture.len()).unwrap_or(u32::MAX);
        out.write_all(&length.to_be_bytes())?;
        out.write_all(&picture)?;
    }
    Ok(out.flush()?)
}

/// Reads what [`write_pictures`] wrote.
pub fn read_pictures(mut written: &[u8]) -> io::Result<Vec<Bytes>> {
    let mut pictures = Vec::new();
    while !written.is_empty() {
        let mut length = [0; 4];
        written.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        if length > PICTURE_BYTES_MAX || pictures.len() >= PICTURES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut picture = vec![0; length as usize];
        written.read_exact(&mut picture)?;
        pictures.push(picture.into());
    }
    Ok(pictures)
}

fn encode(spec: SlateSpec) -> Result<Vec<Bytes>, CodecError> {
    let SlateSpec { width, height, fps } = spec;
    let canvas = Canvas {
        width: width.into(),
        height: height.into(),
    };
    let mut raster = Raster::new(canvas);
    let mut drawn = raster.black();
    let scene = vec![Item {
        slot: canvas.rect(),
        fill_mode: VideoFillMode::Fill,
        picture: Arc::new(slate(canvas.width, canvas.height)),
    }];
    raster.draw(&mut drawn, scene);
    let spec = EncoderSpec {
        width,
        height,
        fps,
        bitrate: BITRATE,
        keyframe_every: Vec::new(),
        thumbnail_every: None,
    };
    let mut encoder = H264Encoder::new(&spec, Search::Usual)?;
    let frame = encoder.frame(drawn);
    (0..fps.frames_in(GROUP_SECONDS).max(1))
        .map(|k| Ok(encoder.encode(&frame, k == 0)?.data))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_seconds_come_back_as_they_were_written() {
        let mut written = Vec::new();
        let spec = SlateSpec {
            width: 320,
            height: 180,
            fps: FrameRate::whole(25),
        };
        write_pictures(spec, &mut written).expect("x264 is there");
        let pictures = read_pictures(&written).expect("it is whole");
        assert_eq!(pictures.len(), 50);
        assert!(
            pictures[0]
                .windows(4)
                .any(|bytes| bytes[..3] == [0, 0, 1] && bytes[3] & 31 == 5)
        );
        assert!(read_pictures(&written[..written.len() - 1]).is_err());
    }
}
