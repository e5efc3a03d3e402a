//! Media tests: real publishers, real servers, real players; one test at a time.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod gate;
mod hostile;
mod ingest;
mod life;
mod playback;
mod private;
mod publisher;
mod world;
