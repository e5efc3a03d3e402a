//! Tells a hung worker from a starved one by the CPU time it uses.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::feed::Fed;

/// A worker that neither says anything for this long nor uses CPU while it has records to work on is dead.
pub(super) const SILENCE_MAX: Duration = Duration::from_millis(1500);

/// What it was given this soon after its last word need not be enough for another: an AAC frame is longer than a
/// watermark interval.
const ANSWER_TIME: Duration = Duration::from_millis(100);

/// The ear for one worker.
pub(super) struct Silence {
    pid: u32,
    fed: watch::Receiver<Fed>,
}

impl Silence {
    pub(super) fn new(pid: u32, fed: watch::Receiver<Fed>) -> Self {
        Self { pid, fed }
    }

    /// Resolves with the cause of death when the worker, which has just said something, has work and yet says nothing
    /// and uses no CPU for [`SILENCE_MAX`].
    pub(super) async fn broken(&mut self) -> String {
        sleep(ANSWER_TIME).await;
        loop {
            let quiet_since = Instant::now();
            let has_work = |fed: &Fed| match *fed {
                Fed::Everything(at) => at > quiet_since,
                Fed::Owing => true,
            };
            if self.fed.wait_for(has_work).await.is_err() {
                // Nobody feeds it any more, and it was asked for nothing: its socket tells how it ends.
                return std::future::pending().await;
            }
            let cpu_before = cpu_ticks(self.pid);
            sleep(SILENCE_MAX).await;
            if cpu_ticks(self.pid) == cpu_before {
                return format!("it said nothing for {SILENCE_MAX:?} and used no CPU");
            }
        }
    }
}

/// User and system time of a process in clock ticks (proc(5), fields 14 and 15); `None` when it is gone.
fn cpu_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}
