//! Replications of participants that were asked for. One ends with its participant: when the source stops publishing for
//! longer than the reconnect window, when its session ends, and when either stage goes.

use std::collections::HashSet;

use compositor_core::id::{ParticipantId, SessionId, StageId};
use compositor_core::time::WallTime;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::arn::Arn;
use crate::pagination::{Page, PageRequest};
use crate::store::resources::{exists, read_arn};
use crate::store::{Store, StoreError};

/// Orders lists.
const SEQUENCE: &str = "participant_replica";

/// Whether a replication lives at the time `$1`.
const LIVES: &str = "(left_at IS NULL OR left_at + reconnect_window_micros >= $1)";

/// A replication to be kept.
#[derive(Debug)]
pub struct NewReplica<'a> {
    /// From where.
    pub source: &'a Arn,
    /// The session in which the participant publishes there.
    pub source_session: &'a SessionId,
    /// Whom.
    pub participant: &'a ParticipantId,
    /// To where.
    pub destination: &'a Arn,
    /// How long the participant may be away, microseconds.
    pub reconnect_window_micros: i64,
}

/// Who is replicated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplicaSource {
    /// The source.
    pub stage: StageId,
    /// The session in which the participant publishes there.
    pub session: SessionId,
    /// Whom.
    pub participant: ParticipantId,
}

/// A replication as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replica {
    /// Its place in lists.
    pub seq: i64,
    /// The session in which the participant publishes in the source.
    pub source_session: SessionId,
    /// To where.
    pub destination: Arn,
}

impl Store {
    /// Keeps a replication between two stages of the account. Answers false if the participant is replicated there already.
    pub async fn insert_replica(
        &self,
        now: WallTime,
        account: &str,
        new: NewReplica<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        sqlx::query(&format!(
            "DELETE FROM participant_replica WHERE NOT {LIVES}"
        ))
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
        let (source, destination) = (new.source.to_string(), new.destination.to_string());
        for (arn, text) in [(new.source, &source), (new.destination, &destination)] {
            if !exists(&mut tx, account, text).await? {
                return Err(StoreError::MissingReference { arn: arn.clone() });
            }
        }
        let others: Vec<String> = sqlx::query_scalar(
            "SELECT destination_stage_arn FROM participant_replica WHERE source_stage_arn = $1 AND participant = $2",
        )
        .bind(&source)
        .bind(new.participant.as_str())
        .fetch_all(&mut *tx)
        .await?;
        if others.contains(&destination) {
            return Ok(false);
        }
        let limit = self.quotas.replications_per_participant;
        if others.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return Err(StoreError::Quota {
                what: "replications of the participant",
                limit,
            });
        }
        let seq = tx.next(SEQUENCE).await?;
        sqlx::query(
            "INSERT INTO participant_replica (seq, account, source_stage_id, source_stage_arn, participant, source_session, \
             destination_stage_arn, reconnect_window_micros) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(seq)
        .bind(account)
        .bind(new.source.id())
        .bind(&source)
        .bind(new.participant.as_str())
        .bind(new.source_session.as_str())
        .bind(&destination)
        .bind(new.reconnect_window_micros)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Ends a replication. Answers false if there is none.
    pub async fn delete_replica(
        &self,
        now: WallTime,
        account: &str,
        source: &Arn,
        participant: &ParticipantId,
        destination: &Arn,
    ) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let sql = format!(
            "DELETE FROM participant_replica WHERE {LIVES} AND account = $2 AND source_stage_arn = $3 \
             AND participant = $4 AND destination_stage_arn = $5"
        );
        let done = sqlx::query(&sql)
            .bind(now.0)
            .bind(account)
            .bind(source.to_string())
            .bind(participant.as_str())
            .bind(destination.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// A page of the replications of a participant, oldest first.
    pub async fn list_replicas(
        &self,
        now: WallTime,
        account: &str,
        source: &Arn,
        participant: &ParticipantId,
        page: PageRequest,
    ) -> Result<Page<Replica>, StoreError> {
        let sql = format!(
            "SELECT seq, source_session, destination_stage_arn FROM participant_replica WHERE {LIVES} AND account = $2 \
             AND source_stage_arn = $3 AND participant = $4 AND seq > $5 ORDER BY seq LIMIT $6"
        );
        let rows = sqlx::query(&sql)
            .bind(now.0)
            .bind(account)
            .bind(source.to_string())
            .bind(participant.as_str())
            .bind(page.after)
            .bind(i64::from(page.limit) + 1)
            .fetch_all(&self.pool)
            .await?;
        let items: Result<Vec<Replica>, StoreError> = rows.iter().map(read_row).collect();
        Ok(Page::cut(items?, page.limit, |replica| replica.seq))
    }

    /// The participants of a session that are replicated.
    pub async fn replicated_participants(
        &self,
        now: WallTime,
        source: &Arn,
        session: &str,
    ) -> Result<HashSet<String>, StoreError> {
        let sql = format!(
            "SELECT participant FROM participant_replica WHERE {LIVES} AND source_stage_id = $2 AND source_session = $3"
        );
        let found: Vec<String> = sqlx::query_scalar(&sql)
            .bind(now.0)
            .bind(source.id())
            .bind(session)
            .fetch_all(&self.pool)
            .await?;
        Ok(found.into_iter().collect())
    }

    /// Who has replications.
    pub async fn replica_sources(&self) -> Result<Vec<ReplicaSource>, StoreError> {
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT DISTINCT source_stage_id, source_session, participant FROM participant_replica",
        )
        .fetch_all(&self.pool)
        .await?;
        let named = rows
            .into_iter()
            .map(|(stage, session, participant)| ReplicaSource {
                stage: StageId::new(stage),
                session: SessionId::new(session),
                participant: ParticipantId::new(participant),
            });
        Ok(named.collect())
    }

    /// The participant publishes no more: its replications end when the reconnect window does.
    pub async fn source_left(
        &self,
        now: WallTime,
        source: &ReplicaSource,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE participant_replica SET left_at = $1 WHERE left_at IS NULL \
             AND source_stage_id = $2 AND source_session = $3 AND participant = $4";
        self.follow_source(sql, now, source).await
    }

    /// The participant publishes again: the replications that still live go on.
    pub async fn source_returned(
        &self,
        now: WallTime,
        source: &ReplicaSource,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE participant_replica SET left_at = NULL WHERE {LIVES} \
             AND source_stage_id = $2 AND source_session = $3 AND participant = $4"
        );
        self.follow_source(&sql, now, source).await
    }

    /// The session is over, and with it the replications of its participants.
    pub async fn source_session_ended(
        &self,
        stage: &StageId,
        session: &SessionId,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query(
            "DELETE FROM participant_replica WHERE source_stage_id = $1 AND source_session = $2",
        )
        .bind(stage.as_str())
        .bind(session.as_str())
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    async fn follow_source(
        &self,
        sql: &str,
        now: WallTime,
        source: &ReplicaSource,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query(sql)
            .bind(now.0)
            .bind(source.stage.as_str())
            .bind(source.session.as_str())
            .bind(source.participant.as_str())
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }
}

fn read_row(row: &AnyRow) -> Result<Replica, StoreError> {
    let destination: String = row.try_get("destination_stage_arn")?;
    let source_session: String = row.try_get("source_session")?;
    Ok(Replica {
        seq: row.try_get("seq")?,
        source_session: SessionId::new(source_session),
        destination: read_arn(&destination)?,
    })
}
