//! Synthetic journals and a look at what is composed of them.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "every test binary uses its own part"
)]

pub mod journal;
pub mod media;
pub mod output;
