//! The session API of the page: small JSON routes under `/session/`, for the page that this server serves and nobody else.
//!
//! It is on only while the HTTP address is a loopback address, or when an admin password is configured; otherwise every
//! route answers 404. No route answers CORS, no answer holds a secret of the server.
//!
//! # What every request carries
//!
//! - `X-Session-Token`: the token of this server start. The served page holds it in
//!   `<meta name="session-token" content="...">`; `index.html` is written with the placeholder
//!   `__PROSCENIUM_SESSION_TOKEN__` as content, the server replaces it while serving. (A server restart makes a new
//!   token: on a 403 with code `SessionTokenMismatch` the page takes it from a fresh `GET /`.)
//! - `Host` must name this server (a loopback name or address, the bound address, or the host of the public URL).
//! - `Origin`, when sent, must be the page's own; always sent by browsers on POST.
//! - POST bodies are JSON with `Content-Type: application/json`, at most 64 KiB. An empty body counts as `{}`.
//! - When an admin password is set: the cookie that `POST /session/login` sets (HttpOnly, the page does nothing for it).
//!
//! Names are camelCase, times are ISO 8601 strings, absent values are left out. Unknown members are refused.
//!
//! # Routes
//!
//! ```text
//! GET  /session/config
//!   200 {"region":"us-east-1", "accountId":"123456789012", "whipUrl":"http://127.0.0.1:8080/whip",
//!        "loginRequired":false, "loggedIn":true}
//!       (the only route that needs no cookie, besides login)
//! POST /session/login           {"password":"..."}
//!   204 with the cookie · 401 PasswordWrong · 429 TooManyAttempts
//!
//! GET  /session/stages
//!   200 {"stages":[STAGE]}
//! POST /session/stages          {"name"?:"rehearsal"}
//!   201 {"stage":STAGE}
//! POST /session/stages/{stageId}/tokens
//!        {"userId"?:"ada", "attributes"?:{"displayName":"Ada","featured":"true"},
//!         "capabilities"?:["PUBLISH","SUBSCRIBE"], "durationMinutes"?:720}
//!   201 {"token":"<JWT>", "participantId":"...", "whipUrl":"http://.../whip", "expirationTime":"2026-..."}
//!       Publish:   POST whipUrl                               Authorization: Bearer <JWT>, body application/sdp
//!       Subscribe: POST whipUrl + "/subscribe/<participantId>" with the same token
//! GET  /session/stages/{stageId}/participants
//!   200 {"participants":[PARTICIPANT]}     those who publish now, in order of arrival
//!
//! GET  /session/compositions?stageId=...   (stageId may be left out)
//!   200 {"compositions":[COMPOSITION]}     newest first; ended ones stay for five minutes
//! POST /session/compositions
//!        {"stageId":"...", "layout"?:LAYOUT, "width"?:1280, "height"?:720, "framerate"?:30, "bitrate"?:2500000,
//!         "channel"?:true, "recording"?:true}
//!   201 {"composition":COMPOSITION}        encoder configuration, channel, storage configuration and bucket of the
//!                                          page (all named "proscenium-page...") are made once and used again
//! GET  /session/compositions/{compositionId}
//!   200 {"composition":COMPOSITION}
//! POST /session/compositions/{compositionId}/stop     {}
//!   200 {"composition":COMPOSITION}        (it may still say ACTIVE; poll until STOPPED or FAILED)
//! ```
//!
//! LAYOUT is the `LayoutConfiguration` of the IVS Real-Time API as it stands, e.g.
//! `{"grid":{"featuredParticipantAttribute":"featured","gridGap":8,"videoFillMode":"COVER"}}` or
//! `{"pip":{"pipPosition":"BOTTOM_RIGHT","featuredParticipantAttribute":"featured"}}`; left out: the grid with
//! `featuredParticipantAttribute` "featured".
//!
//! ```text
//! STAGE        {"stageId":"...", "arn":"arn:aws:ivs:...:stage/...", "name"?:"...", "activeSessionId"?:"st-..."}
//! PARTICIPANT  {"participantId":"...", "userId"?:"...", "attributes":{...}, "hasAudio":true, "hasVideo":true,
//!               "joinedAt"?:"2026-..."}
//! COMPOSITION  {"compositionId":"...", "arn":"...", "stageId":"...", "state":"ACTIVE", "startTime"?:"...",
//!               "endTime"?:"...", "destinations":[DESTINATION]}
//!   state is STARTING, ACTIVE, STOPPING, STOPPED or FAILED; of a destination also RECONNECTING
//! DESTINATION  {"id":"...", "state":"ACTIVE", "startTime"?:"...", "endTime"?:"...", "kind":"channel",
//!               "channel":{"arn":"...", "playbackUrl":"http://.../api/video/v1/....m3u8"}}
//!           or {"id":"...", "state":"ACTIVE", ..., "kind":"recording",
//!               "recording":{"bucket":"...", "prefix":"...", "uri":"s3://bucket/prefix",
//!                            "playbackUrl"?:"http://127.0.0.1:9000/<bucket>/<prefix>/media/hls/multivariant.m3u8"}}
//!               (no playbackUrl when recordings go to an external S3, which this server cannot open to browsers;
//!                the playlist may answer 404 until the first segment is in the bucket)
//! ```
//!
//! # Errors
//!
//! Status 4xx or 5xx with `{"error":{"code":"ValidationException", "message":"..."}}`. Codes of the IVS operations pass
//! through with their status (ValidationException 400, ResourceNotFoundException 404, ConflictException 409,
//! ServiceQuotaExceededException 402 ...); the session API's own are HostNotAllowed 403, OriginNotAllowed 403,
//! SessionTokenMismatch 403, LoginRequired 401, PasswordWrong 401, TooManyAttempts 429, BodyInvalid 400, NotFound 404.

mod calls;
mod compositions;
mod error;
pub mod guard;
mod http_shape;
mod resources;
mod stages;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};
use compositor_core::id::{ParticipantId, StageId};
use compositor_core::time::WallTime;
use tokio::sync::Mutex;

use crate::backend::BackendError;
use crate::clock::Clock;
use crate::sigv4::Principal;
use crate::state::ApiState;

use self::guard::Guard;

/// Largest body of a request of the page.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What the page needs besides the operations of the API.
#[async_trait]
pub trait PageBackend: Send + Sync + 'static {
    /// Who publishes on the stage now, in order of arrival.
    async fn publishing(&self, stage: &StageId) -> Vec<PublishingParticipant>;

    /// Makes the bucket unless it is there.
    async fn ensure_bucket(&self, bucket: &str) -> Result<(), BackendError>;
}

/// A participant with at least one live published track.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublishingParticipant {
    /// The `jti` of its token.
    pub participant: ParticipantId,
    /// Of its token.
    pub user_id: Option<String>,
    /// Of its token.
    pub attributes: BTreeMap<String, String>,
    /// Whether it publishes sound.
    pub has_audio: bool,
    /// Whether it publishes a picture.
    pub has_video: bool,
    /// When it came.
    pub joined_at: Option<WallTime>,
}

/// All that the session API is made of.
pub struct SessionApi {
    /// The operations and the public URL.
    pub state: ApiState,
    /// The account of the page's resources.
    pub principal: Principal,
    /// The rest.
    pub backend: Arc<dyn PageBackend>,
    /// Who may.
    pub guard: Guard,
    /// For the login's attempts.
    pub clock: Clock,
    /// The URL of an S3 that browsers read without a signature; `None` when there is none.
    pub recordings_url: Option<String>,
}

impl std::fmt::Debug for SessionApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionApi")
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

/// Shared by all requests of the page.
struct Inner {
    api: SessionApi,
    /// Held while the page's resources are looked for and made, so that none is made twice.
    making: Mutex<()>,
}

type Shared = Arc<Inner>;

/// The routes under `/session/`.
pub fn router(api: SessionApi) -> Router {
    let shared = Arc::new(Inner {
        api,
        making: Mutex::new(()),
    });
    Router::new()
        .route("/session/config", get(stages::config))
        .route("/session/login", post(stages::login))
        .route("/session/stages", get(stages::list).post(stages::create))
        .route("/session/stages/{stage}/tokens", post(stages::create_token))
        .route(
            "/session/stages/{stage}/participants",
            get(stages::participants),
        )
        .route(
            "/session/compositions",
            get(compositions::list).post(compositions::start),
        )
        .route(
            "/session/compositions/{composition}",
            get(compositions::get),
        )
        .route(
            "/session/compositions/{composition}/stop",
            post(compositions::stop),
        )
        .route("/session/{*rest}", any(http_shape::no_route))
        .method_not_allowed_fallback(http_shape::no_route)
        .layer(from_fn_with_state(Arc::clone(&shared), http_shape::guarded))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}
