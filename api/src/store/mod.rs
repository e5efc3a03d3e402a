//! The control plane's memory: SQLite, one file in the data folder. Everything is scoped by account.
//!
//! Reads go straight to the pool; every write that decides something runs in a transaction that takes the write lock
//! first, so that quotas, conflicts and idempotency hold under concurrent requests.

mod composition;
mod compositions;
mod error;
mod resources;
mod tags;
mod tokens;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::ids;
use crate::pagination::PageKey;
use crate::quotas::Quotas;
pub use crate::store::composition::{
    CompositionFilter, CompositionProgress, DestinationProgress, NewComposition, Requested,
    StartOutcome, StoredComposition,
};
pub use crate::store::error::StoreError;
pub use crate::store::resources::{Deletion, NewResource, Record, Resource};

/// SQLite has one writer; readers beyond this only wait for the disk.
const CONNECTIONS_MAX: u32 = 8;

/// How long a request waits for the write lock or a connection before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Handle to the database; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
    page_key: PageKey,
    quotas: Arc<Quotas>,
}

impl Store {
    /// Opens the database file, creates it when there is none, and brings its schema up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(BUSY_TIMEOUT)
            .connect_with(options)
            .await?;
        keep_private(path)?;
        sqlx::migrate!("./migrations").run(&pool).await?;
        let page_key = PageKey::new(secret(&pool, "page-token").await?);
        Ok(Self {
            pool,
            page_key,
            quotas: Arc::new(Quotas::default()),
        })
    }

    /// The same store with other quotas than the documented ones.
    pub fn with_quotas(self, quotas: Quotas) -> Self {
        Self {
            quotas: Arc::new(quotas),
            ..self
        }
    }

    /// How many of what an account may have.
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// What signs page tokens.
    pub fn page_key(&self) -> &PageKey {
        &self.page_key
    }

    /// Finishes running statements and closes the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A transaction that holds the write lock from its start.
    async fn write(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// The key of that name, made at the first call.
async fn secret(pool: &SqlitePool, name: &str) -> Result<[u8; 32], StoreError> {
    sqlx::query("INSERT INTO secret (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING")
        .bind(name)
        .bind(ids::secret_key().as_slice())
        .execute(pool)
        .await?;
    let value: Vec<u8> = sqlx::query_scalar("SELECT value FROM secret WHERE name = ?")
        .bind(name)
        .fetch_one(pool)
        .await?;
    value.try_into().map_err(|_| StoreError::Corrupt {
        what: format!("secret {name}: must be 32 bytes"),
        source: None,
    })
}

/// The file holds stream keys: nobody else on the machine reads it.
fn keep_private(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(|source| {
        StoreError::File {
            path: path.to_owned(),
            source,
        }
    })
}
