//! CPU time of children.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::BenchError;

/// User and system time that children use while `work` runs them to their end and waits for them. Only one such
/// measurement may run at a time.
pub fn of_children<T>(
    work: impl FnOnce() -> Result<T, BenchError>,
) -> Result<(T, Duration), BenchError> {
    let before = so_far()?;
    let made = work()?;
    Ok((made, so_far()?.saturating_sub(before)))
}

fn so_far() -> Result<Duration, BenchError> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(
        u64::try_from(micros).unwrap_or_default(),
    ))
}

/// The middle one of several measurements.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
