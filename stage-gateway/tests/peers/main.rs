//! The gateway over loopback: publishing, subscribing, transports and restarts, with the webrtc crate as client.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod history;
mod hostile;
mod publish;
mod restart;
mod subscribe;
mod transport;
mod world;
