//! PlaybackKeyPair.

use serde::{Deserialize, Serialize};

use crate::arn::Arn;
use crate::dto::Tags;

/// What the store keeps: the public half, which verifies playback tokens.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlaybackKeyPairRecord {
    /// May be empty.
    pub name: String,
    /// A P-384 public key (SubjectPublicKeyInfo), which no answer repeats.
    pub public_key_pem: String,
    /// MD5 of its DER form, in pairs of hexadecimal digits between colons.
    pub fingerprint: String,
}

/// The resource; summaries have no fingerprint.
#[derive(Debug, Serialize)]
pub struct PlaybackKeyPair {
    /// Its name in the API.
    pub arn: Arn,
    /// May be empty.
    pub name: String,
    /// Tells keys apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Its tags.
    pub tags: Tags,
}
