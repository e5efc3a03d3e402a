//! The parent's side of a composition worker: spawns it, feeds it the journal, numbers what comes back, and replaces it
//! when it dies.
//!
//! A successor is told the next frame and AAC frame numbers, so whoever listens sees one unbroken sequence. Nothing is
//! queued here but one message in each direction: a slow listener stalls the worker through its socket.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::PathBuf;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use compositor_core::error_chain::error_chain;
use compositor_core::limits::WORKER_DEATHS_MAX;
use compositor_core::restart_budget::{AfterDeath, RestartBudget};
use compositor_core::sink::{JournalError, JournalReader, StageJournal};
use compositor_core::time::{MediaTime, MonotonicTime};
use compositor_core::worker_protocol::{
    Checkpoint, FromWorker, Job, Resume, ToWorker, VideoUnit, WorkerStats,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::wire::{self, WireError};

/// A worker that neither says anything for this long nor uses CPU while it has records to work on is dead.
const SILENCE_MAX: Duration = Duration::from_millis(1500);

/// How to start a worker.
#[derive(Clone, Debug)]
pub struct WorkerProgram {
    /// The `proscenium` binary.
    pub executable: PathBuf,
    /// Its arguments, `compose`.
    pub args: Vec<OsString>,
    /// All of its environment; nothing is inherited.
    pub environment: Vec<(OsString, OsString)>,
}

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
    #[error("the composition worker died more than {WORKER_DEATHS_MAX} times within a minute")]
    DiesTooOften,
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

/// Starts composing `job` in a worker; the composition ends when `events` is closed, too.
pub fn supervise<J: StageJournal>(
    program: WorkerProgram,
    job: Job,
    journal: Arc<J>,
    events: mpsc::Sender<WorkerEvent>,
) -> SupervisorHandle {
    let (stop, stopped) = watch::channel(None);
    let supervisor = Supervisor {
        program,
        next: Progress {
            next_k: vec![0; job.encoders.len()],
            next_n: 0,
            checkpoint: None,
        },
        job,
        journal,
        events,
        stopped,
        budget: RestartBudget::default(),
        born: Instant::now(),
        succeeds: false,
    };
    tokio::spawn(supervisor.run());
    SupervisorHandle { stop }
}

/// Starts a worker without a job: it loads its plugins, which GStreamer remembers in its registry, and exits. The first
/// composition then starts at once.
pub async fn warm_up(program: &WorkerProgram) -> io::Result<ExitStatus> {
    let (mut child, socket) = spawn(program)?;
    drop(socket);
    child.wait().await
}

struct Supervisor<J> {
    program: WorkerProgram,
    job: Job,
    journal: Arc<J>,
    events: mpsc::Sender<WorkerEvent>,
    stopped: watch::Receiver<Option<MediaTime>>,
    next: Progress,
    budget: RestartBudget,
    born: Instant,
    succeeds: bool,
}

/// What has come so far, and from where a successor can continue.
#[derive(Debug)]
struct Progress {
    next_k: Vec<u64>,
    next_n: u64,
    checkpoint: Option<Checkpoint>,
}

/// How one worker's life ended.
enum Life {
    Ended,
    ListenerGone,
    Died(String),
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
        loop {
            let from = self
                .next
                .checkpoint
                .as_ref()
                .map(|c| c.read_from)
                .or(first_seq);
            let reader = self
                .journal
                .attach(&self.job.composition, from)
                .await
                .map_err(SupervisorError::Journal)?;
            first_seq = first_seq.or(Some(reader.position()));
            match self.one_life(reader).await? {
                Life::Ended | Life::ListenerGone => return Ok(()),
                Life::Died(cause) => {
                    tracing::warn!(composition = %self.job.composition, cause, "worker died");
                    let now = MonotonicTime(0).plus(self.born.elapsed());
                    if self.budget.record_death(now) == AfterDeath::GiveUp {
                        return Err(SupervisorError::DiesTooOften);
                    }
                    self.succeeds = true;
                    if self.events.send(WorkerEvent::Died { cause }).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn one_life(&mut self, reader: J::Reader) -> Result<Life, SupervisorError> {
        let (mut child, socket) =
            spawn(&self.program).map_err(|source| SupervisorError::Spawn {
                program: self.program.executable.clone(),
                source,
            })?;
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
        let fed = watch::Sender::new(Instant::now());
        let feeding = feed(to_worker, job, reader, self.stopped.clone(), fed.clone());
        let life = {
            let mut listening = pin!(self.listen(from_worker, pid, fed.subscribe()));
            tokio::select! {
                life = &mut listening => life,
                error = feeding => match error {
                    // It does not listen any more, but its last words count.
                    FeedError::Write(error) => {
                        tracing::debug!(pid, error = %error_chain(&error), "worker takes nothing more");
                        listening.await
                    }
                    FeedError::Journal(error) => return Err(SupervisorError::Journal(error)),
                },
            }
        };
        // Already exited, or told to: either way nothing of it may be left.
        let _ = child.start_kill();
        let exit = child.wait().await;
        Ok(match life {
            Life::Died(cause) => Life::Died(format!("{cause}; {}", exit_text(exit))),
            whole => whole,
        })
    }

    fn resume(&self) -> Option<Resume> {
        self.succeeds.then(|| Resume {
            checkpoint: self.next.checkpoint.clone(),
            next_k: self.next.next_k.clone(),
            next_n: self.next.next_n,
        })
    }

    async fn listen(
        &mut self,
        mut socket: impl AsyncRead + Unpin,
        pid: u32,
        fed: watch::Receiver<Instant>,
    ) -> Life {
        let mut silence = Silence::new(pid);
        let mut buffer = wire::Reader::default();
        loop {
            let message = tokio::select! {
                message = buffer.read::<FromWorker>(&mut socket) => message,
                cause = silence.broken(&fed) => return Life::Died(cause),
            };
            silence = Silence::new(pid);
            let message = match message {
                Ok(Some(message)) => message,
                Ok(None) => return Life::Died("it closed its socket".to_owned()),
                Err(error) => return Life::Died(error_chain(&error)),
            };
            match self.take(message).await {
                Ok(None) => {}
                Ok(Some(life)) => return life,
                Err(cause) => return Life::Died(cause),
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
                self.journal
                    .checkpoint(&self.job.composition, checkpoint.read_from);
                self.next.checkpoint = Some(checkpoint);
                return Ok(None);
            }
            FromWorker::Ended => return Ok(Some(Life::Ended)),
        };
        let listening = self.events.send(event).await.is_ok();
        Ok((!listening).then_some(Life::ListenerGone))
    }
}

fn expect_number(what: &str, expected: u64, got: u64) -> Result<(), String> {
    if got == expected {
        return Ok(());
    }
    Err(format!("it sent {what} {got}, the next one is {expected}"))
}

enum FeedError {
    Write(WireError),
    Journal(JournalError),
}

/// Writes the job, then records for as long as the worker takes them, and the stop time once it is known.
async fn feed<R: JournalReader>(
    mut socket: impl AsyncWrite + Unpin,
    job: Job,
    mut reader: R,
    mut stopped: watch::Receiver<Option<MediaTime>>,
    fed: watch::Sender<Instant>,
) -> FeedError {
    if let Err(error) = wire::write(&mut socket, &ToWorker::Job(job)).await {
        return FeedError::Write(error);
    }
    let mut stop_sent = false;
    loop {
        let stop_at = *stopped.borrow_and_update();
        let message = match stop_at {
            Some(at) if !stop_sent => {
                stop_sent = true;
                ToWorker::Stop { at }
            }
            _ => tokio::select! {
                batch = reader.next_batch() => match batch {
                    Ok(records) => ToWorker::Records(records),
                    // Nothing more will come: what is composed by now is all there is.
                    Err(JournalError::Closed) if !stop_sent => {
                        stop_sent = true;
                        ToWorker::Stop { at: MediaTime(0) }
                    }
                    Err(JournalError::Closed) => std::future::pending().await,
                    Err(error) => return FeedError::Journal(error),
                },
                Ok(()) = stopped.changed() => continue,
            },
        };
        if let Err(error) = wire::write(&mut socket, &message).await {
            return FeedError::Write(error);
        }
        fed.send_replace(Instant::now());
    }
}

/// Tells a hung worker from a starved one by the CPU time it uses.
struct Silence {
    pid: u32,
    since: Instant,
}

impl Silence {
    fn new(pid: u32) -> Self {
        Self {
            pid,
            since: Instant::now(),
        }
    }

    /// Resolves with the cause of death when the worker had records to work on, said nothing for [`SILENCE_MAX`] and
    /// used no CPU meanwhile.
    async fn broken(&self, fed: &watch::Receiver<Instant>) -> String {
        let mut period_start = self.since;
        loop {
            let cpu_before = cpu_ticks(self.pid);
            tokio::time::sleep_until(period_start + SILENCE_MAX).await;
            let had_work = *fed.borrow() > period_start;
            if had_work && cpu_ticks(self.pid) == cpu_before {
                return format!("it said nothing for {SILENCE_MAX:?} and used no CPU");
            }
            period_start = Instant::now();
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

fn spawn(program: &WorkerProgram) -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let child = Command::new(&program.executable)
        .args(&program.args)
        .env_clear()
        .envs(program.environment.iter().cloned())
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()?;
    Ok((child, UnixStream::from_std(ours)?))
}

fn exit_text(exit: io::Result<ExitStatus>) -> String {
    match exit {
        Ok(status) => status.to_string(),
        Err(error) => format!("exit status unknown: {error}"),
    }
}
