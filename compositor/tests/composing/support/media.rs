//! Test pictures and sounds, coded by GStreamer.

use bytes::Bytes;
use compositor_core::access_unit::Codec;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSrc};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Y, U, V of a flat colour.
pub(crate) type Colour = [u8; 3];

pub(crate) const RED: Colour = [81, 90, 240];
pub(crate) const GREEN: Colour = [145, 54, 34];
pub(crate) const BLUE: Colour = [41, 240, 110];
pub(crate) const YELLOW: Colour = [210, 16, 146];
pub(crate) const WHITE: Colour = [235, 128, 128];
pub(crate) const BLACK: Colour = [16, 128, 128];

/// One coded unit: its PTS in nanoseconds from the first, whether it is a keyframe, its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Coded {
    pub(crate) pts: u64,
    pub(crate) keyframe: bool,
    pub(crate) data: Bytes,
}

/// Runs buffers (bytes and PTS) through elements and returns what comes out.
pub(crate) fn convert(
    caps: &str,
    elements: &str,
    buffers: Vec<(Vec<u8>, u64)>,
) -> Vec<gst::Sample> {
    gst::init().expect("GStreamer starts");
    let caps: gst::Caps = caps.parse().expect("caps");
    let description = format!(
        "appsrc name=in format=time max-bytes=0 ! {elements} ! appsink name=out sync=false max-buffers=0"
    );
    let pipeline = gst::parse::launch(&description)
        .expect("the elements exist")
        .downcast::<gst::Pipeline>()
        .expect("it is a pipeline");
    let element = |name| pipeline.by_name(name).expect("it was named");
    let source = element("in").downcast::<AppSrc>().expect("an appsrc");
    let sink = element("out").downcast::<AppSink>().expect("an appsink");
    source.set_caps(Some(&caps));
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let feeder = std::thread::spawn(move || {
        for (bytes, pts) in buffers {
            let mut buffer = gst::Buffer::from_slice(bytes);
            buffer
                .get_mut()
                .expect("nobody else has it")
                .set_pts(gst::ClockTime::from_nseconds(pts));
            source.push_buffer(buffer).expect("it is taken");
        }
        source.end_of_stream().expect("it ends");
    });
    let mut samples = Vec::new();
    while let Ok(sample) = sink.pull_sample() {
        samples.push(sample);
    }
    feeder.join().expect("it fed all");
    pipeline.set_state(gst::State::Null).expect("it stops");
    samples
}

pub(crate) fn i420_caps(width: u32, height: u32, fps: u32) -> String {
    format!("video/x-raw,format=I420,width={width},height={height},framerate={fps}/1")
}

pub(crate) fn flat(width: u32, height: u32, [y, u, v]: Colour) -> Vec<u8> {
    let luma = (width * height) as usize;
    let mut data = vec![y; luma];
    data.resize(luma + luma / 4, u);
    data.resize(luma + luma / 2, v);
    data
}

/// A picture that takes long to decode, another one for each `seed`.
pub(crate) fn noise(width: u32, height: u32, seed: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed);
    let samples = width as usize * height as usize * 3 / 2;
    (0..samples).map(|_| random.random()).collect()
}

/// Codes raw I420 pictures at `fps`, with a keyframe every `key_every`.
pub(crate) fn code_pictures(
    codec: Codec,
    (width, height, fps): (u32, u32, u32),
    key_every: u32,
    pictures: impl Iterator<Item = Vec<u8>>,
) -> Vec<Coded> {
    let elements = match codec {
        Codec::H264 => format!(
            "x264enc tune=zerolatency speed-preset=ultrafast threads=1 key-int-max={key_every} \
             byte-stream=true bitrate=2500 ! video/x-h264,profile=constrained-baseline,stream-format=byte-stream,alignment=au"
        ),
        Codec::Vp8 => format!(
            "vp8enc deadline=1 cpu-used=8 threads=1 keyframe-max-dist={key_every} target-bitrate=2500000"
        ),
        Codec::Vp9 => format!(
            "vp9enc deadline=1 cpu-used=8 threads=1 lag-in-frames=0 keyframe-max-dist={key_every} target-bitrate=2500000"
        ),
        Codec::Opus => panic!("not a picture codec"),
    };
    let buffers = pictures
        .enumerate()
        .map(|(i, data)| (data, i as u64 * 1_000_000_000 / u64::from(fps)))
        .collect();
    let samples = convert(&i420_caps(width, height, fps), &elements, buffers);
    coded(&samples, 1_000_000_000 / u64::from(fps))
}

/// Codes 48 kHz stereo sound in packets of 20 ms.
pub(crate) fn code_sound(samples: &[[f32; 2]]) -> Vec<Coded> {
    let caps = "audio/x-raw,format=F32LE,layout=interleaved,rate=48000,channels=2";
    let buffers = samples
        .chunks(960)
        .enumerate()
        .map(|(i, chunk)| {
            let bytes = chunk
                .iter()
                .flatten()
                .flat_map(|v| v.to_le_bytes())
                .collect();
            (bytes, i as u64 * 20_000_000)
        })
        .collect();
    let elements = "audioconvert dithering=none ! opusenc bitrate=96000 frame-size=20 audio-type=restricted-lowdelay";
    coded(&convert(caps, elements, buffers), 20_000_000)
}

pub(crate) fn coded(samples: &[gst::Sample], spacing: u64) -> Vec<Coded> {
    samples
        .iter()
        .enumerate()
        .map(|(i, sample)| {
            let buffer = sample.buffer().expect("it holds a buffer");
            let map = buffer.map_readable().expect("it can be read");
            Coded {
                pts: i as u64 * spacing,
                keyframe: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
                data: Bytes::copy_from_slice(&map),
            }
        })
        .collect()
}

/// A sine of `hertz` while `on` says so (in samples), else silence.
pub(crate) fn tone(
    count: usize,
    hertz: f32,
    level: f32,
    on: impl Fn(usize) -> bool,
) -> Vec<[f32; 2]> {
    (0..count)
        .map(|i| {
            let phase = i as f32 * hertz * std::f32::consts::TAU / 48_000.0;
            [if on(i) { phase.sin() * level } else { 0.0 }; 2]
        })
        .collect()
}
