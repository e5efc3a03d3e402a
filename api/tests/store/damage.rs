//! What a disk does to the database file: cut off anywhere, bits that are not what was written. Whatever is still answered
//! is what was written.

use std::path::Path;

use api::event::NewEvent;
use api::store::{Database, Store, StoreError};
use serde_json::Value;
use sqlx::Connection;
use tempfile::TempDir;

use crate::parts::{ACCOUNT, TestRecord, connection, event, events, insert_stage};

const STAGES: usize = 60;
/// Damages of each kind and file.
const DAMAGES: u64 = 60;

/// What is in a store: the names of stages, and the details of events.
#[derive(PartialEq, Debug, Default)]
struct Held {
    stages: Vec<String>,
    events: Vec<(i64, Value)>,
}

async fn fill(store: &Store) {
    for n in 0..STAGES {
        insert_stage(store, ACCOUNT, &format!("stage{n}"), &name(n))
            .await
            .unwrap();
        let events: [NewEvent; 1] = [event(ACCOUNT, "c", n)];
        store.append_events(&events).await.unwrap();
    }
}

fn name(n: usize) -> String {
    format!("the stage number {n}")
}

/// Everything that can be read; the stages in the order in which they were made, up to the first that is not there.
async fn read(store: &Store) -> Result<Held, StoreError> {
    let mut held = Held::default();
    for n in 0..STAGES {
        let arn = crate::parts::arn(api::arn::ArnKind::Stage, &format!("stage{n}"));
        let Some(found) = store.find::<TestRecord>(ACCOUNT, &arn).await? else {
            break;
        };
        held.stages.push(found.record.name);
    }
    store.events_after(ACCOUNT, 0, 10_000).await?;
    held.events = events(store, ACCOUNT).await;
    Ok(held)
}

async fn open_and_read(path: &Path) -> Result<Held, StoreError> {
    let store = Store::open(path).await?;
    let held = read(&store).await;
    store.close().await;
    held
}

/// The content of the database file when everything is in it.
async fn checkpointed(path: &Path) -> Vec<u8> {
    let mut connection = connection(&Database::Sqlite(path.to_owned())).await;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    std::fs::read(path).unwrap()
}

/// Copies the database, damages one of its files, and reads what it holds then.
async fn damaged(
    files: &[(&str, Vec<u8>)],
    which: usize,
    damage: impl FnOnce(&mut Vec<u8>),
) -> Result<Held, StoreError> {
    let folder = TempDir::new().unwrap();
    let mut damage = Some(damage);
    for (n, (file, content)) in files.iter().enumerate() {
        let mut content = content.clone();
        if n == which {
            damage.take().unwrap()(&mut content);
        }
        std::fs::write(folder.path().join(file), content).unwrap();
    }
    open_and_read(&folder.path().join("store.db")).await
}

/// xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

#[tokio::test]
async fn a_damaged_database_file_answers_nothing_wrong() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let store = Store::open(&path).await.unwrap();
    fill(&store).await;
    let whole = read(&store).await.unwrap();
    store.close().await;
    let files = [("store.db", checkpointed(&path).await)];
    assert_eq!(damaged(&files, 0, |_| {}).await.unwrap(), whole);

    let mut random = Random(0x5EED_DA7A);
    let bytes = files[0].1.len();
    let (mut refused, mut unharmed) = (0, 0);
    for _ in 0..DAMAGES {
        let at = 1 + random.below(bytes - 1);
        let found = damaged(&files, 0, |content| content.truncate(at)).await;
        assert!(found.is_err(), "cut at {at}");
        let bit = random.below(bytes * 8);
        match damaged(&files, 0, |content| content[bit / 8] ^= 1 << (bit % 8)).await {
            Ok(held) => {
                assert_eq!(held, whole, "bit {bit}");
                unharmed += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(
        refused > 0 && unharmed > 0,
        "{refused} refused, {unharmed} unharmed"
    );
}

#[tokio::test]
async fn a_damaged_write_ahead_log_is_as_if_the_last_changes_were_never_made() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let store = Store::open(&path).await.unwrap();
    fill(&store).await;
    let whole = read(&store).await.unwrap();
    let log = "store.db-wal";
    // Nobody writes now, so these belong together, as after the death of the process.
    let files =
        ["store.db", log].map(|file| (file, std::fs::read(folder.path().join(file)).unwrap()));
    store.close().await;
    assert!(files[1].1.len() > 4096, "changes are in the log");
    assert_eq!(damaged(&files, 1, |_| {}).await.unwrap(), whole);

    let mut random = Random(0x5EED_10C5);
    let bytes = files[1].1.len();
    let mut shorter = 0;
    for n in 0..DAMAGES {
        let place = random.below(bytes * 8);
        let damage = |content: &mut Vec<u8>| {
            if n % 2 == 0 {
                content.truncate(place / 8);
            } else {
                content[place / 8] ^= 1 << (place % 8);
            }
        };
        let held = damaged(&files, 1, damage).await.unwrap();
        assert_eq!(held.stages, whole.stages[..held.stages.len()]);
        assert_eq!(held.events, whole.events[..held.events.len()]);
        assert!(
            held.stages.len() - held.events.len() <= 1,
            "in the order of the commits"
        );
        shorter += u32::from(held != whole);
    }
    assert!(shorter > 0);
}

#[tokio::test]
async fn the_doctor_and_the_server_name_a_damaged_database() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let store = Store::open(&path).await.unwrap();
    fill(&store).await;
    store.close().await;
    let mut content = checkpointed(&path).await;
    content[4096..].fill(0);
    std::fs::write(&path, content).unwrap();
    let database = Database::Sqlite(path);
    for error in [
        database.examine().await.unwrap_err(),
        Store::connect(&database).await.unwrap_err(),
    ] {
        let text = compositor_core::error_chain::error_chain(&error);
        assert!(
            text.contains("store.db is damaged") || text.contains("malformed"),
            "{text}"
        );
    }
}
