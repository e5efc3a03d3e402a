//! Connection tokens that RevokeConnectionToken named.

use compositor_core::time::WallTime;

use crate::store::{Store, StoreError};

/// No connection token lives longer than four weeks (IVS).
const REMEMBERED_MICROS: i64 = 28 * 24 * 3600 * 1_000_000;

impl Store {
    /// Refuses a connection token for as long as one can live. Forgets older ones on the way.
    pub async fn revoke_connection_token(
        &self,
        now: WallTime,
        account: &str,
        token_id: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM revoked_connection_token WHERE forget_at <= $1")
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO revoked_connection_token (account, token_id, forget_at) VALUES ($1, $2, $3) \
             ON CONFLICT (account, token_id) DO UPDATE SET forget_at = excluded.forget_at",
        )
        .bind(account)
        .bind(token_id)
        .bind(now.0 + REMEMBERED_MICROS)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// Whether the token is refused now.
    pub async fn is_connection_token_revoked(
        &self,
        now: WallTime,
        account: &str,
        token_id: &str,
    ) -> Result<bool, StoreError> {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT forget_at FROM revoked_connection_token WHERE account = $1 AND token_id = $2 AND forget_at > $3",
        )
        .bind(account)
        .bind(token_id)
        .bind(now.0)
        .fetch_optional(&self.pool)
        .await?;
        Ok(found.is_some())
    }
}
