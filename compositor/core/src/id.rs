//! Identifiers. They are handed in from outside; nothing here draws random numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(String);

        impl $name {
            /// Wraps an identifier that was made or validated elsewhere.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The bare identifier, the part of the ARN after the slash.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

id! {
    /// A stage: the last part of its ARN, 12 alphanumerics.
    StageId,
    /// One continuous life of a stage: `st-` and 13 alphanumerics.
    SessionId,
    /// A participant: the `jti` of its token.
    ParticipantId,
    /// One running mix of a stage.
    CompositionId,
    /// Where a composition goes.
    DestinationId,
    /// A channel: the last part of its ARN.
    ChannelId,
}

/// A published audio or video source of a participant; unique within a stage session, never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct TrackId(pub u32);

/// A simulcast layer of a video track, in the order in which the gateway first saw it. Single-layer tracks use 0.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct Layer(pub u8);
