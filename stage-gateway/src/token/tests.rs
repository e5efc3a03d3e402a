use std::fs;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use p384::SecretKey;
use p384::pkcs8::{DecodePrivateKey, EncodePublicKey, LineEnding};
use serde_json::{Value, json};

use super::key::fresh_key_pem;
use super::*;
use crate::error::TokenKeyError;

const MICROS_PER_SECOND: i64 = 1_000_000;
const ACCOUNT: &str = "123456789012";

const NOW: WallTime = WallTime(1_800_000_000 * MICROS_PER_SECOND);

fn issuer() -> TokenIssuer {
    TokenIssuer {
        region: "us-east-1".into(),
        whip_url: "http://127.0.0.1:8080/whip".into(),
        events_url: "ws://127.0.0.1:8080/events".into(),
    }
}

fn spec() -> TokenSpec {
    TokenSpec {
        account: ACCOUNT.into(),
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
    assert_eq!(grant.account, ACCOUNT);
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
fn a_token_of_another_region_is_foreign() {
    let key = key();
    let other = TokenIssuer {
        region: "eu-west-1".into(),
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

/// A key pair of an application.
struct Application {
    signing: EncodingKey,
    imported: ImportedKey,
}

impl Application {
    fn new() -> Self {
        let pem = fresh_key_pem();
        let secret = SecretKey::from_pkcs8_pem(&pem).unwrap();
        let public = secret.public_key().to_public_key_pem(LineEnding::LF);
        Self {
            signing: EncodingKey::from_ec_pem(pem.as_bytes()).unwrap(),
            imported: ImportedKey::from_pem(ACCOUNT, &public.unwrap()).unwrap(),
        }
    }

    fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES384);
        header.kid = Some(KID.to_owned());
        jsonwebtoken::encode(&header, claims, &self.signing).unwrap()
    }

    fn verify(&self, claims: &Value) -> Result<Grant, TokenError> {
        self.imported.verify(NOW, &issuer(), &self.sign(claims))
    }
}

const KID: &str = "arn:aws:ivs:us-east-1:123456789012:public-key/Key123456789";
const NOW_S: i64 = NOW.0 / MICROS_PER_SECOND;
const FORTNIGHT_S: i64 = 14 * 24 * 3600;

/// What the user guide shows.
fn self_signed() -> Value {
    json!({
        "exp": NOW_S + 3600,
        "iat": NOW_S,
        "jti": "My_unique-id",
        "user_id": "ann",
        "resource": "arn:aws:ivs:us-east-1:123456789012:stage/AbCdEf123456",
        "topic": "AbCdEf123456",
        "events_url": "ws://127.0.0.1:8080/events",
        "whip_url": "http://127.0.0.1:8080/whip",
        "capabilities": {"allow_publish": true, "allow_subscribe": true},
        "attributes": {"role": "host"},
        "version": "1.0"
    })
}

#[test]
fn a_self_signed_token_is_verified_by_the_key_that_it_names() {
    let application = Application::new();
    let token = application.sign(&self_signed());
    assert_eq!(key_id(&token), Ok(Some(KID.to_owned())));
    let own = key().mint(&issuer(), &spec());
    assert_eq!(key_id(&own), Ok(None));
    let grant = application.imported.verify(NOW, &issuer(), &token);
    let grant = grant.unwrap();
    let expected = Grant {
        account: ACCOUNT.into(),
        stage: StageId::new("AbCdEf123456"),
        participant: ParticipantId::new("My_unique-id"),
        user_id: "ann".into(),
        attributes: BTreeMap::from([("role".into(), "host".into())]),
        allow_publish: true,
        allow_subscribe: true,
        expires_at: WallTime((NOW_S + 3600) * MICROS_PER_SECOND),
        token: TokenText::new(&token),
    };
    assert_eq!(grant, expected);
    assert!(!format!("{grant:?}").contains(&token));
    let stranger = Application::new();
    let refused = stranger.imported.verify(NOW, &issuer(), &token);
    assert_eq!(refused, Err(TokenError::BadSignature));
    assert_eq!(
        application.imported.verify(NOW, &issuer(), &own),
        Err(TokenError::BadSignature)
    );
}

#[test]
fn what_is_optional_in_a_self_signed_token_may_be_missing() {
    let mut claims = self_signed();
    for name in ["user_id", "attributes"] {
        claims.as_object_mut().unwrap().remove(name);
    }
    claims["capabilities"] = json!({"allow_subscribe": true});
    let grant = Application::new().verify(&claims).unwrap();
    assert_eq!((grant.user_id.as_str(), grant.attributes.len()), ("", 0));
    assert!(grant.allow_subscribe && !grant.allow_publish);
}

#[test]
fn a_self_signed_token_at_the_limits_is_taken() {
    let application = Application::new();
    for (name, value) in [
        ("jti", json!("a".repeat(64))),
        ("attributes", json!({"k": "v".repeat(1023)})),
        ("user_id", json!("ü".repeat(128))),
        ("iat", json!(NOW_S + 300)),
        ("iat", json!(NOW_S + 3600 - FORTNIGHT_S)),
        ("exp", json!(NOW_S + FORTNIGHT_S)),
        ("exp", json!(NOW_S + 1)),
    ] {
        let mut claims = self_signed();
        claims[name] = value;
        let answer = application.verify(&claims);
        assert!(answer.is_ok(), "{name}: {answer:?}");
    }
}

#[test]
fn a_self_signed_token_beyond_the_limits_is_refused_and_the_rule_named() {
    let application = Application::new();
    for (name, value, rule) in [
        ("version", json!("0.3"), "version"),
        ("version", json!(1.0), "expected a string"),
        ("exp", json!(NOW_S + FORTNIGHT_S + 1), "14 days"),
        ("exp", json!(NOW_S), "expired"),
        ("exp", json!(f64::from(2_000_000_000) + 0.5), "expected i64"),
        ("iat", json!(NOW_S + 301), "yet to come"),
        ("iat", json!(NOW_S + 3599 - FORTNIGHT_S), "14 days"),
        ("iat", json!("now"), "expected i64"),
        ("jti", json!(""), "jti"),
        ("jti", json!("a".repeat(65)), "jti"),
        ("jti", json!("a.b"), "jti"),
        ("attributes", json!({"k": "v".repeat(1024)}), "1025 bytes"),
        ("attributes", json!({"k": 1}), "expected a string"),
        ("user_id", json!("u".repeat(129)), "user_id"),
        ("topic", json!("Other1234567"), "not a stage"),
        ("resource", json!("AbCdEf123456"), "not a stage"),
        ("whip_url", json!("https://example.com/whip"), "whip_url"),
        ("events_url", json!("wss://example.com"), "events_url"),
        ("capabilities", json!(["PUBLISH"]), "boolean"),
    ] {
        let mut claims = self_signed();
        claims[name] = value.clone();
        let refused = application.verify(&claims).unwrap_err().to_string();
        assert!(refused.contains(rule), "{name} {value}: {refused}");
    }
    for name in [
        "exp",
        "iat",
        "jti",
        "resource",
        "topic",
        "events_url",
        "whip_url",
        "capabilities",
        "version",
    ] {
        let mut claims = self_signed();
        claims.as_object_mut().unwrap().remove(name);
        let refused = application.verify(&claims).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("missing field `{name}`")),
            "{refused}"
        );
    }
}

#[test]
fn no_token_has_a_nul_in_its_user_id() {
    let mut claims = self_signed();
    claims["user_id"] = json!("a\0b");
    let key = key();
    let own = TokenSpec {
        user_id: "a\0b".into(),
        ..spec()
    };
    for refused in [
        Application::new().verify(&claims),
        key.verify(NOW, &issuer(), &key.mint(&issuer(), &own)),
    ] {
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("must not contain U+0000"), "{refused}");
    }
}

#[test]
fn a_key_signs_for_stages_of_its_account_only() {
    let mut claims = self_signed();
    claims["resource"] = json!("arn:aws:ivs:us-east-1:210987654321:stage/AbCdEf123456");
    let refused = Application::new().verify(&claims);
    assert!(matches!(refused, Err(TokenError::ForeignStage { .. })));
}

#[test]
fn only_p384_keys_verify_tokens() {
    let p256 = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEkHlOJaRaOGOLbikJa4oYQBwy+eTW\n\
        ufx+JAlv2B+EjHrOdBP1dXjdO1XXIyO6ah3tBrGDw4ZqRguiCWqF/Rj3NQ==\n\
        -----END PUBLIC KEY-----\n";
    assert!(ImportedKey::from_pem(ACCOUNT, p256).is_none());
    assert!(ImportedKey::from_pem(ACCOUNT, "").is_none());
}
