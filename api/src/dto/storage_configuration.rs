//! StorageConfiguration.

use serde::{Deserialize, Serialize};

use crate::dto::Tags;

/// Where recordings go.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct S3StorageConfiguration {
    /// The bucket.
    pub bucket_name: String,
}

/// What the store keeps.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StorageConfigurationRecord {
    /// May be empty.
    pub name: String,
    /// Where.
    pub s3: S3StorageConfiguration,
}

/// The resource, which is also its own summary.
#[derive(Debug, Serialize)]
pub struct StorageConfiguration {
    /// Its name in the API.
    pub arn: String,
    /// May be empty.
    pub name: String,
    /// Where.
    pub s3: S3StorageConfiguration,
    /// Its tags.
    pub tags: Tags,
}

/// Create and Get.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageConfigurationResponse {
    /// The resource.
    pub storage_configuration: StorageConfiguration,
}

/// List.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListStorageConfigurationsResponse {
    /// Summaries.
    pub storage_configurations: Vec<StorageConfiguration>,
    /// When more remain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}
