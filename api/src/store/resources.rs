//! Resources that are created, read, listed and deleted; all kinds in one table.

use compositor_core::id::StageId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use crate::arn::{Arn, ArnKind};
use crate::dto::Tags;
use crate::dto::ad_configuration::AdConfigurationRecord;
use crate::dto::channel::{ChannelRecord, StreamKeyRecord};
use crate::dto::encoder_configuration::EncoderConfigurationRecord;
use crate::dto::failover_slate_configuration::FailoverSlateConfigurationRecord;
use crate::dto::ingest_configuration::IngestConfigurationRecord;
use crate::dto::playback_key_pair::PlaybackKeyPairRecord;
use crate::dto::playback_restriction_policy::PlaybackRestrictionPolicyRecord;
use crate::dto::public_key::PublicKeyRecord;
use crate::dto::recording_configuration::RecordingConfigurationRecord;
use crate::dto::stage::StageRecord;
use crate::dto::storage_configuration::StorageConfigurationRecord;
use crate::pagination::{Page, PageRequest};
use crate::quotas::Quotas;
use crate::store::channels::channel_that_refers_to;
use crate::store::checked;
use crate::store::database::WriteTransaction;
use crate::store::linked::{detach_ingest_configurations, stage_that_refers_to};
use crate::store::{Store, StoreError};

/// What the store keeps of one kind of resource.
pub trait Record: Serialize + DeserializeOwned + Send + Sync + Unpin {
    /// Its type in ARNs.
    const KIND: ArnKind;

    /// How many an account may have.
    fn quota(quotas: &Quotas) -> u32;

    /// What the quota is called in messages.
    const PLURAL: &'static str;

    /// Its name in the API, not unique.
    fn name(&self) -> &str;
}

macro_rules! record {
    ($record:ident, $kind:ident, $quota:ident, $plural:literal) => {
        impl Record for $record {
            const KIND: ArnKind = ArnKind::$kind;
            const PLURAL: &'static str = $plural;

            fn quota(quotas: &Quotas) -> u32 {
                quotas.$quota
            }

            fn name(&self) -> &str {
                &self.name
            }
        }
    };
}

record!(StageRecord, Stage, stages, "stages");
record!(
    EncoderConfigurationRecord,
    EncoderConfiguration,
    encoder_configurations,
    "encoder configurations"
);
record!(
    StorageConfigurationRecord,
    StorageConfiguration,
    storage_configurations,
    "storage configurations"
);
record!(
    IngestConfigurationRecord,
    IngestConfiguration,
    ingest_configurations,
    "ingest configurations"
);
record!(PublicKeyRecord, PublicKey, public_keys, "public keys");
record!(ChannelRecord, Channel, channels, "channels");

record!(
    PlaybackKeyPairRecord,
    PlaybackKey,
    playback_key_pairs,
    "playback key pairs"
);
record!(
    PlaybackRestrictionPolicyRecord,
    PlaybackRestrictionPolicy,
    playback_restriction_policies,
    "playback restriction policies"
);
record!(
    RecordingConfigurationRecord,
    RecordingConfiguration,
    recording_configurations,
    "recording configurations"
);
record!(
    AdConfigurationRecord,
    AdConfiguration,
    ad_configurations,
    "ad configurations"
);
record!(
    FailoverSlateConfigurationRecord,
    FailoverSlateConfiguration,
    failover_slate_configurations,
    "failover slate configurations"
);

impl Record for StreamKeyRecord {
    const KIND: ArnKind = ArnKind::StreamKey;
    const PLURAL: &'static str = "stream keys";

    /// Of a channel; an account has as many as its channels have.
    fn quota(quotas: &Quotas) -> u32 {
        quotas.stream_keys_per_channel
    }

    fn name(&self) -> &str {
        ""
    }
}

/// A resource to be kept.
#[derive(Debug)]
pub struct NewResource<'a, T> {
    /// Its new ARN.
    pub arn: &'a Arn,
    /// What is kept.
    pub record: &'a T,
    /// Its tags.
    pub tags: &'a Tags,
}

impl<'a, T> NewResource<'a, T> {
    /// What is new of a resource.
    pub fn of(resource: &'a Resource<T>) -> Self {
        Self {
            arn: &resource.arn,
            record: &resource.record,
            tags: &resource.tags,
        }
    }
}

/// A resource as it is kept.
#[derive(Clone, PartialEq, Debug)]
pub struct Resource<T> {
    /// Its place in lists.
    pub seq: i64,
    /// Its ARN.
    pub arn: Arn,
    /// A stream key's channel.
    pub parent: Option<Arn>,
    /// What is kept.
    pub record: T,
    /// Its tags.
    pub tags: Tags,
}

/// What came of a deletion.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Deletion {
    /// It is gone.
    Deleted,
    /// It never was, or is gone already.
    Missing,
    /// This unfinished composition uses it.
    InUse {
        /// Its ARN.
        composition: String,
    },
    /// This resource refers to it.
    Attached {
        /// Its ARN.
        by: String,
    },
}

/// Orders lists.
pub(super) const SEQUENCE: &str = "resource";

pub(super) const COLUMNS: &str = "seq, arn, parent, record, tags";

impl Store {
    /// Keeps a new resource, unless the account has too many.
    pub async fn insert<T: Record>(
        &self,
        account: &str,
        new: NewResource<'_, T>,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        check_quota::<T>(&mut tx, account, &self.quotas).await?;
        insert_row(&mut tx, account, &new, None, None).await?;
        tx.commit().await
    }

    /// Keeps a new resource as [`Self::insert`] does, unless the account has one of the same kind and `mark`.
    pub async fn insert_distinct<T: Record>(
        &self,
        account: &str,
        new: NewResource<'_, T>,
        mark: &str,
    ) -> Result<(), StoreError> {
        let lookup = format!("{account} {} {mark}", T::KIND.as_str());
        let mut tx = self.write().await?;
        let same: Option<String> = sqlx::query_scalar("SELECT arn FROM resource WHERE lookup = $1")
            .bind(&lookup)
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(arn) = same {
            return Err(StoreError::Duplicate { arn });
        }
        check_quota::<T>(&mut tx, account, &self.quotas).await?;
        insert_row(&mut tx, account, &new, None, Some(&lookup)).await?;
        tx.commit().await
    }

    /// The resources of one kind of all accounts; for the server's start.
    pub async fn of_all_accounts<T: Record>(&self) -> Result<Vec<Resource<T>>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM resource WHERE kind = $1 ORDER BY seq");
        let rows = sqlx::query(&sql)
            .bind(T::KIND.as_str())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read_row).collect()
    }

    /// The resource of that ARN, if the account has it.
    pub async fn find<T: Record>(
        &self,
        account: &str,
        arn: &Arn,
    ) -> Result<Option<Resource<T>>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        find_row(&mut connection, account, arn).await
    }

    /// A page of the account's resources of one kind, oldest first; of one name, when given.
    pub async fn list<T: Record>(
        &self,
        account: &str,
        page: PageRequest,
        name: Option<&str>,
    ) -> Result<Page<Resource<T>>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM resource WHERE account = $1 AND kind = $2 AND seq > $3 {} \
             ORDER BY seq LIMIT $4",
            if name.is_some() { "AND name = $5" } else { "" }
        );
        let mut query = sqlx::query(&sql)
            .bind(account)
            .bind(T::KIND.as_str())
            .bind(page.after)
            .bind(i64::from(page.limit) + 1);
        if let Some(name) = name {
            query = query.bind(name);
        }
        let rows = query.fetch_all(&self.pool).await?;
        read_page(&rows, page)
    }

    /// Whether any account has this stage; for the gateway, which knows stages by their identifier.
    pub async fn stage_exists(&self, stage: &StageId) -> Result<bool, StoreError> {
        let found: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM resource WHERE kind = $1 AND id = $2")
                .bind(ArnKind::Stage.as_str())
                .bind(stage.as_str())
                .fetch_optional(&self.pool)
                .await?;
        Ok(found.is_some())
    }

    /// Changes a resource, unless `change` refuses; nobody else changes it meanwhile. `None` when the account has none of
    /// that ARN.
    pub async fn update<T: Record, E: From<StoreError>>(
        &self,
        account: &str,
        arn: &Arn,
        change: impl FnOnce(&mut T) -> Result<(), E> + Send,
    ) -> Result<Option<Resource<T>>, E> {
        let mut tx = self.write().await?;
        let updated = update_row(&mut tx, account, arn, change).await?;
        tx.commit().await?;
        Ok(updated)
    }

    /// Removes a resource and what hangs on it, unless an unfinished composition that must not lose it uses it. The
    /// stage of a composition may go: that ends the composition.
    pub async fn delete(&self, account: &str, arn: &Arn) -> Result<Deletion, StoreError> {
        let mut tx = self.write().await?;
        let text = arn.to_string();
        if !exists(&mut tx, account, &text).await? {
            return Ok(Deletion::Missing);
        }
        let user: Option<String> = sqlx::query_scalar(
            "SELECT c.arn FROM composition_use u JOIN composition c ON c.arn = u.composition_arn \
             WHERE u.used_arn = $1 AND c.account = $2 AND c.unfinished = 1 LIMIT 1",
        )
        .bind(&text)
        .bind(account)
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(composition) = user {
            return Ok(Deletion::InUse { composition });
        }
        if let Some(by) = channel_that_refers_to(&mut tx, account, arn).await? {
            return Ok(Deletion::Attached { by });
        }
        if let Some(by) = stage_that_refers_to(&mut tx, account, arn).await? {
            return Ok(Deletion::Attached { by });
        }
        detach_ingest_configurations(&mut tx, account, arn).await?;
        sqlx::query("DELETE FROM resource WHERE account = $1 AND arn = $2")
            .bind(account)
            .bind(&text)
            .execute(&mut *tx)
            .await?;
        for sql in [
            "DELETE FROM resource WHERE parent = $1",
            "DELETE FROM participant_token WHERE stage_arn = $1",
            "DELETE FROM participant_replica WHERE source_stage_arn = $1 OR destination_stage_arn = $1",
        ] {
            sqlx::query(sql).bind(&text).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(Deletion::Deleted)
    }
}

/// Whether a resource of that ARN is there, inside a transaction.
pub(super) async fn exists(
    tx: &mut AnyConnection,
    account: &str,
    arn: &str,
) -> Result<bool, StoreError> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM resource WHERE account = $1 AND arn = $2")
            .bind(account)
            .bind(arn)
            .fetch_optional(tx)
            .await?;
    Ok(found.is_some())
}

/// Writes a value as JSON.
pub(crate) fn plain_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Corrupt {
        what: "a value that cannot be written as JSON".to_owned(),
        source: Some(source),
    })
}

/// Writes a value as the store keeps it.
pub(super) fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    plain_json(value).map(checked::seal)
}

/// Reads a value back; `what` names the row.
pub(super) fn from_json<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(checked::open(what, text)?).map_err(|source| StoreError::Corrupt {
        what: what.to_owned(),
        source: Some(source),
    })
}

/// Reads an ARN back.
pub(super) fn read_arn(text: &str) -> Result<Arn, StoreError> {
    Arn::parse(text).ok_or_else(|| StoreError::Corrupt {
        what: format!("{text} is not an ARN"),
        source: None,
    })
}

pub(super) async fn check_quota<T: Record>(
    tx: &mut AnyConnection,
    account: &str,
    quotas: &Quotas,
) -> Result<(), StoreError> {
    let limit = T::quota(quotas);
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM resource WHERE account = $1 AND kind = $2")
            .bind(account)
            .bind(T::KIND.as_str())
            .fetch_one(tx)
            .await?;
    if count < i64::from(limit) {
        return Ok(());
    }
    Err(StoreError::Quota {
        what: T::PLURAL,
        limit,
    })
}

pub(super) async fn insert_row<T: Record>(
    tx: &mut WriteTransaction,
    account: &str,
    new: &NewResource<'_, T>,
    parent: Option<&Arn>,
    lookup: Option<&str>,
) -> Result<(), StoreError> {
    let seq = tx.next(SEQUENCE).await?;
    sqlx::query(
        "INSERT INTO resource (seq, arn, account, kind, id, name, parent, lookup, record, tags) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(seq)
    .bind(new.arn.to_string())
    .bind(account)
    .bind(T::KIND.as_str())
    .bind(new.arn.id())
    .bind(new.record.name())
    .bind(parent.map(Arn::to_string))
    .bind(lookup)
    .bind(to_json(new.record)?)
    .bind(to_json(new.tags)?)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// As [`Store::update`], inside a transaction that does more.
pub(super) async fn update_row<T: Record, E: From<StoreError>>(
    tx: &mut AnyConnection,
    account: &str,
    arn: &Arn,
    change: impl FnOnce(&mut T) -> Result<(), E> + Send,
) -> Result<Option<Resource<T>>, E> {
    let Some(mut resource) = find_row::<T>(tx, account, arn).await? else {
        return Ok(None);
    };
    change(&mut resource.record)?;
    sqlx::query("UPDATE resource SET name = $1, record = $2 WHERE seq = $3")
        .bind(resource.record.name())
        .bind(to_json(&resource.record)?)
        .bind(resource.seq)
        .execute(tx)
        .await
        .map_err(StoreError::from)?;
    Ok(Some(resource))
}

/// As [`Store::find`], on any connection.
pub(super) async fn find_row<T: Record>(
    connection: &mut AnyConnection,
    account: &str,
    arn: &Arn,
) -> Result<Option<Resource<T>>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM resource WHERE account = $1 AND kind = $2 AND arn = $3");
    let row = sqlx::query(&sql)
        .bind(account)
        .bind(T::KIND.as_str())
        .bind(arn.to_string())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(read_row).transpose()
}

pub(super) fn read_page<T: Record>(
    rows: &[AnyRow],
    page: PageRequest,
) -> Result<Page<Resource<T>>, StoreError> {
    let items: Result<Vec<Resource<T>>, StoreError> = rows.iter().map(read_row).collect();
    Ok(Page::cut(items?, page.limit, |resource| resource.seq))
}

pub(super) fn read_row<T: Record>(row: &AnyRow) -> Result<Resource<T>, StoreError> {
    let arn: String = row.try_get("arn")?;
    let parent: Option<String> = row.try_get("parent")?;
    let record: String = row.try_get("record")?;
    let tags: String = row.try_get("tags")?;
    Ok(Resource {
        seq: row.try_get("seq")?,
        parent: parent.as_deref().map(read_arn).transpose()?,
        record: from_json(&arn, &record)?,
        tags: from_json(&arn, &tags)?,
        arn: read_arn(&arn)?,
    })
}
