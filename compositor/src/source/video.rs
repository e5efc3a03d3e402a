//! Pictures: drawn or from a file, with overlay, coded once per layer.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer_video as gst_video;

use super::file::MediaFile;
use super::pattern::Pattern;
use super::{LayerSpec, PatternSpec, SourceCodec, SourceError, SourceMedia, SourceUnit, VideoSpec};
use crate::codec::CodecError;
use crate::codec::chain::Chain;

/// A keyframe comes by itself this often, in seconds.
const KEYFRAME_SECONDS: u32 = 4;

#[derive(Debug)]
pub(super) struct VideoSource {
    pictures: Pictures,
    fps: u32,
    frame: u64,
    ended: bool,
    layers: Vec<LayerEncoder>,
}

#[derive(Debug)]
enum Pictures {
    Pattern {
        pattern: Pattern,
        overlay: Chain,
        drawn: Vec<u8>,
    },
    File(MediaFile),
}

#[derive(Debug)]
struct LayerEncoder {
    chain: Chain,
    keyframe_wanted: bool,
}

impl VideoSource {
    pub(super) fn pattern(pattern: &PatternSpec, spec: &VideoSpec) -> Result<Self, SourceError> {
        let (width, height) = canvas(spec);
        let overlay = Chain::new(
            &overlay(&pattern.name, height),
            &caps(width, height, spec.fps),
        )?;
        let pattern = Pattern::new(width, height, pattern.color);
        Self::new(
            Pictures::Pattern {
                pattern,
                overlay,
                drawn: Vec::new(),
            },
            spec,
        )
    }

    pub(super) fn file(file: MediaFile, spec: &VideoSpec) -> Result<Self, SourceError> {
        Self::new(Pictures::File(file), spec)
    }

    fn new(pictures: Pictures, spec: &VideoSpec) -> Result<Self, SourceError> {
        let (width, height) = canvas(spec);
        let caps = caps(width, height, spec.fps);
        let encoder = |layer: &LayerSpec| {
            let chain = Chain::new(&encoder(spec.codec, spec.fps, layer), &caps)?;
            Ok(LayerEncoder {
                chain,
                // The first picture is one anyway, and x264enc of GStreamer 1.22 that is asked for it ignores all later requests.
                keyframe_wanted: false,
            })
        };
        let layers = spec
            .layers
            .iter()
            .map(encoder)
            .collect::<Result<_, CodecError>>()?;
        Ok(Self {
            pictures,
            fps: spec.fps,
            frame: 0,
            ended: false,
            layers,
        })
    }

    /// When the next picture is due; `None` at the end.
    pub(super) fn due(&self) -> Option<Duration> {
        (!self.ended)
            .then(|| Duration::from_nanos(self.frame * 1_000_000_000 / u64::from(self.fps)))
    }

    pub(super) fn request_keyframe(&mut self, layer: usize) {
        if let Some(layer) = self.layers.get_mut(layer) {
            layer.keyframe_wanted = true;
        }
    }

    /// Makes the next picture in every layer.
    pub(super) fn make(&mut self, out: &mut VecDeque<SourceUnit>) -> Result<(), SourceError> {
        let Some(pts) = self.due() else {
            return Ok(());
        };
        let Some(picture) = self.pictures.next(pts)? else {
            self.ended = true;
            return Ok(());
        };
        self.frame += 1;
        for (index, layer) in self.layers.iter_mut().enumerate() {
            if let Some(data) = layer.encode(&picture, pts)? {
                out.push_back(SourceUnit {
                    media: SourceMedia::Video { layer: index },
                    pts,
                    data,
                });
            }
        }
        Ok(())
    }
}

impl Pictures {
    fn next(&mut self, pts: Duration) -> Result<Option<gst::Buffer>, SourceError> {
        match self {
            Self::File(file) => file.picture(),
            Self::Pattern {
                pattern,
                overlay,
                drawn,
            } => {
                pattern.draw(pts.as_secs_f64(), drawn);
                let drawn = stamped(gst::Buffer::from_slice(drawn.clone()), pts);
                let refused = |flow| CodecError::Refused {
                    element: "textoverlay",
                    flow,
                };
                overlay.push(drawn).map_err(refused)?;
                let answer = overlay.answer().and_then(|sample| sample.buffer_owned());
                Ok(Some(answer.ok_or(CodecError::Answers {
                    encoder: "textoverlay",
                    answers: 0,
                })?))
            }
        }
    }
}

impl LayerEncoder {
    fn encode(
        &mut self,
        picture: &gst::Buffer,
        pts: Duration,
    ) -> Result<Option<Bytes>, CodecError> {
        if std::mem::take(&mut self.keyframe_wanted) {
            let request = gst_video::DownstreamForceKeyUnitEvent::builder()
                .all_headers(true)
                .build();
            self.chain.push_event(request);
        }
        let refused = |flow| CodecError::Refused {
            element: "video encoder",
            flow,
        };
        self.chain
            .push(stamped(picture.clone(), pts))
            .map_err(refused)?;
        // VP8 may drop a picture to hold its bit rate.
        let Some(sample) = self.chain.answer() else {
            return Ok(None);
        };
        let map = sample
            .buffer()
            .and_then(|buffer| buffer.map_readable().ok());
        Ok(map.map(|map| Bytes::copy_from_slice(&map)))
    }
}

fn stamped(mut buffer: gst::Buffer, pts: Duration) -> gst::Buffer {
    let nanos = u64::try_from(pts.as_nanos()).unwrap_or(u64::MAX - 1);
    buffer
        .make_mut()
        .set_pts(gst::ClockTime::from_nseconds(nanos));
    buffer
}

/// The picture is drawn as large as the largest layer.
fn canvas(spec: &VideoSpec) -> (u16, u16) {
    let largest = spec.layers.iter().max_by_key(|layer| layer.height);
    largest.map_or((2, 2), |layer| (layer.width, layer.height))
}

fn caps(width: u16, height: u16, fps: u32) -> gst::Caps {
    gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", i32::from(width))
        .field("height", i32::from(height))
        .field("framerate", gst::Fraction::new(fps as i32, 1))
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .field("colorimetry", "bt601")
        .build()
}

fn overlay(name: &str, height: u16) -> String {
    let name = name.replace('\\', "\\\\").replace('"', "\\\"");
    let name = name.replace('&', "&amp;").replace('<', "&lt;");
    let pixels = height / 16;
    let font =
        format!("font-desc=\"Sans Bold {pixels}px\" auto-resize=false shaded-background=true");
    format!(
        "textoverlay text=\"{name}\" halignment=left valignment=top {font} ! \
         timeoverlay halignment=center valignment=bottom {font}"
    )
}

fn encoder(codec: SourceCodec, fps: u32, layer: &LayerSpec) -> String {
    let LayerSpec {
        width,
        height,
        bitrate,
        ..
    } = layer;
    let keyframes = fps * KEYFRAME_SECONDS;
    let scale = format!("videoscale ! video/x-raw,width={width},height={height}");
    match codec {
        SourceCodec::H264 => format!(
            "{scale} ! x264enc tune=zerolatency speed-preset=ultrafast threads=1 byte-stream=true \
             bitrate={} key-int-max={keyframes} ! \
             video/x-h264,profile=constrained-baseline,stream-format=byte-stream,alignment=au",
            bitrate / 1000
        ),
        SourceCodec::Vp8 => format!(
            "{scale} ! vp8enc deadline=1 cpu-used=8 threads=1 lag-in-frames=0 end-usage=cbr \
             target-bitrate={bitrate} keyframe-max-dist={keyframes}"
        ),
    }
}
