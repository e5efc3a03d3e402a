//! Tags of any resource, by ARN.

use compositor_core::time::WallTime;
use sqlx::AnyConnection;

use crate::arn::{Arn, ArnKind};
use crate::dto::Tags;
use crate::store::compositions::KEPT_AFTER_END_MICROS;
use crate::store::resources::{from_json, to_json};
use crate::store::{Store, StoreError};

impl Store {
    /// The tags of a resource, if the account has it.
    pub async fn tags(
        &self,
        now: WallTime,
        account: &str,
        arn: &Arn,
    ) -> Result<Option<Tags>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        read(&mut connection, now, account, arn).await
    }

    /// Changes the tags of a resource, unless there would be too many. Answers `None` when there is no such resource,
    /// else how many tags `change` would leave.
    pub async fn change_tags(
        &self,
        now: WallTime,
        account: &str,
        arn: &Arn,
        max: usize,
        change: impl FnOnce(&mut Tags) + Send,
    ) -> Result<Option<usize>, StoreError> {
        let mut tx = self.write().await?;
        let Some(mut tags) = read(&mut tx, now, account, arn).await? else {
            return Ok(None);
        };
        change(&mut tags);
        if tags.len() <= max {
            let table = if is_composition(arn) {
                "composition"
            } else {
                "resource"
            };
            let sql = format!("UPDATE {table} SET tags = $1 WHERE account = $2 AND arn = $3");
            sqlx::query(&sql)
                .bind(to_json(&tags)?)
                .bind(account)
                .bind(arn.to_string())
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
        }
        Ok(Some(tags.len()))
    }
}

async fn read(
    connection: &mut AnyConnection,
    now: WallTime,
    account: &str,
    arn: &Arn,
) -> Result<Option<Tags>, StoreError> {
    let text = arn.to_string();
    let sql = if is_composition(arn) {
        "SELECT tags FROM composition WHERE account = $1 AND arn = $2 AND (ended_at IS NULL OR ended_at > $3)"
    } else {
        "SELECT tags FROM resource WHERE account = $1 AND arn = $2"
    };
    let mut query = sqlx::query_scalar(sql).bind(account).bind(&text);
    if is_composition(arn) {
        query = query.bind(now.0 - KEPT_AFTER_END_MICROS);
    }
    let tags: Option<String> = query.fetch_optional(connection).await?;
    tags.map(|tags| from_json(&text, &tags)).transpose()
}

fn is_composition(arn: &Arn) -> bool {
    arn.kind() == ArnKind::Composition
}
