//! The AWS SDK for Rust as a second client of both services, against the real server.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod compositions;
mod keys;
mod participants;
mod resources;
mod server;
