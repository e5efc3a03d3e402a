//! The H.264 encoder: one canvas in, exactly one access unit out.

use bytes::Bytes;
use compositor_core::worker_protocol::EncoderSpec;
use gstreamer as gst;
use gstreamer_video as gst_video;

use super::CodecError;
use super::chain::Chain;
use crate::spent::{self, Part};

/// How much the bit rate may be overdrawn: the decoder's buffer, in milliseconds of the bit rate.
const VBV_MS: u32 = 1000;

/// One thread encodes this many pixels per second (720p30) with room to spare.
const THREAD_PIXEL_RATE: f64 = 1280.0 * 720.0 * 30.0;

/// Each thread makes a slice of its own, which costs quality.
const THREADS_MAX: f64 = 4.0;

/// How much x264 searches. Streams of both have the same SPS and PPS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Search {
    /// As well as a machine with CPU to spare allows.
    Usual,
    /// Less, for a worker that is too slow.
    Cheap,
}

impl Search {
    fn preset(self) -> &'static str {
        match self {
            Self::Usual => "veryfast",
            Self::Cheap => "superfast",
        }
    }
}

/// One coded canvas.
#[derive(Debug)]
pub(crate) struct CodedPicture {
    pub(crate) keyframe: bool,
    pub(crate) data: Bytes,
}

/// x264 without look-ahead. IDR pictures come exactly where they are asked for.
#[derive(Debug)]
pub(crate) struct H264Encoder {
    chain: Chain,
    spec: EncoderSpec,
    search: Search,
    frames: u64,
}

impl H264Encoder {
    pub(crate) fn new(spec: &EncoderSpec, search: Search) -> Result<Self, CodecError> {
        let (width, height, fps) = (spec.width, spec.height, spec.fps);
        // By the job alone, so that any machine gives the same bytes.
        let pixel_rate = f64::from(width) * f64::from(height) / fps.seconds(1);
        let threads = (pixel_rate / THREAD_PIXEL_RATE)
            .ceil()
            .clamp(1.0, THREADS_MAX);
        let kbps = (spec.bitrate / 1000).max(1);
        let preset = search.preset();
        // Scenecut would add IDR pictures of its own. Half of the usual adaptive quantization costs no time and gives a
        // higher SSIM; nothing cheaper than veryfast keeps its SSIM on every scene of benches/encode.py.
        let description = format!(
            "x264enc tune=zerolatency speed-preset={preset} threads={threads} bframes=0 byte-stream=true aud=false \
             bitrate={kbps} vbv-buf-capacity={VBV_MS} key-int-max=2147483647 \
             option-string=\"scenecut=0:open-gop=0:keyint=infinite:aq-strength=0.5\" ! \
             video/x-h264,stream-format=byte-stream,alignment=au,profile=high"
        );
        // Browsers convert camera pictures by BT.601 and mostly say nothing about it; nothing converts them on the way.
        let caps = gst::Caps::builder("video/x-raw")
            .field("format", "I420")
            .field("width", i32::from(width))
            .field("height", i32::from(height))
            .field(
                "framerate",
                gst::Fraction::new(fps.num as i32, fps.den as i32),
            )
            .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
            .field("interlace-mode", "progressive")
            .field("colorimetry", "bt601")
            .build();
        Ok(Self {
            chain: Chain::new(&description, &caps)?,
            spec: spec.clone(),
            search,
            frames: 0,
        })
    }

    /// Searches otherwise from the next picture on, which becomes an IDR picture; nothing happens when it does so already.
    pub(crate) fn restart(&mut self, search: Search) -> Result<(), CodecError> {
        if self.search != search {
            *self = Self::new(&self.spec, search)?;
        }
        Ok(())
    }

    /// Whether the next picture is its first, which is an IDR picture.
    pub(crate) fn is_fresh(&self) -> bool {
        self.frames == 0
    }

    /// Wraps a canvas (I420 without padding) for [`Self::encode`].
    pub(crate) fn frame(&self, canvas: Vec<u8>) -> gst::Buffer {
        let (width, height) = (usize::from(self.spec.width), usize::from(self.spec.height));
        let mut frame = gst::Buffer::from_mut_slice(canvas);
        // By default GStreamer takes rows to be padded to multiples of four.
        gst_video::VideoMeta::add_full(
            frame.get_mut().expect("nobody else has it yet"),
            gst_video::VideoFrameFlags::empty(),
            gst_video::VideoFormat::I420,
            width as u32,
            height as u32,
            &[0, width * height, width * height * 5 / 4],
            &[width as i32, width as i32 / 2, width as i32 / 2],
        )
        .expect("the planes lie within the canvas");
        frame
    }

    /// Encodes `canvas`, made by [`Self::frame`]; the first picture is always an IDR picture.
    pub(crate) fn encode(
        &mut self,
        canvas: &gst::Buffer,
        idr: bool,
    ) -> Result<CodedPicture, CodecError> {
        let at = |frame| {
            let nanos = self.spec.fps.frame_time(frame).as_nanos();
            gst::ClockTime::from_nseconds(u64::try_from(nanos).unwrap_or(u64::MAX - 1))
        };
        let (pts, end) = (at(self.frames), at(self.frames + 1));
        // The first one is an IDR picture anyway; asking for it makes GStreamer 1.22 ignore all later requests, because
        // it compares them with a time to which x264enc has added 1000 hours.
        if idr && self.frames > 0 {
            let request = gst_video::DownstreamForceKeyUnitEvent::builder()
                .timestamp(pts)
                .stream_time(pts)
                .running_time(pts)
                .all_headers(true)
                .count(0)
                .build();
            self.chain.push_event(request);
        }
        self.frames += 1;
        let mut buffer = canvas.copy();
        {
            let buffer = buffer.make_mut();
            buffer.set_pts(pts);
            buffer.set_duration(end.saturating_sub(pts));
        }
        spent::on(Part::VideoEncoding, || self.chain.push(buffer)).map_err(|flow| {
            CodecError::Refused {
                element: "x264enc",
                flow,
            }
        })?;
        let mut answers: Vec<CodedPicture> = Vec::with_capacity(1);
        while let Some(sample) = self.chain.answer() {
            let Some(buffer) = sample.buffer() else {
                continue;
            };
            let Ok(map) = buffer.map_readable() else {
                continue;
            };
            answers.push(CodedPicture {
                keyframe: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
                data: Bytes::copy_from_slice(&map),
            });
        }
        match (answers.len(), answers.pop()) {
            (1, Some(picture)) => Ok(picture),
            (answers, _) => Err(CodecError::Answers {
                encoder: "x264enc",
                answers,
            }),
        }
    }
}
