//! The control plane's memory: SQLite, one file in the data folder, or PostgreSQL. Everything is scoped by account.
//!
//! Reads go straight to the pool; every write runs in a transaction that takes the write lock first, so that quotas,
//! conflicts and idempotency hold under concurrent requests, and numbers have no gaps and the order of the commits.

mod channel_recordings;
mod channels;
mod checked;
mod composition;
mod compositions;
mod connection_tokens;
mod database;
mod deliveries;
mod error;
pub(crate) mod events;
mod history;
mod linked;
mod playback;
mod replicas;
mod resources;
pub(crate) mod streams;
mod tags;
mod tokens;

use std::path::Path;
use std::sync::Arc;

use sqlx::AnyPool;

use crate::ids;
use crate::pagination::PageKey;
use crate::quotas::Quotas;
pub use crate::store::channel_recordings::ChannelRecording;
pub use crate::store::channels::ChannelFilter;
pub use crate::store::composition::{
    CompositionFilter, CompositionProgress, DestinationProgress, NewComposition, Requested,
    StartOutcome, StoredComposition,
};
pub use crate::store::database::Database;
pub(crate) use crate::store::database::WriteTransaction;
use crate::store::database::Writers;
pub use crate::store::deliveries::Delivery;
pub use crate::store::error::StoreError;
pub use crate::store::events::{KeptEvents, StoredEvent};
pub use crate::store::history::{
    About, ParticipantFilter, StoredParticipant, StoredParticipantEvent, StoredSession,
};
pub use crate::store::linked::Linked;
pub use crate::store::playback::{Revocation, TokenUse};
pub use crate::store::replicas::{NewReplica, Replica, ReplicaSource};
pub(crate) use crate::store::resources::plain_json;
pub use crate::store::resources::{Deletion, NewResource, Record, Resource};
pub use crate::store::streams::{
    STREAM_EVENTS_MAX, StoredStreamSession, StreamChange, StreamEntry, StreamNews, StreamSessionRow,
};
pub use crate::store::tokens::KnownToken;

/// Handle to the database; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: AnyPool,
    writers: Writers,
    page_key: PageKey,
    quotas: Arc<Quotas>,
}

impl Store {
    /// Opens the database file, creates it when there is none, and brings its schema up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::connect(&Database::Sqlite(path.to_owned())).await
    }

    /// Connects to the database and brings its schema up to date.
    pub async fn connect(database: &Database) -> Result<Self, StoreError> {
        let pool = database.connect().await?;
        sqlx::migrate!("./migrations").run(&pool).await?;
        let writers = Writers::new(database);
        let page_key = PageKey::new(secret(&pool, "page-token").await?);
        Ok(Self {
            pool,
            writers,
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

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let _: i64 = sqlx::query_scalar("SELECT count(*) FROM webhook")
            .fetch_one(&self.pool)
            .await?;
        Ok(())
    }

    /// Finishes running statements and closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Resolves when the store is being closed.
    pub async fn closing(&self) {
        self.pool.close_event().await;
    }

    /// A transaction that holds the write lock from its start.
    pub(crate) async fn write(&self) -> Result<WriteTransaction, StoreError> {
        self.writers.begin(&self.pool).await
    }
}

/// The key of that name, made at the first call.
async fn secret(pool: &AnyPool, name: &str) -> Result<[u8; 32], StoreError> {
    sqlx::query("INSERT INTO secret (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(name)
        .bind(hex::encode(ids::secret_key()))
        .execute(pool)
        .await?;
    let value: String = sqlx::query_scalar("SELECT value FROM secret WHERE name = $1")
        .bind(name)
        .fetch_one(pool)
        .await?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(&value, &mut bytes).map_err(|_| StoreError::Corrupt {
        what: format!("secret {name}: must be 32 bytes in hexadecimal"),
        source: None,
    })?;
    Ok(bytes)
}
