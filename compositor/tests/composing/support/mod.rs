//! Synthetic journals and a look at what is composed of them.

pub(crate) mod journal;
pub(crate) mod media;
pub(crate) mod output;
