//! What a participant token says, and the rules for it.

use std::collections::BTreeMap;

use compositor_core::id::{ParticipantId, StageId};
use compositor_core::time::WallTime;
use serde::{Deserialize, Serialize};

use super::{Grant, TokenIssuer, TokenSpec, TokenText, malformed};
use crate::error::TokenError;

/// The longest participant id that a token may carry (IVS).
const PARTICIPANT_ID_CHARS_MAX: usize = 64;

/// The longest user id (IVS).
const USER_ID_CHARS_MAX: usize = 128;

/// All keys and values of a token's attributes together (IVS).
const ATTRIBUTES_BYTES_MAX: usize = 1024;

/// How long a self-signed token may be good: 14 days (IVS).
const SELF_SIGNED_SECONDS_MAX: i64 = 14 * 24 * 3600;

/// How far ahead the clock of a signer may be: as much as for signatures of requests.
const CLOCK_SKEW_SECONDS: i64 = 300;

/// `version` of the server's own tokens.
const OWN_VERSION: &str = "0.3";

/// `version` of self-signed tokens.
const SELF_SIGNED_VERSION: &str = "1.0";

const MICROS_PER_SECOND: i64 = 1_000_000;

/// The claims that IVS uses.
#[derive(Serialize, Deserialize)]
pub(super) struct Claims {
    exp: i64,
    iat: i64,
    jti: String,
    resource: String,
    topic: String,
    events_url: String,
    whip_url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    capabilities: Capabilities,
    version: String,
    /// What they were read from.
    #[serde(skip)]
    pub(super) token: TokenText,
}

#[derive(Serialize, Deserialize)]
struct Capabilities {
    #[serde(default)]
    allow_publish: bool,
    #[serde(default)]
    allow_subscribe: bool,
}

/// Whether a participant can be called that.
pub fn is_participant_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=PARTICIPANT_ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

impl Claims {
    /// Those of a new token of the server.
    pub(super) fn of(issuer: &TokenIssuer, spec: &TokenSpec) -> Self {
        Self {
            exp: spec.expires_at.0.div_euclid(MICROS_PER_SECOND),
            iat: spec.issued_at.0.div_euclid(MICROS_PER_SECOND),
            jti: spec.participant.as_str().to_owned(),
            resource: issuer.stage_arn(&spec.account, spec.stage.as_str()),
            topic: spec.stage.as_str().to_owned(),
            events_url: issuer.events_url.clone(),
            whip_url: issuer.whip_url.clone(),
            user_id: Some(spec.user_id.clone()).filter(|user| !user.is_empty()),
            attributes: spec.attributes.clone(),
            capabilities: Capabilities {
                allow_publish: spec.allow_publish,
                allow_subscribe: spec.allow_subscribe,
            },
            version: OWN_VERSION.to_owned(),
            token: TokenText::default(),
        }
    }

    /// What the server's own token allows.
    pub(super) fn grant(self, now: WallTime, issuer: &TokenIssuer) -> Result<Grant, TokenError> {
        self.check_time(now)?;
        let account = self.account(issuer)?;
        self.check_participant()?;
        Ok(self.into_grant(account))
    }

    /// What a token that `account` signed itself allows.
    pub(super) fn self_signed_grant(
        self,
        now: WallTime,
        issuer: &TokenIssuer,
        account: &str,
    ) -> Result<Grant, TokenError> {
        self.check_time(now)?;
        let given = self.account(issuer)?;
        if given != account {
            return Err(TokenError::ForeignStage {
                resource: self.resource,
            });
        }
        self.check_participant()?;
        self.check_self_signed(now)?;
        self.check_endpoints(issuer)?;
        Ok(self.into_grant(given))
    }

    fn check_time(&self, now: WallTime) -> Result<(), TokenError> {
        if now.0.div_euclid(MICROS_PER_SECOND) >= self.exp {
            return Err(TokenError::Expired {
                expired_at_s: self.exp,
            });
        }
        Ok(())
    }

    /// The account of the stage, once `resource` and `topic` agree.
    fn account(&self, issuer: &TokenIssuer) -> Result<String, TokenError> {
        let account = self.resource.split(':').nth(4).unwrap_or_default();
        if account.is_empty() || self.resource != issuer.stage_arn(account, &self.topic) {
            return Err(TokenError::ForeignStage {
                resource: self.resource.clone(),
            });
        }
        Ok(account.to_owned())
    }

    fn check_participant(&self) -> Result<(), TokenError> {
        if !is_participant_id(&self.jti) {
            return Err(malformed(format!(
                "jti must be 1 to {PARTICIPANT_ID_CHARS_MAX} letters, digits, _ or -"
            )));
        }
        if self.user_id.as_ref().is_some_and(|id| id.contains('\0')) {
            return Err(malformed("user_id must not contain U+0000"));
        }
        Ok(())
    }

    fn check_self_signed(&self, now: WallTime) -> Result<(), TokenError> {
        let Self { exp, iat, .. } = self;
        if self.version != SELF_SIGNED_VERSION {
            return Err(malformed(format!(
                "version is {:?}, must be \"{SELF_SIGNED_VERSION}\"",
                self.version
            )));
        }
        if *iat > now.0.div_euclid(MICROS_PER_SECOND) + CLOCK_SKEW_SECONDS {
            return Err(malformed(format!("iat is {iat}, which is yet to come")));
        }
        if exp.saturating_sub(*iat) > SELF_SIGNED_SECONDS_MAX {
            return Err(malformed(format!(
                "exp is {exp}, must be at most 14 days after iat, which is {iat}"
            )));
        }
        let user_chars = self.user_id.as_deref().unwrap_or_default().chars().count();
        if user_chars > USER_ID_CHARS_MAX {
            return Err(malformed(format!(
                "user_id has {user_chars} characters, must have at most {USER_ID_CHARS_MAX}"
            )));
        }
        let entries = self.attributes.iter();
        let bytes: usize = entries.map(|(key, value)| key.len() + value.len()).sum();
        if bytes > ATTRIBUTES_BYTES_MAX {
            return Err(malformed(format!(
                "attributes have {bytes} bytes of keys and values, must have at most {ATTRIBUTES_BYTES_MAX}"
            )));
        }
        Ok(())
    }

    fn check_endpoints(&self, issuer: &TokenIssuer) -> Result<(), TokenError> {
        let pairs = [
            ("events_url", &self.events_url, &issuer.events_url),
            ("whip_url", &self.whip_url, &issuer.whip_url),
        ];
        match pairs.into_iter().find(|(_, given, wanted)| given != wanted) {
            Some((name, given, wanted)) => Err(malformed(format!(
                "{name} is {given:?}, must be the stage's endpoint {wanted:?}"
            ))),
            None => Ok(()),
        }
    }

    fn into_grant(self, account: String) -> Grant {
        Grant {
            account,
            stage: StageId::new(self.topic),
            participant: ParticipantId::new(self.jti),
            user_id: self.user_id.unwrap_or_default(),
            attributes: self.attributes,
            allow_publish: self.capabilities.allow_publish,
            allow_subscribe: self.capabilities.allow_subscribe,
            expires_at: WallTime(self.exp.saturating_mul(MICROS_PER_SECOND)),
            token: self.token,
        }
    }
}
