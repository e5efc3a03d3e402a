//! Writing down what happens on stages, and the events that report it, in one transaction.

use compositor_core::id::{ParticipantId, StageId};
use compositor_core::time::WallTime;
use sqlx::{AnyConnection, Row};
use stage_gateway::history::{Attempt, FailureCode, HistoryEvent, HistoryKind, Visitor};

use crate::arn::{Arn, ArnKind};
use crate::event::stage_update::{self, Subject};
use crate::store::events::append;
use crate::store::history::About;
use crate::store::resources::{read_arn, to_json};
use crate::store::{Store, StoreError, WriteTransaction};

/// Numbers sessions, participants and their events.
const SEQUENCE: &str = "history";

/// Events of one participant in one session that are kept; the oldest go first.
const EVENTS_PER_PARTICIPANT_MAX: i64 = 10_000;

/// Sessions forgotten in one transaction, so that others come in between.
const FORGOTTEN_AT_ONCE_MAX: i64 = 100;

/// The session that something happens in.
struct Session {
    id: String,
    stage: Arn,
}

/// What a row of `participant_event` says.
#[derive(Clone, Copy)]
struct Happened<'a> {
    name: &'a str,
    at: WallTime,
    publisher: Option<&'a ParticipantId>,
    error_code: Option<&'a str>,
}

impl Store {
    /// Writes down what happened, in this order; all of it or nothing.
    pub async fn record_stage_history(&self, events: &[HistoryEvent]) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        for event in events {
            if event.kind == HistoryKind::SessionStarted {
                open(&mut tx, event).await?;
                continue;
            }
            match session_of(&mut tx, event.session.as_str()).await? {
                Some(session) => record(&mut tx, &session, event.at, &event.kind).await?,
                None => {
                    tracing::info!(stage = %event.stage, "the stage was gone before its session was written down")
                }
            }
        }
        tx.commit().await
    }

    /// Sessions without an end are open now.
    pub async fn touch_stage_sessions(&self, now: WallTime) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let sql = "UPDATE stage_session SET seen_at = $1 WHERE ended_at IS NULL AND seen_at < $2";
        let touched = sqlx::query(sql).bind(now.0).bind(now.0);
        touched.execute(&mut *tx).await?;
        tx.commit().await
    }

    /// Ends what an earlier run of the server left open, when it was last known to be so; answers how many there were.
    pub async fn end_open_stage_sessions(&self) -> Result<usize, StoreError> {
        let mut tx = self.write().await?;
        let sql =
            "SELECT id, stage_arn, seen_at FROM stage_session WHERE ended_at IS NULL ORDER BY seq";
        let open = sqlx::query(sql).fetch_all(&mut *tx).await?;
        for row in &open {
            let stage: String = row.try_get("stage_arn")?;
            let session = Session {
                id: row.try_get("id")?,
                stage: read_arn(&stage)?,
            };
            end(&mut tx, &session, WallTime(row.try_get("seen_at")?)).await?;
        }
        tx.commit().await?;
        Ok(open.len())
    }

    /// Forgets some of the sessions that ended before that, with all that hangs on them.
    pub async fn forget_stage_sessions(&self, before: WallTime) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query(
            "DELETE FROM stage_session WHERE id IN \
             (SELECT id FROM stage_session WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)",
        )
        .bind(before.0)
        .bind(FORGOTTEN_AT_ONCE_MAX)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }
}

/// Begins a session, or goes on with one after a restart. A stage has one at a time.
async fn open(tx: &mut WriteTransaction, event: &HistoryEvent) -> Result<(), StoreError> {
    let Some(stage) = stage_of(tx, &event.stage).await? else {
        return Ok(());
    };
    let sql = "SELECT id FROM stage_session WHERE stage_arn = $1 AND ended_at IS NULL AND id <> $2";
    let others: Vec<String> = sqlx::query_scalar(sql)
        .bind(stage.to_string())
        .bind(event.session.as_str())
        .fetch_all(&mut **tx)
        .await?;
    for id in others {
        let stage = stage.clone();
        end(tx, &Session { id, stage }, event.at).await?;
    }
    let seq = tx.next(SEQUENCE).await?;
    sqlx::query(
        "INSERT INTO stage_session (seq, id, account, stage_arn, started_at, seen_at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (id) DO UPDATE SET ended_at = NULL, seen_at = excluded.seen_at",
    )
    .bind(seq)
    .bind(event.session.as_str())
    .bind(stage.account())
    .bind(stage.to_string())
    .bind(event.at.0)
    .bind(event.at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Ends a session with everything in it that has not ended yet.
async fn end(tx: &mut WriteTransaction, session: &Session, at: WallTime) -> Result<(), StoreError> {
    let sql = "SELECT id FROM participant WHERE session = $1 AND connected = 1 ORDER BY seq";
    let connected: Vec<String> = sqlx::query_scalar(sql)
        .bind(&session.id)
        .fetch_all(&mut **tx)
        .await?;
    for participant in connected.into_iter().map(ParticipantId::new) {
        for publisher in open_subscriptions(tx, session, &participant).await? {
            let stopped = HistoryKind::SubscribeStopped {
                participant: participant.clone(),
                publisher,
            };
            record(tx, session, at, &stopped).await?;
        }
        record(
            tx,
            session,
            at,
            &HistoryKind::PublishStopped(participant.clone()),
        )
        .await?;
        record(tx, session, at, &HistoryKind::Left(participant)).await?;
    }
    record(tx, session, at, &HistoryKind::SessionEnded).await
}

async fn open_subscriptions(
    tx: &mut AnyConnection,
    session: &Session,
    participant: &ParticipantId,
) -> Result<Vec<ParticipantId>, StoreError> {
    let rows = sqlx::query(
        "SELECT name, publisher FROM participant_event WHERE session = $1 AND participant = $2 \
         AND publisher IS NOT NULL AND error_code IS NULL ORDER BY seq",
    )
    .bind(&session.id)
    .bind(participant.as_str())
    .fetch_all(tx)
    .await?;
    let mut open: Vec<ParticipantId> = Vec::new();
    for row in &rows {
        let name: String = row.try_get("name")?;
        let publisher = ParticipantId::new(row.try_get::<String, _>("publisher")?);
        if name == "SUBSCRIBE_STARTED" {
            open.push(publisher);
        } else if let Some(index) = open.iter().position(|known| *known == publisher) {
            open.remove(index);
        }
    }
    Ok(open)
}

async fn record(
    tx: &mut WriteTransaction,
    session: &Session,
    at: WallTime,
    kind: &HistoryKind,
) -> Result<(), StoreError> {
    match kind {
        HistoryKind::SessionStarted => Ok(()),
        HistoryKind::SessionEnded => {
            let sql = "UPDATE stage_session SET ended_at = $1, seen_at = $2 WHERE id = $3";
            let ended = sqlx::query(sql).bind(at.0).bind(at.0).bind(&session.id);
            ended.execute(&mut **tx).await?;
            Ok(())
        }
        HistoryKind::Joined(visitor) => {
            meet(tx, session, at, visitor).await?;
            let sql = "UPDATE participant SET connected = 1 WHERE session = $1 AND id = $2";
            change(tx, sql, session, &visitor.participant).await?;
            note(tx, session, &visitor.participant, plain("JOINED", at)).await
        }
        HistoryKind::Left(participant) => {
            let sql = "UPDATE participant SET connected = 0 WHERE session = $1 AND id = $2 AND connected = 1";
            if !change(tx, sql, session, participant).await? {
                return Ok(());
            }
            note(tx, session, participant, plain("LEFT", at)).await
        }
        HistoryKind::PublishStarted(participant) => {
            let sql = "UPDATE participant SET publishing = 1, published = 1 WHERE session = $1 AND id = $2";
            change(tx, sql, session, participant).await?;
            note(tx, session, participant, plain("PUBLISH_STARTED", at)).await?;
            let published = stage_update::published(&subject(tx, session, participant).await?, at);
            append(tx, &published).await.map(drop)
        }
        HistoryKind::PublishStopped(participant) => {
            let sql = "UPDATE participant SET publishing = 0 WHERE session = $1 AND id = $2 AND publishing = 1";
            if !change(tx, sql, session, participant).await? {
                return Ok(());
            }
            note(tx, session, participant, plain("PUBLISH_STOPPED", at)).await?;
            let stopped = stage_update::unpublished(&subject(tx, session, participant).await?, at);
            append(tx, &stopped).await.map(drop)
        }
        HistoryKind::SubscribeStarted {
            participant,
            publisher,
        } => {
            subscription(
                tx,
                session,
                participant,
                ("SUBSCRIBE_STARTED", at, publisher),
            )
            .await
        }
        HistoryKind::SubscribeStopped {
            participant,
            publisher,
        } => {
            subscription(
                tx,
                session,
                participant,
                ("SUBSCRIBE_STOPPED", at, publisher),
            )
            .await
        }
        HistoryKind::Failed {
            visitor,
            attempt,
            code,
        } => failed(tx, session, at, (visitor, attempt, *code)).await,
    }
}

async fn failed(
    tx: &mut WriteTransaction,
    session: &Session,
    at: WallTime,
    (visitor, attempt, code): (&Visitor, &Attempt, FailureCode),
) -> Result<(), StoreError> {
    meet(tx, session, at, visitor).await?;
    let code = code_text(code);
    let (name, publisher) = match attempt {
        Attempt::Join => ("JOIN_ERROR", None),
        Attempt::Publish => ("PUBLISH_ERROR", None),
        Attempt::Subscribe(publisher) => ("SUBSCRIBE_ERROR", Some(publisher)),
    };
    let happened = Happened {
        name,
        at,
        publisher,
        error_code: Some(code),
    };
    note(tx, session, &visitor.participant, happened).await?;
    if *attempt == Attempt::Publish {
        let subject = subject(tx, session, &visitor.participant).await?;
        append(tx, &stage_update::publish_error(&subject, at, code)).await?;
    }
    Ok(())
}

/// Knows a participant from now on, as it introduces itself now.
async fn meet(
    tx: &mut WriteTransaction,
    session: &Session,
    at: WallTime,
    visitor: &Visitor,
) -> Result<(), StoreError> {
    let client = visitor.client.clone();
    let about = About {
        attributes: visitor.attributes.clone(),
        browser_name: client.browser_name,
        browser_version: client.browser_version,
        os_name: client.os_name,
        os_version: client.os_version,
    };
    let seq = tx.next(SEQUENCE).await?;
    sqlx::query(
        "INSERT INTO participant (seq, session, id, user_id, connected, publishing, published, recording_state, \
         first_joined_at, events, about) VALUES ($1, $2, $3, $4, 0, 0, 0, 'DISABLED', $5, 0, $6) \
         ON CONFLICT (session, id) DO UPDATE SET user_id = excluded.user_id, about = excluded.about",
    )
    .bind(seq)
    .bind(&session.id)
    .bind(visitor.participant.as_str())
    .bind(&visitor.user_id)
    .bind(at.0)
    .bind(to_json(&about)?)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn subscription(
    tx: &mut WriteTransaction,
    session: &Session,
    participant: &ParticipantId,
    (name, at, publisher): (&str, WallTime, &ParticipantId),
) -> Result<(), StoreError> {
    let happened = Happened {
        publisher: Some(publisher),
        ..plain(name, at)
    };
    note(tx, session, participant, happened).await
}

fn plain(name: &str, at: WallTime) -> Happened<'_> {
    Happened {
        name,
        at,
        publisher: None,
        error_code: None,
    }
}

/// Keeps an event of a participant, and not too many of them.
async fn note(
    tx: &mut WriteTransaction,
    session: &Session,
    participant: &ParticipantId,
    happened: Happened<'_>,
) -> Result<(), StoreError> {
    let seq = tx.next(SEQUENCE).await?;
    sqlx::query(
        "INSERT INTO participant_event (seq, session, participant, name, at, publisher, error_code) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(seq)
    .bind(&session.id)
    .bind(participant.as_str())
    .bind(happened.name)
    .bind(happened.at.0)
    .bind(happened.publisher.map(ParticipantId::as_str))
    .bind(happened.error_code)
    .execute(&mut **tx)
    .await?;
    let counted: Option<i64> = sqlx::query_scalar(
        "UPDATE participant SET events = events + 1 WHERE session = $1 AND id = $2 RETURNING events",
    )
    .bind(&session.id)
    .bind(participant.as_str())
    .fetch_optional(&mut **tx)
    .await?;
    if counted.unwrap_or_default() > EVENTS_PER_PARTICIPANT_MAX {
        for sql in [
            "DELETE FROM participant_event WHERE seq = \
             (SELECT MIN(seq) FROM participant_event WHERE session = $1 AND participant = $2)",
            "UPDATE participant SET events = events - 1 WHERE session = $1 AND id = $2",
        ] {
            change(tx, sql, session, participant).await?;
        }
    }
    let sql = "UPDATE stage_session SET seen_at = $1 WHERE id = $2 AND seen_at < $3";
    let seen = sqlx::query(sql)
        .bind(happened.at.0)
        .bind(&session.id)
        .bind(happened.at.0);
    seen.execute(&mut **tx).await?;
    Ok(())
}

/// Runs a statement about one participant; whether it changed anything.
async fn change(
    tx: &mut AnyConnection,
    sql: &str,
    session: &Session,
    participant: &ParticipantId,
) -> Result<bool, StoreError> {
    let statement = sqlx::query(sql)
        .bind(&session.id)
        .bind(participant.as_str());
    Ok(statement.execute(tx).await?.rows_affected() > 0)
}

async fn subject(
    tx: &mut AnyConnection,
    session: &Session,
    participant: &ParticipantId,
) -> Result<Subject, StoreError> {
    let sql = "SELECT user_id FROM participant WHERE session = $1 AND id = $2";
    let user_id: Option<String> = sqlx::query_scalar(sql)
        .bind(&session.id)
        .bind(participant.as_str())
        .fetch_optional(tx)
        .await?;
    Ok(Subject {
        stage: session.stage.clone(),
        session: session.id.clone(),
        participant: participant.to_string(),
        user_id: user_id.unwrap_or_default(),
    })
}

async fn session_of(tx: &mut AnyConnection, id: &str) -> Result<Option<Session>, StoreError> {
    let sql = "SELECT stage_arn FROM stage_session WHERE id = $1";
    let stage: Option<String> = sqlx::query_scalar(sql).bind(id).fetch_optional(tx).await?;
    let Some(stage) = stage else { return Ok(None) };
    Ok(Some(Session {
        id: id.to_owned(),
        stage: read_arn(&stage)?,
    }))
}

async fn stage_of(tx: &mut AnyConnection, stage: &StageId) -> Result<Option<Arn>, StoreError> {
    let sql = "SELECT arn FROM resource WHERE kind = $1 AND id = $2";
    let arn: Option<String> = sqlx::query_scalar(sql)
        .bind(ArnKind::Stage.as_str())
        .bind(stage.as_str())
        .fetch_optional(tx)
        .await?;
    arn.as_deref().map(read_arn).transpose()
}

/// As the API spells it.
fn code_text(code: FailureCode) -> &'static str {
    match code {
        FailureCode::InsufficientCapabilities => "INSUFFICIENT_CAPABILITIES",
        FailureCode::QuotaExceeded => "QUOTA_EXCEEDED",
        FailureCode::PublisherNotFound => "PUBLISHER_NOT_FOUND",
        FailureCode::BitrateExceeded => "BITRATE_EXCEEDED",
        FailureCode::StreamDurationExceeded => "STREAM_DURATION_EXCEEDED",
        FailureCode::InvalidAudioCodec => "INVALID_AUDIO_CODEC",
        FailureCode::InvalidVideoCodec => "INVALID_VIDEO_CODEC",
        FailureCode::InvalidInput => "INVALID_INPUT",
        FailureCode::Internal => "INTERNAL_SERVER_EXCEPTION",
    }
}
