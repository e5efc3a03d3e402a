//! The recorder against an S3 server on loopback.

mod channel;
mod damage;
mod recording;
mod sigkill;
mod support;
