//! The running compositions: starts them, stops them, drains them when the server ends.

mod continuation;
mod destination;
mod driver;
mod encoders;
mod kept_jobs;
mod left;
mod load;
mod progress;
mod quality;
mod unstored;
mod wake;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use compositor::supervisor::WorkerProgram;
use compositor_core::error_chain::error_chain;
use compositor_core::id::{CompositionId, StageId};
use parking_lot::Mutex;
use recorder::{ObjectStore, WallClock};
use stage_gateway::Gateway;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::driver::{Command, Origin};
pub use self::load::{Load, MachineFull};
pub use self::progress::ended_by_kill;
use crate::backend::{BackendError, CompositionSpec, StartError};
use crate::clock::Clock;
use crate::config::BroadcastUrl;
use crate::metrics::WorkerMetrics;
use crate::store::{Store, StoredComposition};

/// Commands that may wait for one composition; more say nothing new.
const COMMANDS_MAX: usize = 8;

/// What compositions are made with.
pub struct Services {
    /// Whose stages are composed.
    pub gateway: Gateway,
    /// Where recordings go.
    pub objects: ObjectStore,
    /// Where states are kept.
    pub store: Store,
    /// The worker.
    pub worker: WorkerProgram,
    /// Holds one spool folder for each recording.
    pub spool_root: PathBuf,
    /// What each of them may hold, bytes.
    pub spool_bytes_max: u64,
    /// Holds a file for each running composition, with which it can go on.
    pub continuations: PathBuf,
    /// `rtmp://host:port/app` of the channels' ingest.
    pub rtmp_url: String,
    /// Channels, by ARN, that are broadcast elsewhere.
    pub external_channels: BTreeMap<String, BroadcastUrl>,
    /// What the workers say of themselves.
    pub metrics: Arc<WorkerMetrics>,
    /// What the workers cost.
    pub load: Mutex<Load>,
    /// The real clocks.
    pub clock: Clock,
    /// The same, for recordings.
    pub recording_clock: WallClock,
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services")
            .field("rtmp_url", &self.rtmp_url)
            .finish_non_exhaustive()
    }
}

/// The running compositions of this server.
#[derive(Debug)]
pub struct Compositions {
    services: Arc<Services>,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    handles: HashMap<CompositionId, Handle>,
    tasks: JoinSet<CompositionId>,
    is_draining: bool,
}

#[derive(Debug)]
struct Handle {
    stage: StageId,
    commands: mpsc::Sender<Command>,
}

impl Compositions {
    /// Nothing runs yet.
    pub fn new(services: Services) -> Self {
        Self {
            services: Arc::new(services),
            running: Mutex::default(),
        }
    }

    /// Starts a composition that the store holds in STARTING, if the machine has room for it.
    pub fn start(&self, spec: CompositionSpec, retry_seed: u64) -> Result<(), StartError> {
        let start = driver::start_spec(&spec, retry_seed)?;
        let mut running = self.running.lock();
        if running.is_draining {
            let what = format!("composition {} is not started: the server stops", spec.id);
            return Err(BackendError::plain(what).into());
        }
        self.services.load.lock().admit(spec.id.clone())?;
        running.spawn(&self.services, spec, Origin::New(start));
        Ok(())
    }

    /// Goes on with those of these compositions that an earlier run of the server left in a state to do so. Answers with
    /// which; the others are over.
    pub async fn go_on(&self, left: &[StoredComposition]) -> io::Result<Vec<CompositionId>> {
        let mut going_on = Vec::new();
        for stored in left {
            let (id, spec) = (stored.spec.id.clone(), stored.spec.clone());
            match left::find(&self.services, stored).await {
                Ok(found) => {
                    tracing::warn!(composition = %id, "the server was killed while this composition ran: it goes on");
                    self.services.load.lock().adopt(id.clone());
                    let origin = Origin::Left(Box::new(found));
                    self.running.lock().spawn(&self.services, spec, origin);
                    going_on.push(id);
                }
                Err(error) => {
                    tracing::warn!(composition = %id, error = %error_chain(&error), "the server was killed while this composition ran");
                }
            }
        }
        continuation::tidy(&self.services.continuations, &going_on).await?;
        Ok(going_on)
    }

    /// Stops a composition gracefully; nothing happens when it is not running.
    pub fn stop(&self, composition: &CompositionId) {
        if let Some(handle) = self.running.lock().handles.get(composition) {
            handle.tell(Command::Stop);
        }
    }

    /// The stage is gone: its compositions fail.
    pub fn stage_deleted(&self, stage: &StageId) {
        let running = self.running.lock();
        for handle in running
            .handles
            .values()
            .filter(|handle| handle.stage == *stage)
        {
            handle.tell(Command::StageDeleted);
        }
    }

    /// Whether no more start, because the server stops.
    pub fn is_draining(&self) -> bool {
        self.running.lock().is_draining
    }

    /// Stops all compositions gracefully and waits for them, until `deadline`; none starts any more.
    pub async fn drain(&self, deadline: Instant) {
        let mut tasks = {
            let mut running = self.running.lock();
            running.is_draining = true;
            running
                .handles
                .values()
                .for_each(|handle| handle.tell(Command::ServerStopping));
            std::mem::take(&mut running.tasks)
        };
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout_at(deadline, all).await.is_err() {
            tracing::warn!(
                left = tasks.len(),
                "compositions did not drain in time; they end at the next start"
            );
        }
    }
}

impl Handle {
    fn tell(&self, command: Command) {
        // A full queue already holds this or something stronger; a closed one belongs to a composition that has ended.
        let _ = self.commands.try_send(command);
    }
}

impl Running {
    fn spawn(&mut self, services: &Arc<Services>, spec: CompositionSpec, origin: Origin) {
        let (commands, command_rx) = mpsc::channel(COMMANDS_MAX);
        let handle = Handle {
            stage: spec.stage.clone(),
            commands,
        };
        self.reap();
        self.handles.insert(spec.id.clone(), handle);
        let services = Arc::clone(services);
        self.tasks.spawn(async move {
            let id = spec.id.clone();
            driver::drive(services, spec, origin, command_rx).await;
            id
        });
    }

    /// Forgets those that have ended.
    fn reap(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            match ended {
                Ok(id) => drop(self.handles.remove(&id)),
                Err(error) => tracing::error!(%error, "a composition's driver died"),
            }
        }
    }
}
