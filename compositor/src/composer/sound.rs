//! The mix, AAC frame by AAC frame.

use bytes::Bytes;
use compositor_core::access_unit::AccessUnit;
use compositor_core::journal::JournalSeq;
use compositor_core::time::MediaTime;

use super::tap::Tap;
use crate::audio::{Mixer, MixerState};
use crate::codec::CodecError;
use crate::codec::aac::AacEncoder;

/// A successor's encoder is fed this many frames before the first that is sent, so that its state has settled.
const PRE_FEED_FRAMES: u64 = 4;

/// A successor mixes this many frames (1 s) before the first that counts, so that decoders and limiter have settled.
const SETTLE_FRAMES: u64 = 47;

/// The one sound of a composition.
#[derive(Debug)]
pub(super) struct Sound {
    mixer: Mixer,
    encoder: AacEncoder,
    /// Number of the frame that is mixed next.
    next_mix: u64,
    /// Frames before this one were sent by a predecessor.
    send_from: u64,
    coded: Vec<(u64, Bytes)>,
}

impl Sound {
    /// A sound whose next frame to mix is `next_mix` and to send `next_n`.
    pub(super) fn new(
        start: MediaTime,
        next_mix: u64,
        next_n: u64,
        state: Option<MixerState>,
    ) -> Result<Self, CodecError> {
        let first = next_mix.min(next_n).saturating_sub(SETTLE_FRAMES);
        let encode_from = next_n.saturating_sub(PRE_FEED_FRAMES).max(first);
        Ok(Self {
            mixer: Mixer::new(start, first, state),
            encoder: AacEncoder::new(encode_from)?,
            next_mix: first,
            send_from: next_n,
            coded: Vec::new(),
        })
    }

    pub(super) fn mixer(&self) -> &Mixer {
        &self.mixer
    }

    /// Number of the frame that is mixed next.
    pub(super) fn next_mix(&self) -> u64 {
        self.next_mix
    }

    pub(super) fn push(&mut self, seq: JournalSeq, unit: AccessUnit) -> Result<(), CodecError> {
        self.mixer.push(seq, unit)
    }

    /// Mixes the next frame; frames that are ready to be sent go to `out`.
    pub(super) fn advance(
        &mut self,
        out: &mut Vec<(u64, Bytes)>,
        tap: Option<&mut (dyn Tap + 'static)>,
    ) -> Result<(), CodecError> {
        let mix = self.mixer.render();
        if let Some(tap) = tap.filter(|_| self.next_mix >= self.send_from) {
            tap.sound(self.next_mix, &mix);
        }
        if self.next_mix >= self.encoder.next_input() {
            self.encoder.encode(&mix, &mut self.coded)?;
        }
        self.next_mix += 1;
        let send_from = self.send_from;
        out.extend(self.coded.drain(..).filter(|(n, _)| *n >= send_from));
        Ok(())
    }

    /// Gets the frames before `end` out of the encoder, which keeps some back.
    pub(super) fn drain(
        &mut self,
        end: u64,
        out: &mut Vec<(u64, Bytes)>,
    ) -> Result<(), CodecError> {
        let mut all = Vec::new();
        // The encoder keeps back two frames at most.
        for _ in 0..4 {
            // What it is fed for that is not part of the composition.
            self.advance(&mut all, None)?;
        }
        out.extend(all.into_iter().filter(|(n, _)| *n < end));
        Ok(())
    }
}
