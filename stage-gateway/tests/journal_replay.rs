//! Replaying journals that were kept: from the files alone, which are never changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use compositor_core::access_unit::{AccessUnit, Codec};
use compositor_core::id::{CompositionId, Layer, TrackId};
use compositor_core::journal::{JournalSeq, Record, RecordBody};
use compositor_core::sink::JournalReader;
use compositor_core::time::MediaTime;
use stage_gateway::journal::{Journal, JournalConfig, Replay, ReplayError};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(10);

/// Segment files of some 2 KB.
fn config(keep: Duration) -> JournalConfig {
    JournalConfig {
        segment_bytes_max: 2000,
        keep,
        ..JournalConfig::default()
    }
}

/// A journal of 60 units of 100 bytes, one each second, that was read and given up.
async fn journal(dir: &Path, keep: Duration) -> (Journal, JournalSeq) {
    let (mut journal, _) = Journal::open(dir, config(keep)).expect("the folder can be written");
    let composition = CompositionId::new("c");
    let mut reader = journal
        .attach(MediaTime(0), &composition, None, Vec::new)
        .expect("a reader starts");
    for n in 0..60 {
        let at = MediaTime(n * 1_000_000_000);
        let unit = AccessUnit {
            track: TrackId(1),
            layer: Layer(0),
            pts: at,
            codec: Codec::Vp8,
            keyframe: true,
            discontinuity: false,
            data: Bytes::from(vec![n as u8; 100]),
        };
        journal.append(at, RecordBody::AccessUnit(unit));
        journal.tick(at);
    }
    while reader.position() < journal.end() {
        let batch = tokio::time::timeout(PATIENCE, reader.next_batch()).await;
        batch.expect("records come").expect("they can be read");
    }
    journal.checkpoint(&composition, reader.position());
    journal.detach(&composition);
    let end = journal.end();
    (journal, end)
}

fn replayed(dir: &Path) -> Vec<Result<Record, ReplayError>> {
    Replay::open(dir).expect("there are files").collect()
}

fn sequence(records: &[Result<Record, ReplayError>]) -> Vec<u64> {
    let seqs = records.iter().flatten().map(|record| record.seq.0);
    seqs.collect()
}

fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(dir).expect("it is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    paths
        .map(|path| (path.clone(), std::fs::read(path).expect("it can be read")))
        .collect()
}

#[tokio::test]
async fn what_is_kept_is_replayed_whole_and_left_as_it_is() {
    let dir = TempDir::new().unwrap();
    let (_journal, end) = journal(dir.path(), Duration::from_secs(3600)).await;
    let before = files(dir.path());
    assert!(before.len() > 3, "several files");
    let all: Vec<u64> = (0..end.0).collect();
    assert_eq!(sequence(&replayed(dir.path())), all);
    assert_eq!(files(dir.path()), before);
}

#[tokio::test]
async fn a_rotated_journal_begins_with_its_oldest_record() {
    let dir = TempDir::new().unwrap();
    let (_journal, end) = journal(dir.path(), Duration::from_secs(3600)).await;
    let oldest = files(dir.path()).into_keys().next().unwrap();
    std::fs::remove_file(oldest).unwrap();
    let seqs = sequence(&replayed(dir.path()));
    assert!(seqs[0] > 0);
    assert_eq!(seqs, (seqs[0]..end.0).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_torn_end_ends_it_and_is_not_cut_off() {
    let dir = TempDir::new().unwrap();
    let (_journal, end) = journal(dir.path(), Duration::from_secs(3600)).await;
    let (newest, bytes) = files(dir.path()).into_iter().next_back().unwrap();
    std::fs::write(&newest, &bytes[..bytes.len() - 3]).unwrap();
    let records = replayed(dir.path());
    assert!(records.iter().all(Result::is_ok));
    assert_eq!(records.len() as u64, end.0 - 1);
    assert_eq!(std::fs::read(newest).unwrap().len(), bytes.len() - 3);
}

#[tokio::test]
async fn damage_and_holes_before_the_end_are_errors() {
    let dir = TempDir::new().unwrap();
    let (_journal, _) = journal(dir.path(), Duration::from_secs(3600)).await;
    let second = files(dir.path()).into_keys().nth(1).unwrap();
    let whole = std::fs::read(&second).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    std::fs::write(&second, damaged).unwrap();
    let last = replayed(dir.path()).pop().unwrap();
    assert!(matches!(last, Err(ReplayError::Record { path, .. }) if path == second));

    std::fs::remove_file(&second).unwrap();
    let last = replayed(dir.path()).pop().unwrap();
    assert!(matches!(last, Err(ReplayError::Hole { .. })));
}

#[test]
fn a_folder_without_a_journal_is_named() {
    let dir = TempDir::new().unwrap();
    let error = Replay::open(dir.path()).expect_err("nothing is there");
    assert!(
        error
            .to_string()
            .contains(&dir.path().display().to_string())
    );
}

/// The first records of the files that are left.
fn firsts(dir: &Path) -> Vec<u64> {
    let entries = std::fs::read_dir(dir).expect("it is there");
    let names = entries.map(|entry| entry.expect("it can be read").file_name());
    let mut firsts: Vec<u64> = names
        .filter_map(|name| name.to_str()?.strip_suffix(".journal")?.parse().ok())
        .collect();
    firsts.sort_unstable();
    firsts
}

/// Files are removed by a thread.
async fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let reached = tokio::time::timeout(PATIENCE, async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    });
    assert!(reached.await.is_ok(), "{what}");
}

#[tokio::test]
async fn what_is_older_than_it_is_kept_goes_also_when_nobody_reads() {
    let dir = TempDir::new().unwrap();
    let (mut journal, _) = journal(dir.path(), Duration::from_secs(30)).await;
    // Two records a second; the file in which the half minute begins stays.
    let oldest = || firsts(dir.path())[0] / 2;
    wait_until("half a minute is left", || (10..30).contains(&oldest())).await;
    journal.tick(MediaTime(3_600_000_000_000));
    wait_until("the newest file is left", || firsts(dir.path()).len() == 1).await;
}
