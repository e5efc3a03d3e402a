//! The live origin: samples become MPEG-TS segments in memory, a sliding playlist names them, routes serve them to whom
//! they may.

mod cors;
mod cutter;
mod entrance;
mod naming;
mod routes;
mod stream;
mod viewers;

pub(crate) use naming::Naming;
pub(crate) use routes::router;
pub(crate) use stream::{LiveOrigin, MediaFormat};
pub(crate) use viewers::{Viewers, Watched};
