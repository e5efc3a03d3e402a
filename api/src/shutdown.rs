//! The end of the server: the first SIGTERM or Ctrl-C drains, the second exits at once.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

/// From the first signal to the exit, at most; the promise is 10 s.
pub const DRAIN_LIMIT: Duration = Duration::from_millis(9500);
/// Kept back for what comes after the compositions: listeners, store, the exit itself.
const LAST_STEPS: Duration = Duration::from_secs(1);
/// The exit status after a second signal: 128 + SIGINT, what a shell shows for an interrupted program.
const INTERRUPTED: i32 = 130;

/// Tells everybody that the server ends, and by when. Clones hear the same.
#[derive(Clone, Debug)]
pub struct Shutdown {
    drain: watch::Receiver<Option<Instant>>,
}

/// The other end: begins the drain.
#[derive(Debug)]
pub struct ShutdownTrigger {
    drain: watch::Sender<Option<Instant>>,
}

/// A shutdown that nobody has begun yet.
pub fn shutdown() -> (ShutdownTrigger, Shutdown) {
    let (sender, receiver) = watch::channel(None);
    (
        ShutdownTrigger { drain: sender },
        Shutdown { drain: receiver },
    )
}

impl ShutdownTrigger {
    /// Begins the drain now; a later call changes nothing.
    pub fn begin(&self) {
        self.drain.send_if_modified(|drain| {
            let first = drain.is_none();
            drain.get_or_insert(Instant::now() + DRAIN_LIMIT);
            first
        });
    }
}

impl Shutdown {
    /// Waits for the drain to begin; also when the trigger is gone. Cancel-safe.
    pub async fn begun(&self) {
        let mut drain = self.drain.clone();
        // An error means that the trigger was dropped, which ends the server as well.
        let _ = drain.wait_for(Option::is_some).await;
    }

    /// Whether the drain has begun.
    pub fn is_begun(&self) -> bool {
        self.drain.borrow().is_some()
    }

    /// By when compositions must have been drained; `None` before the drain.
    pub fn deadline(&self) -> Option<Instant> {
        self.drain.borrow().map(|deadline| deadline - LAST_STEPS)
    }

    /// By when the process must have ended.
    pub fn exit_deadline(&self) -> Option<Instant> {
        *self.drain.borrow()
    }
}

/// The two signals that end the server.
#[derive(Debug)]
pub struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl EndSignals {
    /// Catches the signals from now on.
    pub fn catch() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Begins the drain at the first signal and ends the process at the second, or when the drain takes too long.
pub async fn follow_signals(mut signals: EndSignals, trigger: ShutdownTrigger) {
    let signal = signals.next().await;
    tracing::info!(signal, limit = ?DRAIN_LIMIT, "draining; a second signal exits at once");
    trigger.begin();
    tokio::select! {
        signal = signals.next() => {
            tracing::warn!(signal, "second signal, exiting at once");
            exit_at_once(INTERRUPTED);
        }
        () = tokio::time::sleep(DRAIN_LIMIT) => {
            tracing::warn!("the drain took too long; what is not uploaded resumes at the next start");
            exit_at_once(0);
        }
    }
}

#[expect(
    clippy::exit,
    reason = "a second signal must end the process whatever its tasks do"
)]
fn exit_at_once(status: i32) -> ! {
    std::process::exit(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_hears_the_beginning_of_the_drain_once() {
        let (trigger, shutdown) = shutdown();
        assert_eq!(shutdown.deadline(), None);
        let waiting = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.begun().await }
        });
        trigger.begin();
        waiting.await.unwrap();
        let deadline = shutdown.exit_deadline().unwrap();
        trigger.begin();
        assert_eq!(shutdown.exit_deadline(), Some(deadline));
        assert_eq!(shutdown.deadline(), Some(deadline - LAST_STEPS));
    }

    #[tokio::test]
    async fn a_lost_trigger_ends_the_wait() {
        let (trigger, shutdown) = shutdown();
        drop(trigger);
        shutdown.begun().await;
        assert!(!shutdown.is_begun());
    }
}
