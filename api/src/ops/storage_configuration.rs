//! Storage configurations.

use serde::Deserialize;

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
    if !cx.backend().bucket_exists(bucket).await? {
        return Err(ApiError::new(
            ErrorKind::ResourceNotFound,
            format!("`s3.bucketName`: bucket '{bucket}' does not exist"),
        ));
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
