//! What happened on stages, read back: sessions, participants and their events.

mod record;

use std::collections::BTreeMap;

use compositor_core::time::WallTime;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::arn::Arn;
use crate::pagination::{Page, PageRequest};
use crate::store::resources::from_json;
use crate::store::{Store, StoreError};

/// A stage session as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredSession {
    seq: i64,
    /// Its identifier.
    pub id: String,
    /// When it began.
    pub started_at: WallTime,
    /// When it ended, if it did.
    pub ended_at: Option<WallTime>,
}

/// A participant of a session as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredParticipant {
    seq: i64,
    /// Its identifier.
    pub id: String,
    /// Empty for none.
    pub user_id: String,
    /// Whether it is there now.
    pub connected: bool,
    /// Whether it ever published in the session.
    pub published: bool,
    /// Of individual participant recording.
    pub recording_state: String,
    /// When it came first.
    pub first_joined_at: WallTime,
    /// The rest.
    pub about: About,
}

/// What a participant says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct About {
    /// Of its token.
    pub attributes: BTreeMap<String, String>,
    /// Empty when unknown, as all that follow.
    pub browser_name: String,
    /// Of the browser.
    pub browser_version: String,
    /// The operating system.
    pub os_name: String,
    /// Of the operating system.
    pub os_version: String,
}

/// An event of a participant as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredParticipantEvent {
    seq: i64,
    /// As the API names it.
    pub name: String,
    /// When.
    pub at: WallTime,
    /// Of subscriptions: whom it receives.
    pub publisher: Option<String>,
    /// Of errors.
    pub error_code: Option<String>,
}

/// Which participants to list.
#[derive(Clone, Copy, Debug)]
pub enum ParticipantFilter<'a> {
    /// All.
    Everybody,
    /// Of this user.
    UserId(&'a str),
    /// Who ever published, or who never did.
    Published(bool),
    /// Who is there, or who is not.
    Connected(bool),
    /// Whose recording is in this state.
    RecordingState(&'a str),
}

const PARTICIPANT_COLUMNS: &str = "p.seq, p.id, p.user_id, p.connected, p.published, p.recording_state, \
                                   p.first_joined_at, p.about";

impl Store {
    /// The session that the stage has now.
    pub async fn active_stage_session(&self, stage: &Arn) -> Result<Option<String>, StoreError> {
        let sql = "SELECT id FROM stage_session WHERE stage_arn = $1 AND ended_at IS NULL \
                   ORDER BY seq DESC LIMIT 1";
        let found = sqlx::query_scalar(sql).bind(stage.to_string());
        Ok(found.fetch_optional(&self.pool).await?)
    }

    /// One session of a stage.
    pub async fn stage_session(
        &self,
        account: &str,
        stage: &Arn,
        session: &str,
    ) -> Result<Option<StoredSession>, StoreError> {
        let row = sqlx::query(
            "SELECT seq, id, started_at, ended_at FROM stage_session \
             WHERE account = $1 AND stage_arn = $2 AND id = $3",
        )
        .bind(account)
        .bind(stage.to_string())
        .bind(session)
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(read_session).transpose()
    }

    /// A page of the sessions of a stage, newest first.
    pub async fn list_stage_sessions(
        &self,
        account: &str,
        stage: &Arn,
        page: PageRequest,
    ) -> Result<Page<StoredSession>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, id, started_at, ended_at FROM stage_session \
             WHERE account = $1 AND stage_arn = $2 AND seq < $3 ORDER BY seq DESC LIMIT $4",
        )
        .bind(account)
        .bind(stage.to_string())
        .bind(before(page))
        .bind(i64::from(page.limit) + 1)
        .fetch_all(&self.pool)
        .await?;
        let items: Result<Vec<_>, StoreError> = rows.iter().map(read_session).collect();
        Ok(Page::cut(items?, page.limit, |session| session.seq))
    }

    /// One participant of a session.
    pub async fn participant(
        &self,
        account: &str,
        (stage, session): (&Arn, &str),
        participant: &str,
    ) -> Result<Option<StoredParticipant>, StoreError> {
        let sql = format!(
            "SELECT {PARTICIPANT_COLUMNS} FROM participant p JOIN stage_session s ON s.id = p.session \
             WHERE s.account = $1 AND s.stage_arn = $2 AND s.id = $3 AND p.id = $4"
        );
        let row = sqlx::query(&sql)
            .bind(account)
            .bind(stage.to_string())
            .bind(session)
            .bind(participant)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read_participant).transpose()
    }

    /// A page of the participants of a session, in the order in which they came.
    pub async fn list_participants(
        &self,
        account: &str,
        (stage, session): (&Arn, &str),
        filter: ParticipantFilter<'_>,
        page: PageRequest,
    ) -> Result<Page<StoredParticipant>, StoreError> {
        let condition = match filter {
            ParticipantFilter::Everybody => "",
            ParticipantFilter::UserId(_) => "AND p.user_id = $6",
            ParticipantFilter::Published(_) => "AND p.published = $6",
            ParticipantFilter::Connected(_) => "AND p.connected = $6",
            ParticipantFilter::RecordingState(_) => "AND p.recording_state = $6",
        };
        let sql = format!(
            "SELECT {PARTICIPANT_COLUMNS} FROM participant p JOIN stage_session s ON s.id = p.session \
             WHERE s.account = $1 AND s.stage_arn = $2 AND s.id = $3 AND p.seq > $4 {condition} \
             ORDER BY p.seq LIMIT $5"
        );
        let query = sqlx::query(&sql)
            .bind(account)
            .bind(stage.to_string())
            .bind(session)
            .bind(page.after)
            .bind(i64::from(page.limit) + 1);
        let query = match filter {
            ParticipantFilter::Everybody => query,
            ParticipantFilter::UserId(text) | ParticipantFilter::RecordingState(text) => {
                query.bind(text)
            }
            ParticipantFilter::Published(flag) | ParticipantFilter::Connected(flag) => {
                query.bind(i64::from(flag))
            }
        };
        let rows = query.fetch_all(&self.pool).await?;
        let items: Result<Vec<_>, StoreError> = rows.iter().map(read_participant).collect();
        Ok(Page::cut(items?, page.limit, |participant| participant.seq))
    }

    /// A page of the events of a participant in a session, newest first.
    pub async fn list_participant_events(
        &self,
        account: &str,
        (stage, session): (&Arn, &str),
        participant: &str,
        page: PageRequest,
    ) -> Result<Page<StoredParticipantEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT e.seq, e.name, e.at, e.publisher, e.error_code FROM participant_event e \
             JOIN stage_session s ON s.id = e.session \
             WHERE s.account = $1 AND s.stage_arn = $2 AND s.id = $3 AND e.participant = $4 AND e.seq < $5 \
             ORDER BY e.seq DESC LIMIT $6",
        )
        .bind(account)
        .bind(stage.to_string())
        .bind(session)
        .bind(participant)
        .bind(before(page))
        .bind(i64::from(page.limit) + 1)
        .fetch_all(&self.pool)
        .await?;
        let items: Result<Vec<_>, StoreError> = rows.iter().map(read_event).collect();
        Ok(Page::cut(items?, page.limit, |event| event.seq))
    }
}

/// Lists that begin with the newest go down from their cursor; the first page has none.
fn before(page: PageRequest) -> i64 {
    if page.after == 0 {
        i64::MAX
    } else {
        page.after
    }
}

fn read_session(row: &AnyRow) -> Result<StoredSession, StoreError> {
    let ended_at: Option<i64> = row.try_get("ended_at")?;
    Ok(StoredSession {
        seq: row.try_get("seq")?,
        id: row.try_get("id")?,
        started_at: WallTime(row.try_get("started_at")?),
        ended_at: ended_at.map(WallTime),
    })
}

fn read_participant(row: &AnyRow) -> Result<StoredParticipant, StoreError> {
    let id: String = row.try_get("id")?;
    let about: String = row.try_get("about")?;
    Ok(StoredParticipant {
        seq: row.try_get("seq")?,
        user_id: row.try_get("user_id")?,
        connected: row.try_get::<i64, _>("connected")? != 0,
        published: row.try_get::<i64, _>("published")? != 0,
        recording_state: row.try_get("recording_state")?,
        first_joined_at: WallTime(row.try_get("first_joined_at")?),
        about: from_json(&id, &about)?,
        id,
    })
}

fn read_event(row: &AnyRow) -> Result<StoredParticipantEvent, StoreError> {
    Ok(StoredParticipantEvent {
        seq: row.try_get("seq")?,
        name: row.try_get("name")?,
        at: WallTime(row.try_get("at")?),
        publisher: row.try_get("publisher")?,
        error_code: row.try_get("error_code")?,
    })
}
