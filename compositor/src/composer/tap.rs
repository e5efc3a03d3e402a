//! A look at what the encoders are given.

use std::fmt::Debug;

/// Sees every picture and all sound of a composition in the moment in which the encoders get them. What a predecessor has
/// sent is not seen again.
pub trait Tap: Debug + Send {
    /// Frame `k` of an encoder, changed or not: I420 without padding, in the size of the encoder's canvas.
    fn picture(&mut self, encoder: usize, k: u64, i420: &[u8]);

    /// AAC frame `n` of the mix: 1024 samples of both channels at 48 kHz, -1 to 1.
    fn sound(&mut self, n: u64, samples: &[[f32; 2]]);
}
