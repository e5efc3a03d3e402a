//! The worker as a process under its supervisor: SIGKILL at random moments leaves no hole in what comes out.

use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use bytes::{Bytes, BytesMut};
use compositor::in_flight;
use compositor::supervisor::{WorkerEvent, WorkerProgram, supervise};
use compositor_core::access_unit::Codec;
use compositor_core::id::{CompositionId, Layer, TrackId};
use compositor_core::journal::{JournalSeq, Record};
use compositor_core::quarantine::InFlight;
use compositor_core::roster::RosterChange;
use compositor_core::sink::{JournalError, JournalReader, StageJournal};
use compositor_core::time::MediaTime;
use compositor_core::worker_protocol::VideoUnit;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::journal::{MS, START, Script, encoder, job, publisher};
use crate::support::media::{RED, code_pictures, code_sound, flat, noise, tone};
use crate::support::output::decode_video;
use crate::support::program;

const BATCH: usize = 20;
const STOP_MS: u64 = 8000;
const SLOW_STOP_MS: u64 = 1400;
/// More are never started.
const WORKERS_MAX: usize = 16;
/// Only what follows something that was decoded can be damaged.
const NOT_THE_FIRST: JournalSeq = JournalSeq(270);

/// A journal that was recorded before; it is read as fast as the worker takes it.
struct Recorded(Arc<Vec<Record>>);

struct RecordedReader {
    records: Arc<Vec<Record>>,
    next: usize,
}

impl StageJournal for Recorded {
    type Reader = RecordedReader;

    async fn attach(
        &self,
        _: &CompositionId,
        from: Option<JournalSeq>,
    ) -> Result<RecordedReader, JournalError> {
        Ok(RecordedReader {
            records: Arc::clone(&self.0),
            next: from.map_or(0, |seq| seq.0 as usize),
        })
    }

    fn checkpoint(&self, _: &CompositionId, _: JournalSeq) {}

    fn detach(&self, _: &CompositionId) {}

    fn request_keyframe(&self, _: TrackId, _: Layer) {}

    fn wish_height(&self, _: &CompositionId, _: TrackId, _: u16) {}
}

impl JournalReader for RecordedReader {
    fn position(&self) -> JournalSeq {
        JournalSeq(self.next as u64)
    }

    async fn next_batch(&mut self) -> Result<Bytes, JournalError> {
        if self.next == self.records.len() {
            return std::future::pending().await;
        }
        let end = (self.next + BATCH).min(self.records.len());
        let mut bytes = BytesMut::new();
        for record in &self.records[self.next..end] {
            record.encode(&mut bytes);
        }
        self.next = end;
        Ok(bytes.freeze())
    }
}

fn journal() -> Vec<Record> {
    let size = (320, 180, 30);
    let pictures = std::iter::repeat_n(flat(320, 180, RED), 300);
    let mut script = Script::default();
    let publishers = vec![publisher("p", 0, Codec::Vp8, &[])];
    script.roster(0, RosterChange::Snapshot(publishers));
    let from = START - 500 * MS;
    let pictures = code_pictures(Codec::Vp8, size, 60, pictures);
    script.all((0, Codec::Vp8), from, &pictures);
    let sound = tone(10 * 48_000, 440.0, 0.3, |_| true);
    script.all((1, Codec::Opus), from, &code_sound(&sound));
    script.journal(START + (STOP_MS + 600) * MS)
}

fn worker() -> WorkerProgram {
    WorkerProgram {
        executable: program("worker"),
        args: Vec::new(),
        environment: std::env::vars_os().collect(),
    }
}

/// Whoever is looked at decodes slowly: every unit is a keyframe of 1080p noise.
fn slow_journal() -> Vec<Record> {
    let pictures = (0..40).map(|n| noise(1920, 1080, n));
    let mut script = Script::default();
    let publishers = vec![
        publisher("slow", 0, Codec::Vp8, &[]),
        publisher("other", 1, Codec::Vp8, &[]),
    ];
    script.roster(0, RosterChange::Snapshot(publishers));
    let from = START - 500 * MS;
    script.all(
        (0, Codec::Vp8),
        from,
        &code_pictures(Codec::Vp8, (1920, 1080, 30), 1, pictures),
    );
    let pictures = std::iter::repeat_n(flat(320, 180, RED), 300);
    script.all(
        (2, Codec::Vp8),
        from,
        &code_pictures(Codec::Vp8, (320, 180, 30), 60, pictures),
    );
    script.journal(START + (SLOW_STOP_MS + 600) * MS)
}

/// Kills each worker while its decoder is at a unit of track 0: the first one that it sees, then that one again. Returns it
/// once two workers in a row died of it.
fn kill_while_decoding(workers: &Receiver<u32>) -> JournalSeq {
    let mut wanted: Option<JournalSeq> = None;
    for pid in workers {
        let board = File::open(format!("/proc/{pid}/fd/1"));
        let board = board.expect("a worker that was just started is there");
        let worker = Pid::from_raw(pid as i32);
        while let Some(unit) = stopped_at(worker, &board) {
            if wanted.is_some_and(|wanted| unit < wanted) {
                kill(worker, Signal::SIGCONT).expect("it is ours");
                continue;
            }
            kill(worker, Signal::SIGKILL).expect("it is ours");
            if wanted.replace(unit) == Some(unit) {
                return unit;
            }
            break;
        }
    }
    panic!("no unit was seen twice");
}

/// Stops a worker at a unit of track 0, which it still decodes then; `None` once the worker is gone.
fn stopped_at(worker: Pid, board: &File) -> Option<JournalSeq> {
    let is_victim = |it: &InFlight| it.track == TrackId(0) && it.unit >= NOT_THE_FIRST;
    let seen = || in_flight::read(board).into_iter().find(is_victim);
    loop {
        if state_of(worker)? == 'Z' {
            return None;
        }
        if seen().is_none() {
            continue;
        }
        kill(worker, Signal::SIGSTOP).ok()?;
        while state_of(worker)? != 'T' {
            std::thread::yield_now();
        }
        if let Some(InFlight { unit, .. }) = seen() {
            return Some(unit);
        }
        kill(worker, Signal::SIGCONT).ok()?;
    }
}

/// See proc(5), field 3 of `stat`; `None` once the process is gone.
fn state_of(worker: Pid) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{worker}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

#[tokio::test]
async fn a_unit_that_kills_twice_is_skipped_and_the_composition_goes_on() {
    let (workers, spawned) = sync_channel(WORKERS_MAX);
    let killer = std::thread::spawn(move || kill_while_decoding(&spawned));
    let recorded = Arc::new(Recorded(Arc::new(slow_journal())));
    let (events, mut said) = tokio::sync::mpsc::channel(4);
    let handle = supervise(worker(), job(vec![encoder(320, 180)]), recorded, events);
    handle.stop(MediaTime(START + SLOW_STOP_MS * MS));
    let (mut frames, mut deaths, mut damaged) = (Vec::new(), Vec::new(), 0);
    while let Some(event) = said.recv().await {
        match event {
            // The killer leaves when it is done.
            WorkerEvent::Spawned { pid } => drop(workers.send(pid)),
            WorkerEvent::Died { cause } => deaths.push(cause),
            WorkerEvent::Video(unit) => frames.push(unit.k),
            WorkerEvent::Stats(stats) => damaged = stats.units_damaged,
            WorkerEvent::Audio { .. }
            | WorkerEvent::Thumbnail { .. }
            | WorkerEvent::Checkpoint(_) => {}
            WorkerEvent::Ended => break,
            WorkerEvent::Failed(error) => panic!("{error}"),
        }
    }
    drop(workers);
    let poison = killer.join().expect("it kills");
    assert_eq!(frames, (0..SLOW_STOP_MS * 30 / 1000).collect::<Vec<_>>());
    // The other track is beside it at the first death, and not at the second.
    let last = deaths.last().expect("workers died");
    let expected = format!("skipped from now on: {} of track 0", poison.0);
    assert!(last.ends_with(&expected), "{last}");
    // It was not decoded; the keyframe after it was.
    assert_eq!(damaged, 1);
}

#[tokio::test]
async fn a_killed_worker_is_succeeded_without_a_hole() {
    let recorded = Arc::new(Recorded(Arc::new(journal())));
    let (events, mut said) = tokio::sync::mpsc::channel(4);
    let handle = supervise(worker(), job(vec![encoder(320, 180)]), recorded, events);
    handle.stop(MediaTime(START + STOP_MS * MS));
    let mut worker = None;
    let mut video: Vec<VideoUnit> = Vec::new();
    let mut audio = Vec::new();
    let mut deaths = 0;
    while let Some(event) = said.recv().await {
        match event {
            WorkerEvent::Spawned { pid } => worker = Some(Pid::from_raw(pid as i32)),
            WorkerEvent::Died { .. } => deaths += 1,
            WorkerEvent::Video(unit) => {
                if [40, 41, 133].contains(&unit.k)
                    && let Some(worker) = worker.take()
                {
                    kill(worker, Signal::SIGKILL).expect("it is ours");
                }
                video.push(unit);
            }
            WorkerEvent::Audio { n, .. } => audio.push(n),
            WorkerEvent::Thumbnail { .. } | WorkerEvent::Stats(_) | WorkerEvent::Checkpoint(_) => {}
            WorkerEvent::Ended => break,
            WorkerEvent::Failed(error) => panic!("{error}"),
        }
    }
    assert!(deaths >= 1, "nobody died");
    let numbers: Vec<u64> = video.iter().map(|unit| unit.k).collect();
    assert_eq!(numbers, (0..STOP_MS * 30 / 1000).collect::<Vec<_>>());
    assert_eq!(audio, (0..STOP_MS * 48 / 1024).collect::<Vec<_>>());
    let shown = decode_video(&video);
    assert_eq!(shown.len(), video.len());
    for frame in shown {
        frame.assert_colour(160, 90, RED);
    }
}
