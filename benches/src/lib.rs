//! What the benches are made of: synthetic stages, the real worker fed by hand, and a peer to compare it with.
//!
//! Costs are CPU time of child processes, user and system; how long anything took by the clock says more about what else
//! the machine was doing.

pub mod clip;
pub mod cpu;
pub mod matroska;
pub mod options;
pub mod peer;
pub mod stage;
pub mod table;
pub mod worker;

/// Why a bench cannot go on; it is a program for people, who read the text.
pub type BenchError = Box<dyn std::error::Error + Send + Sync>;
