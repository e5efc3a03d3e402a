//! Events: appended in the transaction of the change that they report, read in the order of their numbers.

use sqlx::Row;
use sqlx::any::AnyRow;
use tokio::sync::watch;

use crate::event::NewEvent;
use crate::store::{Store, StoreError, WriteTransaction};

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

/// Keeps an event, numbered after the last one of its account. True only when `tx` commits.
pub(crate) async fn append(tx: &mut WriteTransaction, event: &NewEvent) -> Result<i64, StoreError> {
    let number = tx.next(&format!("event/{}", event.account)).await?;
    sqlx::query(
        "INSERT INTO event (account, number, at, detail_type, resource, envelope) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&event.account)
    .bind(number)
    .bind(event.at.0)
    .bind(event.detail_type.as_str())
    .bind(&event.resource)
    .bind(&event.envelope)
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

    /// Changes after every commit that appended events, of any account.
    pub fn event_commits(&self) -> watch::Receiver<u64> {
        self.writers.events()
    }
}

fn read_row(row: &AnyRow) -> Result<StoredEvent, StoreError> {
    Ok(StoredEvent {
        number: row.try_get("number")?,
        detail_type: row.try_get("detail_type")?,
        envelope: row.try_get("envelope")?,
    })
}
