//! What both machines share while an input is handled: the time, the timers and what is to be said.

use crate::time::{MonotonicTime, WallTime};

use super::output::{Event, Output};
use super::timers::Timers;

/// The surroundings of one input.
#[derive(Clone, Debug)]
pub(super) struct Context {
    /// When the input came.
    pub(super) now: MonotonicTime,
    /// The same on the wall clock.
    pub(super) wall: WallTime,
    /// All timers of the composition.
    pub(super) timers: Timers,
    /// Events of this input, in order.
    pub(super) events: Vec<Event>,
    /// Actions of this input, in order.
    pub(super) actions: Vec<Output>,
}

impl Context {
    /// No timers, nothing to say.
    pub(super) fn new(now: MonotonicTime, wall: WallTime) -> Self {
        Self {
            now,
            wall,
            timers: Timers::default(),
            events: Vec::new(),
            actions: Vec::new(),
        }
    }
}
