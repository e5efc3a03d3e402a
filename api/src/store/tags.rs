//! Tags of any resource, by ARN.

use crate::arn::{Arn, ArnKind};
use crate::dto::Tags;
use crate::store::resources::{from_json, to_json};
use crate::store::{Store, StoreError};

impl Store {
    /// The tags of a resource, if the account has it.
    pub async fn tags(&self, account: &str, arn: &Arn) -> Result<Option<Tags>, StoreError> {
        let text = arn.to_string();
        let sql = format!(
            "SELECT tags FROM {} WHERE account = $1 AND arn = $2",
            table(arn)
        );
        let tags: Option<String> = sqlx::query_scalar(&sql)
            .bind(account)
            .bind(&text)
            .fetch_optional(&self.pool)
            .await?;
        tags.map(|tags| from_json(&text, &tags)).transpose()
    }

    /// Changes the tags of a resource, unless there would be too many. Answers `None` when there is no such resource,
    /// else how many tags `change` would leave.
    pub async fn change_tags(
        &self,
        account: &str,
        arn: &Arn,
        max: usize,
        change: impl FnOnce(&mut Tags) + Send,
    ) -> Result<Option<usize>, StoreError> {
        let text = arn.to_string();
        let table = table(arn);
        let mut tx = self.write().await?;
        let sql = format!("SELECT tags FROM {table} WHERE account = $1 AND arn = $2");
        let stored: Option<String> = sqlx::query_scalar(&sql)
            .bind(account)
            .bind(&text)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(stored) = stored else {
            return Ok(None);
        };
        let mut tags: Tags = from_json(&text, &stored)?;
        change(&mut tags);
        if tags.len() <= max {
            let sql = format!("UPDATE {table} SET tags = $1 WHERE account = $2 AND arn = $3");
            sqlx::query(&sql)
                .bind(to_json(&tags)?)
                .bind(account)
                .bind(&text)
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
        }
        Ok(Some(tags.len()))
    }
}

fn table(arn: &Arn) -> &'static str {
    if arn.kind() == ArnKind::Composition {
        "composition"
    } else {
        "resource"
    }
}
