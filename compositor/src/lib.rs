//! The composition worker and its supervisor: journal in, numbered access units out.

pub mod supervisor;
pub mod wire;
