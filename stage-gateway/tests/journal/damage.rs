//! Files that were torn or changed: what is read is what was written, and readers begin anew behind it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use compositor_core::journal::{Gap, JournalSeq, Record, RecordBody};
use compositor_core::sink::{JournalError, JournalReader};
use compositor_core::time::WallTime;
use stage_gateway::journal::{Journal, JournalConfig};
use tempfile::TempDir;

use super::{
    PATIENCE, attach, check_same, composition, files, fill, media, open, read_to, recorded,
    records, small_segments, snapshot, units,
};

#[tokio::test]
async fn a_tail_torn_at_any_byte_is_cut_off_and_the_journal_goes_on() {
    let (recorded, all) = recorded().await;
    let newest = files(recorded.path()).pop().expect("there are files");
    let whole = std::fs::read(&newest).expect("it can be read");
    let dir = TempDir::new().expect("a temporary folder");
    for cut in 0..=whole.len() {
        for file in files(dir.path()) {
            std::fs::remove_file(file).expect("it is ours");
        }
        for file in files(recorded.path()) {
            let name = file.file_name().expect("files have names");
            std::fs::copy(&file, dir.path().join(name)).expect("it can be copied");
        }
        let torn = dir
            .path()
            .join(newest.file_name().expect("files have names"));
        std::fs::write(&torn, &whole[..cut]).expect("it can be written");
        let (mut journal, found) =
            Journal::open(dir.path(), small_segments()).expect("a torn journal opens");
        let found = found.expect("earlier segments are whole");
        assert!(found.end.0 as usize <= all.len());
        let gap = Gap {
            resumed_at: WallTime(1),
            lost_us: 2,
        };
        journal
            .resume(found.time.plus(Duration::from_millis(33)), gap)
            .expect("it goes on");
        journal.tick(media(1000));
        let mut reader = journal
            .attach(
                media(1000),
                &composition("reader"),
                Some(JournalSeq(0)),
                snapshot,
            )
            .expect("everything is kept");
        let kept = read_to(&mut reader, journal.end()).await;
        let before = found.end.0 as usize;
        check_same(&kept[..before], &all[..before]);
        assert_eq!(kept[before].body, RecordBody::Gap(gap));
        if cut == whole.len() {
            assert_eq!(before, all.len());
        }
        journal.close().await;
    }
}

#[tokio::test]
async fn damage_at_any_byte_of_the_tail_never_yields_a_wrong_record() {
    let (recorded, all) = recorded().await;
    let newest = files(recorded.path()).pop().expect("there are files");
    let whole = std::fs::read(&newest).expect("it can be read");
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x55;
        std::fs::write(&newest, &damaged).expect("it can be written");
        let (index, found) =
            Journal::open(recorded.path(), small_segments()).expect("a damaged journal opens");
        let found = found.expect("earlier segments are whole");
        let mut reader = index.reader(JournalSeq(0));
        let kept = read_to(&mut reader, found.end).await;
        check_same(&kept, &all[..kept.len()]);
        drop(index);
        std::fs::write(&newest, &whole).expect("it can be written");
    }
}

/// Every record that a damaged copy of `recorded` still hands out is the one that was written.
async fn check_damaged(recorded: &TempDir, all: &[Record], file: &Path, content: &[u8]) {
    let dir = TempDir::new().expect("a temporary folder");
    for file in files(recorded.path()) {
        let name = file.file_name().expect("files have names");
        std::fs::copy(&file, dir.path().join(name)).expect("it can be copied");
    }
    let name = file.file_name().expect("files have names");
    std::fs::write(dir.path().join(name), content).expect("it can be written");
    let (journal, found) = Journal::open(dir.path(), small_segments()).expect("it opens");
    let end = found.map_or(JournalSeq(0), |found| found.end);
    let mut reader = journal.reader(JournalSeq(0));
    while reader.position() < end {
        let batch = tokio::time::timeout(PATIENCE, reader.next_batch());
        // An error names what is damaged or missing; whoever reads begins anew behind it.
        let Ok(mut batch) = batch.await.expect("something comes") else {
            break;
        };
        while let Some(record) = Record::decode(&mut batch).expect("what comes is whole") {
            assert!(record == all[record.seq.0 as usize], "{:?}", record.seq);
        }
    }
}

/// Where the data of a unit is in its record.
const UNIT_DATA_AT: usize = 8 + 17 + 7;

#[tokio::test]
async fn a_reader_that_attaches_anew_begins_behind_damage() {
    // In the length of a record, its checksum, its body.
    for place in [0, 5, 12, UNIT_DATA_AT + 3] {
        let dir = TempDir::new().expect("a temporary folder");
        let mut journal = open(dir.path(), JournalConfig::default());
        let mut reader = attach(&mut journal, "c");
        fill(&mut journal, 0..20, 100);
        let all = read_to(&mut reader, JournalSeq(41)).await;
        let [file] = &files(dir.path())[..] else {
            panic!("one file is enough");
        };
        let mut bytes = std::fs::read(file).expect("it can be read");
        let data = bytes
            .windows(10)
            .position(|at| at == [7, 0, 0, 0, 0, 0, 0, 0, 7, 7]);
        bytes[data.expect("unit 7 is there") - UNIT_DATA_AT + place] ^= 0x40;
        let damaged = File::options().write(true).open(file);
        let damaged = damaged.expect("it can be written");
        damaged.write_all_at(&bytes, 0).expect("it can be written");
        let mut again = journal.reader(JournalSeq(0));
        let before = records(again.next_batch().await.expect("what lies before is whole"));
        check_same(&before, &all[..before.len()]);
        assert!(matches!(again.next_batch().await, Err(JournalError::Io(_))));
        let mut anew = attach(&mut journal, "c");
        fill(&mut journal, 20..22, 100);
        let read = read_to(&mut anew, JournalSeq(46)).await;
        assert_eq!(units(&read), [20, 21]);
    }
}

#[tokio::test]
async fn damage_in_any_file_never_yields_a_wrong_record() {
    let (recorded, all) = recorded().await;
    for file in files(recorded.path()) {
        let whole = std::fs::read(&file).expect("it can be read");
        for place in (0..whole.len()).step_by(43) {
            check_damaged(&recorded, &all, &file, &whole[..place]).await;
            let mut damaged = whole.clone();
            damaged[place] ^= 1 << (place % 8);
            check_damaged(&recorded, &all, &file, &damaged).await;
        }
    }
}
