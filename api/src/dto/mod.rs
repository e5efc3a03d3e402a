//! The shapes of the two IVS models as they go over the wire, and nothing else. Those that the store keeps can be read
//! back too.

pub mod channel;
pub mod composition;
pub mod encoder_configuration;
pub mod layout;
pub mod stage;
pub mod storage_configuration;
pub mod stream;
pub mod tag;

use std::collections::BTreeMap;

/// `tags`.
pub type Tags = BTreeMap<String, String>;

/// Declares an enum of the model: its wire names, both ways.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $crate::validate::Choice for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

pub(crate) use choice;
