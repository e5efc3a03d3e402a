//! Configuration: flags over environment over file over defaults, parsed into types that cannot be wrong. Unknown keys
//! and unusable values refuse to start, all of them listed at once.

mod credentials;
mod external_channels;
mod layers;
mod problem;
mod quotas;
mod resolve;
mod secret;
mod value;
mod webhooks;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use crate::access::Policy;
use crate::event::DetailType;
use crate::quotas::Quotas;
use crate::store::Database;
pub use external_channels::BroadcastUrl;
pub use problem::{ConfigProblems, Problem};
pub use secret::Secret;
pub use value::{AdvertisedAddress, BaseUrl, Scheme};
pub use webhooks::WebhookUrl;

/// The region of every resource.
pub const REGION: &str = "us-east-1";
/// The account of every resource unless a credential names another.
pub const ACCOUNT: &str = "123456789012";
/// Access key of the development key, accepted on loopback only.
pub const DEVELOPMENT_ACCESS_KEY_ID: &str = "PROSCENIUMDEV";
/// Secret of the development key; printed in the README, hence no secret at all.
pub const DEVELOPMENT_SECRET_ACCESS_KEY: &str = "proscenium-development-secret";

/// Everything that `proscenium serve` can be told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Store, journals, spools, signing key and the buckets of the embedded S3 server.
    pub data_dir: PathBuf,
    /// API, WHIP, playback and page.
    pub http: SocketAddr,
    /// With which HTTP is HTTPS, and nothing else.
    pub tls: Option<TlsFiles>,
    /// RTMP ingest.
    pub rtmp: SocketAddr,
    /// The one UDP port of all WebRTC peers, and ICE-TCP on the same number.
    pub webrtc: SocketAddr,
    /// What peers outside of a NAT are told instead.
    pub webrtc_advertised: Option<AdvertisedAddress>,
    /// Base of every URL handed out; derived from the bound HTTP address when absent.
    pub public_url: Option<BaseUrl>,
    /// Where recordings go.
    pub s3: S3Config,
    /// Every key that may call the API and the embedded S3, the development key included when it is enabled.
    pub credentials: Vec<ApiCredential>,
    /// Which request rates are enforced.
    pub limits_profile: LimitsProfile,
    /// How much of the machine's CPUs compositions may use before no other one is started.
    pub cpu_percent: u32,
    /// Opens the page's session API when HTTP listens elsewhere than on loopback.
    pub admin_password: Option<Secret>,
    /// Who shows it may read the metrics; without it nobody may.
    pub metrics_token: Option<Secret>,
    /// How many of what an account may have.
    pub quotas: Quotas,
    /// Whose X-Forwarded-For says where a viewer is.
    pub trusted_proxies: Vec<IpNet>,
    /// A MaxMind DB file with countries; without it no viewer is refused for theirs.
    pub geoip_database: Option<PathBuf>,
    /// Where the store is; by default a file in the data folder.
    pub store: Option<Database>,
    /// How many days stage sessions are kept after their end.
    pub stage_history_days: u32,
    /// How many hours journals are kept after nobody needs them; 0: not at all.
    pub journal_keep_hours: u32,
    /// What the spool of one recording may hold, bytes.
    pub spool_bytes_max: u64,
    /// Channels, by ARN, whose compositions are broadcast elsewhere.
    pub external_channels: BTreeMap<String, BroadcastUrl>,
    /// How long events are kept.
    pub events: Retention,
    /// Who is told of events.
    pub webhooks: Vec<Webhook>,
    /// Log filter.
    pub log: String,
    /// How a log line looks.
    pub log_format: LogFormat,
}

/// How a log line looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What HTTPS needs, as PEM files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// The certificate of this server, and those between it and a root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// How long events are kept: as long as they break neither rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// At most so many days.
    pub days: u32,
    /// At most so many of an account.
    pub events: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            days: 7,
            events: 1_000_000,
        }
    }
}

/// Somebody who is told of the events of an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Webhook {
    /// Where events are POSTed to; may hold a token, so it is not logged.
    pub url: WebhookUrl,
    /// Signs them.
    pub secret: Secret,
    /// Whose events.
    pub account: String,
    /// Which; `None` for all.
    pub detail_types: Option<Vec<DetailType>>,
}

/// Where recordings go.
#[derive(Clone, Debug)]
pub enum S3Config {
    /// The server's own S3, buckets under the data folder.
    Embedded {
        /// Where it listens.
        listen: SocketAddr,
        /// Whether objects can be read without a signature, so that players play recordings. Never lists, never writes.
        public_read: bool,
    },
    /// Any other S3.
    External(ExternalS3),
}

/// An S3 that this server does not run.
#[derive(Clone, Debug)]
pub struct ExternalS3 {
    /// Its URL; absent means AWS itself.
    pub endpoint: Option<BaseUrl>,
    /// Its region.
    pub region: String,
    /// Whether the bucket stands in the path; the default with an endpoint.
    pub path_style: bool,
    /// Who signs.
    pub credentials: ExternalS3Credentials,
}

/// Who signs requests to an external S3.
#[derive(Clone, Debug)]
pub enum ExternalS3Credentials {
    /// A configured key. Environment and profile files of AWS are ignored.
    Static {
        /// Access key.
        access_key_id: String,
        /// Its secret.
        secret_access_key: Secret,
    },
    /// What the AWS SDKs find by themselves.
    AwsChain,
}

/// A key that may call the API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiCredential {
    /// Access key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Secret,
    /// What requests signed with a temporary key must carry.
    pub session_token: Option<Secret>,
    /// The account that it acts for, 12 digits.
    pub account: String,
    /// What it may do; everything in its account unless `allow` says less.
    pub policy: Policy,
}

/// Which request rates are enforced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LimitsProfile {
    /// None.
    Off,
    /// Those that AWS documents.
    Aws,
}

/// The flags of `proscenium serve`, unparsed: a wrong one is reported together with all other problems.
#[derive(Clone, Default, Debug)]
pub struct Flags {
    /// `--data-dir`
    pub data_dir: Option<String>,
    /// `--http`
    pub http: Option<String>,
    /// `--rtmp`
    pub rtmp: Option<String>,
    /// `--s3`
    pub s3: Option<String>,
    /// `--webrtc`
    pub webrtc: Option<String>,
    /// `--public-url`
    pub public_url: Option<String>,
}

/// All that a configuration is made of.
#[derive(Clone, Default, Debug)]
pub struct Sources {
    /// The command line.
    pub flags: Flags,
    /// The whole environment; other programs' variables are ignored.
    pub env: Vec<(OsString, OsString)>,
    /// The text of the configuration file.
    pub file: Option<String>,
}

impl Config {
    /// The configuration that `sources` mean, or everything that is wrong with them.
    pub fn from_sources(sources: &Sources) -> Result<Self, ConfigProblems> {
        resolve::resolve(sources)
    }

    /// What the HTTP listener speaks.
    pub fn scheme(&self) -> Scheme {
        match self.tls {
            Some(_) => Scheme::Https,
            None => Scheme::Http,
        }
    }

    /// Whether the page's session API may be on at all.
    pub fn session_api_allowed(&self) -> bool {
        self.http.ip().is_loopback() || self.admin_password.is_some()
    }
}

/// The configuration file that flag or environment name, the flag first.
pub fn config_file(flag: Option<PathBuf>, env: &[(OsString, OsString)]) -> Option<PathBuf> {
    flag.or_else(|| {
        let named = env
            .iter()
            .find(|(name, _)| name.to_str() == Some(layers::CONFIG_ENV));
        named.map(|(_, value)| PathBuf::from(value))
    })
}

#[cfg(test)]
mod tests;
