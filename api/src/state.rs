//! What every operation can reach.

use std::sync::Arc;

use compositor_core::time::WallTime;
use recorder::WallClock;

use crate::access;
use crate::arn::{Arn, ArnKind};
use crate::backend::Backend;
use crate::dto::stage::StageEndpoints;
use crate::error::ApiError;
use crate::ids;
use crate::sigv4::{AccessKey, Principal};
use crate::store::Store;
use crate::throttle::Throttle;

/// The control plane's fixed facts; known once every listener is bound.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `us-east-1`.
    pub region: String,
    /// The accepted keys, each with its account.
    pub access_keys: Vec<AccessKey>,
    /// How clients reach this server's HTTP, without a slash at the end.
    pub public_url: String,
    /// RTMP host, and `:port` unless 1935.
    pub ingest_endpoint: String,
}

/// Shared by all requests.
#[derive(Clone)]
pub struct ApiState {
    /// Fixed facts.
    pub settings: Arc<Settings>,
    /// Resources.
    pub store: Store,
    /// Everything else.
    pub backend: Arc<dyn Backend>,
    /// The time.
    pub clock: WallClock,
    /// Request rates, when they are limited.
    pub throttle: Option<Arc<Throttle>>,
}

impl std::fmt::Debug for ApiState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiState")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// One request's view of [`ApiState`].
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Shared by all requests.
    pub state: &'a ApiState,
    /// Who asks.
    pub principal: &'a Principal,
    /// When.
    pub now: WallTime,
}

/// Where clients publish and subscribe: the `whip` endpoint of stages.
pub fn whip_url(public_url: &str) -> String {
    format!("{public_url}/whip")
}

/// The `events` endpoint of stages, a WebSocket.
pub fn events_url(public_url: &str) -> String {
    // http becomes ws, https becomes wss.
    let rest = public_url.strip_prefix("http");
    rest.map_or_else(
        || format!("{public_url}/events"),
        |rest| format!("ws{rest}/events"),
    )
}

impl Settings {
    /// Where clients of a stage connect.
    pub fn stage_endpoints(&self) -> StageEndpoints {
        StageEndpoints {
            events: events_url(&self.public_url),
            whip: whip_url(&self.public_url),
            rtmp: format!("rtmp://{}/app/", self.ingest_endpoint),
            rtmps: format!("rtmps://{}:443/app/", self.ingest_host()),
        }
    }

    /// Whether nobody can read or change requests on their way.
    pub fn is_confidential(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// Where a channel's live HLS is.
    pub fn playback_url(&self, account: &str, channel_id: &str) -> String {
        let Self {
            region, public_url, ..
        } = self;
        format!("{public_url}/api/video/v1/{region}.{account}.channel.{channel_id}.m3u8")
    }

    /// The ingest endpoint without its port.
    pub fn ingest_host(&self) -> &str {
        match self.ingest_endpoint.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => &self.ingest_endpoint,
        }
    }
}

impl<'a> Context<'a> {
    /// Refuses a request that comes too fast, or that the caller may not make.
    pub fn admit(&self, operation: &str, resources: &[&str]) -> Result<(), ApiError> {
        let account = self.account();
        if let Some(throttle) = &self.state.throttle {
            throttle.admit(self.now, account, operation, resources.first().copied())?;
        }
        let region = &self.state.settings.region;
        access::authorize(region, self.principal, operation, resources)
    }

    /// The account that asks.
    pub fn account(&self) -> &'a str {
        &self.principal.account
    }

    /// Resources.
    pub fn store(&self) -> &'a Store {
        &self.state.store
    }

    /// Everything that is not in the store.
    pub fn backend(&self) -> &'a dyn Backend {
        self.state.backend.as_ref()
    }

    /// A name for a new resource of the account.
    pub fn new_arn(&self, kind: ArnKind) -> Arn {
        self.arn(kind, &ids::resource_id())
    }

    /// The name of a resource of the account.
    pub fn arn(&self, kind: ArnKind, id: &str) -> Arn {
        Arn::new(&self.state.settings.region, self.account(), kind, id)
    }
}
