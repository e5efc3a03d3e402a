//! The supervisor against workers that misbehave: this very program, asked for one test that plays them.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use bytes::Bytes;
use compositor_core::id::{CompositionId, Layer, TrackId};
use compositor_core::layout::{GridSpec, LayoutSpec, VideoAspectRatio};
use compositor_core::time::FrameRate;
use compositor_core::worker_protocol::{Checkpoint, EncoderSpec, ToWorker};
use parking_lot::Mutex;

use super::silence::SILENCE_MAX;
use super::*;
use crate::wire::{read_blocking, write_blocking};

const ROLE: &str = "PLAYED_WORKER";
/// Nothing here takes nearly as long, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a worker that is no worker does, in the order of its lives.
fn play(role: &str, socket: &mut UnixStream) {
    let job = match read_blocking(socket) {
        Ok(Some(ToWorker::Job(job))) if role != "dies before its job" => job,
        _ => return,
    };
    let next = job.resume.as_ref().map_or(0, |resume| resume.next_k[0]);
    for k in next..next + 3 {
        say(socket, &picture(k));
    }
    match (role, next) {
        ("dies after each three", _) => {}
        ("dies of poison", _) => die_of_poison(&job.resume),
        ("hangs", 0) | ("takes nothing", 0) => loop {
            std::thread::park();
        },
        ("repeats itself", 0) => say(socket, &picture(2)),
        ("names a place to go on", 0) => say(
            socket,
            &FromWorker::Checkpoint(Checkpoint {
                read_from: JournalSeq(5),
                state_at: JournalSeq(5),
                state: Bytes::new(),
            }),
        ),
        ("needs the whole journal", _) => end_at(socket, MediaTime(0)),
        _ => end_at(socket, MediaTime(u64::MAX)),
    }
}

/// Units 5 and 9 of track 7 crash the decoder, one in each life, until they are not decoded any more.
fn die_of_poison(resume: &Option<Resume>) {
    let quarantine = resume.as_ref().map(|resume| &resume.quarantine);
    let is_held = |unit| quarantine.is_some_and(|it| it.holds(JournalSeq(unit)));
    in_flight::use_standard_output().unwrap();
    if let Some(unit) = [5, 9].into_iter().find(|unit| !is_held(*unit)) {
        let _decoding = in_flight::decoding(InFlight {
            track: TrackId(7),
            unit: JournalSeq(unit),
        });
        std::process::abort();
    }
}

/// Reads on until it is told to stop at `latest` or earlier.
fn end_at(socket: &mut UnixStream, latest: MediaTime) {
    while let Ok(Some(message)) = read_blocking(socket) {
        if matches!(message, ToWorker::Stop { at } if at <= latest) {
            return say(socket, &FromWorker::Ended);
        }
    }
}

fn say(socket: &mut UnixStream, message: &FromWorker) {
    // The server may have had enough of this worker.
    let _ = write_blocking(socket, message);
}

fn picture(k: u64) -> FromWorker {
    FromWorker::Video(VideoUnit {
        encoder: 0,
        k,
        keyframe: k == 0,
        data: Bytes::from_static(b"picture"),
    })
}

/// The child. Where the suite runs it as a test, it has no role and nothing to do.
#[test]
fn played_worker() {
    use std::os::fd::AsFd;
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let socket = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    play(&role, &mut socket.into());
}

/// What a journal says to each [`StageJournal::attach`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Attach {
    /// Nothing happens on the stage.
    Quiet,
    /// There is more than a worker can take.
    Endless,
    /// The session ends at once.
    ClosesAtOnce,
    /// The session has ended.
    Closed,
    /// The wanted records are gone.
    Gone,
    /// A record is damaged.
    Damaged,
}

/// A journal of opaque bytes.
struct Told {
    attaches: Mutex<VecDeque<Attach>>,
    asked: Mutex<Vec<Option<JournalSeq>>>,
}

impl StageJournal for Told {
    type Reader = Attach;

    async fn attach(
        &self,
        _: &CompositionId,
        from: Option<JournalSeq>,
    ) -> Result<Attach, JournalError> {
        self.asked.lock().push(from);
        match self.attaches.lock().pop_front().unwrap_or(Attach::Quiet) {
            Attach::Closed => Err(JournalError::Closed),
            Attach::Gone => Err(JournalError::Gone {
                wanted: 5,
                oldest: 9,
            }),
            reader => Ok(reader),
        }
    }

    fn checkpoint(&self, _: &CompositionId, _: JournalSeq) {}

    fn detach(&self, _: &CompositionId) {}

    fn request_keyframe(&self, _: TrackId, _: Layer) {}

    fn wish_height(&self, _: &CompositionId, _: TrackId, _: u16) {}
}

impl JournalReader for Attach {
    fn position(&self) -> JournalSeq {
        JournalSeq(1)
    }

    async fn next_batch(&mut self) -> Result<Bytes, JournalError> {
        match self {
            Self::Endless => Ok(vec![0; 64 * 1024].into()),
            Self::ClosesAtOnce => Err(JournalError::Closed),
            Self::Damaged => Err(JournalError::Io(io::ErrorKind::InvalidData.into())),
            _ => std::future::pending().await,
        }
    }
}

fn job() -> Job {
    Job {
        composition: CompositionId::new("c"),
        start: MediaTime(0),
        layout: LayoutSpec::Grid(GridSpec {
            featured_participant_attribute: String::new(),
            grid_gap: 2,
            omit_stopped_video: false,
            participant_order_attribute: String::new(),
            video_aspect_ratio: VideoAspectRatio::Video,
            video_fill_mode: None,
        }),
        encoders: vec![EncoderSpec {
            width: 320,
            height: 180,
            fps: FrameRate::whole(30),
            bitrate: 500_000,
            keyframe_every: vec![60],
            thumbnail_every: None,
        }],
        resume: None,
    }
}

/// One supervised composition.
struct Run {
    handle: SupervisorHandle,
    events: mpsc::Receiver<WorkerEvent>,
    journal: Arc<Told>,
    pictures: Vec<u64>,
    deaths: Vec<String>,
}

impl Run {
    fn of(role: &str, attaches: &[Attach]) -> Self {
        let mut environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        environment.push((ROLE.into(), role.into()));
        let test = "supervisor::tests::played_worker";
        let program = WorkerProgram {
            executable: std::env::current_exe().unwrap(),
            args: ["--exact", test, "--nocapture"].map(Into::into).into(),
            environment,
        };
        let journal = Arc::new(Told {
            attaches: Mutex::new(attaches.iter().copied().collect()),
            asked: Mutex::default(),
        });
        let (sender, events) = mpsc::channel(1);
        Self {
            handle: supervise(program, job(), Arc::clone(&journal), sender),
            events,
            journal,
            pictures: Vec::new(),
            deaths: Vec::new(),
        }
    }

    async fn next(&mut self) -> WorkerEvent {
        let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
        let event = event.expect("something happens").expect("not over");
        match &event {
            WorkerEvent::Video(unit) => self.pictures.push(unit.k),
            WorkerEvent::Died { cause } => self.deaths.push(cause.clone()),
            _ => {}
        }
        event
    }

    async fn until_pictures(&mut self, count: usize) {
        while self.pictures.len() < count {
            self.next().await;
        }
    }

    /// Reads to the last event.
    async fn end(&mut self) -> Result<(), SupervisorError> {
        loop {
            match self.next().await {
                WorkerEvent::Ended => return Ok(()),
                WorkerEvent::Failed(error) => return Err(error),
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_worker_that_never_takes_its_job_is_given_up_after_its_sixth_death() {
    let mut run = Run::of("dies before its job", &[]);
    let end = run.end().await;
    assert!(matches!(end, Err(SupervisorError::DiesTooOften { .. })));
    assert_eq!(run.deaths.len(), WORKER_DEATHS_MAX);
}

#[tokio::test]
async fn what_workers_die_of_is_found_and_does_not_count() {
    let mut run = Run::of("dies of poison", &[]);
    while run.deaths.len() < WORKER_DEATHS_MAX + 4 {
        run.next().await;
    }
    let is_explained = |death: &String| death.contains("skipped from now on");
    let explained: Vec<&String> = run.deaths.iter().filter(|it| is_explained(it)).collect();
    assert!(explained[0].ends_with(": 5 of track 7") && explained[1].ends_with(": 9 of track 7"));
    assert_eq!(explained.len(), 2, "{:?}", run.deaths);
    // Four of its deaths are explained.
    assert!(matches!(
        run.end().await,
        Err(SupervisorError::DiesTooOften { .. })
    ));
    assert_eq!(run.deaths.len(), WORKER_DEATHS_MAX + 4);
}

#[tokio::test]
async fn a_stop_before_the_first_picture_ends_well() {
    let mut run = Run::of("works", &[]);
    run.handle.stop(MediaTime(0));
    assert!(run.end().await.is_ok());
    assert_eq!(run.pictures, [0, 1, 2]);
    assert_eq!(run.deaths, [""; 0]);
}

#[tokio::test]
async fn a_successor_is_told_to_stop_as_well() {
    let mut run = Run::of("dies after each three", &[]);
    run.until_pictures(3).await;
    run.handle.stop(MediaTime(0));
    let end = run.end().await;
    assert!(matches!(end, Err(SupervisorError::DiesTooOften { .. })));
    assert_eq!(run.pictures, (0..18).collect::<Vec<_>>());
}

#[tokio::test]
async fn numbers_never_come_twice() {
    let mut run = Run::of("repeats itself", &[]);
    run.handle.stop(MediaTime(0));
    assert!(run.end().await.is_ok());
    assert_eq!(run.pictures, (0..6).collect::<Vec<_>>());
    assert!(run.deaths[0].starts_with("it sent frame 2, the next one is 3"));
}

#[tokio::test]
async fn a_worker_that_hangs_while_it_has_work_is_succeeded() {
    for role in ["hangs", "takes nothing"] {
        let mut run = Run::of(role, &[Attach::Endless]);
        run.until_pictures(3).await;
        run.handle.stop(MediaTime(0));
        assert!(run.end().await.is_ok());
        assert_eq!(run.pictures, (0..6).collect::<Vec<_>>());
        assert!(run.deaths[0].starts_with("it said nothing for"));
    }
}

#[tokio::test]
async fn a_worker_that_hangs_after_the_end_of_the_journal_is_not_waited_for() {
    let mut run = Run::of("hangs", &[Attach::ClosesAtOnce, Attach::Closed]);
    assert!(run.end().await.is_ok());
    assert_eq!(run.pictures, [0, 1, 2]);
    assert_eq!(run.deaths.len(), 1);
}

#[tokio::test]
async fn a_slow_listener_is_not_the_workers_death() {
    let mut run = Run::of("works", &[Attach::Endless]);
    tokio::time::sleep(2 * SILENCE_MAX).await;
    run.handle.stop(MediaTime(0));
    assert!(run.end().await.is_ok());
    assert_eq!(run.deaths, [""; 0]);
}

#[tokio::test]
async fn a_session_that_ends_before_the_stop_time_ends_the_composition() {
    let mut run = Run::of("needs the whole journal", &[Attach::ClosesAtOnce]);
    run.handle.stop(MediaTime(u64::MAX));
    assert!(run.end().await.is_ok());
}

#[tokio::test]
async fn a_session_that_ended_with_the_worker_ends_the_composition() {
    let mut run = Run::of("dies after each three", &[Attach::Quiet, Attach::Closed]);
    assert!(run.end().await.is_ok());
    assert_eq!(run.pictures, [0, 1, 2]);
}

#[tokio::test]
async fn a_stage_without_session_cannot_be_composed() {
    let mut run = Run::of("works", &[Attach::Closed]);
    let end = run.end().await;
    assert!(matches!(
        end,
        Err(SupervisorError::Journal(JournalError::Closed))
    ));
}

#[tokio::test]
async fn a_successor_begins_with_what_is_there_when_the_journal_is_gone() {
    let mut run = Run::of("names a place to go on", &[Attach::Quiet, Attach::Gone]);
    run.handle.stop(MediaTime(0));
    assert!(run.end().await.is_ok());
    assert_eq!(run.pictures, (0..6).collect::<Vec<_>>());
    let asked = run.journal.asked.lock().clone();
    assert_eq!(asked, [None, Some(JournalSeq(5)), None]);
}

#[tokio::test]
async fn a_successor_begins_with_what_is_there_when_the_journal_is_damaged() {
    let mut run = Run::of("works", &[Attach::Damaged, Attach::Quiet]);
    run.handle.stop(MediaTime(0));
    assert!(run.end().await.is_ok());
    assert_eq!(run.deaths.len(), 1);
    assert_eq!(*run.journal.asked.lock(), [None, None]);
}

#[tokio::test]
async fn a_worker_ends_with_its_listener() {
    let mut run = Run::of("hangs", &[]);
    let WorkerEvent::Spawned { pid } = run.next().await else {
        panic!("it is told first");
    };
    run.until_pictures(3).await;
    drop(run);
    let gone = async {
        while std::path::Path::new(&format!("/proc/{pid}")).exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("it ends");
}
