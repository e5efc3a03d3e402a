//! One server with its store, a scripted backend, a clock that stands still, and a client that signs.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use api::access::{Pattern, Policy, Statement};
use api::config::Secret;
use api::router::router;
use api::sigv4::AccessKey;
use api::state::{ApiState, Settings};
use api::store::{Database, Store};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use axum::body::Body;
use axum::response::Response;
use compositor_core::time::WallTime;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::fake_backend::FakeBackend;
use crate::postgres;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const KEY: &str = "PROSCENIUMDEV";
pub(crate) const SECRET: &str = "proscenium-development-secret";
pub(crate) const OTHER_KEY: &str = "OTHERKEY";
pub(crate) const OTHER_ACCOUNT: &str = "210987654321";
pub(crate) const TEMPORARY_KEY: &str = "TEMPORARYKEY";
pub(crate) const SESSION_TOKEN: &str = "session-token";
pub(crate) const READER_KEY: &str = "READERKEY";
const HOST: &str = "127.0.0.1:8080";

/// 2026-11-20T12:00:00Z.
pub(crate) const START_SECONDS: i64 = 1_795_176_000;

pub(crate) struct World {
    pub(crate) state: ApiState,
    pub(crate) backend: Arc<FakeBackend>,
    database: Database,
    folder: TempDir,
    now: Arc<AtomicI64>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn error_type(&self) -> &str {
        self.headers
            .get("x-amzn-errortype")
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    /// Asserts success and hands the body out.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        self.body
    }

    /// Asserts the exception and that its message says `text`.
    #[track_caller]
    pub(crate) fn err(&self, status: u16, error_type: &str, text: &str) {
        assert_eq!(
            (self.status.as_u16(), self.error_type()),
            (status, error_type),
            "{self:?}"
        );
        assert!(
            self.message().contains(text),
            "{:?} lacks {text:?}",
            self.message()
        );
        assert_eq!(self.body["message"], self.body["exceptionMessage"]);
    }
}

/// How a request is signed; tests bend one thing at a time.
pub(crate) struct Signing {
    pub(crate) key: &'static str,
    pub(crate) secret: &'static str,
    pub(crate) region: &'static str,
    pub(crate) service: &'static str,
    pub(crate) session_token: Option<String>,
    pub(crate) seconds: i64,
    pub(crate) unsigned_payload: bool,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let now = Arc::new(AtomicI64::new(START_SECONDS * 1_000_000));
        // scripts/test runs all of this on both databases.
        let database = match std::env::var_os("TEST_ON_POSTGRESQL") {
            Some(_) => postgres::database().await,
            None => Database::Sqlite(folder.path().join("proscenium.db")),
        };
        Self::in_folder(folder, database, now).await
    }

    /// The same folder in a new process.
    pub(crate) async fn restarted(self) -> Self {
        self.state.store.close().await;
        Self::in_folder(self.folder, self.database, self.now).await
    }

    async fn in_folder(folder: TempDir, database: Database, now: Arc<AtomicI64>) -> Self {
        let backend = Arc::new(FakeBackend::default());
        backend.script(|script| script.buckets.insert("recordings".to_owned()));
        let clock = Arc::clone(&now);
        let state = ApiState {
            settings: Arc::new(Settings {
                region: "us-east-1".to_owned(),
                access_keys: access_keys(),
                public_url: format!("http://{HOST}"),
                ingest_endpoint: "127.0.0.1:1936".to_owned(),
            }),
            store: Store::connect(&database).await.unwrap(),
            backend: backend.clone(),
            clock: recorder::WallClock::new(move || WallTime(clock.load(Ordering::Relaxed))),
            throttle: None,
        };
        Self {
            state,
            backend,
            database,
            folder,
            now,
        }
    }

    pub(crate) fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap();
        self.now.fetch_add(micros, Ordering::Relaxed);
    }

    pub(crate) fn signing(&self) -> Signing {
        Signing {
            key: KEY,
            secret: SECRET,
            region: "us-east-1",
            service: "ivs",
            session_token: None,
            seconds: self.now.load(Ordering::Relaxed) / 1_000_000,
            unsigned_payload: false,
        }
    }

    /// POSTs a signed operation.
    pub(crate) async fn call(&self, operation: &str, body: Value) -> Answer {
        self.post(operation, body.to_string().as_bytes()).await
    }

    pub(crate) async fn post(&self, operation: &str, body: &[u8]) -> Answer {
        self.request("POST", &format!("/{operation}"), body).await
    }

    /// POSTs an operation signed with another key.
    pub(crate) async fn call_as(&self, key: &'static str, operation: &str, body: Value) -> Answer {
        let how = Signing {
            key,
            ..self.signing()
        };
        let target = format!("/{operation}");
        let body = body.to_string();
        self.send(signed(&how, "POST", &target, body.as_bytes()))
            .await
    }

    pub(crate) async fn request(&self, method: &str, target: &str, body: &[u8]) -> Answer {
        self.send(signed(&self.signing(), method, target, body))
            .await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response: Response = router(self.state.clone()).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap()
        };
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// Creates a stage and answers its ARN.
    pub(crate) async fn stage(&self) -> String {
        let created = self.call("CreateStage", json!({})).await.ok();
        text(&created["stage"]["arn"])
    }

    pub(crate) async fn encoder(&self) -> String {
        let created = self
            .call("CreateEncoderConfiguration", json!({}))
            .await
            .ok();
        text(&created["encoderConfiguration"]["arn"])
    }

    pub(crate) async fn storage(&self) -> String {
        let request = json!({"s3": {"bucketName": "recordings"}});
        let created = self.call("CreateStorageConfiguration", request).await.ok();
        text(&created["storageConfiguration"]["arn"])
    }

    pub(crate) async fn channel(&self) -> String {
        let created = self.call("CreateChannel", json!({})).await.ok();
        text(&created["channel"]["arn"])
    }
}

/// One key that may do everything, one of another account, a temporary one, and one that only reads stages.
fn access_keys() -> Vec<AccessKey> {
    let key = |id: &str| AccessKey {
        id: id.to_owned(),
        secret: SECRET.to_owned(),
        account: ACCOUNT.to_owned(),
        session_token: None,
        policy: Arc::new(Policy::everything()),
    };
    let reader = Statement {
        actions: vec![Pattern::new("ivs:Get*"), Pattern::new("ivs:List*")],
        resources: vec![Pattern::new("arn:aws:ivs:*:*:stage/*")],
    };
    vec![
        key(KEY),
        AccessKey {
            account: OTHER_ACCOUNT.to_owned(),
            ..key(OTHER_KEY)
        },
        AccessKey {
            session_token: Some(Secret::new(SESSION_TOKEN)),
            ..key(TEMPORARY_KEY)
        },
        AccessKey {
            policy: Arc::new(Policy {
                statements: vec![reader],
            }),
            ..key(READER_KEY)
        },
    ]
}

pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is not a string"))
        .to_owned()
}

pub(crate) fn id(arn: &str) -> String {
    arn.rsplit_once('/').unwrap().1.to_owned()
}

/// A request signed by the AWS SDK's own signer.
pub(crate) fn signed(how: &Signing, method: &str, target: &str, body: &[u8]) -> Request<Body> {
    let token = how.session_token.clone();
    let identity = Credentials::new(how.key, how.secret, token, None, "test").into();
    let mut settings = SigningSettings::default();
    let mut payload = SignableBody::Bytes(body);
    if how.unsigned_payload {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        payload = SignableBody::UnsignedPayload;
    }
    let seconds = Duration::from_secs(u64::try_from(how.seconds).unwrap());
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(how.region)
        .name(how.service)
        .time(SystemTime::UNIX_EPOCH + seconds)
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let uri = format!("http://{HOST}{target}");
    let headers = [("host", HOST), ("content-type", "application/json")];
    let signable = SignableRequest::new(method, uri, headers.into_iter(), payload).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut request = request.body(Body::from(body.to_vec())).unwrap();
    instructions.apply_to_request_http1x(&mut request);
    request
}
