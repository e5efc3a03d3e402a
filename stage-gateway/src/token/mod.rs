//! Participant tokens: ES384 JWTs with the claims that IVS uses. The server signs them with a key of its own; an application
//! may sign them itself with a key whose public half it has imported, which `kid` names.

mod claims;
mod key;

use std::collections::BTreeMap;
use std::fmt;

use compositor_core::id::{ParticipantId, StageId};
use compositor_core::time::WallTime;

pub use self::claims::is_participant_id;
pub use self::key::{ImportedKey, TOKEN_BYTES_MAX, TokenKey, key_id};
use crate::error::TokenError;

/// What a new participant token is to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenSpec {
    /// Whose stage, twelve digits.
    pub account: String,
    /// The stage it is for.
    pub stage: StageId,
    /// The participant; becomes `jti`.
    pub participant: ParticipantId,
    /// The application's name for the user, empty for none.
    pub user_id: String,
    /// Steer the layout; copied into the token.
    pub attributes: BTreeMap<String, String>,
    /// Whether it may publish.
    pub allow_publish: bool,
    /// Whether it may subscribe.
    pub allow_subscribe: bool,
    /// When it was made.
    pub issued_at: WallTime,
    /// When it ends.
    pub expires_at: WallTime,
}

/// What a verified participant token allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// Whose stage.
    pub account: String,
    /// The stage.
    pub stage: StageId,
    /// The participant.
    pub participant: ParticipantId,
    /// The application's name for the user, empty for none.
    pub user_id: String,
    /// The token's attributes.
    pub attributes: BTreeMap<String, String>,
    /// Whether it may publish.
    pub allow_publish: bool,
    /// Whether it may subscribe.
    pub allow_subscribe: bool,
    /// When it ends.
    pub expires_at: WallTime,
    /// What it was read from.
    pub token: TokenText,
}

/// A token as its bearer shows it; a secret.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TokenText(String);

impl TokenText {
    /// Wraps a token.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(..)")
    }
}

impl Grant {
    /// Refuses a grant that does not allow publishing.
    pub fn require_publish(&self) -> Result<(), TokenError> {
        if self.allow_publish {
            return Ok(());
        }
        Err(TokenError::MissingCapability {
            capability: "PUBLISH",
        })
    }

    /// Refuses a grant that does not allow subscribing.
    pub fn require_subscribe(&self) -> Result<(), TokenError> {
        if self.allow_subscribe {
            return Ok(());
        }
        Err(TokenError::MissingCapability {
            capability: "SUBSCRIBE",
        })
    }
}

/// What is the same in all tokens of this server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenIssuer {
    /// Such as `us-east-1`.
    pub region: String,
    /// The `whip` endpoint of stages; becomes `whip_url`.
    pub whip_url: String,
    /// The `events` endpoint of stages; becomes `events_url`.
    pub events_url: String,
}

impl TokenIssuer {
    fn stage_arn(&self, account: &str, stage: &str) -> String {
        format!("arn:aws:ivs:{}:{account}:stage/{stage}", self.region)
    }
}

fn malformed(rule: impl Into<String>) -> TokenError {
    TokenError::Malformed { rule: rule.into() }
}

#[cfg(test)]
mod tests;
