//! What a disk does to a spool: files that are cut off anywhere, bits that are not what was written. What is finished from
//! such a spool holds nothing wrong, and whoever cannot be finished says so and stays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use compositor_core::error_chain::error_chain;
use compositor_core::time::FrameRate;
use recorder::{Recording, RecordingEvent, RecordingOutcome, recover};

use crate::support::check::framemd5;
use crate::support::media::Media;
use crate::support::random::Random;
use crate::support::server::{Fault, Server};
use crate::support::{PREFIX, clock, crash, events_until, feed, spec, store};

const FPS: FrameRate = FrameRate::whole(30);
const FRAMES: u32 = 215;
/// Damages of each kind and file.
const DAMAGES: u64 = 6;

/// A spool whose process died, and the bucket of that moment: one segment is uploaded, two are sealed, one is open.
struct Abandoned {
    dir: tempfile::TempDir,
    media: Media,
    /// What its undamaged copy is finished as: the segments, and the checksums of their pictures.
    segments: Vec<Vec<u8>>,
    pictures: Vec<String>,
}

/// What came of a damaged copy.
#[derive(PartialEq, Eq, Debug)]
enum Outcome {
    /// It was finished.
    Finished,
    /// It was not, with this explanation.
    Refused(String),
}

/// A copy of spool and bucket.
struct Copy {
    dir: tempfile::TempDir,
}

impl Abandoned {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let media = Media::make(dir.path(), FPS, FRAMES);
        let server = Server::start(&dir.path().join("buckets")).await;
        let spool = dir.path().join("spools").join("one");
        let store = store(&server.endpoint).await;
        let (recording, events) = Recording::start(spec(&media, &spool), store, clock())
            .await
            .expect("it begins");
        feed(&recording, &media, 0..70).await;
        eventually("the first segment is uploaded", || {
            let ledger = std::fs::read_to_string(spool.join("ledger.jsonl"));
            ledger.is_ok_and(|ledger| ledger.contains(r#"{"DONE":{"object":{"segment":0}}}"#))
                && server.puts("multivariant.m3u8") > 0
        })
        .await;
        server.fail_all(Some(Fault::Cut));
        feed(&recording, &media, 70..u64::from(FRAMES)).await;
        let open = spool.join("open").join("3.units");
        eventually("the last unit is in the spool", || {
            let sound = media.audio.last().expect("there is sound");
            std::fs::read(&open).is_ok_and(|units| units.ends_with(sound))
        })
        .await;
        crash(recording, events).await;
        let mut abandoned = Self {
            dir,
            media,
            segments: Vec::new(),
            pictures: Vec::new(),
        };
        let copy = abandoned.copy();
        assert_eq!(copy.finish().await, Outcome::Finished);
        abandoned.segments = copy.segments().into_values().collect();
        abandoned.pictures = copy.pictures();
        assert_eq!(abandoned.segments.len(), 4);
        assert!(abandoned.pictures == framemd5(&abandoned.media.video_file));
        abandoned
    }

    fn copy(&self) -> Copy {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for part in ["spools", "buckets"] {
            copy_folder(&self.dir.path().join(part), &dir.path().join(part));
        }
        Copy { dir }
    }

    /// Damages `file` of a copy by `damage`, and finishes it. However that ends, what is in the bucket is right: whole
    /// segments as they were, and a last one that may be shorter.
    async fn with(&self, file: &str, damage: impl FnOnce(&mut Vec<u8>)) -> (Outcome, Copy) {
        let copy = self.copy();
        let path = copy.spool().join(file);
        let mut bytes = std::fs::read(&path).expect("is there");
        damage(&mut bytes);
        std::fs::write(&path, bytes).expect("is ours");
        let outcome = copy.finish().await;
        let segments = copy.segments();
        let same = (segments.iter()).filter(|(i, segment)| self.segments[**i] == **segment);
        let same = same.count();
        match &outcome {
            Outcome::Finished if same < self.segments.len() => {
                let pictures = copy.pictures();
                assert!(
                    self.pictures.starts_with(&pictures),
                    "{file}: other pictures"
                );
                assert!(segments.len() - same <= 1, "{file}: other segments");
            }
            Outcome::Finished => {}
            Outcome::Refused(error) => {
                assert_eq!(same, segments.len(), "{file}: other segments");
                assert!(copy.spool().exists(), "{file}: the spool stays: {error}");
            }
        }
        (outcome, copy)
    }
}

impl Copy {
    fn spool(&self) -> PathBuf {
        self.dir.path().join("spools").join("one")
    }

    /// As at the start of a server.
    async fn finish(&self) -> Outcome {
        let server = Server::start(&self.dir.path().join("buckets")).await;
        let store = store(&server.endpoint).await;
        let root = self.dir.path().join("spools");
        let mut found = recover(&root, &store, |_| RecordingOutcome::Ended)
            .await
            .expect("the folder can be read");
        let mut recovery = match found.pop().expect("there is a spool") {
            Ok(recovery) => recovery,
            Err(error) => return Outcome::Refused(error_chain(&error)),
        };
        let is_last = |event: &RecordingEvent| {
            matches!(
                event,
                RecordingEvent::Finished { .. }
                    | RecordingEvent::SpoolFailed { .. }
                    | RecordingEvent::Rejected { .. }
            )
        };
        let events = events_until(&mut recovery.events, is_last).await;
        server.check_rules();
        match events.into_iter().next_back().expect("there is a last") {
            RecordingEvent::SpoolFailed { error } | RecordingEvent::Rejected { error, .. } => {
                Outcome::Refused(error)
            }
            _ => Outcome::Finished,
        }
    }

    fn hls(&self) -> PathBuf {
        let bucket = self.dir.path().join("buckets").join("recordings");
        bucket.join(PREFIX).join("media/hls")
    }

    fn segments(&self) -> BTreeMap<usize, Vec<u8>> {
        let folder = self.hls().join("180p30-AAAABBBBCCCC");
        let number = |path: &Path| path.file_stem()?.to_str()?.parse().ok();
        let found = std::fs::read_dir(folder).expect("is there");
        found
            .filter_map(|entry| {
                let path = entry.expect("can be read").path();
                let is_segment = path.extension().is_some_and(|it| it == "ts");
                let bytes = is_segment.then(|| std::fs::read(&path).expect("can be read"));
                Some((number(&path)?, bytes?))
            })
            .collect()
    }

    fn pictures(&self) -> Vec<String> {
        framemd5(&self.hls().join("multivariant.m3u8"))
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("is there") {
        let path = entry.expect("can be read").path();
        let target = to.join(path.file_name().expect("files have names"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("can be copied");
        }
    }
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    let limit = std::time::Duration::from_secs(60);
    let waited = tokio::time::timeout(limit, waiting).await;
    waited.unwrap_or_else(|_| panic!("{what}: no longer waiting"));
}

fn cut(at: usize) -> impl FnOnce(&mut Vec<u8>) {
    move |bytes| bytes.truncate(at)
}

fn flip(bit: usize) -> impl FnOnce(&mut Vec<u8>) {
    move |bytes| bytes[bit / 8] ^= 1 << (bit % 8)
}

#[track_caller]
fn check_refused(outcome: &Outcome, file: &str) {
    match outcome {
        Outcome::Refused(error) => assert!(error.contains(file), "{error}"),
        Outcome::Finished => panic!("{file} was damaged, and that was not seen"),
    }
}

#[tokio::test]
async fn a_damaged_spool_yields_nothing_wrong() {
    let abandoned = Abandoned::new().await;
    let mut random = Random::new(0x00D1_5C0F_F00D);
    let len = |file: &str| {
        let path = abandoned.dir.path().join("spools").join("one").join(file);
        std::fs::metadata(path).expect("is there").len()
    };

    // Units end with the first damaged one.
    let file = "open/3.units";
    for _ in 0..DAMAGES {
        let at = random.below(len(file)) as usize;
        let (outcome, _) = abandoned.with(file, cut(at)).await;
        assert_eq!(outcome, Outcome::Finished, "cut at {at}");
        let bit = random.below(len(file) * 8) as usize;
        let (outcome, copy) = abandoned.with(file, flip(bit)).await;
        assert_eq!(outcome, Outcome::Finished, "bit {bit}");
        assert!(copy.segments() != abandoned.segments.iter().cloned().enumerate().collect());
    }

    // What cannot be made again is not uploaded.
    for file in ["recording.json", "objects/1.ts", "objects/2.ts"] {
        for _ in 0..DAMAGES {
            let name = file.rsplit('/').next().expect("a name");
            let at = random.below(len(file) - 1) as usize;
            check_refused(&abandoned.with(file, cut(at)).await.0, name);
            let bit = random.below((len(file) - 1) * 8) as usize;
            check_refused(&abandoned.with(file, flip(bit)).await.0, name);
        }
    }

    // Of the ledger the last lines may be missing; other damage is told, or what is missing is found in the bucket.
    let file = "ledger.jsonl";
    let mut refused = 0;
    for _ in 0..3 * DAMAGES {
        let at = random.below(len(file)) as usize;
        refused += u32::from(abandoned.with(file, cut(at)).await.0 != Outcome::Finished);
        let bit = random.below(len(file) * 8) as usize;
        refused += u32::from(abandoned.with(file, flip(bit)).await.0 != Outcome::Finished);
    }
    assert!(refused > 0, "lines that were on the disk are missed");
    // A line that loss of power tore: the segment is made again, or was not begun to be uploaded.
    let (outcome, _) = abandoned.with(file, cut(len(file) as usize - 1)).await;
    assert_eq!(outcome, Outcome::Finished);
}
