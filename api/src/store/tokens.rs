//! Which participants were given tokens or came with their own, and which of those were disconnected for good.

use compositor_core::id::ParticipantId;
use compositor_core::time::WallTime;

use crate::arn::Arn;
use crate::store::{Store, StoreError};

impl Store {
    /// Remembers that the stage lets this participant in, until the token expires. Forgets expired ones on the way.
    pub async fn remember_token(
        &self,
        now: WallTime,
        stage: &Arn,
        participant: &ParticipantId,
        expires_at: WallTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM participant_token WHERE expires_at < $1")
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO participant_token (stage_arn, participant, expires_at) VALUES ($1, $2, $3) \
             ON CONFLICT (stage_arn, participant) DO UPDATE SET expires_at = excluded.expires_at \
             WHERE excluded.expires_at > participant_token.expires_at",
        )
        .bind(stage.to_string())
        .bind(participant.as_str())
        .bind(expires_at.0)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// Refuses the participant's token from now on. Answers false when the stage does not know it, or it expired.
    pub async fn revoke_token(
        &self,
        now: WallTime,
        stage: &Arn,
        participant: &ParticipantId,
    ) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "UPDATE participant_token SET revoked = 1 WHERE stage_arn = $1 AND participant = $2 AND expires_at >= $3",
        )
        .bind(stage.to_string())
        .bind(participant.as_str())
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Until when the stage remembers the participant, and whether it was disconnected for good; `None` if the stage does
    /// not know it.
    pub async fn token(
        &self,
        stage: &Arn,
        participant: &ParticipantId,
    ) -> Result<Option<KnownToken>, StoreError> {
        let row: Option<(i64, i64)> = sqlx::query_as(
            "SELECT expires_at, revoked FROM participant_token WHERE stage_arn = $1 AND participant = $2",
        )
        .bind(stage.to_string())
        .bind(participant.as_str())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(expires_at, revoked)| KnownToken {
            expires_at: WallTime(expires_at),
            revoked: revoked != 0,
        }))
    }
}

/// What a stage remembers of a participant's token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownToken {
    /// When it is forgotten.
    pub expires_at: WallTime,
    /// Whether it is refused.
    pub revoked: bool,
}
