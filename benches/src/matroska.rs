//! Clips as files that GStreamer plays: the peer is to decode the very same access units.

use std::path::Path;
use std::time::Duration;

use compositor_core::access_unit::Codec;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSrc;

use crate::BenchError;
use crate::clip::{Clip, Unit, repeated};

/// Longest wait for the file to be complete.
const WRITE_TIMEOUT: gst::ClockTime = gst::ClockTime::from_seconds(60);

/// Writes layer `layer` and the sound of `clip`, repeated to `length`.
pub fn write(clip: &Clip, layer: usize, length: Duration, path: &Path) -> Result<(), BenchError> {
    gst::init()?;
    let parser = match clip.codec {
        Codec::H264 => "h264parse",
        Codec::Vp8 | Codec::Vp9 | Codec::Opus => "identity",
    };
    let description = format!(
        "appsrc name=video format=time max-bytes=0 ! {parser} ! matroskamux name=mux ! filesink location={} \
         appsrc name=sound format=time max-bytes=0 ! opusparse ! mux.",
        path.display()
    );
    let pipeline = gst::parse::launch(&description)?
        .downcast::<gst::Pipeline>()
        .map_err(|_| "the description is no pipeline")?;
    let source = |name: &str| {
        let element = pipeline.by_name(name).expect("it is in the description");
        element.downcast::<AppSrc>().expect("it is an appsrc")
    };
    let (video, sound) = (source("video"), source("sound"));
    let picture = &clip.layers[layer];
    video.set_caps(Some(&picture_caps(
        clip.codec,
        picture.width,
        picture.height,
    )));
    let opus = gst::Caps::builder("audio/x-opus")
        .field("channel-mapping-family", 0)
        .field("channels", 2)
        .field("rate", 48_000);
    sound.set_caps(Some(&opus.build()));
    pipeline.set_state(gst::State::Playing)?;
    push(&video, repeated(&picture.units, length))?;
    push(&sound, repeated(&clip.sound, length))?;
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let last = bus.timed_pop_filtered(WRITE_TIMEOUT, &kinds);
    pipeline.set_state(gst::State::Null)?;
    match last.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Eos(_)) => Ok(()),
        Some(gst::MessageView::Error(error)) => Err(error.error().into()),
        _ => Err(format!("{} was not written in time", path.display()).into()),
    }
}

fn picture_caps(codec: Codec, width: u16, height: u16) -> gst::Caps {
    let sized = |name: &str| {
        gst::Caps::builder(name)
            .field("width", i32::from(width))
            .field("height", i32::from(height))
            .field("framerate", gst::Fraction::new(crate::clip::FPS as i32, 1))
    };
    match codec {
        Codec::H264 => sized("video/x-h264")
            .field("stream-format", "byte-stream")
            .field("alignment", "au")
            .build(),
        Codec::Vp8 | Codec::Vp9 | Codec::Opus => sized("video/x-vp8").build(),
    }
}

fn push(source: &AppSrc, units: impl Iterator<Item = Unit>) -> Result<(), BenchError> {
    for unit in units {
        let nanos = u64::try_from(unit.pts.as_nanos())?;
        let mut buffer = gst::Buffer::from_slice(unit.data);
        {
            let buffer = buffer.get_mut().expect("nobody else has it yet");
            buffer.set_pts(gst::ClockTime::from_nseconds(nanos));
            if !unit.keyframe {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        source.push_buffer(buffer)?;
    }
    source.end_of_stream()?;
    Ok(())
}
