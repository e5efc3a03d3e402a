//! The recorder against an S3 server on loopback.

mod recording;
mod sigkill;
mod support;
