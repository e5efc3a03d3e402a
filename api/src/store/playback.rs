//! What playback must not forget over a restart: revoked viewers and used tokens.

use std::time::Duration;

use compositor_core::time::WallTime;

use crate::arn::Arn;
use crate::store::{Store, StoreError};

/// How long a revocation is remembered. A token that names its viewer lives ten minutes, a viewer session a day; this is
/// for applications that go on making tokens with an old version.
const REVOCATION_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Revocations that are remembered of one account; beyond, those that expire first are forgotten.
const REVOCATIONS_MAX: i64 = 100_000;

/// Used tokens that are remembered of one account; each lives ten minutes at most, so this is 330 new viewers a second.
const USED_TOKENS_MAX: i64 = 200_000;

/// A viewer of a channel whose sessions end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revocation<'a> {
    /// Of which channel.
    pub channel: &'a Arn,
    /// As the application calls them.
    pub viewer_id: &'a str,
    /// Sessions up to this version.
    pub version: i64,
}

/// What came of using a token once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenUse {
    /// It was the first time.
    First,
    /// It has been used before.
    Again,
    /// Too many tokens of the account are remembered to tell.
    Full,
}

impl Store {
    /// Remembers revocations; one with a higher version stands. Forgets expired ones on the way.
    pub async fn revoke_viewers(
        &self,
        account: &str,
        now: WallTime,
        revocations: &[Revocation<'_>],
    ) -> Result<(), StoreError> {
        let kept = i64::try_from(REVOCATION_KEPT.as_micros()).unwrap_or(i64::MAX);
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM viewer_revocation WHERE account = $1 AND expires_at <= $2")
            .bind(account)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        for revocation in revocations {
            sqlx::query(
                "INSERT INTO viewer_revocation (channel_arn, viewer_id, account, version, expires_at) \
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (channel_arn, viewer_id) DO UPDATE SET \
                 version = CASE WHEN excluded.version > viewer_revocation.version \
                 THEN excluded.version ELSE viewer_revocation.version END, \
                 expires_at = excluded.expires_at",
            )
            .bind(revocation.channel.to_string())
            .bind(revocation.viewer_id)
            .bind(account)
            .bind(revocation.version)
            .bind(now.0 + kept)
            .execute(&mut *tx)
            .await?;
        }
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM viewer_revocation WHERE account = $1")
                .bind(account)
                .fetch_one(&mut *tx)
                .await?;
        if count > REVOCATIONS_MAX {
            sqlx::query(
                "DELETE FROM viewer_revocation WHERE account = $1 AND expires_at <= (SELECT expires_at \
                 FROM viewer_revocation WHERE account = $1 ORDER BY expires_at LIMIT 1 OFFSET $2)",
            )
            .bind(account)
            .bind(count - REVOCATIONS_MAX - 1)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await
    }

    /// Up to which version the sessions of a viewer are revoked, if at all.
    pub async fn revoked_up_to(
        &self,
        now: WallTime,
        channel_arn: &str,
        viewer_id: &str,
    ) -> Result<Option<i64>, StoreError> {
        let version = sqlx::query_scalar(
            "SELECT version FROM viewer_revocation WHERE channel_arn = $1 AND viewer_id = $2 AND expires_at > $3",
        )
        .bind(channel_arn)
        .bind(viewer_id)
        .bind(now.0)
        .fetch_optional(&self.pool)
        .await?;
        Ok(version)
    }

    /// Uses up a token that is for one use, and remembers that until `expires_at`.
    pub async fn use_token_once(
        &self,
        now: WallTime,
        (channel_arn, uuid): (&str, &str),
        expires_at: WallTime,
    ) -> Result<TokenUse, StoreError> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM used_playback_token WHERE expires_at <= $1")
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        let (of_account, _) = channel_arn.rsplit_once(':').unwrap_or((channel_arn, ""));
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM used_playback_token WHERE channel_arn LIKE $1",
        )
        .bind(format!("{of_account}:%"))
        .fetch_one(&mut *tx)
        .await?;
        if count >= USED_TOKENS_MAX {
            return Ok(TokenUse::Full);
        }
        let done = sqlx::query(
            "INSERT INTO used_playback_token (channel_arn, uuid, expires_at) VALUES ($1, $2, $3) \
             ON CONFLICT DO NOTHING",
        )
        .bind(channel_arn)
        .bind(uuid)
        .bind(expires_at.0)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(if done.rows_affected() == 0 {
            TokenUse::Again
        } else {
            TokenUse::First
        })
    }
}
