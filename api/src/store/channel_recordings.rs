//! Recordings of channels that are not over. A row goes with the event that tells of its end.

use serde::{Deserialize, Serialize};
use sqlx::Row;

use crate::event::recording::{RecordingNews, RecordingSession};
use crate::store::resources::{from_json, to_json};
use crate::store::{Store, StoreError, WriteTransaction, events, streams};

/// What is kept of a channel's recording until it is over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChannelRecording {
    /// As events name it.
    pub session: RecordingSession,
    /// Whether its start was told.
    pub is_started: bool,
    /// Whether a stream is being recorded, rather than waited for.
    pub is_streaming: bool,
}

impl Store {
    /// Keeps a recording from its beginning on. It may be asked again.
    pub async fn begin_channel_recording(
        &self,
        recording: &ChannelRecording,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO channel_recording (session_id, channel_arn, record) VALUES ($1, $2, $3) \
             ON CONFLICT DO NOTHING",
        )
        .bind(&recording.session.id)
        .bind(recording.session.channel.to_string())
        .bind(to_json(recording)?)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// Keeps the present state of a recording, unless it is over, with the event that tells of it.
    pub async fn keep_channel_recording(
        &self,
        recording: &ChannelRecording,
        news: Option<&RecordingNews>,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query("UPDATE channel_recording SET record = $2 WHERE session_id = $1")
            .bind(&recording.session.id)
            .bind(to_json(recording)?)
            .execute(&mut *tx)
            .await?;
        if let Some(news) = news {
            tell(&mut tx, news).await?;
        }
        tx.commit().await
    }

    /// Forgets a recording that is over, and tells of it.
    pub async fn end_channel_recording(
        &self,
        session_id: &str,
        news: &RecordingNews,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM channel_recording WHERE session_id = $1")
            .bind(session_id)
            .execute(&mut *tx)
            .await?;
        tell(&mut tx, news).await?;
        tx.commit().await
    }

    /// The recordings that are not over.
    pub async fn channel_recordings(&self) -> Result<Vec<ChannelRecording>, StoreError> {
        let rows =
            sqlx::query("SELECT session_id, record FROM channel_recording ORDER BY session_id")
                .fetch_all(&self.pool)
                .await?;
        let read = |row: &sqlx::any::AnyRow| {
            let id: String = row.try_get("session_id")?;
            let record: String = row.try_get("record")?;
            from_json(&format!("channel recording {id}"), &record)
        };
        rows.iter().map(read).collect()
    }
}

async fn tell(tx: &mut WriteTransaction, news: &RecordingNews) -> Result<(), StoreError> {
    streams::append_stream_event(tx, &news.stream_id, &news.entry).await?;
    events::append(tx, &news.event).await?;
    Ok(())
}
