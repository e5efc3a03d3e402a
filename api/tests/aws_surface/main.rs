//! The AWS surface as a client sees it: signed requests in, JSON out, against a store on disk and a scripted backend.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod ad_configurations;
mod channel_references;
mod channels;
mod composition_life;
mod compositions;
mod configurations;
mod errors;
mod events;
mod failover_slates;
mod fake_backend;
mod hostile;
mod ingest_configurations;
mod pages;
mod parts;
mod playback_access;
#[path = "../postgres/mod.rs"]
mod postgres;
mod public_keys;
mod recording_configurations;
mod replication;
mod restart;
mod signatures;
mod stage_history;
mod stages;
mod stream_keys;
mod streams;
mod tags;
mod viewer_sessions;
mod world;
