//! Storage configurations.

use crate::arn::ArnKind;
use crate::dto::storage_configuration::{
    ListStorageConfigurationsResponse, S3StorageConfiguration, StorageConfiguration,
    StorageConfigurationRecord, StorageConfigurationResponse,
};
use crate::error::{ApiError, ErrorKind};
use crate::input::Input;
use crate::ops::{delete_named, find_named};
use crate::paging::{PageLimits, Paging};
use crate::reply::Reply;
use crate::state::Context;
use crate::store::{NewResource, Resource};
use crate::validate::TextRule;

/// CreateStorageConfiguration.
pub async fn create(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let members = &input.members()?;
    let name = members.text("name", &TextRule::NAME)?.unwrap_or_default();
    let s3 = members.object("s3")?;
    let s3 = members.required("s3", s3)?;
    let bucket = s3.text("bucketName", &TextRule::BUCKET)?;
    let bucket = s3.required("bucketName", bucket)?;
    let tags = members.tags(ArnKind::StorageConfiguration)?;
    if !cx.backend().bucket_exists(&bucket).await? {
        return Err(ApiError::new(
            ErrorKind::ResourceNotFound,
            format!("`s3.bucketName`: bucket '{bucket}' does not exist"),
        ));
    }
    let arn = cx.new_arn(ArnKind::StorageConfiguration);
    let record = StorageConfigurationRecord {
        name,
        s3: S3StorageConfiguration {
            bucket_name: bucket,
        },
    };
    let new = NewResource {
        arn: &arn,
        record: &record,
        tags: &tags,
    };
    cx.store().insert(cx.account(), new).await?;
    Reply::ok(&StorageConfigurationResponse {
        storage_configuration: StorageConfiguration {
            arn: arn.to_string(),
            name: record.name,
            s3: record.s3,
            tags,
        },
    })
}

/// GetStorageConfiguration.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let found = find_named(cx, input, "arn").await?;
    Reply::ok(&StorageConfigurationResponse {
        storage_configuration: render(found),
    })
}

/// ListStorageConfigurations. Its default page is the quota.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let limits = PageLimits {
        default: cx.store().quotas().storage_configurations.min(100),
        max: 100,
    };
    let paging = Paging::read(cx, input, &["ListStorageConfigurations"], limits)?;
    let page = cx.store().list(cx.account(), paging.request, None).await?;
    let next_token = paging.next_token(&page);
    Reply::ok(&ListStorageConfigurationsResponse {
        storage_configurations: page.map(render).items,
        next_token,
    })
}

/// DeleteStorageConfiguration.
pub async fn delete(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    delete_named(cx, input).await
}

fn render(found: Resource<StorageConfigurationRecord>) -> StorageConfiguration {
    StorageConfiguration {
        arn: found.arn.to_string(),
        name: found.record.name,
        s3: found.record.s3,
        tags: found.tags,
    }
}
