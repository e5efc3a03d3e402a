//! The composition worker and its supervisor: journal in, numbered access units out.

mod audio;
mod codec;
pub mod composer;
pub mod plugins;
mod raster;
pub mod source;
pub mod supervisor;
pub mod wire;
pub mod worker;

pub use codec::CodecError;
