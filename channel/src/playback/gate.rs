//! What the owner of the channels knows about who may play them. Answered by the API's store.

use std::net::IpAddr;

use async_trait::async_trait;
use compositor_core::time::WallTime;

/// Asked once for each viewer that begins to play; so a deleted key, a changed policy and a revocation hold at once for
/// whoever comes after.
#[async_trait]
pub trait PlaybackGate: Send + Sync + 'static {
    /// The playback keys of an account; any of them may have signed a token.
    async fn playback_keys(&self, account: &str) -> Result<Vec<PlaybackKey>, GateError>;

    /// A restriction policy as it is now; `None` when it was deleted, which lifts the restriction.
    async fn restriction_policy(&self, arn: &str) -> Result<Option<RestrictionPolicy>, GateError>;

    /// Uses up a single-use token. `false` when that happened before, even before a restart.
    async fn use_once(&self, token: &SingleUse) -> Result<bool, GateError>;

    /// Up to which session version a viewer of a channel is revoked, if at all.
    async fn revoked_up_to(
        &self,
        channel_arn: &str,
        viewer_id: &str,
    ) -> Result<Option<i64>, GateError>;

    /// Where a client is; `None` when that is not known.
    fn country_of(&self, client: IpAddr) -> Option<Country>;

    /// The limit of concurrent views was reached; told once until a minute has passed without refusals.
    async fn viewers_exceeded(&self, breach: ViewerBreach);
}

/// How a stream may be played, from its beginning to its end: UpdateChannel holds from the next stream on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum PlaybackTerms {
    /// By everybody.
    #[default]
    Open,
    /// By whom a restriction policy lets.
    Restricted {
        /// Its ARN.
        policy_arn: String,
    },
    /// With a playback token.
    Authorized,
}

/// A public key of P-384.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlaybackKey {
    /// SubjectPublicKeyInfo in PEM.
    pub pem: String,
}

/// The rules of a playback restriction policy.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RestrictionPolicy {
    /// ISO 3166-1 alpha-2; empty allows all.
    pub allowed_countries: Vec<String>,
    /// `https://a.com`, `https://*.b.com`; empty allows all.
    pub allowed_origins: Vec<String>,
    /// Whether the origin is also checked on media playlists and segments, and must be told.
    pub strict_origin_enforcement: bool,
}

/// A token that plays once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SingleUse {
    /// For which channel.
    pub channel_arn: String,
    /// Its claim.
    pub uuid: String,
    /// When the token expires by itself.
    pub until: WallTime,
}

/// More viewers than an account may have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ViewerBreach {
    /// Whose.
    pub account: String,
    /// How many it may have.
    pub limit: usize,
    /// How many there would have been, beyond the limit.
    pub exceeded_by: usize,
    /// When.
    pub at: WallTime,
}

/// Two letters of ISO 3166-1, upper case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Country(String);

impl Country {
    /// Takes a code in either case.
    pub fn new(code: &str) -> Self {
        Self(code.to_ascii_uppercase())
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a request comes from, after proxies; an extension of the request, put there by whoever serves the routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientAddress(pub IpAddr);

/// The gate could not answer; nobody is let in meanwhile.
#[derive(Debug, thiserror::Error)]
#[error("the rules of playback could not be looked up")]
pub struct GateError(#[source] pub Box<dyn std::error::Error + Send + Sync>);
