//! The journal on real files: sudden deaths, several readers, retention and overload.

mod damage;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use compositor_core::access_unit::{AccessUnit, Codec};
use compositor_core::id::{CompositionId, Layer, TrackId};
use compositor_core::journal::{ClockMapping, JournalSeq, MappingCause, Record, RecordBody};
use compositor_core::roster::RosterChange;
use compositor_core::sink::{JournalError, JournalReader};
use compositor_core::time::{MediaTime, WallTime};
use stage_gateway::journal::limits::READ_BATCH_BYTES;
use stage_gateway::journal::{Follower, Journal, JournalConfig, JournalEvent};
use tempfile::TempDir;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

fn composition(name: &str) -> CompositionId {
    CompositionId::new(name)
}

fn media(ms: u64) -> MediaTime {
    MediaTime(ms * 1_000_000)
}

fn unit(n: u64, bytes: usize) -> RecordBody {
    let mut data = n.to_le_bytes().to_vec();
    data.resize(bytes.max(8), n as u8);
    RecordBody::AccessUnit(AccessUnit {
        track: TrackId(1),
        layer: Layer(0),
        pts: media(n),
        codec: Codec::Vp8,
        keyframe: n.is_multiple_of(10),
        discontinuity: false,
        data: Bytes::from(data),
    })
}

fn snapshot() -> Vec<RecordBody> {
    vec![RecordBody::Roster(RosterChange::Snapshot(vec![]))]
}

fn small_segments() -> JournalConfig {
    JournalConfig {
        segment_bytes_max: 2000,
        ..JournalConfig::default()
    }
}

fn open(dir: &Path, config: JournalConfig) -> Journal {
    Journal::open(dir, config)
        .expect("the folder can be written")
        .0
}

fn attach(journal: &mut Journal, name: &str) -> Follower {
    journal
        .attach(media(0), &composition(name), None, snapshot)
        .expect("a new reader starts")
}

/// Appends units `range`, each followed by a tick.
fn fill(journal: &mut Journal, range: std::ops::Range<u64>, bytes: usize) {
    for n in range {
        journal.append(media(n), unit(n, bytes));
        journal.tick(media(n));
    }
}

fn records(mut batch: Bytes) -> Vec<Record> {
    let mut records = vec![];
    while let Some(record) = Record::decode(&mut batch).expect("batches hold whole records") {
        records.push(record);
    }
    assert!(batch.is_empty(), "a batch ends with a whole record");
    records
}

/// Reads up to but without `end`; checks that the sequence has no hole.
async fn read_to(reader: &mut Follower, end: JournalSeq) -> Vec<Record> {
    let mut all: Vec<Record> = vec![];
    let mut next = reader.position();
    while next < end {
        let batch = tokio::time::timeout(PATIENCE, reader.next_batch()).await;
        for record in records(batch.expect("records come").expect("records can be read")) {
            assert_eq!(record.seq, next);
            next = JournalSeq(next.0 + 1);
            all.push(record);
        }
        assert_eq!(reader.position(), next);
    }
    all
}

fn units(records: &[Record]) -> Vec<u64> {
    let number = |record: &Record| match &record.body {
        RecordBody::AccessUnit(unit) => Some(u64::from_le_bytes(
            unit.data[..8].try_into().expect("eight bytes"),
        )),
        _ => None,
    };
    records.iter().filter_map(number).collect()
}

/// Compares without printing all of it.
#[track_caller]
fn check_same(found: &[Record], expected: &[Record]) {
    let seqs = |records: &[Record]| {
        (
            records.first().map(|r| r.seq),
            records.last().map(|r| r.seq),
        )
    };
    assert_eq!(seqs(found), seqs(expected));
    assert!(found == expected, "the records differ");
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    files.sort();
    files
}

/// Waits until `condition` holds; the writer thread works on its own.
async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

#[tokio::test]
async fn nothing_is_written_while_nobody_reads() {
    let dir = TempDir::new().expect("a temporary folder");
    let mut journal = open(dir.path(), JournalConfig::default());
    fill(&mut journal, 0..10, 100);
    assert!(!journal.is_active());
    assert_eq!(journal.end(), JournalSeq(0));
    journal.close().await;
    assert_eq!(files(dir.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_new_reader_starts_at_its_snapshot_and_follows_live() {
    let dir = TempDir::new().expect("a temporary folder");
    let mut journal = open(dir.path(), JournalConfig::default());
    let mut first = attach(&mut journal, "first");
    fill(&mut journal, 0..5, 100);
    let mut second = attach(&mut journal, "second");
    fill(&mut journal, 5..8, 100);
    let end = journal.end();
    let all = read_to(&mut first, end).await;
    assert_eq!(units(&all), (0..8).collect::<Vec<_>>());
    let later = read_to(&mut second, end).await;
    assert_eq!(later[0].body, snapshot().remove(0));
    assert_eq!(units(&later), vec![5, 6, 7]);
    check_same(&later, &all[all.len() - later.len()..]);
    let watermarks = all
        .iter()
        .filter(|record| record.body == RecordBody::Watermark);
    assert_eq!(
        watermarks.map(|record| record.time).collect::<Vec<_>>(),
        (0..8).map(media).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_reader_that_gives_up_waiting_loses_nothing() {
    let dir = TempDir::new().expect("a temporary folder");
    let mut journal = open(dir.path(), small_segments());
    let mut reader = attach(&mut journal, "reader");
    let mut seen = vec![];
    for n in 0..200 {
        fill(&mut journal, n..n + 1, 100);
        let position = reader.position();
        // Polled once and dropped, with a read under way or not.
        let batch = tokio::select! {
            biased;
            batch = reader.next_batch() => Some(batch.expect("records can be read")),
            () = std::future::ready(()) => None,
        };
        if let Some(batch) = batch {
            let records = records(batch);
            assert_eq!(records[0].seq, position);
            seen.extend(records);
        }
    }
    seen.extend(read_to(&mut reader, journal.end()).await);
    assert_eq!(units(&seen), (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn readers_start_anywhere_and_cross_segments() {
    let dir = TempDir::new().expect("a temporary folder");
    let mut journal = open(dir.path(), small_segments());
    let mut reader = attach(&mut journal, "reader");
    fill(&mut journal, 0..100, 300);
    let all = read_to(&mut reader, journal.end()).await;
    assert!(files(dir.path()).len() > 10);
    for from in [0, 1, 7, 50, 99, 150, 200] {
        let mut reader = journal.reader(JournalSeq(from));
        let rest = read_to(&mut reader, journal.end()).await;
        check_same(&rest, &all[from as usize..]);
    }
}

#[tokio::test]
async fn batches_are_bounded_and_a_large_record_goes_alone() {
    let dir = TempDir::new().expect("a temporary folder");
    let mut journal = open(dir.path(), JournalConfig::default());
    let mut reader = attach(&mut journal, "reader");
    for n in 0..8 {
        journal.append(media(n), unit(n, 400_000));
    }
    journal.append(media(8), unit(8, 5_000_000));
    journal.tick(media(8));
    let end = journal.end();
    let mut seen = vec![];
    while reader.position() < end {
        let batch = reader.next_batch().await.expect("records can be read");
        let length = batch.len();
        let records = records(batch);
        assert!(length <= READ_BATCH_BYTES || records.len() == 1, "{length}");
        seen.extend(records);
    }
    assert_eq!(units(&seen), (0..9).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_far_start_in_a_large_segment_is_found_by_its_index() {
    let dir = TempDir::new().expect("a temporary folder");
    let mut journal = open(dir.path(), JournalConfig::default());
    let mut reader = attach(&mut journal, "reader");
    fill(&mut journal, 0..100, 100_000);
    let end = journal.end();
    let all = read_to(&mut reader, end).await;
    journal.close().await;
    let mut journal = open(dir.path(), JournalConfig::default());
    let from = JournalSeq(end.0 - 30);
    let mut reader = journal
        .attach(media(200), &composition("reader"), Some(from), snapshot)
        .expect("it is kept");
    check_same(&read_to(&mut reader, end).await, &all[all.len() - 30..]);
}

/// A journal of several segments, closed: its folder, its records and where each file's records end.
async fn recorded() -> (TempDir, Vec<Record>) {
    let dir = TempDir::new().expect("a temporary folder");
    let mut journal = open(dir.path(), small_segments());
    let mut reader = attach(&mut journal, "reader");
    fill(&mut journal, 0..30, 120);
    let all = read_to(&mut reader, journal.end()).await;
    journal.close().await;
    assert!(files(dir.path()).len() >= 3);
    (dir, all)
}

#[tokio::test]
async fn readers_end_after_the_last_record_of_a_closed_journal() {
    let dir = TempDir::new().expect("a temporary folder");
    let mut journal = open(dir.path(), JournalConfig::default());
    let mut reader = attach(&mut journal, "reader");
    journal.append(media(1), unit(1, 100));
    journal.close().await;
    let all = read_to(&mut reader, JournalSeq(2)).await;
    assert_eq!(units(&all), vec![1]);
    assert!(matches!(
        reader.next_batch().await,
        Err(JournalError::Closed)
    ));
}

#[tokio::test]
async fn a_hole_between_files_ends_the_journal_there() {
    let (recorded, _) = recorded().await;
    let files = files(recorded.path());
    let previous = &files[files.len() - 2];
    let whole = std::fs::read(previous).expect("it can be read");
    std::fs::write(previous, &whole[..whole.len() - 1]).expect("it can be written");
    let (journal, found) = Journal::open(recorded.path(), small_segments()).expect("it opens");
    let end = found.expect("earlier records are whole").end;
    let mut reader = journal.reader(JournalSeq(0));
    assert_eq!(read_to(&mut reader, end).await.len() as u64, end.0);
    assert!(!files[files.len() - 1].exists());
}

#[tokio::test]
async fn what_was_handed_over_survives_a_drop_without_close() {
    let dir = TempDir::new().expect("a temporary folder");
    let mut journal = open(dir.path(), JournalConfig::default());
    let mut reader = attach(&mut journal, "reader");
    fill(&mut journal, 0..20, 100);
    journal.append(media(20), unit(20, 100));
    let end = journal.end();
    drop(journal);
    read_to(&mut reader, end).await;
    let (_, found) = Journal::open(dir.path(), JournalConfig::default()).expect("it opens");
    let found = found.expect("records are there");
    assert_eq!((found.end, found.time), (end, media(19)));
    assert!(found.written_at > WallTime(0));
}

#[tokio::test]
async fn a_segment_goes_when_every_reader_is_past_it() {
    let dir = TempDir::new().expect("a temporary folder");
    let mut journal = open(dir.path(), small_segments());
    let mut first = attach(&mut journal, "first");
    let mut second = attach(&mut journal, "second");
    fill(&mut journal, 0..100, 300);
    let end = journal.end();
    let all = read_to(&mut first, end).await;
    let count = files(dir.path()).len();
    journal.checkpoint(&composition("first"), end);
    fill(&mut journal, 100..101, 300);
    assert_eq!(files(dir.path()).len(), count);

    let needed = JournalSeq(101);
    journal.checkpoint(&composition("second"), needed);
    eventually("files go", || files(dir.path()).len() < count / 2 + 2).await;
    let mut reader = journal.reader(needed);
    let rest = read_to(&mut reader, end).await;
    check_same(&rest[..all.len() - 101], &all[101..]);
    assert!(matches!(
        journal.attach(media(0), &composition("third"), Some(JournalSeq(0)), snapshot),
        Err(JournalError::Gone { wanted: 0, oldest }) if oldest <= 101 && oldest > 80
    ));
    // The second reader has not read what it gave up.
    assert!(matches!(
        second.next_batch().await,
        Err(JournalError::Gone { wanted: 1, .. })
    ));

    journal.detach(&composition("second"));
    journal.detach(&composition("first"));
    assert!(!journal.is_active());
    eventually("all files go", || files(dir.path()).is_empty()).await;
}

#[tokio::test]
async fn a_journal_that_is_read_again_continues_its_numbers() {
    let dir = TempDir::new().expect("a temporary folder");
    let mut journal = open(dir.path(), small_segments());
    attach(&mut journal, "first");
    fill(&mut journal, 0..20, 300);
    let end = journal.end();
    journal.detach(&composition("first"));
    fill(&mut journal, 20..30, 300);
    assert_eq!(journal.end(), end);
    let mut second = attach(&mut journal, "second");
    assert_eq!(second.position(), end);
    fill(&mut journal, 30..33, 300);
    assert_eq!(
        units(&read_to(&mut second, journal.end()).await),
        vec![30, 31, 32]
    );
}

#[tokio::test]
async fn the_disk_cap_takes_the_oldest_and_tells_whose_they_were() {
    let dir = TempDir::new().expect("a temporary folder");
    let config = JournalConfig {
        disk_bytes_max: 10_000,
        ..small_segments()
    };
    let mut journal = open(dir.path(), config);
    let mut reader = attach(&mut journal, "reader");
    for n in 0..100 {
        fill(&mut journal, n..n + 1, 300);
        read_to(&mut reader, journal.end()).await;
    }
    journal.tick(media(5000));
    let mut forced = None;
    while let Some(event) = journal.poll_event() {
        if let JournalEvent::CapForced { oldest, behind } = event {
            assert_eq!(behind, vec![composition("reader")]);
            forced = Some(oldest);
        }
    }
    let forced = forced.expect("the cap was reached");
    assert!(journal.disk_bytes() <= 10_000);
    let oldest = dir.path().join(format!("{:020}.journal", forced.0));
    eventually("files go", || files(dir.path()).first() == Some(&oldest)).await;
    let mut late = journal.reader(JournalSeq(0));
    let gone = late.next_batch().await;
    assert!(matches!(gone, Err(JournalError::Gone { wanted: 0, oldest }) if oldest == forced.0));
}

#[tokio::test]
async fn overload_drops_media_keeps_state_and_continues_with_a_keyframe() {
    let dir = TempDir::new().expect("a temporary folder");
    let config = JournalConfig {
        queue_bytes_max: 4000,
        ..JournalConfig::default()
    };
    let mut journal = open(dir.path(), config);
    let mut reader = attach(&mut journal, "reader");
    journal.tick(media(0));
    read_to(&mut reader, journal.end()).await;

    let mapping = RecordBody::ClockMapping(ClockMapping {
        track: TrackId(1),
        layer: Layer(0),
        rtp_ts: 5,
        media: media(1),
        clock_rate: 90_000,
        cause: MappingCause::Jump,
    });
    journal.append(media(1), unit(1, 5000));
    journal.append(media(1), mapping.clone());
    // Attached while what came before is refused: it starts where its snapshot can still be found.
    let mut second = attach(&mut journal, "second");
    journal.tick(media(1));
    assert_eq!(
        (journal.stats().units_dropped, journal.stats().bytes_dropped),
        (1, 5000)
    );
    assert!(matches!(
        journal.poll_event(),
        Some(JournalEvent::UnitsDropped { units: 1, bytes: 5000, layers })
            if layers == vec![(TrackId(1), Layer(0))]
    ));
    journal.append(media(2), unit(2, 100));
    journal.append(media(10), unit(10, 100));
    journal.append(media(11), unit(11, 100));
    journal.tick(media(12));
    let records = read_to(&mut reader, journal.end()).await;
    assert_eq!(records[0].body, mapping);
    assert_eq!(records[1].body, snapshot().remove(0));
    assert_eq!(units(&records), vec![10, 11]);
    check_same(&read_to(&mut second, journal.end()).await, &records);
    let flags: Vec<bool> = records
        .iter()
        .filter_map(|record| match &record.body {
            RecordBody::AccessUnit(unit) => Some(unit.discontinuity),
            _ => None,
        })
        .collect();
    assert_eq!(flags, vec![true, false]);
    assert_eq!(journal.stats().units_dropped, 2);
}

#[tokio::test]
async fn a_disk_that_refuses_is_tried_again_and_nothing_is_lost() {
    let parent = TempDir::new().expect("a temporary folder");
    let dir = parent.path().join("session");
    let mut journal = open(&dir, JournalConfig::default());
    std::fs::remove_dir(&dir).expect("it is empty");
    let mut reader = attach(&mut journal, "reader");
    fill(&mut journal, 0..5, 100);
    let mut n = 5;
    eventually("the failure is told", || {
        fill(&mut journal, n..n + 1, 100);
        n += 1;
        matches!(journal.poll_event(), Some(JournalEvent::WriteFailed { .. }))
    })
    .await;
    std::fs::create_dir(&dir).expect("it can be made");
    let all = read_to(&mut reader, journal.end()).await;
    assert_eq!(units(&all), (0..n).collect::<Vec<_>>());
    eventually("the recovery is told", || {
        fill(&mut journal, n..n + 1, 100);
        n += 1;
        matches!(journal.poll_event(), Some(JournalEvent::WriteRecovered))
    })
    .await;
}

#[tokio::test]
async fn what_an_earlier_run_left_goes_when_nobody_returns_for_it() {
    let (recorded, all) = recorded().await;
    let (mut journal, found) = Journal::open(recorded.path(), small_segments()).expect("it opens");
    assert_eq!(found.map(|found| found.end.0 as usize), Some(all.len()));
    journal.release();
    eventually("all files go", || files(recorded.path()).is_empty()).await;
    assert_eq!(journal.end().0 as usize, all.len());
}
