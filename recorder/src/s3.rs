//! The object store: the only file that knows the AWS SDK.

use std::fmt;

use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::tls;
use bytes::Bytes;

use crate::limits::{CONNECT_TIMEOUT, REQUEST_TIMEOUT};

/// User metadata that holds the CRC-32C of an object, so that an upload of unknown outcome can be confirmed by HEAD.
/// (An ETag is the MD5 of the content only for some kinds of encryption.)
const CHECKSUM_METADATA: &str = "crc32c";

/// How to reach an object store.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// URL of an S3-compatible server; `None` means AWS.
    pub endpoint: Option<String>,
    /// Region of the buckets.
    pub region: String,
    /// Who we are.
    pub credentials: StoreCredentials,
    /// Whether the bucket is part of the path rather than of the host name.
    pub path_style: bool,
}

/// Who we are to an object store.
#[derive(Clone)]
pub enum StoreCredentials {
    /// A fixed key.
    Static {
        /// Access key id.
        access_key_id: String,
        /// Secret access key; never printed.
        secret_access_key: String,
    },
    /// The AWS default chain: environment, profiles, instance roles.
    AwsChain,
}

impl fmt::Debug for StoreCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static { access_key_id, .. } => write!(f, "Static({access_key_id})"),
            Self::AwsChain => f.write_str("AwsChain"),
        }
    }
}

/// Whether an object is already in the store with the content that it should have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Confirmation {
    /// It is.
    Same,
    /// It is not there, or we may not look.
    Absent,
    /// Something else is there.
    Different,
}

/// An object to store.
#[derive(Clone, Debug)]
pub struct PutObject {
    /// Its key.
    pub key: String,
    /// Its content.
    pub body: Bytes,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `Cache-Control`.
    pub cache_control: &'static str,
}

/// A connection to an S3-compatible object store. Cheap to clone. Requests are tried once: the caller repeats.
#[derive(Clone, Debug)]
pub struct ObjectStore {
    client: Client,
}

impl ObjectStore {
    /// Prepares the client; nothing is sent before the first request.
    pub async fn connect(config: StoreConfig) -> Self {
        let StoreConfig {
            endpoint,
            region,
            credentials,
            path_style,
        } = config;
        let region = Region::new(region);
        let builder = aws_smithy_http_client::Builder::new();
        let http = if endpoint
            .as_deref()
            .is_some_and(|url| url.starts_with("http://"))
        {
            builder.build_http()
        } else {
            let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
            builder.tls_provider(ring).build_https()
        };
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(REQUEST_TIMEOUT)
            .operation_timeout(REQUEST_TIMEOUT)
            .build();
        let mut builder = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region.clone())
            .force_path_style(path_style)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            // Many S3-compatible servers do not know the newer checksum headers.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .http_client(http.clone());
        builder.set_endpoint_url(endpoint);
        builder = match credentials {
            StoreCredentials::Static {
                access_key_id,
                secret_access_key,
            } => {
                let key = Credentials::new(access_key_id, secret_access_key, None, None, "config");
                builder.credentials_provider(key)
            }
            StoreCredentials::AwsChain => {
                let loader = aws_config::defaults(BehaviorVersion::latest());
                let chain = loader.region(region).http_client(http).load().await;
                builder.set_credentials_provider(chain.credentials_provider());
                builder
            }
        };
        Self {
            client: Client::from_conf(builder.build()),
        }
    }

    /// Stores an object.
    pub async fn put(&self, bucket: &str, object: PutObject) -> Result<(), StoreError> {
        let PutObject {
            key,
            body,
            content_type,
            cache_control,
        } = object;
        let checksum = checksum(&body);
        let request = self.client.put_object().bucket(bucket).key(&key);
        let request = request
            .content_type(content_type)
            .cache_control(cache_control);
        let request = request
            .metadata(CHECKSUM_METADATA, checksum)
            .body(ByteStream::from(body));
        request
            .send()
            .await
            .map_err(|error| StoreError::new("PUT", bucket, &key, error))?;
        Ok(())
    }

    /// Writes an object and takes it away again: whether that can be done tells whether recordings can be kept.
    pub async fn probe(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        let object = PutObject {
            key: key.to_owned(),
            body: Bytes::new(),
            content_type: "application/octet-stream",
            cache_control: "no-store",
        };
        self.put(bucket, object).await?;
        let request = self.client.delete_object().bucket(bucket).key(key);
        match request.send().await {
            Ok(_) => Ok(()),
            // A key that may only write is a usual one.
            Err(error) => match StoreError::new("DELETE", bucket, key, error) {
                StoreError {
                    fault: StoreFault::AccessDenied,
                    ..
                } => Ok(()),
                error => Err(error),
            },
        }
    }

    /// Reads a whole object.
    pub async fn get(&self, bucket: &str, key: &str) -> Result<Bytes, StoreError> {
        let request = self.client.get_object().bucket(bucket).key(key);
        let answer = request
            .send()
            .await
            .map_err(|error| StoreError::new("GET", bucket, key, error))?;
        match answer.body.collect().await {
            Ok(body) => Ok(body.into_bytes()),
            Err(error) => Err(StoreError {
                request: "GET",
                resource: format!("{bucket}/{key}"),
                fault: StoreFault::Transient,
                source: Box::new(error),
            }),
        }
    }

    /// Asks whether an object is there, and how long it is.
    pub async fn head(&self, bucket: &str, key: &str) -> Result<Option<u64>, StoreError> {
        let answer = self.head_object(bucket, key).await?;
        Ok(answer.map(|answer| answer.content_length().unwrap_or(0).try_into().unwrap_or(0)))
    }

    /// Asks whether an object is there with exactly this content.
    pub async fn confirm(
        &self,
        bucket: &str,
        key: &str,
        body: &[u8],
    ) -> Result<Confirmation, StoreError> {
        let answer = match self.head_object(bucket, key).await {
            Ok(Some(answer)) => answer,
            Ok(None) => return Ok(Confirmation::Absent),
            // A key that may only write is a usual one; the repeated PUT will tell whether it still may.
            Err(error) if error.fault == StoreFault::AccessDenied => {
                return Ok(Confirmation::Absent);
            }
            Err(error) => return Err(error),
        };
        let length = answer
            .content_length()
            .and_then(|length| usize::try_from(length).ok());
        let stored = answer
            .metadata()
            .and_then(|metadata| metadata.get(CHECKSUM_METADATA));
        let is_ours = match stored {
            Some(stored) => *stored == checksum(body),
            None if length > Some(body.len()) => false,
            None => body.starts_with(&self.get(bucket, key).await?),
        };
        Ok(match (is_ours, stored, length) {
            (false, ..) => Confirmation::Different,
            (true, Some(_), length) if length == Some(body.len()) => Confirmation::Same,
            // A server died before content and metadata were whole: the same PUT again brings both.
            (true, ..) => Confirmation::Absent,
        })
    }

    /// Makes a bucket.
    pub async fn create_bucket(&self, bucket: &str) -> Result<(), StoreError> {
        let request = self.client.create_bucket().bucket(bucket);
        request
            .send()
            .await
            .map_err(|error| StoreError::new("CreateBucket", bucket, "", error))?;
        Ok(())
    }

    /// Asks whether a bucket is there and ours.
    pub async fn head_bucket(&self, bucket: &str) -> Result<(), StoreError> {
        let request = self.client.head_bucket().bucket(bucket);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let mut error = StoreError::new("HeadBucket", bucket, "", error);
                // The answer to a HEAD has no body, so no code.
                if error.fault == StoreFault::KeyNotFound {
                    error.fault = StoreFault::BucketNotFound;
                }
                Err(error)
            }
        }
    }

    async fn head_object(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<Option<HeadObjectOutput>, StoreError> {
        match self
            .client
            .head_object()
            .bucket(bucket)
            .key(key)
            .send()
            .await
        {
            Ok(answer) => Ok(Some(answer)),
            Err(error) => match StoreError::new("HEAD", bucket, key, error) {
                StoreError {
                    fault: StoreFault::KeyNotFound,
                    ..
                } => Ok(None),
                error => Err(error),
            },
        }
    }
}

/// What a failed request means for what comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreFault {
    /// Our key may not do this, or is not known.
    AccessDenied,
    /// There is no such bucket.
    BucketNotFound,
    /// There is no such object.
    KeyNotFound,
    /// Anything that may be different the next time: network, overload, time-out.
    Transient,
}

/// A request that failed, or whose outcome is unknown.
#[derive(Debug, thiserror::Error)]
#[error("{request} of {resource} failed")]
pub struct StoreError {
    /// Which request.
    pub request: &'static str,
    /// Bucket and key.
    pub resource: String,
    /// What it means.
    pub fault: StoreFault,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl StoreError {
    fn new<E>(request: &'static str, bucket: &str, key: &str, error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let status = error
            .raw_response()
            .map(|response| response.status().as_u16());
        let fault = match (error.code(), status) {
            (Some("NoSuchBucket"), _) => StoreFault::BucketNotFound,
            (Some("NoSuchKey" | "NotFound"), _) => StoreFault::KeyNotFound,
            // Wrong clocks and expired sessions come right again.
            (Some("RequestTimeTooSkewed" | "ExpiredToken" | "RequestTimeout"), _) => {
                StoreFault::Transient
            }
            (Some("AccessDenied" | "InvalidAccessKeyId" | "SignatureDoesNotMatch"), _) => {
                StoreFault::AccessDenied
            }
            (_, Some(401 | 403)) => StoreFault::AccessDenied,
            (_, Some(404)) => StoreFault::KeyNotFound,
            _ => StoreFault::Transient,
        };
        let resource = if key.is_empty() {
            bucket.to_owned()
        } else {
            format!("{bucket}/{key}")
        };
        // The SDK's own Display leaves out what happened.
        let source = DisplayErrorContext(error).to_string().into();
        Self {
            request,
            resource,
            fault,
            source,
        }
    }
}

fn checksum(body: &[u8]) -> String {
    format!("{:08x}", crc32c::crc32c(body))
}
