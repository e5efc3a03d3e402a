//! PublicKey.

use serde::{Deserialize, Serialize};

use crate::dto::Tags;

/// What the store keeps.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicKeyRecord {
    /// May be empty.
    pub name: String,
    /// As it was imported.
    pub public_key_material: String,
    /// MD5 of its DER form, in pairs of hexadecimal digits between colons.
    pub fingerprint: String,
}

/// ImportPublicKey.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportPublicKeyRequest {
    /// SubjectPublicKeyInfo in PEM form.
    pub public_key_material: String,
    /// May be empty.
    #[serde(default)]
    pub name: String,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}
