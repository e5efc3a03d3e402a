//! The real composition worker, fed by hand.

use std::io::{BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use compositor::wire;
use compositor_core::limits::WATERMARK_INTERVAL;
use compositor_core::worker_protocol::{FromWorker, Job, ToWorker, WorkerStats};

use crate::BenchError;

/// What a worker made.
#[derive(Debug, Default)]
pub struct Composed {
    /// All pictures, as one H.264 byte stream.
    pub video: Vec<u8>,
    /// How many.
    pub pictures: u64,
    /// When each came, in their order.
    pub came: Vec<Instant>,
    /// How many AAC frames.
    pub sounds: u64,
    /// Its counters, as often as it told them: every second of media.
    pub stats: Vec<WorkerStats>,
    /// The most memory that it had when it told them, KiB.
    pub memory_kib: u64,
}

/// When the worker gets its journal.
#[derive(Clone, Copy, Debug)]
pub enum Feed {
    /// As fast as it takes it.
    AtOnce,
    /// As it would be written by a stage that began then.
    Live(Instant),
}

/// Runs `proscenium compose` over a whole journal until it has ended, and waits for the process.
pub fn compose(
    proscenium: &Path,
    job: &Job,
    length: Duration,
    journal: &[Bytes],
    feed: Feed,
) -> Result<Composed, BenchError> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut child = Command::new(proscenium)
        .arg("compose")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .spawn()?;
    let exchanged = exchange((ours, child.id()), job, length, (journal, feed));
    end(&mut child)?;
    exchanged
}

fn exchange(
    (ours, pid): (UnixStream, u32),
    job: &Job,
    length: Duration,
    journal: (&[Bytes], Feed),
) -> Result<Composed, BenchError> {
    let mut to_worker = ours.try_clone()?;
    thread::scope(|scope| {
        let feeding = scope.spawn(move || write(&mut to_worker, job, length, journal));
        let composed = listen(ours, pid);
        let fed = feeding.join().expect("feeding does not panic");
        match composed {
            // It leaves with the end of the journal unread.
            Ok(composed) => Ok(composed),
            Err(error) => Err(fed.err().unwrap_or(error)),
        }
    })
}

fn write(
    socket: &mut impl Write,
    job: &Job,
    length: Duration,
    (journal, feed): (&[Bytes], Feed),
) -> Result<(), BenchError> {
    let stop = job.start.plus(length);
    wire::write_blocking(socket, &ToWorker::Job(job.clone()))?;
    wire::write_blocking(socket, &ToWorker::Stop { at: stop })?;
    for (n, batch) in (0..).zip(journal) {
        if let Feed::Live(began) = feed {
            wait_until(began + n * WATERMARK_INTERVAL);
        }
        wire::write_blocking(socket, &ToWorker::Records(batch.clone()))?;
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the pace of a stage is the condition"
)]
fn wait_until(at: Instant) {
    thread::sleep(at.saturating_duration_since(Instant::now()));
}

fn listen(socket: UnixStream, pid: u32) -> Result<Composed, BenchError> {
    let mut socket = BufReader::new(socket);
    let mut composed = Composed::default();
    while let Some(message) = wire::read_blocking(&mut socket)? {
        match message {
            FromWorker::Video(unit) => {
                composed.video.extend_from_slice(&unit.data);
                composed.pictures += 1;
                composed.came.push(Instant::now());
            }
            FromWorker::Audio { .. } => composed.sounds += 1,
            FromWorker::Stats(stats) => {
                composed.stats.push(stats);
                composed.memory_kib = composed.memory_kib.max(resident_kib(pid));
            }
            FromWorker::Ended => return Ok(composed),
            FromWorker::Thumbnail { .. }
            | FromWorker::KeyframeRequest { .. }
            | FromWorker::HeightWish { .. }
            | FromWorker::Checkpoint(_) => {}
        }
    }
    Err("the worker left before the end".into())
}

/// Resident memory (proc(5), VmRSS) of a process; 0 once it is gone. `getrusage` counts what the bench had before `exec`, too.
fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.unwrap_or_default()
}

fn end(child: &mut Child) -> Result<(), BenchError> {
    let status = child.wait()?;
    if status.success() {
        return Ok(());
    }
    Err(format!("the worker ended with {status}").into())
}
