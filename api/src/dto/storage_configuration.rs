//! StorageConfiguration.

use serde::{Deserialize, Serialize};

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
