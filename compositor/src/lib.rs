//! The composition worker and its supervisor: journal in, numbered access units out.

mod codec;
pub mod plugins;
pub mod source;
pub mod supervisor;
pub mod wire;
pub mod worker;

pub use codec::CodecError;
