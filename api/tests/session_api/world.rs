//! The session API over a real store and a scripted backend, asked as a browser asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::access::Policy;
use api::backend::{
    Backend, BackendError, BucketLook, CompositionSpec, LiveStream, StartError, TokenRequest,
};
use api::clock::Clock;
use api::config::{BaseUrl, Scheme, Secret};
use api::session_api::guard::Guard;
use api::session_api::{PageBackend, PublishingParticipant, SessionApi, router};
use api::sigv4::Principal;
use api::state::{ApiState, Settings};
use api::store::Store;
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use channel::{AdBreakRefusal, AdBreakRequest};
use compositor_core::id::{ChannelId, CompositionId, ParticipantId, SessionId, StageId};
use compositor_core::time::WallTime;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use recorder::AdBreak;
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) const HOST: &str = "127.0.0.1:8080";

#[derive(Default)]
pub(crate) struct FakeBackend {
    pub(crate) buckets: Mutex<Vec<String>>,
    pub(crate) started: Mutex<Vec<CompositionSpec>>,
    pub(crate) stopped: Mutex<Vec<CompositionId>>,
}

#[async_trait]
impl PageBackend for FakeBackend {
    async fn publishing(&self, _stage: &StageId) -> Vec<PublishingParticipant> {
        vec![PublishingParticipant {
            participant: ParticipantId::new("Ada123456789"),
            user_id: Some("ada".to_owned()),
            attributes: BTreeMap::from([("featured".to_owned(), "true".to_owned())]),
            has_audio: true,
            has_video: false,
            joined_at: Some(WallTime(1_795_176_000_000_000)),
        }]
    }

    async fn ensure_bucket(&self, bucket: &str) -> Result<(), BackendError> {
        self.buckets.lock().push(bucket.to_owned());
        Ok(())
    }
}

#[async_trait]
impl Backend for FakeBackend {
    async fn mint_participant_token(&self, request: &TokenRequest) -> Result<String, BackendError> {
        Ok(format!(
            "token-of-{}",
            request.user_id.as_deref().unwrap_or("nobody")
        ))
    }

    async fn disconnect_participant(
        &self,
        _stage: &StageId,
        _participant: &ParticipantId,
        _reason: &str,
    ) -> Result<bool, BackendError> {
        Ok(false)
    }

    async fn stage_deleted(&self, _stage: &StageId) {}

    async fn active_session(&self, _stage: &StageId) -> Option<SessionId> {
        None
    }

    async fn publishing_session(&self, _: &StageId, _: &ParticipantId) -> Option<SessionId> {
        None
    }

    async fn look_at_bucket(&self, bucket: &str) -> Result<BucketLook, BackendError> {
        Ok(if self.bucket_writable(bucket).await? {
            BucketLook::There
        } else {
            BucketLook::Missing
        })
    }

    async fn bucket_writable(&self, bucket: &str) -> Result<bool, BackendError> {
        Ok(self.buckets.lock().iter().any(|known| known == bucket))
    }

    async fn start_composition(&self, spec: &CompositionSpec) -> Result<(), StartError> {
        self.started.lock().push(spec.clone());
        Ok(())
    }

    async fn stop_composition(&self, composition: &CompositionId) -> Result<(), BackendError> {
        self.stopped.lock().push(composition.clone());
        Ok(())
    }

    async fn stream_of(&self, _channel: &ChannelId) -> Option<LiveStream> {
        None
    }

    async fn has_stream_session(&self, _channel: &ChannelId) -> bool {
        false
    }

    async fn live_streams(&self) -> Vec<LiveStream> {
        Vec::new()
    }

    async fn stop_stream(&self, _channel: &ChannelId) -> Result<bool, BackendError> {
        Ok(false)
    }

    async fn revoke_viewer(&self, _: &api::store::Revocation<'_>) {}

    async fn put_metadata(&self, _channel: &ChannelId, _text: &str) -> bool {
        false
    }

    async fn insert_ad_break(
        &self,
        _channel: &ChannelId,
        _request: AdBreakRequest,
    ) -> Result<AdBreak, AdBreakRefusal> {
        Err(AdBreakRefusal::NotLive)
    }

    async fn channel_deleted(&self, _channel: &ChannelId) {}
}

pub(crate) struct World {
    pub(crate) backend: Arc<FakeBackend>,
    pub(crate) token: String,
    pub(crate) cookie: Option<String>,
    router: Router,
    _folder: tempfile::TempDir,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    #[track_caller]
    pub(crate) fn ok(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self.body
    }

    #[track_caller]
    pub(crate) fn err(self, status: u16, code: &str) -> String {
        let found = (
            self.status.as_u16(),
            self.body["error"]["code"].as_str().unwrap_or_default(),
        );
        assert_eq!(found, (status, code), "{self:?}");
        self.body["error"]["message"].as_str().unwrap().to_owned()
    }
}

impl World {
    pub(crate) async fn new(admin_password: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let backend = Arc::new(FakeBackend::default());
        let public_url = BaseUrl::parse(&format!("http://{HOST}")).unwrap();
        let guard = Guard::new(
            (Scheme::Http, HOST.parse().unwrap()),
            &public_url,
            admin_password.map(Secret::new),
        );
        let clock = Clock::start();
        let state = ApiState {
            settings: Arc::new(Settings {
                region: "us-east-1".to_owned(),
                access_keys: Vec::new(),
                public_url: public_url.to_string(),
                ingest_endpoint: "127.0.0.1".to_owned(),
            }),
            store: Store::open(&folder.path().join("proscenium.db"))
                .await
                .unwrap(),
            backend: backend.clone(),
            clock: recorder::WallClock::new(move || clock.wall()),
            throttle: None,
        };
        let token = guard.token().to_owned();
        let router = router(SessionApi {
            state,
            principal: Principal {
                access_key: "of the page".to_owned(),
                account: "123456789012".to_owned(),
                policy: Arc::new(Policy::everything()),
            },
            backend: backend.clone(),
            guard,
            clock,
            recordings_url: Some("http://127.0.0.1:9000".to_owned()),
        });
        Self {
            backend,
            token,
            cookie: None,
            router,
            _folder: folder,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path).body(Body::empty()).unwrap())
            .await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self
            .request("POST", path)
            .header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap())
            .await
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> http::request::Builder {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", HOST);
        request = request
            .header("x-session-token", &self.token)
            .header("origin", format!("http://{HOST}"));
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = if body.is_empty() {
            json!(null)
        } else {
            serde_json::from_slice(&body).unwrap()
        };
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// A stage, by its identifier.
    pub(crate) async fn stage(&self) -> String {
        let created = self
            .post("/session/stages", &json!({ "name": "rehearsal" }))
            .await
            .ok(201);
        created["stage"]["stageId"].as_str().unwrap().to_owned()
    }
}
