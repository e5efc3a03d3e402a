//! Participant tokens: ES384 JWTs with the claims that IVS uses, made and verified with one key per server.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use compositor_core::id::{ParticipantId, StageId};
use compositor_core::time::WallTime;
use jsonwebtoken::errors::ErrorKind as JwtErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use p384::SecretKey;
use p384::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use serde::{Deserialize, Serialize};

use crate::error::{TokenError, TokenKeyError};

/// Largest token accepted; claims with the 1 KB of attributes that IVS allows stay far below.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// The longest participant id that a token may carry (IVS).
pub const PARTICIPANT_ID_CHARS_MAX: usize = 64;

const EVENTS_URL: &str = "wss://global.events.live-video.net";
const VERSION: &str = "0.3";
const MICROS_PER_SECOND: i64 = 1_000_000;

/// What a new participant token is to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenSpec {
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

/// Which stages' tokens are ours: those of one region and account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenIssuer {
    /// Such as `us-east-1`.
    pub region: String,
    /// Twelve digits.
    pub account: String,
    /// The public WHIP URL; becomes `whip_url`.
    pub whip_url: String,
}

impl TokenIssuer {
    fn stage_arn(&self, stage: &StageId) -> String {
        format!("arn:aws:ivs:{}:{}:stage/{stage}", self.region, self.account)
    }
}

/// The server's P-384 key for participant tokens.
pub struct TokenKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

impl TokenKey {
    /// Reads the key from `path`, or makes one and keeps it there, readable by the owner only.
    pub fn load_or_create(path: &Path) -> Result<Self, TokenKeyError> {
        let file_error = |source: io::Error| TokenKeyError::File {
            path: path.display().to_string(),
            source,
        };
        let pem = match fs::read_to_string(path) {
            Ok(pem) => pem,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let pem = fresh_key_pem();
                write_private(path, &pem).map_err(file_error)?;
                pem
            }
            Err(error) => return Err(file_error(error)),
        };
        Self::from_pem(&pem).ok_or_else(|| TokenKeyError::Format {
            path: path.display().to_string(),
        })
    }

    fn from_pem(pem: &str) -> Option<Self> {
        let secret = SecretKey::from_pkcs8_pem(pem).ok()?;
        let public = secret.public_key().to_public_key_pem(LineEnding::LF).ok()?;
        Some(Self {
            encoding: EncodingKey::from_ec_pem(pem.as_bytes()).ok()?,
            decoding: DecodingKey::from_ec_pem(public.as_bytes()).ok()?,
        })
    }

    /// Signs a new token.
    pub fn mint(&self, issuer: &TokenIssuer, spec: &TokenSpec) -> String {
        let claims = Claims {
            exp: spec.expires_at.0.div_euclid(MICROS_PER_SECOND),
            iat: spec.issued_at.0.div_euclid(MICROS_PER_SECOND),
            jti: spec.participant.as_str().to_owned(),
            resource: issuer.stage_arn(&spec.stage),
            topic: spec.stage.as_str().to_owned(),
            events_url: EVENTS_URL.to_owned(),
            whip_url: issuer.whip_url.clone(),
            user_id: Some(spec.user_id.clone()).filter(|user| !user.is_empty()),
            attributes: spec.attributes.clone(),
            capabilities: Capabilities {
                allow_publish: spec.allow_publish,
                allow_subscribe: spec.allow_subscribe,
            },
            version: VERSION.to_owned(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::ES384), &claims, &self.encoding)
            .expect("plain claims serialize and a P-384 key signs them")
    }

    /// Checks form, signature, time and stage of `token`; capabilities are the caller's to require.
    pub fn verify(
        &self,
        now: WallTime,
        issuer: &TokenIssuer,
        token: &str,
    ) -> Result<Grant, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(malformed(format!(
                "at most {TOKEN_BYTES_MAX} bytes are allowed"
            )));
        }
        let mut validation = Validation::new(Algorithm::ES384);
        // Time is checked below against the caller's clock.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation)
            .map_err(|error| match error.kind() {
                JwtErrorKind::InvalidSignature => TokenError::BadSignature,
                _ => malformed(error.to_string()),
            })?
            .claims;
        grant_of(now, issuer, claims)
    }
}

fn grant_of(now: WallTime, issuer: &TokenIssuer, claims: Claims) -> Result<Grant, TokenError> {
    if now.0.div_euclid(MICROS_PER_SECOND) >= claims.exp {
        return Err(TokenError::Expired {
            expired_at_s: claims.exp,
        });
    }
    let stage = StageId::new(claims.topic);
    if claims.resource != issuer.stage_arn(&stage) {
        return Err(TokenError::ForeignStage {
            resource: claims.resource,
        });
    }
    let id_is_plain = claims
        .jti
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if claims.jti.is_empty() || claims.jti.len() > PARTICIPANT_ID_CHARS_MAX || !id_is_plain {
        return Err(malformed(format!(
            "jti must be 1 to {PARTICIPANT_ID_CHARS_MAX} letters, digits, _ or -"
        )));
    }
    Ok(Grant {
        stage,
        participant: ParticipantId::new(claims.jti),
        user_id: claims.user_id.unwrap_or_default(),
        attributes: claims.attributes,
        allow_publish: claims.capabilities.allow_publish,
        allow_subscribe: claims.capabilities.allow_subscribe,
        expires_at: WallTime(claims.exp.saturating_mul(MICROS_PER_SECOND)),
    })
}

fn malformed(rule: impl Into<String>) -> TokenError {
    TokenError::Malformed { rule: rule.into() }
}

#[derive(Serialize, Deserialize)]
struct Claims {
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
}

#[derive(Serialize, Deserialize, Default)]
struct Capabilities {
    #[serde(default)]
    allow_publish: bool,
    #[serde(default)]
    allow_subscribe: bool,
}

fn fresh_key_pem() -> String {
    // All but a vanishing share of 48-byte strings are valid P-384 scalars.
    let secret = loop {
        let mut bytes = [0_u8; 48];
        rand::fill(&mut bytes[..]);
        if let Ok(secret) = SecretKey::from_slice(&bytes) {
            break secret;
        }
    };
    let pem = secret
        .to_pkcs8_pem(LineEnding::LF)
        .expect("a valid key encodes");
    pem.to_string()
}

fn write_private(path: &Path, pem: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(pem.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime(1_800_000_000 * MICROS_PER_SECOND);

    fn issuer() -> TokenIssuer {
        TokenIssuer {
            region: "us-east-1".into(),
            account: "123456789012".into(),
            whip_url: "http://127.0.0.1:8080/whip".into(),
        }
    }

    fn spec() -> TokenSpec {
        TokenSpec {
            stage: StageId::new("AbCdEf123456"),
            participant: ParticipantId::new("p-1"),
            user_id: "ann".into(),
            attributes: BTreeMap::from([("featured".into(), "true".into())]),
            allow_publish: true,
            allow_subscribe: false,
            issued_at: NOW,
            expires_at: WallTime(NOW.0 + 60 * MICROS_PER_SECOND),
        }
    }

    fn key() -> TokenKey {
        TokenKey::from_pem(&fresh_key_pem()).unwrap()
    }

    #[test]
    fn a_minted_token_verifies_to_the_same_grant() {
        let key = key();
        let grant = key
            .verify(NOW, &issuer(), &key.mint(&issuer(), &spec()))
            .unwrap();
        assert_eq!(grant.stage, spec().stage);
        assert_eq!(grant.participant, spec().participant);
        assert_eq!(grant.attributes, spec().attributes);
        assert_eq!(grant.user_id, "ann");
        assert_eq!(grant.require_publish(), Ok(()));
        assert_eq!(
            grant.require_subscribe(),
            Err(TokenError::MissingCapability {
                capability: "SUBSCRIBE"
            })
        );
    }

    #[test]
    fn a_token_ends_exactly_at_its_expiry() {
        let key = key();
        let token = key.mint(&issuer(), &spec());
        let last = WallTime(spec().expires_at.0 - 1);
        assert!(key.verify(last, &issuer(), &token).is_ok());
        let refused = key.verify(spec().expires_at, &issuer(), &token);
        assert!(matches!(refused, Err(TokenError::Expired { .. })));
    }

    #[test]
    fn a_changed_or_foreign_signature_is_told_from_a_malformed_token() {
        let key = key();
        let foreign = TokenKey::from_pem(&fresh_key_pem())
            .unwrap()
            .mint(&issuer(), &spec());
        assert_eq!(
            key.verify(NOW, &issuer(), &foreign),
            Err(TokenError::BadSignature)
        );
        for broken in ["", "a.b.c", "..", "eyJhbGciOiJub25lIn0.e30."] {
            let refused = key.verify(NOW, &issuer(), broken);
            assert!(
                matches!(refused, Err(TokenError::Malformed { .. })),
                "{broken}: {refused:?}"
            );
        }
        let long = "a".repeat(TOKEN_BYTES_MAX + 1);
        assert!(matches!(
            key.verify(NOW, &issuer(), &long),
            Err(TokenError::Malformed { .. })
        ));
    }

    #[test]
    fn a_token_of_another_account_is_foreign() {
        let key = key();
        let other = TokenIssuer {
            account: "210987654321".into(),
            ..issuer()
        };
        let token = key.mint(&other, &spec());
        let refused = key.verify(NOW, &issuer(), &token);
        assert!(matches!(refused, Err(TokenError::ForeignStage { .. })));
    }

    #[test]
    fn the_key_file_is_made_once_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/token.pem");
        let token = TokenKey::load_or_create(&path)
            .unwrap()
            .mint(&issuer(), &spec());
        let again = TokenKey::load_or_create(&path).unwrap();
        assert!(again.verify(NOW, &issuer(), &token).is_ok());
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::write(&path, "not a key").unwrap();
        assert!(matches!(
            TokenKey::load_or_create(&path),
            Err(TokenKeyError::Format { .. })
        ));
    }
}
