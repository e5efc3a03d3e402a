//! Keeping compositions: the one transaction that decides a start, and everything read or written later.

use compositor_core::id::CompositionId;
use compositor_core::time::WallTime;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use crate::arn::Arn;
use crate::backend::CompositionSpec;
use crate::event::NewEvent;
use crate::pagination::{Page, PageRequest};
use crate::quotas::Quotas;
use crate::store::composition::{
    CompositionFilter, CompositionProgress, NewComposition, StartOutcome, StoredComposition,
};
use crate::store::database::WriteTransaction;
use crate::store::events::append;
use crate::store::resources::{SEQUENCE, exists, from_json, to_json};
use crate::store::{Store, StoreError};

/// A composition is answered this long after it ended, then it is gone.
pub(super) const KEPT_AFTER_END_MICROS: i64 = 5 * 60 * 1_000_000;

const COLUMNS: &str = "seq, spec, requested, progress, tags";

impl Store {
    /// Keeps a new composition in STARTING if nothing speaks against it.
    pub async fn start_composition(
        &self,
        now: WallTime,
        account: &str,
        new: NewComposition<'_>,
    ) -> Result<StartOutcome, StoreError> {
        let mut tx = self.write().await?;
        forget_ended(&mut tx, now).await?;
        if let Some(token) = new.idempotency_token
            && let Some(outcome) =
                repeated(&mut tx, now, account, (token, new.request_digest)).await?
        {
            return Ok(outcome);
        }
        for arn in new
            .uses
            .iter()
            .map(Arn::to_string)
            .chain([new.spec.stage_arn.clone()])
        {
            if !exists(&mut tx, account, &arn).await? {
                return Ok(StartOutcome::Missing(arn));
            }
        }
        if let Some(channel) = new.channel
            && let Some(taken_by) = user_of(&mut tx, &channel.to_string()).await?
        {
            return Ok(StartOutcome::ChannelTaken(taken_by));
        }
        check_quotas(&mut tx, account, &new.spec.stage_arn, &self.quotas).await?;
        insert(&mut tx, account, &new).await?;
        let sql = format!("SELECT {COLUMNS} FROM composition WHERE arn = $1");
        let row = sqlx::query(&sql)
            .bind(&new.spec.arn)
            .fetch_one(&mut *tx)
            .await?;
        let stored = read_row(&row)?;
        tx.commit().await?;
        Ok(StartOutcome::Started(Box::new(stored)))
    }

    /// The composition that came of an earlier request with this token.
    pub async fn composition_of_token(
        &self,
        now: WallTime,
        account: &str,
        token: &str,
        request_digest: &str,
    ) -> Result<Option<StartOutcome>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        repeated(&mut connection, now, account, (token, request_digest)).await
    }

    /// The composition of that ARN, if the account has it and it did not end long ago.
    pub async fn composition(
        &self,
        now: WallTime,
        account: &str,
        arn: &Arn,
    ) -> Result<Option<StoredComposition>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM composition WHERE account = $1 AND arn = $2 \
             AND (ended_at IS NULL OR ended_at > $3)"
        );
        let row = sqlx::query(&sql)
            .bind(account)
            .bind(arn.to_string())
            .bind(now.0 - KEPT_AFTER_END_MICROS)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read_row).transpose()
    }

    /// A page of the account's compositions, oldest first.
    pub async fn list_compositions(
        &self,
        now: WallTime,
        account: &str,
        filter: CompositionFilter<'_>,
        page: PageRequest,
    ) -> Result<Page<StoredComposition>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM composition WHERE account = $1 AND seq > $2 \
             AND (ended_at IS NULL OR ended_at > $3) AND (CAST($4 AS TEXT) IS NULL OR stage_arn = $4) \
             AND (CAST($5 AS TEXT) IS NULL OR arn IN (SELECT composition_arn FROM composition_use WHERE used_arn = $5)) \
             ORDER BY seq LIMIT $6"
        );
        let rows = sqlx::query(&sql)
            .bind(account)
            .bind(page.after)
            .bind(now.0 - KEPT_AFTER_END_MICROS)
            .bind(filter.stage.map(Arn::to_string))
            .bind(filter.encoder_configuration.map(Arn::to_string))
            .bind(i64::from(page.limit) + 1)
            .fetch_all(&self.pool)
            .await?;
        let items: Result<Vec<StoredComposition>, StoreError> = rows.iter().map(read_row).collect();
        Ok(Page::cut(items?, page.limit, |composition| composition.seq))
    }

    /// Writes down how far a composition is, and the events that say so. Answers false, and keeps no event, when it is
    /// not kept any more.
    pub async fn update_composition(
        &self,
        id: &CompositionId,
        progress: &CompositionProgress,
        events: &[NewEvent],
    ) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "UPDATE composition SET progress = $1, unfinished = $2, ended_at = $3 WHERE id = $4",
        )
        .bind(to_json(progress)?)
        .bind(i64::from(progress.state.is_unfinished()))
        .bind(progress.ended_at.map(|at| at.0))
        .bind(id.as_str())
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        for event in events {
            append(&mut tx, event).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Removes a composition that never began.
    pub async fn forget_composition(&self, id: &CompositionId) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM composition WHERE id = $1")
            .bind(id.as_str())
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    /// Every composition that was running when the server last stopped, oldest first; to be adopted at its start.
    pub async fn unfinished_compositions(&self) -> Result<Vec<StoredComposition>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM composition WHERE unfinished = 1 ORDER BY seq");
        let rows = sqlx::query(&sql).fetch_all(&self.pool).await?;
        rows.iter().map(read_row).collect()
    }

    /// The unfinished composition that broadcasts to this channel.
    pub async fn composition_using(&self, used: &Arn) -> Result<Option<String>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        user_of(&mut connection, &used.to_string()).await
    }
}

async fn forget_ended(tx: &mut AnyConnection, now: WallTime) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM composition WHERE ended_at <= $1")
        .bind(now.0 - KEPT_AFTER_END_MICROS)
        .execute(tx)
        .await?;
    Ok(())
}

async fn repeated(
    connection: &mut AnyConnection,
    now: WallTime,
    account: &str,
    (token, request_digest): (&str, &str),
) -> Result<Option<StartOutcome>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS}, request_digest FROM composition WHERE account = $1 AND idempotency_token = $2 \
         AND (ended_at IS NULL OR ended_at > $3)"
    );
    let row = sqlx::query(&sql)
        .bind(account)
        .bind(token)
        .bind(now.0 - KEPT_AFTER_END_MICROS)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let digest: String = row.try_get("request_digest")?;
    if digest == request_digest {
        return Ok(Some(StartOutcome::Repeated(Box::new(read_row(&row)?))));
    }
    Ok(Some(StartOutcome::TokenReused))
}

async fn user_of(connection: &mut AnyConnection, used: &str) -> Result<Option<String>, StoreError> {
    let user = sqlx::query_scalar(
        "SELECT c.arn FROM composition_use u JOIN composition c ON c.arn = u.composition_arn \
         WHERE u.used_arn = $1 AND c.unfinished = 1 LIMIT 1",
    )
    .bind(used)
    .fetch_optional(connection)
    .await?;
    Ok(user)
}

async fn check_quotas(
    tx: &mut AnyConnection,
    account: &str,
    stage: &str,
    quotas: &Quotas,
) -> Result<(), StoreError> {
    let (of_account, of_stage): (i64, i64) = sqlx::query_as(
        "SELECT count(*), CAST(coalesce(sum(CASE WHEN stage_arn = $1 THEN 1 ELSE 0 END), 0) AS BIGINT) \
         FROM composition WHERE account = $2 AND unfinished = 1",
    )
    .bind(stage)
    .bind(account)
    .fetch_one(tx)
    .await?;
    let limits = [
        (
            of_account,
            quotas.compositions,
            "compositions of the account",
        ),
        (
            of_stage,
            quotas.compositions_per_stage,
            "compositions of the stage",
        ),
    ];
    match limits
        .into_iter()
        .find(|(count, limit, _)| *count >= i64::from(*limit))
    {
        Some((_, limit, what)) => Err(StoreError::Quota { what, limit }),
        None => Ok(()),
    }
}

async fn insert(
    tx: &mut WriteTransaction,
    account: &str,
    new: &NewComposition<'_>,
) -> Result<(), StoreError> {
    let seq = tx.next(SEQUENCE).await?;
    sqlx::query(
        "INSERT INTO composition (seq, arn, account, id, stage_arn, unfinished, spec, requested, progress, tags, \
         idempotency_token, request_digest) VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9, $10, $11)",
    )
    .bind(seq)
    .bind(&new.spec.arn)
    .bind(account)
    .bind(new.spec.id.as_str())
    .bind(&new.spec.stage_arn)
    .bind(to_json(new.spec)?)
    .bind(to_json(new.requested)?)
    .bind(to_json(&CompositionProgress::starting(new.spec))?)
    .bind(to_json(new.tags)?)
    .bind(new.idempotency_token)
    .bind(new.request_digest)
    .execute(&mut **tx)
    .await?;
    for used in new.uses {
        sqlx::query(
            "INSERT INTO composition_use (composition_arn, used_arn) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(&new.spec.arn)
        .bind(used.to_string())
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

fn read_row(row: &AnyRow) -> Result<StoredComposition, StoreError> {
    let text = |column: &str| -> Result<String, sqlx::Error> { row.try_get(column) };
    let spec: CompositionSpec = from_json("composition.spec", &text("spec")?)?;
    Ok(StoredComposition {
        seq: row.try_get("seq")?,
        requested: from_json(&spec.arn, &text("requested")?)?,
        progress: from_json(&spec.arn, &text("progress")?)?,
        tags: from_json(&spec.arn, &text("tags")?)?,
        spec,
    })
}
