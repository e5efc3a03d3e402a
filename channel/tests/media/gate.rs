//! A gate whose knowledge the test sets, and tokens for it.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use async_trait::async_trait;
use channel::{
    Country, GateError, PlaybackGate, PlaybackKey, RestrictionPolicy, SingleUse, ViewerBreach,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use p384::SecretKey;
use p384::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::world::CHANNEL_ARN;

/// What the store of a real server would know.
#[derive(Default)]
pub(crate) struct FakeGate {
    pub(crate) keys: Mutex<Vec<PlaybackKey>>,
    pub(crate) policy: Mutex<RestrictionPolicy>,
    pub(crate) revoked: Mutex<HashMap<String, i64>>,
    pub(crate) countries: Mutex<HashMap<IpAddr, Country>>,
    pub(crate) breaches: Mutex<Vec<ViewerBreach>>,
    pub(crate) is_broken: Mutex<bool>,
    used: Mutex<HashSet<String>>,
}

impl FakeGate {
    fn answer<T>(&self, answer: T) -> Result<T, GateError> {
        if *self.is_broken.lock() {
            return Err(GateError("the store is away".into()));
        }
        Ok(answer)
    }
}

#[async_trait]
impl PlaybackGate for FakeGate {
    async fn playback_keys(&self, account: &str) -> Result<Vec<PlaybackKey>, GateError> {
        assert_eq!(account, "123456789012");
        self.answer(self.keys.lock().clone())
    }

    async fn restriction_policy(&self, arn: &str) -> Result<Option<RestrictionPolicy>, GateError> {
        self.answer((arn == "arn:policy").then(|| self.policy.lock().clone()))
    }

    async fn use_once(&self, token: &SingleUse) -> Result<bool, GateError> {
        self.answer(self.used.lock().insert(token.uuid.clone()))
    }

    async fn revoked_up_to(&self, arn: &str, viewer_id: &str) -> Result<Option<i64>, GateError> {
        assert_eq!(arn, CHANNEL_ARN);
        self.answer(self.revoked.lock().get(viewer_id).copied())
    }

    fn country_of(&self, client: IpAddr) -> Option<Country> {
        self.countries.lock().get(&client).cloned()
    }

    async fn viewers_exceeded(&self, breach: ViewerBreach) {
        self.breaches.lock().push(breach);
    }
}

/// A playback key pair.
pub(crate) struct KeyPair(SecretKey);

impl KeyPair {
    pub(crate) fn new(seed: u8) -> Self {
        Self(SecretKey::from_slice(&[seed; 48]).unwrap())
    }

    pub(crate) fn public(&self) -> PlaybackKey {
        let pem = self.0.public_key().to_public_key_pem(LineEnding::LF);
        PlaybackKey { pem: pem.unwrap() }
    }

    /// A token for the channel that lives for five minutes, with `more` claims.
    pub(crate) fn token(&self, more: Value) -> String {
        let mut claims = json!({"aws:channel-arn": CHANNEL_ARN, "exp": now() + 300});
        let Value::Object(more) = more else {
            panic!("claims are an object")
        };
        claims.as_object_mut().unwrap().extend(more);
        let pem = self.0.to_pkcs8_pem(LineEnding::LF).unwrap();
        let key = EncodingKey::from_ec_pem(pem.as_bytes()).unwrap();
        encode(&Header::new(Algorithm::ES384), &claims, &key).unwrap()
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
    since.unwrap().as_secs()
}
