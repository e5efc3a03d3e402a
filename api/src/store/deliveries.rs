//! What webhooks have not acknowledged yet. Of each resource, only the earliest event is due: the later ones wait for it.

use compositor_core::time::WallTime;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use crate::store::events::envelope;
use crate::store::{Store, StoreError, WriteTransaction};

/// Events that become deliveries in one transaction.
const ENQUEUED_AT_ONCE: i64 = 256;

/// An event that a webhook is to be told now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Of the event.
    pub number: i64,
    /// Which the event is about.
    pub resource: String,
    /// When the event happened.
    pub at: WallTime,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// What is sent; `None` when the retention has removed the event.
    pub envelope: Option<String>,
}

impl Store {
    /// Makes known which webhooks there are, by identifier and account. A new one begins with the next event; what is left
    /// of others is forgotten.
    pub async fn register_webhooks(&self, webhooks: &[(String, String)]) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let known: Vec<String> = sqlx::query_scalar("SELECT id FROM webhook")
            .fetch_all(&mut *tx)
            .await?;
        for gone in known
            .iter()
            .filter(|id| !webhooks.iter().any(|(kept, _)| kept == *id))
        {
            for sql in [
                "DELETE FROM delivery WHERE webhook = $1",
                "DELETE FROM webhook WHERE id = $1",
            ] {
                sqlx::query(sql).bind(gone).execute(&mut *tx).await?;
            }
        }
        for (id, account) in webhooks {
            let newest = newest_event(&mut tx, account).await?;
            sqlx::query(
                "INSERT INTO webhook (id, account, position) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
            )
            .bind(id)
            .bind(account)
            .bind(newest)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await
    }

    /// Makes deliveries of the next events that the webhook wants. Answers whether there may be more.
    pub async fn enqueue_deliveries(
        &self,
        webhook: &str,
        now: WallTime,
        wants: impl Fn(&str) -> bool + Send,
    ) -> Result<bool, StoreError> {
        // Most of the time there is nothing new, and no reason to keep writers out.
        let new: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM (SELECT 1 FROM webhook w JOIN event e ON e.account = w.account \
             AND e.number > w.position WHERE w.id = $1 LIMIT 1) found",
        )
        .bind(webhook)
        .fetch_one(&self.pool)
        .await?;
        if new == 0 {
            return Ok(false);
        }
        let mut tx = self.write().await?;
        let rows = sqlx::query(
            "SELECT e.account, e.number, e.at, e.detail_type, e.resource FROM webhook w JOIN event e \
             ON e.account = w.account AND e.number > w.position WHERE w.id = $1 ORDER BY e.number LIMIT $2",
        )
        .bind(webhook)
        .bind(ENQUEUED_AT_ONCE)
        .fetch_all(&mut *tx)
        .await?;
        for row in &rows {
            if wants(row.try_get("detail_type")?) {
                enqueue(&mut tx, webhook, now, row).await?;
            }
        }
        if let Some(last) = rows.last() {
            sqlx::query("UPDATE webhook SET position = $1 WHERE id = $2")
                .bind(last.try_get::<i64, _>("number")?)
                .bind(webhook)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(rows.len() as i64 == ENQUEUED_AT_ONCE)
    }

    /// What is due by `now`, longest waiting first.
    pub async fn due_deliveries(
        &self,
        webhook: &str,
        now: WallTime,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let rows = sqlx::query(
            "SELECT d.number, d.resource, d.at, d.attempts, e.envelope FROM delivery d \
             LEFT JOIN event e ON e.account = d.account AND e.number = d.number \
             WHERE d.webhook = $1 AND d.due <= $2 ORDER BY d.due, d.number LIMIT $3",
        )
        .bind(webhook)
        .bind(now.0)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(read_row).collect()
    }

    /// How many events each webhook has not taken yet.
    pub async fn waiting_deliveries(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT w.id, count(d.number) FROM webhook w LEFT JOIN delivery d ON d.webhook = w.id \
             GROUP BY w.id ORDER BY w.id",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// When the next one is due.
    pub async fn next_delivery(&self, webhook: &str) -> Result<Option<WallTime>, StoreError> {
        let due: Option<i64> = sqlx::query_scalar(
            "SELECT due FROM delivery WHERE webhook = $1 AND due IS NOT NULL ORDER BY due LIMIT 1",
        )
        .bind(webhook)
        .fetch_optional(&self.pool)
        .await?;
        Ok(due.map(WallTime))
    }

    /// The event was delivered or given up: the next one of its resource is due.
    pub async fn end_delivery(
        &self,
        webhook: &str,
        delivery: &Delivery,
        now: WallTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM delivery WHERE webhook = $1 AND number = $2")
            .bind(webhook)
            .bind(delivery.number)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "UPDATE delivery SET due = $1 WHERE webhook = $2 AND number = \
             (SELECT min(number) FROM delivery WHERE webhook = $3 AND resource = $4)",
        )
        .bind(now.0)
        .bind(webhook)
        .bind(webhook)
        .bind(&delivery.resource)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// The event was not delivered: it is tried again at `due`.
    pub async fn retry_delivery(
        &self,
        webhook: &str,
        delivery: &Delivery,
        due: WallTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query(
            "UPDATE delivery SET due = $1, attempts = $2 WHERE webhook = $3 AND number = $4",
        )
        .bind(due.0)
        .bind(i64::from(delivery.attempts) + 1)
        .bind(webhook)
        .bind(delivery.number)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }
}

async fn enqueue(
    tx: &mut WriteTransaction,
    webhook: &str,
    now: WallTime,
    event: &AnyRow,
) -> Result<(), StoreError> {
    let resource: &str = event.try_get("resource")?;
    let earlier: Option<i64> = sqlx::query_scalar(
        "SELECT number FROM delivery WHERE webhook = $1 AND resource = $2 LIMIT 1",
    )
    .bind(webhook)
    .bind(resource)
    .fetch_optional(&mut **tx)
    .await?;
    sqlx::query(
        "INSERT INTO delivery (webhook, number, account, resource, at, attempts, due) \
         VALUES ($1, $2, $3, $4, $5, 0, $6)",
    )
    .bind(webhook)
    .bind(event.try_get::<i64, _>("number")?)
    .bind(event.try_get::<&str, _>("account")?)
    .bind(resource)
    .bind(event.try_get::<i64, _>("at")?)
    .bind(earlier.is_none().then_some(now.0))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The number of the account's last event, 0 when it never had one.
pub(super) async fn newest_event(
    connection: &mut AnyConnection,
    account: &str,
) -> Result<i64, StoreError> {
    let newest: Option<i64> = sqlx::query_scalar("SELECT value FROM counter WHERE name = $1")
        .bind(super::events::sequence(account))
        .fetch_optional(connection)
        .await?;
    Ok(newest.unwrap_or(0))
}

fn read_row(row: &AnyRow) -> Result<Delivery, StoreError> {
    let attempts: i64 = row.try_get("attempts")?;
    let number = row.try_get("number")?;
    let kept: Option<&str> = row.try_get("envelope")?;
    Ok(Delivery {
        number,
        resource: row.try_get("resource")?,
        at: WallTime(row.try_get("at")?),
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        envelope: kept.map(|kept| envelope(number, kept)).transpose()?,
    })
}
