//! Tells a hung worker and one that loops from a starved one by the CPU time they use.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::feed::Fed;

/// A worker that neither says anything for this long nor uses CPU while it has records to work on is dead.
pub(super) const SILENCE_MAX: Duration = Duration::from_millis(1500);

/// A worker that uses so much CPU time without a word while it has records to work on does what never ends: decoding all that
/// lies before its first frame takes a sixth of it.
const LOOP_CPU: Duration = Duration::from_secs(60);

/// A second of `/proc`'s times, on every Linux that this runs on.
const TICKS_PER_SECOND: u64 = 100;

/// What it was given this soon after its last word need not be enough for another: an AAC frame is longer than a
/// watermark interval.
const ANSWER_TIME: Duration = Duration::from_millis(100);

/// The ear for one worker.
pub(super) struct Silence {
    pid: u32,
    fed: watch::Receiver<Fed>,
    loop_cpu: Duration,
}

impl Silence {
    pub(super) fn new(pid: u32, fed: watch::Receiver<Fed>) -> Self {
        Self {
            pid,
            fed,
            loop_cpu: LOOP_CPU,
        }
    }

    /// Resolves with the cause of death when the worker, which has just said something, has work and yet says nothing: while it
    /// uses no CPU for [`SILENCE_MAX`], or until it has used [`LOOP_CPU`].
    pub(super) async fn broken(&mut self) -> String {
        sleep(ANSWER_TIME).await;
        let cpu_at_first = cpu_time(self.pid);
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
            let cpu_before = cpu_time(self.pid);
            sleep(SILENCE_MAX).await;
            let cpu = cpu_time(self.pid);
            if cpu == cpu_before {
                return format!("it said nothing for {SILENCE_MAX:?} and used no CPU");
            }
            let used = cpu.zip(cpu_at_first).map(|(cpu, first)| cpu - first);
            let used = used.unwrap_or_default();
            if used >= self.loop_cpu {
                return format!("it said nothing and used {used:?} of CPU time");
            }
        }
    }
}

/// User and system time of a process (proc(5), fields 14 and 15); `None` when it is gone.
fn cpu_time(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis(
        (user + system) * 1000 / TICKS_PER_SECOND,
    ))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[tokio::test]
    async fn a_worker_that_loops_is_told_by_the_cpu_time_it_uses() {
        let mut busy = Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .expect("sh starts");
        let (_feeding, fed) = watch::channel(Fed::Owing);
        let mut silence = Silence {
            loop_cpu: Duration::from_millis(200),
            ..Silence::new(busy.id(), fed)
        };
        let cause = tokio::time::timeout(Duration::from_secs(60), silence.broken()).await;
        busy.kill().expect("it is there");
        busy.wait().expect("it ends");
        let cause = cause.expect("it was told");
        assert!(cause.starts_with("it said nothing and used"), "{cause}");
    }
}
