//! The worker as a process under its supervisor: SIGKILL at random moments leaves no hole in what comes out.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use compositor::supervisor::{WorkerEvent, WorkerProgram, supervise};
use compositor_core::access_unit::Codec;
use compositor_core::id::{CompositionId, Layer, TrackId};
use compositor_core::journal::{JournalSeq, Record};
use compositor_core::roster::RosterChange;
use compositor_core::sink::{JournalError, JournalReader, StageJournal};
use compositor_core::time::MediaTime;
use compositor_core::worker_protocol::VideoUnit;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::journal::{MS, START, Script, encoder, job, publisher};
use crate::support::media::{RED, code_pictures, code_sound, flat, tone};
use crate::support::output::decode_video;
use crate::support::program;

const BATCH: usize = 20;
const STOP_MS: u64 = 8000;

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

#[tokio::test]
async fn a_killed_worker_is_succeeded_without_a_hole() {
    let program = WorkerProgram {
        executable: program("worker"),
        args: Vec::new(),
        environment: std::env::vars_os().collect(),
    };
    let recorded = Arc::new(Recorded(Arc::new(journal())));
    let (events, mut said) = tokio::sync::mpsc::channel(4);
    let handle = supervise(program, job(vec![encoder(320, 180)]), recorded, events);
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
