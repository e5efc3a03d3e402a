//! Takes what the gateway remembers of stage sessions and writes it down. Nothing is lost: what the store does not take is
//! tried again, and meanwhile the gateway keeps the rest and lets nobody in once it has too much of it.

use std::time::Duration;

use compositor_core::error_chain::error_chain;
use compositor_core::time::WallTime;
use parking_lot::Mutex;
use sqlx::error::{DatabaseError, ErrorKind};
use stage_gateway::history::HistoryEvent;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, timeout};

use crate::clock::Clock;
use crate::store::{Store, StoreError};

/// Events between the gateway's sessions and the store; when it is full they wait in their sessions.
pub const QUEUE: usize = 1_024;

/// Events in one transaction.
const BATCH_MAX: usize = 64;

/// How often open sessions are marked as open, so that it is known when a server died, and old ones are forgotten.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Pauses between attempts when the store does not answer.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// The length of every SQLSTATE.
const SQLSTATE_CHARS: usize = 5;

const MICROS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// The task that writes.
#[derive(Debug)]
pub struct StageHistory {
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl StageHistory {
    /// Ends what an earlier run left open, then writes down what comes. Sessions are kept for `keep_days` after
    /// their end.
    pub async fn start(
        store: Store,
        clock: Clock,
        events: mpsc::Receiver<HistoryEvent>,
        keep_days: u32,
    ) -> Result<Self, StoreError> {
        let ended = store.end_open_stage_sessions().await?;
        if ended > 0 {
            tracing::warn!(ended, "stage sessions were open when the server was killed");
        }
        let (stop, stopped) = watch::channel(false);
        let writer = Writer {
            store,
            clock,
            keep_micros: i64::from(keep_days) * MICROS_PER_DAY,
        };
        let task = tokio::spawn(writer.run(events, stopped));
        Ok(Self {
            stop,
            task: Mutex::new(Some(task)),
        })
    }

    /// Writes down what has come so far and ends; for when the gateway has ended. What the store has not taken after `limit`
    /// is lost.
    pub async fn finish(&self, limit: Duration) {
        self.stop.send_replace(true);
        let task = self.task.lock().take();
        let Some(mut task) = task else { return };
        match timeout(limit, &mut task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "writing down the history of stages ended early")
            }
            Err(_) => {
                tracing::error!("the end of the history of stages is not written down");
                task.abort();
            }
        }
    }
}

struct Writer {
    store: Store,
    clock: Clock,
    keep_micros: i64,
}

impl Writer {
    async fn run(
        self,
        mut events: mpsc::Receiver<HistoryEvent>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                received = events.recv_many(&mut batch, BATCH_MAX) => {
                    if received == 0 {
                        return;
                    }
                    self.write(&batch).await;
                    batch.clear();
                }
                // Nothing more waits, since receiving comes first.
                () = end_of(&mut stopped) => return,
                _ = heartbeat.tick() => self.keep_house().await,
            }
        }
    }

    /// Tries until the store has it. What the store can never take, such as an event that breaks its rules, is given up
    /// alone and loudly, lest it holds up all others for ever.
    async fn write(&self, batch: &[HistoryEvent]) {
        let mut pause = RETRY_MIN;
        loop {
            let Err(error) = self.store.record_stage_history(batch).await else {
                return;
            };
            if may_pass(&error) {
                tracing::warn!(error = %error_chain(&error), "the history of stages waits for the store");
                tokio::time::sleep(pause).await;
                pause = RETRY_MAX.min(pause * 2);
            } else if let [event] = batch {
                tracing::error!(error = %error_chain(&error), ?event, "the store cannot take an event");
                return;
            } else {
                for event in batch {
                    Box::pin(self.write(std::slice::from_ref(event))).await;
                }
                return;
            }
        }
    }

    async fn keep_house(&self) {
        let now = self.clock.wall();
        let kept = async {
            self.store.touch_stage_sessions(now).await?;
            let oldest = WallTime(now.0 - self.keep_micros);
            self.store.forget_stage_sessions(oldest).await
        };
        if let Err(error) = kept.await {
            tracing::warn!(error = %error_chain(&error), "the history of stages cannot be tidied");
        }
    }
}

/// Waits until nothing more will come.
async fn end_of(stopped: &mut watch::Receiver<bool>) {
    // An error means that nobody can say so any more.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Whether the same can succeed later.
fn may_pass(error: &StoreError) -> bool {
    match error {
        StoreError::Sql(sqlx::Error::Database(error)) => !is_about_the_data(error.as_ref()),
        StoreError::Sql(_) | StoreError::Busy => true,
        _ => false,
    }
}

/// Whether the database refuses what it is given, as PostgreSQL does a text with U+0000.
fn is_about_the_data(error: &dyn DatabaseError) -> bool {
    let code = error.code().unwrap_or_default();
    // Data exceptions and violated constraints. The codes of SQLite are shorter.
    // https://www.postgresql.org/docs/current/errcodes-appendix.html
    let is_sqlstate = code.len() == SQLSTATE_CHARS;
    let refused = is_sqlstate && (code.starts_with("22") || code.starts_with("23"));
    refused || !matches!(error.kind(), ErrorKind::Other)
}
