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
    let before = used(UsageWho::RUSAGE_CHILDREN)?;
    let made = work()?;
    Ok((
        made,
        used(UsageWho::RUSAGE_CHILDREN)?.saturating_sub(before),
    ))
}

/// User and system time that this process uses for `work`, in all its threads.
pub fn of_this_process(
    work: impl FnOnce() -> Result<(), BenchError>,
) -> Result<Duration, BenchError> {
    let before = used(UsageWho::RUSAGE_SELF)?;
    work()?;
    Ok(used(UsageWho::RUSAGE_SELF)?.saturating_sub(before))
}

fn used(by: UsageWho) -> Result<Duration, BenchError> {
    let usage = getrusage(by)?;
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
