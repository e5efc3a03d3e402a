//! The process that makes one picture.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use super::ThumbnailRequest;
use crate::codec::chain::Chain;
use crate::confine::{Needs, confine};
use crate::wire;
use crate::worker::WorkerError;

/// A 4K picture with its decoder needs a tenth; hostile media may try for more.
const MEMORY_BYTES_MAX: u64 = 2 << 30;

const JPEG_QUALITY: u8 = 80;

/// Answers one request on the socket that is the standard input. The process confines itself first, so nothing else may run
/// in it.
pub fn run() -> Result<(), WorkerError> {
    confine(&Needs {
        memory_bytes_max: MEMORY_BYTES_MAX,
        read: &[],
        write: &[],
    })
    .map_err(WorkerError::Gstreamer)?;
    let mut socket = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map(UnixStream::from)
        .map_err(WorkerError::Socket)?;
    let Some(request) = wire::read_blocking(&mut socket)? else {
        return Ok(());
    };
    Ok(wire::write_blocking(&mut socket, &jpeg(&request)?)?)
}

/// The picture; `None` when it cannot be decoded.
fn jpeg(request: &ThumbnailRequest) -> Result<Option<Bytes>, WorkerError> {
    let ThumbnailRequest {
        width,
        height,
        keyframe,
    } = request;
    let input = gst::Caps::builder("video/x-h264")
        .field("stream-format", "byte-stream")
        .field("alignment", "au")
        .build();
    // The elements know how the publisher coded its colours.
    let chain = Chain::new(
        &format!(
            "avdec_h264 max-threads=1 output-corrupt=false qos=false ! videoscale ! videoconvert n-threads=1 ! \
             video/x-raw,format=RGB,width={width},height={height},pixel-aspect-ratio=1/1"
        ),
        &input,
    )?;
    let mut buffer = gst::Buffer::from_slice(keyframe.clone());
    {
        let buffer = buffer.get_mut().expect("nobody else has it yet");
        buffer.set_pts(gst::ClockTime::ZERO);
        buffer.set_dts(gst::ClockTime::ZERO);
    }
    // An error of the flow shows as a missing answer. A decoder that expects B-frames answers only at the end.
    let _ = chain.push(buffer);
    chain.push_event(gst::event::Eos::new());
    Ok(chain.answer().and_then(|sample| encode(&sample)))
}

fn encode(sample: &gst::Sample) -> Option<Bytes> {
    let info = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
    let frame = gst_video::VideoFrame::from_buffer_readable(sample.buffer_owned()?, &info).ok()?;
    let stride = usize::try_from(*frame.plane_stride().first()?).ok()?;
    let row = info.width() as usize * 3;
    let rows = frame.plane_data(0).ok()?.chunks(stride);
    let rgb: Vec<u8> = rows
        .flat_map(|line| &line[..row.min(line.len())])
        .copied()
        .collect();
    let mut out = Vec::new();
    JpegEncoder::new_with_quality(&mut out, JPEG_QUALITY)
        .encode(&rgb, info.width(), info.height(), ExtendedColorType::Rgb8)
        .ok()?;
    Some(out.into())
}

#[cfg(test)]
mod tests {
    use compositor_core::time::FrameRate;
    use compositor_core::worker_protocol::EncoderSpec;

    use super::*;
    use crate::codec::h264::{H264Encoder, Search};

    const WIDTH: u16 = 320;
    const HEIGHT: u16 = 180;

    /// A keyframe that is red on the left and blue on the right.
    fn keyframe() -> Bytes {
        gst::init().expect("GStreamer starts");
        let spec = EncoderSpec {
            width: WIDTH,
            height: HEIGHT,
            fps: FrameRate::whole(30),
            bitrate: 2_000_000,
            keyframe_every: vec![60],
            thumbnail_every: None,
        };
        let mut encoder = H264Encoder::new(&spec, Search::Usual).expect("it is installed");
        let (width, height) = (usize::from(WIDTH), usize::from(HEIGHT));
        let plane = |width: usize, height: usize, left: u8, right: u8| {
            let line = [vec![left; width / 2], vec![right; width / 2]].concat();
            line.repeat(height)
        };
        let canvas = [
            plane(width, height, 81, 41),
            plane(width / 2, height / 2, 90, 240),
            plane(width / 2, height / 2, 240, 110),
        ];
        let frame = encoder.frame(canvas.concat());
        encoder.encode(&frame, true).expect("it encodes").data
    }

    #[test]
    fn a_keyframe_becomes_a_picture_of_the_wanted_size_in_its_colours() {
        let keyframe = keyframe();
        for (width, height) in [(WIDTH, HEIGHT), (106, 60)] {
            let request = ThumbnailRequest {
                width,
                height,
                keyframe: keyframe.clone(),
            };
            let jpeg = jpeg(&request).expect("it is installed").expect("a picture");
            let picture = image::load_from_memory(&jpeg).expect("a JPEG").to_rgb8();
            assert_eq!(picture.dimensions(), (width.into(), height.into()));
            let colour = |x: u16| picture.get_pixel(x.into(), u32::from(height) / 2).0;
            let [red, blue] = [colour(width / 4), colour(width * 3 / 4)];
            assert!(red[0] > 200 && red[2] < 60, "{red:?}");
            assert!(blue[2] > 200 && blue[0] < 60, "{blue:?}");
        }
    }

    #[test]
    fn what_is_no_keyframe_makes_no_picture() {
        let whole = keyframe();
        let nonsense = [
            Bytes::new(),
            Bytes::from_static(b"no H.264 at all"),
            whole.slice(..40),
            Bytes::from_static(&[0, 0, 0, 1, 0x67, 0xFF, 0xFF, 0xFF, 0, 0, 0, 1, 0x65, 0xFF]),
        ];
        for keyframe in nonsense {
            let request = ThumbnailRequest {
                width: 64,
                height: 36,
                keyframe,
            };
            assert_eq!(jpeg(&request).expect("it is installed"), None);
        }
    }
}
