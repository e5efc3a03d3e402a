//! One encoder's picture: slots are drawn when what they show changes, and the canvas is encoded frame by frame.

use bytes::Bytes;
use compositor_core::layout::Canvas;
use compositor_core::quality::Quality;
use compositor_core::worker_protocol::EncoderSpec;
use gstreamer as gst;

use crate::codec::CodecError;
use crate::codec::h264::{CodedPicture, H264Encoder, Search};
use crate::raster::{Item, Raster, Scaling, thumbnail};

/// The canvas of one encoder.
#[derive(Debug)]
pub(super) struct CanvasOutput {
    spec: EncoderSpec,
    raster: Raster,
    encoder: H264Encoder,
    quality: Quality,
    /// Drawn upon between two frames, read by the encoder in between: the same memory all the time.
    canvas: gst::Buffer,
}

impl CanvasOutput {
    pub(super) fn new(spec: &EncoderSpec) -> Result<Self, CodecError> {
        let encoder = H264Encoder::new(spec, Search::Usual)?;
        let raster = Raster::new(canvas_of(spec));
        Ok(Self {
            canvas: encoder.frame(raster.black()),
            raster,
            encoder,
            quality: Quality::default(),
            spec: spec.clone(),
        })
    }

    /// Makes what follows by `quality`.
    pub(super) fn set_quality(&mut self, quality: Quality) {
        self.quality = quality;
        self.raster.set_scaling(self.scaling());
    }

    /// How it scales pictures.
    pub(super) fn scaling(&self) -> Scaling {
        if self.quality.averages {
            Scaling::Mean
        } else {
            Scaling::Linear
        }
    }

    /// Whether frame `k` is drawn, not a repetition of the one before it. The first one that is encoded here always is.
    pub(super) fn draws(&self, k: u64) -> bool {
        k.is_multiple_of(self.quality.draw_every) || self.encoder.is_fresh()
    }

    /// Draws for frame `k` what changed since the last call; false if nothing did, or if frame `k` is not drawn.
    pub(super) fn draw(&mut self, k: u64, scene: Vec<Item>) -> bool {
        if !self.draws(k) {
            return false;
        }
        let canvas = self.canvas.make_mut();
        let mut canvas = canvas
            .map_writable()
            .expect("memory of our own can be written");
        self.raster.draw(&mut canvas, scene)
    }

    /// Encodes the canvas as frame `k`.
    pub(super) fn encode(&mut self, k: u64) -> Result<CodedPicture, CodecError> {
        let is_keyframe = self.is_keyframe(k);
        if is_keyframe || self.encoder.is_fresh() {
            self.encoder.restart(if self.quality.searches {
                Search::Usual
            } else {
                Search::Cheap
            })?;
        }
        self.encoder.encode(&self.canvas, is_keyframe)
    }

    fn is_keyframe(&self, k: u64) -> bool {
        let every = &self.spec.keyframe_every;
        k == 0
            || every
                .iter()
                .any(|&every| every > 0 && k.is_multiple_of(u64::from(every)))
    }

    /// What is drawn: I420 without padding.
    pub(super) fn pixels(&self) -> gst::BufferMap<'_, gst::buffer::Readable> {
        self.canvas
            .map_readable()
            .expect("memory of our own can be read")
    }

    /// The thumbnail of frame `k`, if the job wants one.
    pub(super) fn thumbnail(&self, k: u64) -> Option<Bytes> {
        let every = u64::from(self.spec.thumbnail_every?);
        if every == 0 || !k.is_multiple_of(every) {
            return None;
        }
        match thumbnail::jpeg(&self.pixels(), canvas_of(&self.spec)) {
            Ok(jpeg) => Some(jpeg),
            Err(error) => {
                tracing::warn!(k, error = %error, "thumbnail does not encode");
                None
            }
        }
    }
}

pub(super) fn canvas_of(spec: &EncoderSpec) -> Canvas {
    Canvas {
        width: u32::from(spec.width),
        height: u32::from(spec.height),
    }
}
