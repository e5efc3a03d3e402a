//! Resources that refer to one other resource: stages to the storage configuration of their recordings, ingest
//! configurations to their stage. The reference is in the record, and as `parent` in the row, for lists and deletions.

use sqlx::AnyConnection;

use crate::arn::{Arn, ArnKind};
use crate::dto::ingest_configuration::IngestConfigurationRecord;
use crate::dto::stage::StageRecord;
use crate::pagination::{Page, PageRequest};
use crate::store::resources::{
    COLUMNS, check_quota, exists, insert_row, read_arn, read_page, update_row,
};
use crate::store::{NewResource, Record, Resource, Store, StoreError};

/// A record with a reference.
pub trait Linked: Record {
    /// What it refers to.
    fn link(&self) -> Option<&Arn>;
}

impl Linked for StageRecord {
    fn link(&self) -> Option<&Arn> {
        self.recording.storage_configuration_arn.0.as_ref()
    }
}

impl Linked for IngestConfigurationRecord {
    fn link(&self) -> Option<&Arn> {
        self.stage_arn.0.as_ref()
    }
}

impl Store {
    /// Keeps a new resource, unless the account has too many. What it refers to must be there.
    pub async fn insert_linked<T: Linked>(
        &self,
        account: &str,
        new: NewResource<'_, T>,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        check_quota::<T>(&mut tx, account, &self.quotas).await?;
        let link = new.record.link();
        must_exist(&mut tx, account, link).await?;
        insert_row(&mut tx, account, &new, link, None).await?;
        tx.commit().await
    }

    /// Changes a resource as `change` says, unless that refuses. What it refers to anew must be there. Answers `None` when
    /// the account does not have it.
    pub async fn update_linked<T: Linked, E: From<StoreError>>(
        &self,
        account: &str,
        arn: &Arn,
        change: impl FnOnce(&mut T) -> Result<(), E> + Send,
    ) -> Result<Option<Resource<T>>, E> {
        let mut tx = self.write().await?;
        let changed = update_row(&mut tx, account, arn, change).await?;
        if let Some(changed) = &changed
            && changed.record.link() != changed.parent.as_ref()
        {
            must_exist(&mut tx, account, changed.record.link()).await?;
            relink(&mut tx, account, arn, changed.record.link()).await?;
        }
        tx.commit().await?;
        Ok(changed)
    }

    /// A page of those that refer to `link`, oldest first.
    pub async fn list_linked<T: Linked>(
        &self,
        account: &str,
        link: &Arn,
        page: PageRequest,
    ) -> Result<Page<Resource<T>>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM resource WHERE account = $1 AND kind = $2 AND parent = $3 AND seq > $4 \
             ORDER BY seq LIMIT $5"
        );
        let rows = sqlx::query(&sql)
            .bind(account)
            .bind(T::KIND.as_str())
            .bind(link.to_string())
            .bind(page.after)
            .bind(i64::from(page.limit) + 1)
            .fetch_all(&self.pool)
            .await?;
        read_page(&rows, page)
    }
}

/// A stage of the account that is recorded by the storage configuration `arn`.
pub(super) async fn stage_that_refers_to(
    tx: &mut AnyConnection,
    account: &str,
    arn: &Arn,
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT arn FROM resource WHERE parent = $1 AND kind = $2 AND account = $3 ORDER BY seq LIMIT 1";
    let stage = sqlx::query_scalar(sql)
        .bind(arn.to_string())
        .bind(ArnKind::Stage.as_str())
        .bind(account)
        .fetch_optional(tx)
        .await?;
    Ok(stage)
}

/// Takes ingest configurations from a stage that goes.
pub(super) async fn detach_ingest_configurations(
    tx: &mut AnyConnection,
    account: &str,
    stage: &Arn,
) -> Result<(), StoreError> {
    let sql = "SELECT arn FROM resource WHERE parent = $1 AND kind = $2 AND account = $3";
    let attached: Vec<String> = sqlx::query_scalar(sql)
        .bind(stage.to_string())
        .bind(ArnKind::IngestConfiguration.as_str())
        .bind(account)
        .fetch_all(&mut *tx)
        .await?;
    for arn in attached {
        let arn = read_arn(&arn)?;
        let detach = |record: &mut IngestConfigurationRecord| -> Result<(), StoreError> {
            record.stage_arn.0 = None;
            Ok(())
        };
        update_row(&mut *tx, account, &arn, detach).await?;
        relink(&mut *tx, account, &arn, None).await?;
    }
    Ok(())
}

async fn must_exist(
    tx: &mut AnyConnection,
    account: &str,
    link: Option<&Arn>,
) -> Result<(), StoreError> {
    match link {
        Some(arn) if !exists(tx, account, &arn.to_string()).await? => {
            Err(StoreError::MissingReference { arn: arn.clone() })
        }
        Some(_) | None => Ok(()),
    }
}

async fn relink(
    tx: &mut AnyConnection,
    account: &str,
    arn: &Arn,
    link: Option<&Arn>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE resource SET parent = $1 WHERE arn = $2 AND account = $3")
        .bind(link.map(Arn::to_string))
        .bind(arn.to_string())
        .bind(account)
        .execute(tx)
        .await?;
    Ok(())
}
