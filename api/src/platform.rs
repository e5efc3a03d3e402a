//! Wires the store, the gateway, the channels, S3 and the compositions together.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::map_response;
use channel::{Channels, ChannelsConfig, Owner};
use compositor::supervisor::{self, WorkerProgram};
use compositor::thumbnail::Thumbnailer;
use compositor_core::id::StageId;
use recorder::{ObjectStore, StoreConfig, WallClock};
use stage_gateway::kept::KeptJournals;
use stage_gateway::limits::StreamLimits;
use stage_gateway::token::TokenIssuer;
use stage_gateway::{Gateway, GatewayConfig};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::backend::Backend;
use crate::channel_recording::{self, ChannelRecordings};
use crate::clock::Clock;
use crate::composition::{Compositions, Load, Services, ended_by_kill};
use crate::config::{BaseUrl, Config, LimitsProfile, REGION, Secret};
use crate::data_dir::DataDir;
use crate::endpoints::ingest_endpoint;
use crate::event::{feed, keep_retention, killed_composition_events};
use crate::health::{self, Readiness};
use crate::live_backend::{LiveBackend, StoreDirectory};
use crate::metrics::{self, Metrics, RequestMetrics, ServerMetrics, WorkerMetrics};
use crate::open_files::connections;
use crate::playback::{GeoIp, GeoIpError, StoreGate, TrustedProxies, tell_client_address};
use crate::session_api::PageBackend;
use crate::sigv4::AccessKey;
use crate::slate::SlateEncoder;
use crate::stage_history::{self, StageHistory};
use crate::state::{ApiState, Settings, events_url, whip_url};
use crate::store::{Database, Store, StoreError};
use crate::{recording_setup, replication, router, security_headers, stream_log, webhook, whip};

/// The store.
const STORE_FILE: &str = "proscenium.db";
/// How long the reports of the last streams may take to be kept.
const STREAM_LOG_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the last that happened on stages may take to be kept.
const STAGE_HISTORY_TIMEOUT: Duration = Duration::from_secs(2);
/// The key that signs participant tokens.
const TOKEN_KEY_FILE: &str = "token-key.pem";
/// Journals of stage sessions.
const JOURNAL_FOLDER: &str = "journal";
/// Those of sessions that are over.
const KEPT_JOURNALS_FOLDER: &str = "kept-journals";
/// What is not uploaded yet.
pub(crate) const SPOOL_FOLDER: &str = "spool";
/// With what compositions go on when the server was killed.
const CONTINUATIONS_FOLDER: &str = "continuations";
/// What GStreamer knows of its plugins; kept, so that a worker starts at once.
const PLUGIN_REGISTRY_FILE: &str = "gstreamer-registry.bin";

/// Everything that runs behind the HTTP port.
pub struct Platform {
    /// What operations run on.
    pub api: ApiState,
    /// What the page's session API needs besides the operations.
    pub page: Arc<dyn PageBackend>,
    gateway: Gateway,
    channels: Arc<Channels>,
    compositions: Arc<Compositions>,
    metrics: Metrics,
    metrics_token: Option<Secret>,
    trusted_proxies: TrustedProxies,
    recordings: ChannelRecordings,
    stream_log: Mutex<JoinHandle<()>>,
    history: StageHistory,
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform")
            .field("api", &self.api)
            .finish_non_exhaustive()
    }
}

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// The store.
    #[error("cannot open the store")]
    Store(#[from] StoreError),
    /// HTTPS of webhooks.
    #[error("cannot start the webhooks")]
    Webhooks(#[from] webhook::StartError),
    /// WebRTC or the token key.
    #[error("cannot start the stage gateway")]
    Gateway(#[from] stage_gateway::error::StartError),
    /// RTMP.
    #[error("cannot start the channels")]
    Channels(#[from] channel::StartError),
    /// The configured database.
    #[error("cannot restrict playback by country")]
    GeoIp(#[from] GeoIpError),
    /// Where it is written down how compositions go on.
    #[error("cannot tidy the folder {CONTINUATIONS_FOLDER}")]
    Continuations(#[source] std::io::Error),
    /// The path of this program is needed to start workers.
    #[error("cannot tell where this program is")]
    Executable(#[source] std::io::Error),
}

/// The addresses that others of this server are reached at.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// How clients reach the HTTP port.
    pub public_url: BaseUrl,
    /// Where recordings go.
    pub recordings: StoreConfig,
}

impl Platform {
    /// Starts everything, and ends what an earlier run left unfinished.
    pub async fn start(
        config: &Config,
        data_dir: &DataDir,
        clock: Clock,
        surroundings: Surroundings,
    ) -> Result<Self, PlatformError> {
        let folder = data_dir.path();
        let database = database(config);
        tracing::info!(%database, "opening the store");
        let store = Store::connect(&database).await?;
        let store = store.with_quotas(config.quotas.clone());
        let objects = ObjectStore::connect(surroundings.recordings.clone()).await;
        let (remember, remembered) = mpsc::channel(stage_history::QUEUE);
        let history =
            StageHistory::start(store.clone(), clock, remembered, config.stage_history_days)
                .await?;
        let gateway = Gateway::start(GatewayConfig {
            listen: config.webrtc,
            advertised: config.webrtc_advertised.map(|advertised| advertised.ip),
            journal_dir: folder.join(JOURNAL_FOLDER),
            kept_journals: KeptJournals {
                dir: folder.join(KEPT_JOURNALS_FOLDER),
                keep: Duration::from_secs(u64::from(config.journal_keep_hours) * 3600),
            },
            token_key_file: folder.join(TOKEN_KEY_FILE),
            issuer: token_issuer(&surroundings),
            process_start: clock.started(),
            history: Some(remember),
            limits: StreamLimits::default(),
        })
        .await?;
        let channels = ChannelsConfig {
            listen: config.rtmp,
            region: REGION.to_owned(),
            viewers_max: usize::try_from(config.quotas.concurrent_viewers).unwrap_or(usize::MAX),
            broadcasts_max: config.quotas.concurrent_streams,
            connections_max: connections(usize::MAX),
        };
        let wall_clock = WallClock::new(move || clock.wall());
        stream_log::end_unfinished(&store, clock.wall()).await?;
        let directory = Arc::new(StoreDirectory(store.clone()));
        let worker = worker_program(data_dir).map_err(PlatformError::Executable)?;
        let slates = Arc::new(SlateEncoder::new(worker.clone()));
        let geoip = config.geoip_database.as_deref().map(GeoIp::open);
        let gate = Arc::new(StoreGate {
            store: store.clone(),
            geoip: geoip.transpose()?.map(Arc::new),
            clock: wall_clock.clone(),
        });
        let owner = Owner {
            directory,
            gate,
            slates,
        };
        let (channels, reports) = Channels::start(channels, owner).await?;
        let channels = Arc::new(channels);
        let taps = channels.tap_streams();
        let stream_log = tokio::spawn(stream_log::run(store.clone(), clock, reports));
        tokio::spawn(warm_up(worker.clone()));
        let spool_root = folder.join(SPOOL_FOLDER);
        let workers = Arc::new(WorkerMetrics::default());
        let cpus = std::thread::available_parallelism().map_or(1.0, |cpus| cpus.get() as f64);
        let compositions = Arc::new(Compositions::new(Services {
            gateway: gateway.clone(),
            objects: objects.clone(),
            store: store.clone(),
            worker: worker.clone(),
            spool_root: spool_root.clone(),
            spool_bytes_max: config.spool_bytes_max,
            continuations: folder.join(CONTINUATIONS_FOLDER),
            rtmp_url: format!("rtmp://{}/app", channels.own_addr()),
            external_channels: config.external_channels.clone(),
            metrics: Arc::clone(&workers),
            load: parking_lot::Mutex::new(Load::new(cpus * f64::from(config.cpu_percent) / 100.0)),
            clock,
            recording_clock: wall_clock.clone(),
        }));
        for courier in webhook::couriers(&config.webhooks, &store, &wall_clock).await? {
            tokio::spawn(webhook::run(courier));
        }
        tokio::spawn(keep_retention(
            store.clone(),
            config.events,
            wall_clock.clone(),
        ));
        let stages = go_on_or_end(&store, &compositions, clock).await?;
        gateway.remove_abandoned_journals(&stages).await;
        let thumbnailer = Thumbnailer::new(WorkerProgram {
            args: vec![OsString::from("thumbnail")],
            ..worker
        });
        let recordings = channel_recording::Services::new(
            store.clone(),
            objects.clone(),
            thumbnailer,
            (spool_root, config.spool_bytes_max),
            wall_clock.clone(),
        );
        let left = store.channel_recordings().await?;
        let recordings = ChannelRecordings::start(recordings, left, taps);
        tokio::spawn(replication::follow(gateway.clone(), store.clone(), clock));
        let backend = Arc::new(LiveBackend {
            gateway: gateway.clone(),
            channels: Arc::clone(&channels),
            objects,
            compositions: Arc::clone(&compositions),
        });
        let api = ApiState {
            settings: Arc::new(settings(config, &surroundings, channels.local_addr())),
            store,
            backend: Arc::clone(&backend) as Arc<dyn Backend>,
            clock: wall_clock,
            throttle: (config.limits_profile == LimitsProfile::Aws).then(Arc::default),
        };
        recording_setup::resume(&api).await?;
        let metrics = Metrics {
            workers,
            requests: Arc::new(RequestMetrics::default()),
            server: ServerMetrics {
                gateway: gateway.clone(),
                channels: Arc::clone(&channels),
                store: api.store.clone(),
                data_dir: folder.to_owned(),
            },
        };
        Ok(Self {
            api,
            page: backend,
            gateway,
            channels,
            compositions,
            metrics,
            metrics_token: config.metrics_token.clone(),
            trusted_proxies: TrustedProxies::new(config.trusted_proxies.iter().copied()),
            recordings,
            stream_log: Mutex::new(stream_log),
            history,
        })
    }

    /// Where RTMP is taken.
    pub fn rtmp_addr(&self) -> SocketAddr {
        self.channels.local_addr()
    }

    /// Where WebRTC is taken.
    pub fn webrtc_addr(&self) -> SocketAddr {
        self.gateway.local_addr()
    }

    /// The AWS API, WHIP and playback; `page` is asked first.
    pub fn router(&self, page: Router) -> Router {
        let whip = whip::WhipState {
            region: self.api.settings.region.clone(),
            gateway: self.gateway.clone(),
            store: self.api.store.clone(),
            clock: self.api.clock.clone(),
        };
        let readiness = Readiness {
            store: self.api.store.clone(),
            compositions: Arc::clone(&self.compositions),
        };
        let requests = Arc::clone(&self.metrics.requests);
        let observe = axum::middleware::from_fn_with_state(requests, metrics::observe);
        page.merge(whip::router(whip))
            .merge(self.playback_routes())
            .merge(health::router(readiness))
            .merge(metrics::router(
                self.metrics.clone(),
                self.metrics_token.clone(),
            ))
            .merge(feed::router(self.api.clone()))
            .merge(router::router(self.api.clone()).layer(observe))
            .layer(map_response(security_headers::complete))
    }

    /// Playback, whose restrictions look at where a viewer is.
    fn playback_routes(&self) -> Router {
        let proxies = self.trusted_proxies.clone();
        let tell = axum::middleware::from_fn_with_state(proxies, tell_client_address);
        self.channels.routes().layer(tell)
    }

    /// Ends compositions gracefully until `deadline`, then everything else.
    pub async fn drain(&self, deadline: tokio::time::Instant) {
        self.compositions.drain(deadline).await;
        self.channels.shutdown().await;
        self.recordings.drain(deadline).await;
        let mut stream_log = self.stream_log.lock().await;
        if timeout(STREAM_LOG_TIMEOUT, &mut *stream_log).await.is_err() {
            tracing::error!("the last reports of the channels are not kept");
            stream_log.abort();
        }
        self.gateway.shutdown().await;
        self.history.finish(STAGE_HISTORY_TIMEOUT).await;
        self.api.store.close().await;
    }
}

/// Where the store is.
pub fn database(config: &Config) -> Database {
    let default = || Database::Sqlite(config.data_dir.join(STORE_FILE));
    config.store.clone().unwrap_or_else(default)
}

fn settings(config: &Config, surroundings: &Surroundings, rtmp: SocketAddr) -> Settings {
    let access_keys = config.credentials.iter().map(|credential| AccessKey {
        id: credential.access_key_id.clone(),
        secret: credential.secret_access_key.expose().to_owned(),
        account: credential.account.clone(),
        session_token: credential.session_token.clone(),
        policy: Arc::new(credential.policy.clone()),
    });
    Settings {
        region: REGION.to_owned(),
        access_keys: access_keys.collect(),
        public_url: surroundings.public_url.to_string(),
        ingest_endpoint: ingest_endpoint(rtmp, &surroundings.public_url),
    }
}

fn token_issuer(surroundings: &Surroundings) -> TokenIssuer {
    let public_url = surroundings.public_url.to_string();
    TokenIssuer {
        region: REGION.to_owned(),
        whip_url: whip_url(&public_url),
        events_url: events_url(&public_url),
    }
}

/// The worker is this program; of the environment it gets nothing but where GStreamer keeps its plugin list.
fn worker_program(data_dir: &DataDir) -> std::io::Result<WorkerProgram> {
    let registry = data_dir.path().join(PLUGIN_REGISTRY_FILE);
    let registry = std::path::absolute(registry)?;
    Ok(WorkerProgram {
        executable: std::env::current_exe()?,
        args: vec![OsString::from("compose")],
        environment: vec![("GST_REGISTRY".into(), registry.into_os_string())],
    })
}

/// Lets the first composition start at once, and tells early when none can.
async fn warm_up(worker: WorkerProgram) {
    match supervisor::warm_up(&worker).await {
        Ok(status) if status.success() => {}
        Ok(status) => {
            tracing::error!(%status, "a composition worker does not start: run `proscenium doctor`")
        }
        Err(error) => tracing::error!(%error, "a composition worker cannot be spawned"),
    }
}

/// Compositions of a run that was killed go on, if what they need is there: their stages are the answer. The others end
/// now, their recordings are sealed.
async fn go_on_or_end(
    store: &Store,
    compositions: &Compositions,
    clock: Clock,
) -> Result<Vec<StageId>, PlatformError> {
    let left = store.unfinished_compositions().await?;
    let going_on = compositions.go_on(&left).await;
    let going_on = going_on.map_err(PlatformError::Continuations)?;
    let (going_on, over): (Vec<_>, Vec<_>) = left
        .into_iter()
        .partition(|composition| going_on.contains(&composition.spec.id));
    for composition in over {
        let (now, progress) = (clock.wall(), &composition.progress);
        let events = killed_composition_events(&composition.spec, progress, now);
        store
            .update_composition(&composition.spec.id, &ended_by_kill(progress, now), &events)
            .await?;
    }
    Ok(going_on.into_iter().map(|one| one.spec.stage).collect())
}
