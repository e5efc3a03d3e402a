//! The ingest path on packets made in memory: depacketizing, clock mapping, loss, reordering and hostile bytes.

mod depacketize_h264;
mod depacketize_vp8;
mod depacketize_vp9;
mod hostile;
mod ingest;
mod source;
mod sync;
