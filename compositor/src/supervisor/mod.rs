//! The parent's side of a composition worker: spawns it, feeds it the journal, numbers what comes back, and replaces it
//! when it dies.
//!
//! A successor is told the next frame and AAC frame numbers, so whoever listens sees one unbroken sequence. Nothing is
//! queued here but one message in each direction: a slow listener stalls the worker through its socket.

mod feed;
mod process;
mod silence;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use compositor_core::error_chain::error_chain;
use compositor_core::journal::JournalSeq;
use compositor_core::limits::WORKER_DEATHS_MAX;
use compositor_core::quarantine::InFlight;
use compositor_core::restart_budget::{AfterDeath, RestartBudget};
use compositor_core::sink::{JournalError, JournalReader, StageJournal};
use compositor_core::time::{MediaTime, MonotonicTime};
use compositor_core::worker_protocol::{FromWorker, Job, Resume, VideoUnit, WorkerStats};
use tokio::io::AsyncRead;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use self::feed::{Fed, FeedError, Feeder};
pub use self::process::{WorkerProgram, warm_up};
use self::silence::Silence;
use crate::{in_flight, wire};

/// What the composition yields.
#[derive(Debug)]
pub enum WorkerEvent {
    /// A worker runs.
    Spawned {
        /// Its process.
        pid: u32,
    },
    /// The next picture of an encoder; no number is missing or comes twice.
    Video(VideoUnit),
    /// The next AAC frame.
    Audio {
        /// Its number.
        n: u64,
        /// The raw frame.
        data: bytes::Bytes,
    },
    /// A JPEG of a frame.
    Thumbnail {
        /// Which encoder.
        encoder: u8,
        /// Which frame.
        k: u64,
        /// The picture.
        jpeg: bytes::Bytes,
    },
    /// Counters, once a second.
    Stats(WorkerStats),
    /// From here the composition could be continued, also by another supervisor: everything before it has come.
    Checkpoint(Resume),
    /// The worker died and a successor starts.
    Died {
        /// Why, for the log.
        cause: String,
    },
    /// Last event: everything up to the stop time has come.
    Ended,
    /// Last event: no further successor is tried.
    Failed(SupervisorError),
}

/// Why a composition cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// The journal cannot be read.
    #[error("cannot read the stage journal")]
    Journal(#[source] JournalError),
    /// The worker cannot be started.
    #[error("cannot start the composition worker {program}")]
    Spawn {
        /// Its path.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It died again and again.
    #[error(
        "the composition worker died more than {WORKER_DEATHS_MAX} times within a minute, at last because {cause}"
    )]
    DiesTooOften {
        /// Its last death.
        cause: String,
    },
}

/// Tells a running composition to end.
#[derive(Clone, Debug)]
pub struct SupervisorHandle {
    stop: watch::Sender<Option<MediaTime>>,
}

impl SupervisorHandle {
    /// Everything due before `at` is composed, then [`WorkerEvent::Ended`] follows. Asking again changes nothing.
    pub fn stop(&self, at: MediaTime) {
        self.stop
            .send_if_modified(|stop| stop.is_none().then(|| *stop = Some(at)).is_some());
    }
}

/// Starts composing `job` in a worker, or goes on with it; the composition ends when `events` is closed, too.
pub fn supervise<J: StageJournal>(
    program: WorkerProgram,
    job: Job,
    journal: Arc<J>,
    events: mpsc::Sender<WorkerEvent>,
) -> SupervisorHandle {
    let (stop, stopped) = watch::channel(None);
    let succeeds = job.resume.is_some();
    let supervisor = Supervisor {
        program,
        next: job
            .resume
            .clone()
            .unwrap_or_else(|| Resume::fresh(job.encoders.len())),
        job,
        journal,
        events,
        stopped,
        budget: RestartBudget::default(),
        born: Instant::now(),
        succeeds,
    };
    tokio::spawn(supervisor.run());
    SupervisorHandle { stop }
}

struct Supervisor<J> {
    program: WorkerProgram,
    job: Job,
    journal: Arc<J>,
    events: mpsc::Sender<WorkerEvent>,
    stopped: watch::Receiver<Option<MediaTime>>,
    /// What has come so far, and from where a successor can continue.
    next: Resume,
    budget: RestartBudget,
    born: Instant,
    succeeds: bool,
}

/// How one worker's life ended.
enum Life {
    Ended,
    ListenerGone,
    Died(Death),
}

/// A worker's death.
struct Death {
    cause: String,
    of: Of,
}

/// What a worker died of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// Nobody knows: it went by itself.
    Itself,
    /// What killed the one before, too. It will not be decoded again.
    Quarantined,
    /// We ended it: it broke the protocol, or was too slow for its journal.
    Us,
    /// What it was to read is damaged.
    Damage,
}

/// Whether an error says that a file holds something else than what was written.
fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    )
}

impl<J: StageJournal> Supervisor<J> {
    async fn run(mut self) {
        let composition = self.job.composition.clone();
        let last = match self.until_the_end().await {
            Ok(()) => WorkerEvent::Ended,
            Err(error) => WorkerEvent::Failed(error),
        };
        self.journal.detach(&composition);
        // A listener that is gone does not want to know.
        let _ = self.events.send(last).await;
    }

    async fn until_the_end(&mut self) -> Result<(), SupervisorError> {
        // The place where a first worker starts reading; its successors start there until the first checkpoint.
        let mut first_seq = None;
        let mut last = None;
        loop {
            let known = self.next.checkpoint.as_ref().map(|c| c.read_from);
            let from = known.or(first_seq).filter(|_| last != Some(Of::Damage));
            let reader = match self.attach(from).await {
                Ok(reader) => reader,
                // The session ended with the worker: what has come is all there is.
                Err(JournalError::Closed) if self.succeeds => return Ok(()),
                Err(error) => return Err(SupervisorError::Journal(error)),
            };
            first_seq = first_seq.or(Some(reader.position()));
            let before = (self.next.next_k.clone(), self.next.next_n);
            match self.one_life(reader).await? {
                Life::Ended | Life::ListenerGone => return Ok(()),
                Life::Died(Death { cause, of }) => {
                    last = Some(of);
                    let now = MonotonicTime(0).plus(self.born.elapsed());
                    let after = match of {
                        Of::Quarantined => self.budget.record_explained(now),
                        Of::Itself | Of::Us | Of::Damage => {
                            let brought = before != (self.next.next_k.clone(), self.next.next_n);
                            self.budget.record_death(now, brought)
                        }
                    };
                    if after == AfterDeath::GiveUp {
                        return Err(SupervisorError::DiesTooOften { cause });
                    }
                    self.succeeds = true;
                    if self.events.send(WorkerEvent::Died { cause }).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Reads on at `from`, or with what the stage is now when the journal has given that up: the numbers go on, and what
    /// is lost is the media in between.
    async fn attach(&self, from: Option<JournalSeq>) -> Result<J::Reader, JournalError> {
        let composition = &self.job.composition;
        match self.journal.attach(composition, from).await {
            Err(error @ JournalError::Gone { .. }) => {
                tracing::error!(%composition, error = %error_chain(&error), "media is lost");
                self.journal.attach(composition, None).await
            }
            attached => attached,
        }
    }

    async fn one_life(&mut self, reader: J::Reader) -> Result<Life, SupervisorError> {
        let failed = |source| SupervisorError::Spawn {
            program: self.program.executable.clone(),
            source,
        };
        let board = in_flight::new_board().map_err(failed)?;
        let workers_board = board.try_clone().map_err(failed)?;
        let (child, socket) = self.program.spawn(workers_board.into()).map_err(failed)?;
        let pid = child.id().unwrap_or_default();
        if self
            .events
            .send(WorkerEvent::Spawned { pid })
            .await
            .is_err()
        {
            return Ok(Life::ListenerGone);
        }
        let (from_worker, to_worker) = socket.into_split();
        let job = Job {
            resume: self.resume(),
            ..self.job.clone()
        };
        let (fed, feeding) = watch::channel(Fed::Owing);
        let feeder = Feeder {
            socket: to_worker,
            fed,
        };
        let feeding_it = feeder.feed(job, reader, self.stopped.clone());
        let life = {
            let mut listening = pin!(self.listen(from_worker, Silence::new(pid, feeding)));
            tokio::select! {
                life = &mut listening => life,
                Err(error) = feeding_it => match error {
                    // It does not listen any more, but its last words count.
                    FeedError::Write(error) => {
                        tracing::debug!(pid, error = %error_chain(&error), "worker takes nothing more");
                        listening.await
                    }
                    // It was so slow that the journal could not wait; another one begins with what is there.
                    FeedError::Journal(error @ JournalError::Gone { .. }) => {
                        died(Of::Us, error_chain(&error))
                    }
                    // Another one begins with what the stage is now.
                    FeedError::Journal(JournalError::Io(error)) if is_damage(&error) => {
                        died(Of::Damage, error_chain(&error))
                    }
                    FeedError::Journal(error) => return Err(SupervisorError::Journal(error)),
                },
            }
        };
        let exit = process::end(child).await;
        Ok(match life {
            Life::Died(Death { cause, of }) => {
                self.explained(&board, of, format!("{cause}; {exit}"))
            }
            whole => whole,
        })
    }

    /// Puts into quarantine what killed twice.
    fn explained(&mut self, board: &File, of: Of, cause: String) -> Life {
        let guilty = match of {
            Of::Itself => (self.next.quarantine).record_death(in_flight::read(board)),
            Of::Quarantined | Of::Us | Of::Damage => Vec::new(),
        };
        if guilty.is_empty() {
            return died(of, cause);
        }
        let units: Vec<String> = guilty
            .iter()
            .map(|InFlight { track, unit }| format!("{} of track {}", unit.0, track.0))
            .collect();
        let units = units.join(", ");
        let cause = format!(
            "{cause}; like the one before while decoding what is skipped from now on: {units}"
        );
        died(Of::Quarantined, cause)
    }

    fn resume(&self) -> Option<Resume> {
        self.succeeds.then(|| self.next.clone())
    }

    async fn listen(&mut self, mut socket: impl AsyncRead + Unpin, mut silence: Silence) -> Life {
        let mut buffer = wire::Reader::default();
        loop {
            // Whether it is silent is asked only when there is nothing to hear: a slow listener is not its fault.
            let message = tokio::select! {
                biased;
                () = self.events.closed() => return Life::ListenerGone,
                message = buffer.read::<FromWorker>(&mut socket) => message,
                cause = silence.broken() => return died(Of::Itself, cause),
            };
            let message = match message {
                Ok(Some(message)) => message,
                Ok(None) => return died(Of::Itself, "it closed its socket".to_owned()),
                Err(error) => return died(Of::Itself, error_chain(&error)),
            };
            match self.take(message).await {
                Ok(None) => {}
                Ok(Some(life)) => return life,
                Err(cause) => return died(Of::Us, cause),
            }
        }
    }

    /// Passes one message on; a number out of sequence is the worker's death.
    async fn take(&mut self, message: FromWorker) -> Result<Option<Life>, String> {
        let event = match message {
            FromWorker::Video(unit) => {
                let next = self
                    .next
                    .next_k
                    .get_mut(usize::from(unit.encoder))
                    .ok_or_else(|| {
                        format!("it names encoder {}, which is not in its job", unit.encoder)
                    })?;
                expect_number("frame", *next, unit.k)?;
                *next += 1;
                WorkerEvent::Video(unit)
            }
            FromWorker::Audio { n, data } => {
                expect_number("AAC frame", self.next.next_n, n)?;
                self.next.next_n += 1;
                WorkerEvent::Audio { n, data }
            }
            FromWorker::Thumbnail { encoder, k, jpeg } => {
                WorkerEvent::Thumbnail { encoder, k, jpeg }
            }
            FromWorker::Stats(stats) => WorkerEvent::Stats(stats),
            FromWorker::KeyframeRequest { track, layer } => {
                self.journal.request_keyframe(track, layer);
                return Ok(None);
            }
            FromWorker::HeightWish { track, height } => {
                self.journal
                    .wish_height(&self.job.composition, track, height);
                return Ok(None);
            }
            FromWorker::Checkpoint(checkpoint) => {
                // One behind: whoever is told of checkpoints may come back to the one before.
                if let Some(before) = self.next.checkpoint.replace(checkpoint) {
                    self.journal
                        .checkpoint(&self.job.composition, before.read_from);
                }
                WorkerEvent::Checkpoint(self.next.clone())
            }
            FromWorker::Ended => return Ok(Some(Life::Ended)),
        };
        let listening = self.events.send(event).await.is_ok();
        Ok((!listening).then_some(Life::ListenerGone))
    }
}

fn died(of: Of, cause: String) -> Life {
    Life::Died(Death { cause, of })
}

fn expect_number(what: &str, expected: u64, got: u64) -> Result<(), String> {
    if got == expected {
        return Ok(());
    }
    Err(format!("it sent {what} {got}, the next one is {expected}"))
}
