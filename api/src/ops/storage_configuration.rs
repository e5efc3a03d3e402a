//! Storage configurations.

use serde::Deserialize;

use crate::backend::BucketLook;
use crate::bucket_name::check_bucket_name;
use crate::dto::Tags;
use crate::dto::storage_configuration::{S3StorageConfiguration, StorageConfigurationRecord};
use crate::error::{ApiError, ErrorKind};
use crate::input::Input;
use crate::ops::{find_named, keep, list_page, shown};
use crate::reply::Reply;
use crate::state::Context;

const MEMBER: &str = "storageConfiguration";

#[derive(Deserialize)]
struct CreateRequest {
    #[serde(default)]
    name: String,
    s3: S3StorageConfiguration,
    #[serde(default)]
    tags: Tags,
}

/// CreateStorageConfiguration.
pub async fn create(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let CreateRequest { name, s3, tags } = input.read()?;
    let bucket = &s3.bucket_name;
    check_bucket_name("s3.bucketName", bucket)?;
    let refused = match cx.backend().look_at_bucket(bucket).await? {
        BucketLook::There => None,
        BucketLook::Missing => Some((ErrorKind::ResourceNotFound, "does not exist")),
        BucketLook::Denied => Some((ErrorKind::AccessDenied, "may not be accessed")),
    };
    if let Some((kind, why)) = refused {
        let message = format!("`s3.bucketName`: bucket '{bucket}' {why}");
        return Err(ApiError::new(kind, message));
    }
    let record = StorageConfigurationRecord { name, s3 };
    Reply::one(MEMBER, &keep(cx, record, tags).await?)
}

/// GetStorageConfiguration.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let found = find_named::<StorageConfigurationRecord>(cx, input, "arn").await?;
    Reply::one(MEMBER, &shown(found))
}

/// ListStorageConfigurations. Its default page is the quota.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let default = cx.store().quotas().storage_configurations;
    let (found, next_token) = list_page::<StorageConfigurationRecord>(cx, input, default).await?;
    let found: Vec<_> = found.into_iter().map(shown).collect();
    Reply::page("storageConfigurations", &found, next_token)
}
