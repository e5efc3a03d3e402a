//! How the recorder reaches the S3 that the configuration means.

use recorder::{StoreConfig, StoreCredentials};

use crate::config::{Config, ExternalS3, ExternalS3Credentials, REGION, S3Config};
use crate::embedded_s3::EmbeddedS3;
use crate::endpoints::Endpoints;

/// The store of recordings. `embedded` is there exactly when the configuration says embedded.
pub fn store_config(config: &Config, embedded: Option<&EmbeddedS3>) -> Option<StoreConfig> {
    match (&config.s3, embedded) {
        (S3Config::External(external), _) => Some(external_store_config(external)),
        (S3Config::Embedded { .. }, Some(embedded)) => Some(embedded_store_config(embedded)),
        (S3Config::Embedded { .. }, None) => None,
    }
}

/// The embedded server, by its internal key.
pub fn embedded_store_config(embedded: &EmbeddedS3) -> StoreConfig {
    let key = embedded.internal_credential();
    StoreConfig {
        endpoint: Some(format!("http://{}", embedded.reachable_address())),
        region: REGION.to_owned(),
        credentials: StoreCredentials::Static {
            access_key_id: key.access_key_id.clone(),
            secret_access_key: key.secret_access_key.expose().to_owned(),
        },
        path_style: true,
    }
}

/// An external S3, as configured.
pub fn external_store_config(external: &ExternalS3) -> StoreConfig {
    let credentials = match &external.credentials {
        ExternalS3Credentials::AwsChain => StoreCredentials::AwsChain,
        ExternalS3Credentials::Static {
            access_key_id,
            secret_access_key,
        } => StoreCredentials::Static {
            access_key_id: access_key_id.clone(),
            secret_access_key: secret_access_key.expose().to_owned(),
        },
    };
    StoreConfig {
        endpoint: external.endpoint.as_ref().map(ToString::to_string),
        region: external.region.clone(),
        credentials,
        path_style: external.path_style,
    }
}

/// Where browsers read recordings without a signature, if anywhere.
pub fn recordings_url(config: &Config, endpoints: &Endpoints) -> Option<String> {
    match config.s3 {
        S3Config::Embedded {
            public_read: true, ..
        } => Some(endpoints.s3.clone()),
        S3Config::Embedded { .. } | S3Config::External(_) => None,
    }
}
