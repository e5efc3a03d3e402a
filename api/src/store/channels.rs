//! Channels, what they refer to, and their stream keys.

use sqlx::AnyConnection;

use crate::arn::{Arn, ArnKind};
use crate::dto::channel::{ChannelRecord, REFERENCE_KINDS, StreamKeyRecord};
use crate::pagination::{Page, PageRequest};
use crate::store::resources::{
    COLUMNS, check_quota, exists, insert_row, read_page, read_row, update_row,
};
use crate::store::{NewResource, Record, Resource, Store, StoreError};

/// Which channels a list holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChannelFilter {
    /// All of the account.
    All,
    /// Those of exactly this name.
    Name(String),
    /// Those that refer to this resource of a kind; `None`: those that refer to none of that kind.
    Reference(ArnKind, Option<Arn>),
}

impl Store {
    /// Keeps a new channel and its stream key. What it refers to must be there.
    pub async fn insert_channel(
        &self,
        account: &str,
        channel: NewResource<'_, ChannelRecord>,
        key: NewResource<'_, StreamKeyRecord>,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        check_quota::<ChannelRecord>(&mut tx, account, &self.quotas).await?;
        insert_row(&mut tx, account, &channel, None, None).await?;
        let value = key.record.value.expose();
        insert_row(&mut tx, account, &key, Some(channel.arn), Some(value)).await?;
        let channel_arn = channel.arn.to_string();
        for (kind, referred) in REFERENCE_KINDS.into_iter().zip(channel.record.references()) {
            must_exist(&mut tx, account, referred).await?;
            sqlx::query(
                "INSERT INTO channel_reference (channel_arn, channel_seq, account, kind, referred_arn) \
                 SELECT arn, seq, account, $1, $2 FROM resource WHERE arn = $3",
            )
            .bind(kind.as_str())
            .bind(text(referred))
            .bind(&channel_arn)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await
    }

    /// Changes a channel as `change` says, unless that refuses. What it then refers to must be there. Answers `None`
    /// when the account does not have the channel.
    pub async fn update_channel<E: From<StoreError>>(
        &self,
        account: &str,
        arn: &Arn,
        change: impl FnOnce(&mut ChannelRecord) -> Result<(), E> + Send,
    ) -> Result<Option<Resource<ChannelRecord>>, E> {
        let mut tx = self.write().await?;
        let Some(changed) = update_row(&mut tx, account, arn, change).await? else {
            return Ok(None);
        };
        keep_references(&mut tx, account, &changed).await?;
        tx.commit().await?;
        Ok(Some(changed))
    }

    /// A page of the account's channels, oldest first.
    pub async fn list_channels(
        &self,
        account: &str,
        page: PageRequest,
        filter: &ChannelFilter,
    ) -> Result<Page<Resource<ChannelRecord>>, StoreError> {
        let (kind, referred) = match filter {
            ChannelFilter::All => return self.list(account, page, None).await,
            ChannelFilter::Name(name) => return self.list(account, page, Some(name)).await,
            ChannelFilter::Reference(kind, referred) => (kind, referred.as_ref()),
        };
        let rows = sqlx::query(
            "SELECT c.seq, c.arn, c.parent, c.record, c.tags FROM channel_reference f \
             JOIN resource c ON c.arn = f.channel_arn WHERE f.account = $1 AND f.kind = $2 AND f.referred_arn = $3 \
             AND f.channel_seq > $4 ORDER BY f.channel_seq LIMIT $5",
        )
        .bind(account)
        .bind(kind.as_str())
        .bind(text(referred))
        .bind(page.after)
        .bind(i64::from(page.limit) + 1)
        .fetch_all(&self.pool)
        .await?;
        read_page(&rows, page)
    }

    /// Keeps a new stream key of a channel. Answers false when the account does not have the channel.
    pub async fn insert_stream_key(
        &self,
        account: &str,
        channel: &Arn,
        key: NewResource<'_, StreamKeyRecord>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let channel_text = channel.to_string();
        if !exists(&mut tx, account, &channel_text).await? {
            return Ok(false);
        }
        let keys: i64 = sqlx::query_scalar("SELECT count(*) FROM resource WHERE parent = $1")
            .bind(&channel_text)
            .fetch_one(&mut *tx)
            .await?;
        let limit = StreamKeyRecord::quota(&self.quotas);
        if keys >= i64::from(limit) {
            return Err(StoreError::Quota {
                what: "stream keys of the channel",
                limit,
            });
        }
        let value = key.record.value.expose();
        insert_row(&mut tx, account, &key, Some(channel), Some(value)).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// A page of the stream keys of a channel.
    pub async fn list_stream_keys(
        &self,
        account: &str,
        channel: &Arn,
        page: PageRequest,
    ) -> Result<Page<Resource<StreamKeyRecord>>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM resource WHERE account = $1 AND kind = $2 AND parent = $3 AND seq > $4 \
             ORDER BY seq LIMIT $5"
        );
        let rows = sqlx::query(&sql)
            .bind(account)
            .bind(ArnKind::StreamKey.as_str())
            .bind(channel.to_string())
            .bind(page.after)
            .bind(i64::from(page.limit) + 1)
            .fetch_all(&self.pool)
            .await?;
        read_page(&rows, page)
    }

    /// The channel that a stream key value lets a broadcaster into; for the ingest server.
    pub async fn channel_of_stream_key(
        &self,
        value: &str,
    ) -> Result<Option<Resource<ChannelRecord>>, StoreError> {
        let row = sqlx::query(
            "SELECT c.seq, c.arn, c.parent, c.record, c.tags FROM resource k JOIN resource c ON c.arn = k.parent \
             WHERE k.lookup = $1 AND k.kind = $2",
        )
        .bind(value)
        .bind(ArnKind::StreamKey.as_str())
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(read_row).transpose()
    }
}

/// A channel of the account that refers to `arn`, if there is one.
pub(super) async fn channel_that_refers_to(
    tx: &mut AnyConnection,
    account: &str,
    arn: &Arn,
) -> Result<Option<String>, StoreError> {
    let channel = sqlx::query_scalar(
        "SELECT channel_arn FROM channel_reference WHERE account = $1 AND kind = $2 AND referred_arn = $3 \
         ORDER BY channel_seq LIMIT 1",
    )
    .bind(account)
    .bind(arn.kind().as_str())
    .bind(arn.to_string())
    .fetch_optional(tx)
    .await?;
    Ok(channel)
}

async fn keep_references(
    tx: &mut AnyConnection,
    account: &str,
    channel: &Resource<ChannelRecord>,
) -> Result<(), StoreError> {
    let channel_arn = channel.arn.to_string();
    for (kind, referred) in REFERENCE_KINDS.into_iter().zip(channel.record.references()) {
        must_exist(tx, account, referred).await?;
        sqlx::query(
            "UPDATE channel_reference SET referred_arn = $1 WHERE channel_arn = $2 AND kind = $3",
        )
        .bind(text(referred))
        .bind(&channel_arn)
        .bind(kind.as_str())
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

async fn must_exist(
    tx: &mut AnyConnection,
    account: &str,
    referred: Option<&Arn>,
) -> Result<(), StoreError> {
    match referred {
        Some(arn) if !exists(tx, account, &arn.to_string()).await? => {
            Err(StoreError::MissingReference { arn: arn.clone() })
        }
        Some(_) | None => Ok(()),
    }
}

fn text(referred: Option<&Arn>) -> String {
    referred.map(Arn::to_string).unwrap_or_default()
}
