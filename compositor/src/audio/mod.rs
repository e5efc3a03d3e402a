//! The mix: every Opus track of the stage on one sample grid.

mod limiter;
mod line;
mod mixer;
mod resample;
mod track;

pub(crate) use self::mixer::{Mixer, MixerState};
