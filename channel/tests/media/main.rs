//! Media tests: real publishers, real servers, real players; one test at a time.

mod hostile;
mod ingest;
mod playback;
mod publisher;
mod world;
