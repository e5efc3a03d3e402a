//! Joining a stage over HTTP: who is let in, and who is told why not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod going_on;
mod joining;
mod world;
