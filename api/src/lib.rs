//! The AWS surface of Proscenium and everything that `proscenium serve` wires together.
//!
//! [`router::router`] answers both IVS services on one port. It knows the [`store`] and, for everything that happens
//! outside it, one trait: [`backend::Backend`].

pub mod access;
pub mod arn;
pub mod backend;
pub mod bucket_name;
pub mod channel_recording;
pub mod cli;
pub mod clock;
pub mod composition;
pub mod config;
pub mod convert;
pub mod data_dir;
pub mod doctor;
pub mod dto;
pub mod embedded_s3;
pub mod endpoints;
pub mod error;
pub mod event;
pub mod http_server;
pub mod ids;
pub mod input;
pub mod live_backend;
pub mod metrics;
pub mod model;
pub mod open_files;
pub mod ops;
pub mod page;
pub mod pagination;
pub mod paging;
pub mod platform;
pub mod playback;
pub mod public_key;
pub mod publish;
pub mod quotas;
pub mod recording_setup;
mod replication;
pub mod reply;
mod retry;
pub mod router;
pub mod s3_access;
pub mod serve;
pub mod session_api;
pub mod shutdown;
pub mod sigv4;
pub mod slate;
pub mod stage_history;
pub mod state;
pub mod store;
pub mod stream_log;
pub mod telemetry;
pub mod throttle;
pub mod validate;
pub mod wall_clock;
pub mod webhook;
pub mod whip;
