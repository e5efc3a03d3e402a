//! PlaybackRestrictionPolicy.

use serde::{Deserialize, Serialize};

/// What the store keeps, and the resource between its ARN and tags; summaries have it all too.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaybackRestrictionPolicyRecord {
    /// May be empty.
    pub name: String,
    /// ISO 3166-1 alpha-2 codes; none given, all allowed.
    pub allowed_countries: Vec<String>,
    /// Origins, the host may begin with `*`; none given, all allowed.
    pub allowed_origins: Vec<String>,
    /// Whether every playlist and segment needs an allowed origin, not only the multivariant playlist.
    pub enable_strict_origin_enforcement: bool,
}
