//! The store on both databases: what must hold on the one must hold on the other.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod events;
mod parts;
#[path = "../postgres/mod.rs"]
mod postgres;
mod recordings;
mod replicas;
mod resources;
mod restarts;
mod stage_history;
mod webhooks;

use std::future::Future;

use api::store::{Database, Store};
use tempfile::TempDir;

/// Runs the test with a store in SQLite, then with one in PostgreSQL.
async fn on_both<F: Future<Output = ()>>(test: impl Fn(Fixture) -> F) {
    let folder = TempDir::new().unwrap();
    let file = Database::Sqlite(folder.path().join("store.db"));
    for database in [file, postgres::database().await] {
        let store = Store::connect(&database).await.unwrap();
        test(Fixture {
            store: store.clone(),
            database,
        })
        .await;
        store.close().await;
    }
}

/// A store of its own.
struct Fixture {
    store: Store,
    database: Database,
}

impl Fixture {
    /// The same store in a new process.
    async fn restarted(self) -> Self {
        self.store.close().await;
        Self {
            store: Store::connect(&self.database).await.unwrap(),
            database: self.database,
        }
    }
}
