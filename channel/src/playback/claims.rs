//! Playback tokens: a JWT becomes claims, or a reason why not. Pure.
//!
//! <https://docs.aws.amazon.com/ivs/latest/LowLatencyUserGuide/private-channels-generate-tokens.html>

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto, decode_header};
use serde_json::{Map, Value};

use crate::limits::{PLAYBACK_TOKEN_BYTES_MAX, STRICT_ORIGINS_MAX, VIEWER_ID_CHARS_MAX};
use crate::playback::origin_rule::AllowedOrigins;
use crate::playback::{PlaybackKey, Refusal};

const SINGLE_USE: &str = "aws:single-use-uuid";
const VIEWER_ID: &str = "aws:viewer-id";
/// Longest `aws:single-use-uuid`: a UUID in any of its spellings.
const UUID_CHARS_MAX: usize = 64;
/// How far ahead `exp` may be in a token that is used once or names its viewer.
const SHORT_LIFE_SECONDS: i64 = 600;

/// What a verified token says. Claims of other names are ignored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Claims {
    pub(crate) channel_arn: String,
    /// Seconds since 1970; some applications give milliseconds, which then lie far ahead.
    pub(crate) expires_at: i64,
    pub(crate) origins: AllowedOrigins,
    pub(crate) strict_origin: bool,
    pub(crate) single_use: Option<String>,
    pub(crate) viewer_id: Option<String>,
    pub(crate) viewer_version: i64,
    pub(crate) maximum: Option<MaximumResolution>,
}

/// The largest rendition that a token allows, by its lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MaximumResolution {
    /// Up to 480 lines.
    Sd,
    /// Up to 720.
    Hd,
    /// Up to 1080.
    FullHd,
}

impl MaximumResolution {
    fn parse(text: &str) -> Option<Self> {
        [Self::Sd, Self::Hd, Self::FullHd]
            .into_iter()
            .find(|known| known.as_str() == text)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sd => "SD",
            Self::Hd => "HD",
            Self::FullHd => "FULL_HD",
        }
    }

    pub(crate) fn lines(self) -> u32 {
        match self {
            Self::Sd => 480,
            Self::Hd => 720,
            Self::FullHd => 1080,
        }
    }
}

/// Verifies a token with any of `keys` and reads its claims. Whether they fit is not decided here.
pub(crate) fn verify(token: &str, keys: &[PlaybackKey]) -> Result<Claims, Refusal> {
    if token.len() > PLAYBACK_TOKEN_BYTES_MAX {
        return Err(Refusal::TokenTooLong(token.len()));
    }
    check_header(token)?;
    let malformed = Refusal::TokenMalformed;
    let (message, signature) = token.rsplit_once('.').ok_or(malformed.clone())?;
    // Not `jsonwebtoken::decode`: it has opinions on claims that mean nothing here.
    let is_signed = keys.iter().any(|key| {
        // The store keeps only what it has parsed as a P-384 key.
        DecodingKey::from_ec_pem(key.pem.as_bytes())
            .and_then(|key| crypto::verify(signature, message.as_bytes(), &key, Algorithm::ES384))
            .unwrap_or(false)
    });
    if !is_signed {
        return Err(Refusal::TokenSignature);
    }
    let (_, payload) = message.split_once('.').ok_or(malformed.clone())?;
    let payload = URL_SAFE_NO_PAD
        .decode(payload)
        .map_err(|_| malformed.clone())?;
    read(&serde_json::from_slice(&payload).map_err(|_| malformed)?)
}

fn check_header(token: &str) -> Result<(), Refusal> {
    let header = decode_header(token).map_err(|_| {
        // The library knows no other algorithms than the signed ones, "none" is malformed for it.
        if token.split('.').count() == 3 {
            Refusal::TokenHeader
        } else {
            Refusal::TokenMalformed
        }
    })?;
    let is_jwt = header.typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
    if header.alg == Algorithm::ES384 && is_jwt {
        Ok(())
    } else {
        Err(Refusal::TokenHeader)
    }
}

fn read(claims: &Map<String, Value>) -> Result<Claims, Refusal> {
    let claims = Reader(claims);
    let channel_arn = claims.text("aws:channel-arn", usize::MAX, "must be a string")?;
    let expires_at = claims.integer("exp", "must be whole seconds since 1970")?;
    let strict_origin = claims.flag("aws:strict-origin-enforcement")?;
    let version = "aws:viewer-session-version";
    let viewer_version = claims.integer(version, "must be a 64-bit integer")?;
    Ok(Claims {
        channel_arn: channel_arn.ok_or(missing("aws:channel-arn"))?,
        expires_at: expires_at.ok_or(missing("exp"))?,
        origins: claims.origins(strict_origin)?,
        strict_origin,
        single_use: claims.text(SINGLE_USE, UUID_CHARS_MAX, "must be a UUID")?,
        viewer_id: claims.text(
            VIEWER_ID,
            VIEWER_ID_CHARS_MAX,
            "must be a string of 1 to 40 characters",
        )?,
        viewer_version: viewer_version.unwrap_or(0),
        maximum: claims.maximum()?,
    })
}

impl Claims {
    /// Whether the token may still, and already, be used to begin. `now` is in seconds since 1970.
    pub(crate) fn check_times(&self, now: i64) -> Result<(), Refusal> {
        if self.expires_at <= now {
            return Err(Refusal::Expired);
        }
        let short_lived = [
            (SINGLE_USE, self.single_use.is_some()),
            (VIEWER_ID, self.viewer_id.is_some()),
        ];
        let too_far = self.expires_at > now + SHORT_LIFE_SECONDS;
        match short_lived.into_iter().find(|(_, given)| *given && too_far) {
            Some((claim, _)) => Err(Refusal::Claim {
                claim,
                rule: "needs an exp at most 10 minutes (600 seconds) ahead",
            }),
            None => Ok(()),
        }
    }
}

fn missing(claim: &'static str) -> Refusal {
    Refusal::Claim {
        claim,
        rule: "is needed",
    }
}

struct Reader<'a>(&'a Map<String, Value>);

impl Reader<'_> {
    fn text(
        &self,
        claim: &'static str,
        chars_max: usize,
        rule: &'static str,
    ) -> Result<Option<String>, Refusal> {
        match self.0.get(claim) {
            None => Ok(None),
            Some(Value::String(text))
                if !text.is_empty() && text.chars().nth(chars_max).is_none() =>
            {
                Ok(Some(text.clone()))
            }
            Some(_) => Err(Refusal::Claim { claim, rule }),
        }
    }

    fn integer(&self, claim: &'static str, rule: &'static str) -> Result<Option<i64>, Refusal> {
        match self.0.get(claim) {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(integer) => Ok(Some(integer)),
                None => Err(Refusal::Claim { claim, rule }),
            },
        }
    }

    fn flag(&self, claim: &'static str) -> Result<bool, Refusal> {
        match self.0.get(claim) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Refusal::Claim {
                claim,
                rule: "must be true or false",
            }),
        }
    }

    fn origins(&self, strict: bool) -> Result<AllowedOrigins, Refusal> {
        let claim = "aws:access-control-allow-origin";
        let refuse = |rule| Err(Refusal::Claim { claim, rule });
        let Some(value) = self.0.get(claim) else {
            return Ok(AllowedOrigins::default());
        };
        let Some(list) = value.as_str() else {
            return refuse("must be a string, origins separated by commas");
        };
        let origins = AllowedOrigins::new(list.split(','));
        if !origins.is_readable() {
            return refuse("has an entry that is not like https://a.com or https://*.a.com");
        }
        if strict && origins.len() > STRICT_ORIGINS_MAX {
            return refuse("may have at most 5 origins with aws:strict-origin-enforcement");
        }
        Ok(origins)
    }

    fn maximum(&self) -> Result<Option<MaximumResolution>, Refusal> {
        let claim = "aws:maximum-resolution";
        match self.0.get(claim) {
            None => Ok(None),
            Some(value) => match value.as_str().and_then(MaximumResolution::parse) {
                Some(maximum) => Ok(Some(maximum)),
                None => Err(Refusal::Claim {
                    claim,
                    rule: "must be SD, HD or FULL_HD",
                }),
            },
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use p384::SecretKey;
    use p384::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    pub(crate) const ARN: &str = "arn:aws:ivs:us-east-1:123456789012:channel/AAAABBBBCCCC";

    /// A key pair from a seed.
    pub(crate) struct Pair {
        private: String,
        pub(crate) public: PlaybackKey,
    }

    impl Pair {
        pub(crate) fn new(seed: u8) -> Self {
            let secret = SecretKey::from_slice(&[seed; 48]).unwrap();
            let public = secret.public_key().to_public_key_pem(LineEnding::LF);
            Self {
                private: secret.to_pkcs8_pem(LineEnding::LF).unwrap().to_string(),
                public: PlaybackKey {
                    pem: public.unwrap(),
                },
            }
        }

        pub(crate) fn sign(&self, claims: &Value) -> String {
            self.sign_as(&Header::new(Algorithm::ES384), claims)
        }

        fn sign_as(&self, header: &Header, claims: &Value) -> String {
            let key = EncodingKey::from_ec_pem(self.private.as_bytes()).unwrap();
            encode(header, claims, &key).unwrap()
        }
    }

    fn verified(claims: &Value) -> Result<Claims, Refusal> {
        let pair = Pair::new(1);
        verify(&pair.sign(claims), &[Pair::new(2).public, pair.public])
    }

    #[track_caller]
    fn check_claim(name: &'static str, value: &Value) {
        let mut claims = json!({"aws:channel-arn": ARN, "exp": 2_000_000_000});
        claims[name] = value.clone();
        match verified(&claims) {
            Err(Refusal::Claim { claim, .. }) => assert_eq!(claim, name),
            other => panic!("{name} {value}: {other:?}"),
        }
    }

    #[test]
    fn every_claim_is_read_and_others_are_ignored() {
        let claims = verified(&json!({
            "aws:channel-arn": ARN, "exp": 1_790_000_000, "iat": "x", "sub": [1], "nbf": 9_999_999_999_i64,
            "aws:access-control-allow-origin": "https://a.com, https://*.b.com",
            "aws:strict-origin-enforcement": true, "aws:single-use-uuid": "u-1", "aws:viewer-id": "v",
            "aws:viewer-session-version": 7, "aws:maximum-resolution": "HD",
        }))
        .unwrap();
        assert_eq!(
            (claims.channel_arn.as_str(), claims.expires_at),
            (ARN, 1_790_000_000)
        );
        assert!(claims.strict_origin && claims.origins.allow("https://x.b.com"));
        assert!(!claims.origins.allow("https://c.com"));
        assert_eq!(claims.single_use.as_deref(), Some("u-1"));
        assert_eq!(
            (claims.viewer_id.as_deref(), claims.viewer_version),
            (Some("v"), 7)
        );
        assert_eq!(claims.maximum, Some(MaximumResolution::Hd));
    }

    #[test]
    fn token_of_a_key_that_is_not_there_is_refused() {
        let claims = json!({"aws:channel-arn": ARN, "exp": 2_000_000_000});
        let token = Pair::new(1).sign(&claims);
        assert_eq!(
            verify(&token, &[Pair::new(2).public]),
            Err(Refusal::TokenSignature)
        );
        assert_eq!(verify(&token, &[]), Err(Refusal::TokenSignature));
        let mut changed = token.clone();
        let last = changed.pop().unwrap();
        changed.push(if last == 'A' { 'Q' } else { 'A' });
        let keys = [Pair::new(1).public];
        assert_eq!(verify(&changed, &keys), Err(Refusal::TokenSignature));
        assert!(verify(&token, &keys).is_ok());
    }

    #[test]
    fn header_must_say_es384() {
        let claims = json!({"aws:channel-arn": ARN, "exp": 2_000_000_000});
        let pair = Pair::new(1);
        let keys = [Pair::new(1).public];
        let mut header = Header::new(Algorithm::ES384);
        header.typ = Some("at+jwt".to_owned());
        let token = pair.sign_as(&header, &claims);
        assert_eq!(verify(&token, &keys), Err(Refusal::TokenHeader));
        // A public key taken as an HMAC secret is the classic forgery.
        let secret = EncodingKey::from_secret(keys[0].pem.as_bytes());
        let forged = encode(&Header::new(Algorithm::HS384), &claims, &secret).unwrap();
        assert_eq!(verify(&forged, &keys), Err(Refusal::TokenHeader));
        // {"alg":"none"}
        let none = "eyJhbGciOiJub25lIn0.e30.";
        assert_eq!(verify(none, &keys), Err(Refusal::TokenHeader));
        assert_eq!(verify("x", &keys), Err(Refusal::TokenMalformed));
        let long = "x".repeat(PLAYBACK_TOKEN_BYTES_MAX + 1);
        assert_eq!(verify(&long, &keys), Err(Refusal::TokenTooLong(long.len())));
    }

    #[test]
    fn claims_of_the_wrong_kind_are_named() {
        check_claim("aws:channel-arn", &json!(1));
        check_claim("exp", &json!("1790000000"));
        check_claim("exp", &json!(1_790_000_000.5));
        check_claim("exp", &json!(null));
        check_claim("aws:strict-origin-enforcement", &json!("true"));
        check_claim("aws:single-use-uuid", &json!(""));
        check_claim("aws:viewer-id", &json!("v".repeat(41)));
        check_claim("aws:viewer-id", &json!(""));
        check_claim("aws:viewer-session-version", &json!(u64::MAX));
        check_claim("aws:viewer-session-version", &json!("0"));
        check_claim("aws:maximum-resolution", &json!("4K"));
        check_claim("aws:access-control-allow-origin", &json!("a.com"));
        check_claim("aws:access-control-allow-origin", &json!(["https://a.com"]));
        let without_arn = verified(&json!({"exp": 2_000_000_000}));
        assert_eq!(without_arn, Err(missing("aws:channel-arn")));
        assert_eq!(
            verified(&json!({"aws:channel-arn": ARN})),
            Err(missing("exp"))
        );
    }

    #[test]
    fn longest_viewer_id_and_five_strict_origins_are_allowed_and_six_are_not() {
        let five = "https://a.com,https://b.com,https://c.com,https://d.com,https://e.com";
        let mut claims = json!({
            "aws:channel-arn": ARN, "exp": 2_000_000_000, "aws:viewer-id": "ä".repeat(40),
            "aws:strict-origin-enforcement": true, "aws:access-control-allow-origin": five,
        });
        assert!(verified(&claims).is_ok());
        claims["aws:access-control-allow-origin"] = json!(format!("{five},https://f.com"));
        assert!(matches!(verified(&claims), Err(Refusal::Claim { .. })));
        claims["aws:strict-origin-enforcement"] = json!(false);
        assert!(verified(&claims).is_ok());
    }

    #[test]
    fn life_of_a_token_ends_on_the_second_and_may_not_be_long_for_named_viewers() {
        let plain = json!({"aws:channel-arn": ARN, "exp": 1000});
        let plain = verified(&plain).unwrap();
        assert_eq!(plain.check_times(999), Ok(()));
        assert_eq!(plain.check_times(1000), Err(Refusal::Expired));
        // The documented sample has milliseconds.
        let far = json!({"aws:channel-arn": ARN, "exp": 1_790_000_000_000_i64});
        assert_eq!(verified(&far).unwrap().check_times(1000), Ok(()));
        for claim in [SINGLE_USE, VIEWER_ID] {
            let claims = json!({"aws:channel-arn": ARN, "exp": 1600, claim: "x"});
            let claims = verified(&claims).unwrap();
            assert_eq!(claims.check_times(1000), Ok(()));
            assert!(
                matches!(claims.check_times(999), Err(Refusal::Claim { claim: named, .. }) if named == claim)
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused_without_a_panic(token in "[ -~]{0,80}", dotted in "[A-Za-z0-9_-]{0,30}\\.[A-Za-z0-9_-]{0,30}\\.[A-Za-z0-9_-]{0,30}") {
            let keys = [Pair::new(1).public];
            prop_assert!(verify(&token, &keys).is_err());
            prop_assert!(verify(&dotted, &keys).is_err());
        }
    }
}
