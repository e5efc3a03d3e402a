//! Events: appended in the transaction of the change that they report, read in the order of their numbers.

use compositor_core::time::WallTime;
use sqlx::Row;
use sqlx::any::AnyRow;
use tokio::sync::watch;

use crate::event::NewEvent;
use crate::store::checked;
use crate::store::deliveries::newest_event;
use crate::store::{Store, StoreError, WriteTransaction};

const SEQUENCE_PREFIX: &str = "event/";

/// Events that are removed in one transaction.
const REMOVED_AT_ONCE: i64 = 5000;

/// An event as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredEvent {
    /// Its place among the events of the account, from 1.
    pub number: i64,
    /// As in the envelope.
    pub detail_type: String,
    /// What is delivered.
    pub envelope: String,
}

/// Which of an account's events are still kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeptEvents {
    /// The number of the first one that is still there; of the next one when there is none.
    pub oldest: i64,
    /// The last number given, 0 before the first event.
    pub newest: i64,
}

impl KeptEvents {
    /// Whether everything after that number is here, and the number is one of ours.
    pub fn all_after(&self, number: i64) -> bool {
        (self.oldest - 1..=self.newest).contains(&number)
    }
}

/// Numbers the events of an account.
pub(super) fn sequence(account: &str) -> String {
    format!("{SEQUENCE_PREFIX}{account}")
}

/// Keeps an event, numbered after the last one of its account. True only when `tx` commits.
pub(crate) async fn append(tx: &mut WriteTransaction, event: &NewEvent) -> Result<i64, StoreError> {
    let number = tx.next(&sequence(&event.account)).await?;
    sqlx::query(
        "INSERT INTO event (account, number, at, detail_type, resource, envelope) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&event.account)
    .bind(number)
    .bind(event.at.0)
    .bind(event.detail_type.as_str())
    .bind(&event.resource)
    .bind(checked::seal(event.envelope.clone()))
    .execute(&mut **tx)
    .await?;
    tx.announce_events();
    Ok(number)
}

impl Store {
    /// Keeps events that report nothing that is in the store.
    pub async fn append_events(&self, events: &[NewEvent]) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        for event in events {
            append(&mut tx, event).await?;
        }
        tx.commit().await
    }

    /// The account's next events after that number, oldest first.
    pub async fn events_after(
        &self,
        account: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT number, detail_type, envelope FROM event WHERE account = $1 AND number > $2 \
             ORDER BY number LIMIT $3",
        )
        .bind(account)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(read_row).collect()
    }

    /// Which events of the account are still here.
    pub async fn kept_events(&self, account: &str) -> Result<KeptEvents, StoreError> {
        let mut connection = self.pool.acquire().await?;
        // In this order: what is removed meanwhile makes the answer stricter, never too lenient.
        let newest = newest_event(&mut connection, account).await?;
        let oldest: Option<i64> = sqlx::query_scalar(
            "SELECT number FROM event WHERE account = $1 ORDER BY number LIMIT 1",
        )
        .bind(account)
        .fetch_optional(&mut *connection)
        .await?;
        Ok(KeptEvents {
            oldest: oldest.unwrap_or(newest + 1),
            newest,
        })
    }

    /// Removes of every account what happened before `before`, and all but the last `keep` events. Oldest first, so that no
    /// gap appears. Answers how many went.
    pub async fn remove_old_events(&self, before: WallTime, keep: u32) -> Result<u64, StoreError> {
        let counters: Vec<(String, i64)> =
            sqlx::query_as("SELECT name, value FROM counter WHERE name LIKE 'event/%'")
                .fetch_all(&self.pool)
                .await?;
        let mut removed = 0;
        for (name, newest) in counters {
            let account = name.strip_prefix(SEQUENCE_PREFIX).unwrap_or(&name);
            let recent: Option<i64> = sqlx::query_scalar(
                "SELECT number FROM event WHERE account = $1 AND at >= $2 ORDER BY number LIMIT 1",
            )
            .bind(account)
            .bind(before.0)
            .fetch_optional(&self.pool)
            .await?;
            let first_kept = recent
                .unwrap_or(newest + 1)
                .max(newest - i64::from(keep) + 1);
            removed += self.remove_events_below(account, first_kept).await?;
        }
        Ok(removed)
    }

    /// In small transactions: others want to write too.
    async fn remove_events_below(&self, account: &str, end: i64) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            let kept = self.kept_events(account).await?;
            if kept.oldest >= end {
                return Ok(removed);
            }
            let mut tx = self.write().await?;
            let done = sqlx::query("DELETE FROM event WHERE account = $1 AND number < $2")
                .bind(account)
                .bind(end.min(kept.oldest + REMOVED_AT_ONCE))
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            removed += done.rows_affected();
        }
    }

    /// Changes after every commit that appended events, of any account.
    pub fn event_commits(&self) -> watch::Receiver<u64> {
        self.writers.events()
    }
}

fn read_row(row: &AnyRow) -> Result<StoredEvent, StoreError> {
    let number = row.try_get("number")?;
    Ok(StoredEvent {
        number,
        detail_type: row.try_get("detail_type")?,
        envelope: envelope(number, row.try_get("envelope")?)?,
    })
}

/// Reads the envelope of an event back.
pub(super) fn envelope(number: i64, kept: &str) -> Result<String, StoreError> {
    checked::open(&format!("event {number}"), kept).map(str::to_owned)
}
