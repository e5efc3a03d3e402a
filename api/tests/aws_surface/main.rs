//! The AWS surface as a client sees it: signed requests in, JSON out, against a store on disk and a scripted backend.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod channels;
mod composition_life;
mod compositions;
mod configurations;
mod errors;
mod fake_backend;
mod pages;
mod parts;
mod restart;
mod signatures;
mod stages;
mod tags;
mod world;
