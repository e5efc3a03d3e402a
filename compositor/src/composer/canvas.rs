//! One encoder's picture: slots are drawn when what they show changes, and the canvas is encoded frame by frame.

use std::sync::Arc;

use bytes::Bytes;
use compositor_core::layout::{Canvas, Slot};
use compositor_core::worker_protocol::EncoderSpec;
use gstreamer as gst;

use crate::codec::CodecError;
use crate::codec::h264::{CodedPicture, H264Encoder};
use crate::codec::picture::Picture;
use crate::raster::{Raster, SlotScaler, thumbnail};

/// The canvas of one encoder.
#[derive(Debug)]
pub(super) struct CanvasOutput {
    spec: EncoderSpec,
    raster: Raster,
    drawn: Vec<Drawn>,
    encoder: H264Encoder,
    /// The canvas as it was last given to the encoder.
    frame: Option<gst::Buffer>,
}

/// A slot as it is on the canvas.
#[derive(Debug)]
struct Drawn {
    slot: Slot,
    picture: Arc<Picture>,
    scaler: Option<SlotScaler>,
}

impl CanvasOutput {
    pub(super) fn new(spec: &EncoderSpec) -> Result<Self, CodecError> {
        Ok(Self {
            raster: Raster::new(canvas_of(spec)),
            drawn: Vec::new(),
            encoder: H264Encoder::new(spec)?,
            frame: None,
            spec: spec.clone(),
        })
    }

    /// Draws what changed since the last call; false if nothing did. Later slots lie over earlier ones.
    pub(super) fn draw(&mut self, scene: Vec<(Slot, Arc<Picture>)>) -> bool {
        let same_slots = self.drawn.len() == scene.len()
            && self
                .drawn
                .iter()
                .zip(&scene)
                .all(|(drawn, (slot, _))| drawn.slot == *slot);
        let mut changed = false;
        if !same_slots {
            self.raster.clear();
            self.drawn.clear();
            changed = true;
        }
        let mut redrawn = Vec::with_capacity(scene.len());
        for (index, (slot, picture)) in scene.into_iter().enumerate() {
            let covered = redrawn.iter().any(|rect| slot.rect.overlaps(*rect));
            if !same_slots {
                self.drawn.push(Drawn {
                    slot,
                    picture: Arc::clone(&picture),
                    scaler: None,
                });
            }
            let drawn = &mut self.drawn[index];
            if same_slots && !covered && Arc::ptr_eq(&drawn.picture, &picture) {
                continue;
            }
            if covered {
                // Bars beside a letterboxed picture must be black again.
                drawn.scaler = None;
            }
            let Slot {
                rect, fill_mode, ..
            } = drawn.slot;
            self.raster
                .draw(&picture, rect, fill_mode, &mut drawn.scaler);
            drawn.picture = picture;
            redrawn.push(rect);
            changed = true;
        }
        changed
    }

    /// Encodes the canvas as frame `k`.
    pub(super) fn encode(&mut self, k: u64, changed: bool) -> Result<CodedPicture, CodecError> {
        let frame = match self.frame.take() {
            Some(frame) if !changed => frame,
            _ => self.encoder.frame(self.raster.data().to_vec()),
        };
        let coded = self.encoder.encode(&frame, self.is_keyframe(k))?;
        self.frame = Some(frame);
        Ok(coded)
    }

    fn is_keyframe(&self, k: u64) -> bool {
        let every = &self.spec.keyframe_every;
        k == 0
            || every
                .iter()
                .any(|&every| every > 0 && k.is_multiple_of(u64::from(every)))
    }

    /// The thumbnail of frame `k`, if the job wants one.
    pub(super) fn thumbnail(&self, k: u64) -> Option<Bytes> {
        let every = u64::from(self.spec.thumbnail_every?);
        if every == 0 || !k.is_multiple_of(every) {
            return None;
        }
        match thumbnail::jpeg(self.raster.data(), canvas_of(&self.spec)) {
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
