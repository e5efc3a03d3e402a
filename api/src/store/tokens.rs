//! Which participants were given tokens, and which of those were disconnected for good.

use compositor_core::id::ParticipantId;
use compositor_core::time::WallTime;

use crate::arn::Arn;
use crate::store::{Store, StoreError};

impl Store {
    /// Remembers that the stage let this participant in, until the token expires. Forgets expired ones on the way.
    pub async fn remember_token(
        &self,
        now: WallTime,
        stage: &Arn,
        participant: &ParticipantId,
        expires_at: WallTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM participant_token WHERE expires_at < ?")
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO participant_token (participant, stage_arn, expires_at) VALUES (?, ?, ?)",
        )
        .bind(participant.as_str())
        .bind(stage.to_string())
        .bind(expires_at.0)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Refuses the participant's token from now on. Answers false when this stage never gave it one, or it expired.
    pub async fn revoke_token(
        &self,
        now: WallTime,
        stage: &Arn,
        participant: &ParticipantId,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE participant_token SET revoked = 1 WHERE participant = ? AND stage_arn = ? AND expires_at >= ?",
        )
        .bind(participant.as_str())
        .bind(stage.to_string())
        .bind(now.0)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Whether the participant was disconnected for good.
    pub async fn is_token_revoked(&self, participant: &ParticipantId) -> Result<bool, StoreError> {
        let revoked: Option<bool> =
            sqlx::query_scalar("SELECT revoked FROM participant_token WHERE participant = ?")
                .bind(participant.as_str())
                .fetch_optional(&self.pool)
                .await?;
        Ok(revoked.unwrap_or(false))
    }

    /// Everybody who was disconnected for good and whose token has not expired; for the gateway's start.
    pub async fn revoked_tokens(&self, now: WallTime) -> Result<Vec<ParticipantId>, StoreError> {
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT participant FROM participant_token WHERE revoked AND expires_at >= ?",
        )
        .bind(now.0)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(ParticipantId::new).collect())
    }
}
