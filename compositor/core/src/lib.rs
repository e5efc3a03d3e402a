//! Pure words and decisions of Proscenium: ids, time, limits, access units, the journal's records, the worker protocol,
//! layout and the composition state machine.
//!
//! Nothing in here performs IO or reads a clock: time is an argument. Every state machine keeps one contract: give it one
//! input, drain `poll_output` until `None`, then wait until `poll_timeout`.

pub mod access_unit;
pub mod error_chain;
pub mod id;
pub mod journal;
pub mod layout;
pub mod limits;
pub mod roster;
pub mod sink;
pub mod time;
pub mod worker_protocol;
