//! The embedded S3 server: buckets are folders under `<data-dir>/s3`, requests are signed as for any S3, addressing is by
//! path. With public read, which is the default on loopback, players fetch single objects without a signature; nobody
//! lists or writes anonymously, and the object names hold random identifiers.

mod access;
mod bucket_files;
mod content_type;
mod cors;
mod key_rule;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use http::Request;
use hyper::body::Incoming;
use rand::Rng;
use rand::distr::Alphanumeric;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;

use crate::access::Policy;
use crate::config::{ACCOUNT, ApiCredential, Secret};
use crate::endpoints::reachable;
use crate::http_server;

/// Access key with which this server writes its own recordings; its secret is new at each start.
const INTERNAL_ACCESS_KEY_ID: &str = "PROSCENIUMINTERNAL";
const INTERNAL_SECRET_CHARS: usize = 40;
/// The folder of all buckets inside the data folder.
const FOLDER: &str = "s3";

/// A bound, not yet serving, embedded S3 server.
pub struct EmbeddedS3 {
    listener: TcpListener,
    address: SocketAddr,
    service: S3Service,
    public_read: bool,
    internal: ApiCredential,
}

impl std::fmt::Debug for EmbeddedS3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedS3")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Why the embedded S3 server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedS3Error {
    /// The folder of the buckets cannot be made or read.
    #[error("cannot use the bucket folder {folder}")]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The address is taken or not ours.
    #[error("cannot listen for S3 on {address}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl EmbeddedS3 {
    /// Makes the bucket folder and binds the listener.
    pub async fn bind(
        data_dir: &Path,
        listen: SocketAddr,
        public_read: bool,
        credentials: &[ApiCredential],
    ) -> Result<Self, EmbeddedS3Error> {
        let folder = data_dir.join(FOLDER);
        let files =
            bucket_files::BucketFiles::open(&folder).map_err(|source| EmbeddedS3Error::Folder {
                folder: folder.clone(),
                source,
            })?;
        let internal = internal_credential();
        let mut auth = SimpleAuth::new();
        // A key that may do less than everything has no business with S3, unless it is allowed to.
        let may_s3 = |key: &&ApiCredential| key.policy.allows("s3:*", "*");
        for credential in credentials.iter().filter(may_s3).chain([&internal]) {
            let secret = credential.secret_access_key.expose().to_owned();
            auth.register(credential.access_key_id.clone(), secret.into());
        }
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(auth);
        builder.set_access(access::SignedOrPublicRead { public_read });
        let bind_error = |source| EmbeddedS3Error::Bind {
            address: listen,
            source,
        };
        let listener = TcpListener::bind(listen).await.map_err(bind_error)?;
        let address = listener.local_addr().map_err(bind_error)?;
        Ok(Self {
            listener,
            address,
            service: builder.build(),
            public_read,
            internal,
        })
    }

    /// Where it listens, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where this machine reaches it: loopback when it listens on every interface.
    pub fn reachable_address(&self) -> SocketAddr {
        reachable(self.address)
    }

    /// The key for this server's own requests.
    pub fn internal_credential(&self) -> &ApiCredential {
        &self.internal
    }

    /// Serves until `stop`.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let Self {
            listener,
            service,
            public_read,
            ..
        } = self;
        let answer = move |request: Request<Incoming>| {
            let service = service.clone();
            async move { cors::answer(&service, public_read, request).await }
        };
        http_server::serve(listener, answer, stop).await;
    }
}

fn internal_credential() -> ApiCredential {
    let secret: String = rand::rng()
        .sample_iter(&Alphanumeric)
        .take(INTERNAL_SECRET_CHARS)
        .map(char::from)
        .collect();
    ApiCredential {
        access_key_id: INTERNAL_ACCESS_KEY_ID.to_owned(),
        secret_access_key: Secret::new(secret),
        session_token: None,
        account: ACCOUNT.to_owned(),
        policy: Policy::everything(),
    }
}
