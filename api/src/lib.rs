//! The AWS surface of Proscenium and everything that `proscenium serve` wires together.
//!
//! [`router::router`] answers both IVS services on one port. It knows the [`store`] and, for everything that happens
//! outside it, one trait: [`backend::Backend`].

pub mod backend;
pub mod cli;
pub mod clock;
pub mod config;
pub mod data_dir;
pub mod embedded_s3;
pub mod endpoints;
pub mod http_server;
pub mod page;
pub mod publish;
pub mod serve;
pub mod session_api;
pub mod shutdown;
pub mod telemetry;
