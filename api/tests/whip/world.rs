//! The WHIP routes over a real gateway and a real store, asked as a browser asks. Nobody connects: an offer is text.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use api::arn::{Arn, ArnKind};
use api::dto::public_key::PublicKeyRecord;
use api::dto::stage::StageRecord;
use api::store::{Database, NewResource, Store};
use api::whip::{WhipState, router};
use axum::body::Body;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use compositor_core::id::{ParticipantId, StageId};
use compositor_core::time::WallTime;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use p384::ecdsa::signature::Signer;
use p384::ecdsa::{Signature, SigningKey};
use p384::pkcs8::{EncodePublicKey, LineEnding};
use recorder::WallClock;
use serde_json::{Value, json};
use stage_gateway::kept::KeptJournals;
use stage_gateway::limits::StreamLimits;
use stage_gateway::token::{TokenIssuer, TokenSpec};
use stage_gateway::{Gateway, GatewayConfig};
use tempfile::TempDir;
use tower::ServiceExt;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const STAGE: &str = "AbCdEf123456";
const WHIP_URL: &str = "http://127.0.0.1/whip";
const EVENTS_URL: &str = "ws://127.0.0.1/events";
const REGION: &str = "us-east-1";
const MINUTE: i64 = 60 * 1_000_000;
const START: i64 = 1_800_000_000_000_000;

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) gateway: Gateway,
    now: Arc<AtomicI64>,
    _folder: TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Where the resource is, when one was made.
    pub(crate) location: String,
    /// Of a refusal.
    pub(crate) code: String,
}

impl World {
    /// A stage without anybody.
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let database = Database::Sqlite(folder.path().join("store.db"));
        let store = Store::connect(&database).await.unwrap();
        let gateway = Gateway::start(GatewayConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            advertised: None,
            journal_dir: folder.path().join("journal"),
            kept_journals: KeptJournals {
                dir: folder.path().join("kept-journals"),
                keep: Duration::ZERO,
            },
            token_key_file: folder.path().join("token.pem"),
            issuer: TokenIssuer {
                region: REGION.to_owned(),
                whip_url: WHIP_URL.to_owned(),
                events_url: EVENTS_URL.to_owned(),
            },
            process_start: Instant::now(),
            history: None,
            limits: StreamLimits::default(),
        });
        let world = Self {
            store,
            gateway: gateway.await.unwrap(),
            now: Arc::new(AtomicI64::new(START)),
            _folder: folder,
        };
        world.keep_stage().await;
        world
    }

    async fn keep_stage(&self) {
        let record: StageRecord = serde_json::from_value(json!({
            "name": "", "recording": {}
        }))
        .unwrap();
        let stage = self.stage();
        let new = NewResource {
            arn: &stage,
            record: &record,
            tags: &BTreeMap::new(),
        };
        self.store.insert(ACCOUNT, new).await.unwrap();
    }

    pub(crate) fn stage(&self) -> Arn {
        Arn::new(REGION, ACCOUNT, ArnKind::Stage, STAGE)
    }

    /// A key that the account imports; its identifier.
    pub(crate) async fn import_key(&self) -> Arn {
        let material = signing_key()
            .verifying_key()
            .to_public_key_pem(LineEnding::LF);
        let record = PublicKeyRecord {
            name: String::new(),
            public_key_material: material.unwrap(),
            fingerprint: String::new(),
        };
        let key = Arn::new(REGION, ACCOUNT, ArnKind::PublicKey, "Key123456789");
        let new = NewResource {
            arn: &key,
            record: &record,
            tags: &BTreeMap::new(),
        };
        self.store.insert(ACCOUNT, new).await.unwrap();
        key
    }

    /// A token that the application signed itself, good for an hour.
    pub(crate) fn self_signed(&self, key: &Arn, participant: &str) -> String {
        let now = self.now.load(Ordering::Relaxed) / 1_000_000;
        let header = json!({"alg": "ES384", "typ": "JWT", "kid": key});
        let claims = json!({
            "exp": now + 3600, "iat": now, "jti": participant, "resource": self.stage(), "topic": STAGE,
            "events_url": EVENTS_URL, "whip_url": WHIP_URL, "version": "1.0",
            "capabilities": {"allow_publish": true, "allow_subscribe": true}
        });
        let [header, claims] =
            [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature: Signature = signing_key().sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    pub(crate) fn elapse_minutes(&self, minutes: i64) {
        self.now.fetch_add(minutes * MINUTE, Ordering::Relaxed);
    }

    /// A token that ends `minutes` from now.
    pub(crate) fn token(&self, participant: &str, minutes: i64) -> String {
        let now = self.now.load(Ordering::Relaxed);
        self.gateway.mint_token(&TokenSpec {
            account: ACCOUNT.to_owned(),
            stage: StageId::new(STAGE),
            participant: ParticipantId::new(participant),
            user_id: String::new(),
            attributes: BTreeMap::new(),
            allow_publish: true,
            allow_subscribe: true,
            issued_at: WallTime(now - 60 * MINUTE),
            expires_at: WallTime(now + minutes * MINUTE),
        })
    }

    /// Refuses the participant's token; whether the stage knew it.
    pub(crate) async fn revoke(&self, participant: &str) -> bool {
        let now = WallTime(self.now.load(Ordering::Relaxed));
        let (stage, participant) = (self.stage(), ParticipantId::new(participant));
        let revoked = self.store.revoke_token(now, &stage, &participant);
        revoked.await.unwrap()
    }

    pub(crate) async fn publish(&self, token: &str) -> Answer {
        self.send("POST", "/whip", token, offer("sendonly")).await
    }

    pub(crate) async fn subscribe(&self, token: &str, publisher: &str) -> Answer {
        let target = format!("/whip/subscribe/{publisher}");
        self.send("POST", &target, token, offer("recvonly")).await
    }

    /// Whether a connection lasts: only then the token that made it is asked for a fragment.
    pub(crate) async fn is_there(&self, location: &str, token: &str) -> bool {
        let asked = self.send("PATCH", location, token, String::new()).await;
        asked.code == "UnsupportedMediaType"
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        token: &str,
        body: String,
    ) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/sdp")
            .body(Body::from(body))
            .unwrap();
        let now = Arc::clone(&self.now);
        let state = WhipState {
            gateway: self.gateway.clone(),
            region: REGION.to_owned(),
            store: self.store.clone(),
            clock: WallClock::new(move || WallTime(now.load(Ordering::Relaxed))),
        };
        let response = router(state).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let refusal: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let location = parts.headers.get("location");
        Answer {
            status: parts.status,
            location: location
                .map_or("", |value| value.to_str().unwrap())
                .to_owned(),
            code: refusal["code"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

/// The application's own.
fn signing_key() -> SigningKey {
    SigningKey::from_slice(&[7; 48]).unwrap()
}

/// Sound and nothing else, without candidates.
fn offer(direction: &str) -> String {
    let fingerprint = vec!["AB"; 32].join(":");
    format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=rtcp-mux\r\n\
         a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
         a=fingerprint:sha-256 {fingerprint}\r\na=setup:actpass\r\na={direction}\r\n\
         a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n"
    )
}
