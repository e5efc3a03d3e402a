//! The shapes of the two IVS models as they go over the wire, and nothing else. Those that the store keeps can be read
//! back too.

pub mod ad_configuration;
pub mod channel;
pub mod composition;
pub mod encoder_configuration;
pub mod failover_slate_configuration;
pub mod ingest_configuration;
pub mod layout;
pub mod playback_key_pair;
pub mod playback_restriction_policy;
pub mod public_key;
pub mod recording_configuration;
pub mod stage;
pub mod stage_session;
pub mod storage_configuration;
pub mod stream;
pub mod stream_session;
pub mod tag;
pub mod viewer_session;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::arn::Arn;

/// `tags`.
pub type Tags = BTreeMap<String, String>;

/// A resource as answers show it: what the store keeps, between its ARN and its tags.
#[derive(Debug, Serialize)]
pub struct Shown<T> {
    /// Its name in the API.
    pub arn: Arn,
    /// What the store keeps.
    #[serde(flatten)]
    pub record: T,
    /// Its tags.
    pub tags: Tags,
}

/// An entry of a list that says no more.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Its name in the API.
    pub arn: Arn,
    /// May be empty.
    pub name: String,
    /// Its tags.
    pub tags: Tags,
}

/// Declares an enum of the model: its wire names, both ways.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// The value as the API spells it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

pub(crate) use choice;
