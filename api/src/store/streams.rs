//! Stream sessions and their events.

use compositor_core::time::WallTime;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::arn::Arn;
use crate::event::{DetailType, NewEvent};
use crate::pagination::{Page, PageRequest};
use crate::store::checked;
use crate::store::{Store, StoreError, WriteTransaction, events};

/// Events of a session that are kept (IVS model); the oldest go.
pub const STREAM_EVENTS_MAX: i64 = 500;

/// An event in the list of its session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamEntry {
    /// When it happened.
    pub at: WallTime,
    /// As in the envelope's `detail-type`.
    pub detail_type: String,
    /// The event's, the limit's or the status' name.
    pub name: String,
    /// A failure's code.
    pub code: Option<String>,
}

/// What changes about a session, besides the event that tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StreamChange {
    /// It begins.
    Begun {
        /// JSON, given back as it is.
        snapshot: String,
    },
    /// What the publisher sends is known.
    Ingest {
        /// JSON, given back as it is.
        description: String,
    },
    /// It is over.
    Ended,
    /// Nothing but its events.
    Nothing,
}

/// Something that happened to a session.
#[derive(Clone, Debug)]
pub struct StreamNews {
    /// The channel.
    pub channel: Arn,
    /// The session.
    pub stream_id: String,
    /// When.
    pub at: WallTime,
    /// What changes.
    pub change: StreamChange,
    /// What the world is told, and the session's entry for it.
    pub event: Option<(NewEvent, StreamEntry)>,
}

/// A session in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamSessionRow {
    /// `st-` and 23 alphanumerics.
    pub stream_id: String,
    /// When it began.
    pub started_at: WallTime,
    /// When it ended, if it has.
    pub ended_at: Option<WallTime>,
    /// Whether a limit was breached, or something failed.
    pub has_error: bool,
}

/// A whole session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredStreamSession {
    /// What lists have of it.
    pub row: StreamSessionRow,
    /// Of which channel.
    pub channel: Arn,
    /// As it was given.
    pub snapshot: String,
    /// As it was given.
    pub ingest: Option<String>,
    /// Newest first.
    pub events: Vec<StreamEntry>,
}

const COLUMNS: &str = "stream_id, channel_arn, started_at, ended_at, has_error, snapshot, ingest";

/// Adds an event to the list of a session, if the session is known. True only when `tx` commits.
pub(crate) async fn append_stream_event(
    tx: &mut WriteTransaction,
    stream_id: &str,
    entry: &StreamEntry,
) -> Result<(), StoreError> {
    let is_error =
        entry.detail_type == DetailType::LimitBreach.as_str() || entry.name.ends_with("Failure");
    let known = sqlx::query(
        "UPDATE stream_session SET has_error = has_error + $2 * (1 - has_error) WHERE stream_id = $1",
    )
    .bind(stream_id)
    .bind(i64::from(is_error))
    .execute(&mut **tx)
    .await?;
    if known.rows_affected() == 0 {
        return Ok(());
    }
    let last: i64 = sqlx::query_scalar(
        "SELECT COALESCE(MAX(number), 0) FROM stream_event WHERE stream_id = $1",
    )
    .bind(stream_id)
    .fetch_one(&mut **tx)
    .await?;
    sqlx::query(
        "INSERT INTO stream_event (stream_id, number, at, type, name, code) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(stream_id)
    .bind(last + 1)
    .bind(entry.at.0)
    .bind(&entry.detail_type)
    .bind(&entry.name)
    .bind(&entry.code)
    .execute(&mut **tx)
    .await?;
    sqlx::query("DELETE FROM stream_event WHERE stream_id = $1 AND number <= $2")
        .bind(stream_id)
        .bind(last + 1 - STREAM_EVENTS_MAX)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

impl Store {
    /// Keeps what happened, with the event that tells it. A beginning that is kept already is not kept again.
    pub async fn record_stream(&self, news: &StreamNews) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        if !change(&mut tx, news).await? {
            return Ok(());
        }
        if let Some((event, entry)) = &news.event {
            append_stream_event(&mut tx, &news.stream_id, entry).await?;
            events::append(&mut tx, event).await?;
        }
        tx.commit().await
    }

    /// A page of the sessions of a channel, newest first. Pages count backwards from the end of time.
    pub async fn list_stream_sessions(
        &self,
        account: &str,
        channel: &Arn,
        page: PageRequest,
    ) -> Result<Page<StreamSessionRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM stream_session WHERE account = $1 AND channel_arn = $2 AND started_at < $3 \
             ORDER BY started_at DESC LIMIT $4"
        );
        let rows = sqlx::query(&sql)
            .bind(account)
            .bind(channel.to_string())
            .bind(i64::MAX - page.after)
            .bind(i64::from(page.limit) + 1)
            .fetch_all(&self.pool)
            .await?;
        let rows: Result<Vec<StreamSessionRow>, StoreError> = rows.iter().map(read_row).collect();
        Ok(Page::cut(rows?, page.limit, |row| {
            i64::MAX - row.started_at.0
        }))
    }

    /// A session of a channel; without an id, its newest.
    pub async fn find_stream_session(
        &self,
        account: &str,
        channel: &Arn,
        stream_id: Option<&str>,
    ) -> Result<Option<StoredStreamSession>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM stream_session WHERE account = $1 AND channel_arn = $2 \
             AND ($3 = '' OR stream_id = $3) ORDER BY started_at DESC LIMIT 1"
        );
        let row = sqlx::query(&sql)
            .bind(account)
            .bind(channel.to_string())
            .bind(stream_id.unwrap_or_default())
            .fetch_optional(&self.pool)
            .await?;
        match row {
            Some(row) => Ok(Some(self.whole(&row).await?)),
            None => Ok(None),
        }
    }

    /// Sessions that an earlier run of the server left open.
    pub async fn unfinished_stream_sessions(&self) -> Result<Vec<StoredStreamSession>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM stream_session WHERE ended_at IS NULL");
        let rows = sqlx::query(&sql).fetch_all(&self.pool).await?;
        let mut sessions = Vec::new();
        for row in &rows {
            sessions.push(self.whole(row).await?);
        }
        Ok(sessions)
    }

    /// Forgets sessions that ended before then.
    pub async fn forget_stream_sessions(&self, before: WallTime) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        for sql in [
            "DELETE FROM stream_event WHERE stream_id IN \
             (SELECT stream_id FROM stream_session WHERE ended_at < $1)",
            "DELETE FROM stream_session WHERE ended_at < $1",
        ] {
            sqlx::query(sql).bind(before.0).execute(&mut *tx).await?;
        }
        tx.commit().await
    }

    async fn whole(&self, row: &AnyRow) -> Result<StoredStreamSession, StoreError> {
        let channel: String = row.try_get("channel_arn")?;
        let session = read_row(row)?;
        let events = sqlx::query(
            "SELECT at, type, name, code FROM stream_event WHERE stream_id = $1 ORDER BY number DESC",
        )
        .bind(&session.stream_id)
        .fetch_all(&self.pool)
        .await?;
        let events: Result<Vec<StreamEntry>, StoreError> = events.iter().map(read_entry).collect();
        let opened = |kept: &str| checked::open(&session.stream_id, kept).map(str::to_owned);
        let ingest: Option<&str> = row.try_get("ingest")?;
        Ok(StoredStreamSession {
            channel: super::resources::read_arn(&channel)?,
            snapshot: opened(row.try_get("snapshot")?)?,
            ingest: ingest.map(opened).transpose()?,
            row: session,
            events: events?,
        })
    }
}

/// Whether it is news.
async fn change(tx: &mut WriteTransaction, news: &StreamNews) -> Result<bool, StoreError> {
    let changed = match &news.change {
        StreamChange::Nothing => return Ok(true),
        StreamChange::Begun { snapshot } => sqlx::query(
            "INSERT INTO stream_session (stream_id, account, channel_arn, started_at, snapshot) \
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(&news.stream_id)
        .bind(news.channel.account())
        .bind(news.channel.to_string())
        .bind(news.at.0)
        .bind(checked::seal(snapshot.clone()))
        .execute(&mut **tx)
        .await?,
        StreamChange::Ingest { description } => {
            sqlx::query("UPDATE stream_session SET ingest = $2 WHERE stream_id = $1")
                .bind(&news.stream_id)
                .bind(checked::seal(description.clone()))
                .execute(&mut **tx)
                .await?
        }
        StreamChange::Ended => {
            sqlx::query(
                "UPDATE stream_session SET ended_at = $2 WHERE stream_id = $1 AND ended_at IS NULL",
            )
            .bind(&news.stream_id)
            .bind(news.at.0)
            .execute(&mut **tx)
            .await?
        }
    };
    let is_news = changed.rows_affected() > 0;
    Ok(is_news)
}

fn read_row(row: &AnyRow) -> Result<StreamSessionRow, StoreError> {
    let has_error: i64 = row.try_get("has_error")?;
    let ended_at: Option<i64> = row.try_get("ended_at")?;
    Ok(StreamSessionRow {
        stream_id: row.try_get("stream_id")?,
        started_at: WallTime(row.try_get("started_at")?),
        ended_at: ended_at.map(WallTime),
        has_error: has_error != 0,
    })
}

fn read_entry(row: &AnyRow) -> Result<StreamEntry, StoreError> {
    Ok(StreamEntry {
        at: WallTime(row.try_get("at")?),
        detail_type: row.try_get("type")?,
        name: row.try_get("name")?,
        code: row.try_get("code")?,
    })
}
