//! One composition from its start to its end: what happens goes into the state machine, what it decides is done here.
//! Media passes through from the worker to the destinations; the machine never sees it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use compositor::supervisor::{SupervisorHandle, WorkerEvent, supervise};
use compositor_core::composition::{
    Composition, DestinationError, DestinationKind, DestinationOutcome, DestinationReport, Event,
    Input, Output, StartSpec, StopCause,
};
use compositor_core::error_chain::error_chain;
use compositor_core::id::{CompositionId, DestinationId};
use compositor_core::ladder::Pace;
use compositor_core::time::{MediaTime, MonotonicTime};
use compositor_core::worker_protocol::{Job, Resume, VideoUnit, WorkerStats};
use stage_gateway::event::{GatewayEvent, GatewayEventKind};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use super::Services;
use super::continuation::ContinuationFile;
use super::destination::{Destination, News, Report};
use super::encoders::EncoderPlan;
use super::kept_jobs::KeptJobs;
use super::left::{Left, Resumed};
use super::progress::progress;
use super::quality::QualityControl;
use super::unstored::Unstored;
use super::wake::{Wake, Wakers};
use crate::arn::Arn;
use crate::backend::{CompositionSpec, DestinationTarget};
use crate::event::{
    QualityChange, SpoolChange, composition_event, quality_event, spool_event, worker_died_event,
};

/// Units between the worker and the destinations; few, because the worker's socket already holds some.
const WORKER_EVENTS_MAX: usize = 16;
/// Reports of destinations that wait for the machine.
const REPORTS_MAX: usize = 32;

/// How often, and after which pause, the last state is stored again when the store does not take it: for an hour, a full
/// disk may have been noticed by then.
const STORE_AGAIN_MAX: usize = 360;
const STORE_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// What others ask of a running composition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Command {
    Stop,
    ServerStopping,
    StageDeleted,
}

/// Where a composition comes from.
pub(super) enum Origin {
    /// It was just started.
    New(StartSpec),
    /// An earlier run of the server left it.
    Left(Box<Left>),
}

/// Drives one composition.
pub(super) struct Driver {
    services: Arc<Services>,
    spec: CompositionSpec,
    plan: EncoderPlan,
    machine: Composition,
    destinations: BTreeMap<DestinationId, Destination>,
    reports: mpsc::Sender<Report>,
    supervisor: Option<SupervisorHandle>,
    kept_jobs: KeptJobs,
    /// Where the worker goes on, and when the composition began, if an earlier run of the server left it.
    resume: Option<(MediaTime, Resume)>,
    /// Recordings of an earlier run that are not opened again yet.
    recordings: BTreeMap<DestinationId, Resumed>,
    continuation: Option<ContinuationFile>,
    /// While it runs and was not told to stop.
    quality: Option<QualityControl>,
    unstored: Unstored,
}

/// Drives the composition to its end.
pub(super) async fn drive(
    services: Arc<Services>,
    spec: CompositionSpec,
    origin: Origin,
    commands: mpsc::Receiver<Command>,
) {
    // Subscribed before anything is read, so that no change falls between.
    let gateway = services.gateway.events();
    let (reports, report_rx) = mpsc::channel(REPORTS_MAX);
    let (worker, worker_rx) = mpsc::channel(WORKER_EVENTS_MAX);
    let clock = services.clock;
    let plan = EncoderPlan::new(&spec);
    let (now, wall) = (clock.monotonic(), clock.wall());
    let (machine, resume, recordings) = match origin {
        Origin::New(start) => (Composition::new(start, now, wall), None, BTreeMap::new()),
        Origin::Left(left) => (
            Composition::adopt(left.machine, left.left_at, now, wall),
            Some((left.start, left.resume)),
            left.recordings,
        ),
    };
    let destinations = BTreeMap::new();
    let unstored = Unstored::of(spec.id.clone());
    let mut driver = Driver {
        services,
        spec,
        plan,
        machine,
        destinations,
        reports,
        supervisor: None,
        kept_jobs: KeptJobs::default(),
        resume,
        recordings,
        continuation: None,
        quality: None,
        unstored,
    };
    let mut wakers = Wakers {
        commands,
        reports: report_rx,
        worker: worker_rx,
        gateway,
    };
    let _admitted = Admitted {
        services: Arc::clone(&driver.services),
        composition: driver.spec.id.clone(),
    };
    let mut flow = driver.drain().await;
    if flow.is_continue() {
        flow = driver.begin(worker).await;
    }
    while flow.is_continue() {
        let wake = wakers.next(driver.until_timeout()).await;
        flow = driver.react(wake).await;
    }
    // The worker ends with its listener.
    drop(wakers);
    driver.services.metrics.forget(&driver.spec.id);
    if let Some(continuation) = driver.continuation.take() {
        continuation.remove().await;
    }
    driver.store_last().await;
}

/// Gives the place on the machine back, however driving ends.
struct Admitted {
    services: Arc<Services>,
    composition: CompositionId,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.services.load.lock().forget(&self.composition);
    }
}

impl Driver {
    /// Tells the machine who publishes already, and starts the worker.
    async fn begin(&mut self, worker: mpsc::Sender<WorkerEvent>) -> ControlFlow<()> {
        // Whoever deletes the stage after this finds the composition and tells it.
        if let Ok(false) = self.services.store.stage_exists(&self.spec.stage).await {
            return self.input(Input::StageDeleted).await;
        }
        let journal = match self.services.gateway.stage_journal(&self.spec.stage).await {
            Ok(journal) => journal,
            Err(error) => {
                tracing::error!(composition = %self.spec.id, error = %error_chain(&error), "no journal");
                return self.input(Input::WorkerFailed).await;
            }
        };
        let (start, resume) = match self.resume.take() {
            Some((start, resume)) => (start, Some(resume)),
            None => (self.media_now(), None),
        };
        let session = journal.session().clone();
        let folder = &self.services.continuations;
        self.continuation = Some(ContinuationFile::new(folder, &self.spec.id, start, session));
        if let Some(folder) = journal.kept_folder() {
            self.kept_jobs = KeptJobs::new(folder, &self.spec, &self.plan, start);
            self.kept_jobs.write().await;
        }
        let job = Job {
            composition: self.spec.id.clone(),
            start,
            layout: self.spec.layout.clone(),
            encoders: self.plan.encoders.clone(),
            resume,
        };
        self.quality = Some(QualityControl::new(
            self.spec.id.clone(),
            Arc::clone(&journal),
        ));
        self.supervisor = Some(supervise(
            self.services.worker.clone(),
            job,
            journal,
            worker,
        ));
        self.count_publishers().await
    }

    fn until_timeout(&self) -> Option<Duration> {
        let now = self.services.clock.monotonic();
        self.machine.poll_timeout().map(|at| at.since(now))
    }

    fn media_now(&self) -> MediaTime {
        self.services
            .gateway
            .media_now(&self.spec.stage)
            .unwrap_or_default()
    }

    async fn react(&mut self, wake: Wake) -> ControlFlow<()> {
        match wake {
            Wake::Command(Command::Stop) => self.input(Input::Stop).await,
            Wake::Command(Command::ServerStopping) => self.input(Input::ServerStopping).await,
            Wake::Command(Command::StageDeleted) => self.input(Input::StageDeleted).await,
            Wake::Report(Report {
                id,
                news: News::State(report),
            }) => self.input(Input::Destination { id, report }).await,
            Wake::Report(Report {
                id,
                news: News::Spool(change, bytes),
            }) => {
                self.note_spool(&id, change, bytes);
                self.store().await;
                ControlFlow::Continue(())
            }
            Wake::Timeout => self.input(Input::Timeout).await,
            Wake::Worker(event) => self.worker_event(event).await,
            Wake::Gateway(Ok(event)) => self.gateway_event(event).await,
            Wake::Gateway(Err(RecvError::Lagged(_))) => self.count_publishers().await,
            // The gateway outlives the compositions; without it nothing can be composed.
            Wake::Gateway(Err(RecvError::Closed)) => self.input(Input::ServerStopping).await,
        }
    }

    async fn gateway_event(&mut self, event: GatewayEvent) -> ControlFlow<()> {
        match event.kind {
            GatewayEventKind::PublishersChanged { count } if event.stage == self.spec.stage => {
                self.publishers(count, event.at).await
            }
            _ => ControlFlow::Continue(()),
        }
    }

    async fn count_publishers(&mut self) -> ControlFlow<()> {
        let publishers = self.services.gateway.publishers(&self.spec.stage);
        // As the gateway's events count them.
        let count = publishers.iter().filter(|p| p.connected).count();
        self.publishers(count, self.services.clock.monotonic())
            .await
    }

    async fn publishers(&mut self, count: usize, since: MonotonicTime) -> ControlFlow<()> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.input(Input::PublishersChanged { count, since }).await
    }

    async fn worker_event(&mut self, event: WorkerEvent) -> ControlFlow<()> {
        let composition = &self.spec.id;
        match event {
            WorkerEvent::Video(unit) => self.pass_video(unit).await,
            WorkerEvent::Audio { n, data } => {
                for destination in self.destinations.values_mut() {
                    destination.audio(n, data.clone()).await;
                }
            }
            WorkerEvent::Thumbnail { encoder, k, jpeg } => {
                for destination in self
                    .destinations
                    .values_mut()
                    .filter(|d| d.encoder() == encoder)
                {
                    destination.thumbnail(k, jpeg.clone()).await;
                }
            }
            WorkerEvent::Spawned { pid } => {
                tracing::info!(%composition, pid, "worker started");
                if let Some(quality) = &self.quality {
                    quality.repeat();
                }
            }
            WorkerEvent::Stats(stats) => self.look_at(stats).await,
            WorkerEvent::Checkpoint(resume) => {
                let now = self.services.clock.wall();
                if let Some(continuation) = &mut self.continuation {
                    continuation.take(now, resume).await;
                }
            }
            WorkerEvent::Died { cause } => {
                tracing::warn!(%composition, cause, "worker died, a successor continues");
                let at = self.services.clock.wall();
                self.unstored
                    .event(worker_died_event(&self.spec, at, &cause));
                self.store().await;
            }
            WorkerEvent::Ended => self.finish().await,
            WorkerEvent::Failed(error) => {
                tracing::error!(%composition, error = %error_chain(&error), "worker failed");
                return self.input(Input::WorkerFailed).await;
            }
        }
        ControlFlow::Continue(())
    }

    /// Shows what the worker says of itself, counts what it costs, and gives up quality when it is too slow.
    async fn look_at(&mut self, stats: WorkerStats) {
        let now = self.services.clock.monotonic();
        let pace = Pace {
            behind: self.media_now().since(stats.composed_until),
            busy_percent: stats.busy_percent,
            step: stats.step,
        };
        (self.services.load.lock()).report(now, &self.spec.id, &stats);
        (self.services.metrics).tell(&self.spec.id, stats, pace.behind);
        let taken = self
            .quality
            .as_mut()
            .and_then(|quality| quality.see(now, pace));
        let Some(step) = taken else {
            return;
        };
        let (from, behind_ms) = (pace.step, pace.behind.as_millis());
        tracing::info!(composition = %self.spec.id, from, step, behind_ms, "quality changes");
        let change = QualityChange { from, step };
        self.unstored.event(quality_event(
            &self.spec,
            self.services.clock.wall(),
            change,
        ));
        self.store().await;
    }

    async fn pass_video(&mut self, unit: VideoUnit) {
        for destination in self
            .destinations
            .values_mut()
            .filter(|d| d.encoder() == unit.encoder)
        {
            destination
                .video(unit.k, unit.keyframe, unit.data.clone())
                .await;
        }
    }

    async fn input(&mut self, input: Input) -> ControlFlow<()> {
        let clock = self.services.clock;
        self.machine
            .handle_input(clock.monotonic(), clock.wall(), input);
        self.drain().await
    }

    /// Does what the machine asks for, until it asks for nothing more.
    async fn drain(&mut self) -> ControlFlow<()> {
        while let Some(output) = self.machine.poll_output() {
            // Everybody may read what was decided before it is done.
            if !matches!(output, Output::StateChanged(_) | Output::Event(_)) {
                self.store().await;
            }
            match output {
                Output::StateChanged(state) => self.unstored.state(progress(&state)),
                Output::Event(event) => self.note(&event),
                Output::OpenDestination { id, attempt } => self.open(id, attempt).await,
                Output::RetryDestination { id, attempt } => match self.destinations.get_mut(&id) {
                    Some(destination) => destination.retry(attempt),
                    None => self.open(id, attempt).await,
                },
                Output::BeginStop { cause } => self.begin_stop(cause).await,
                Output::CloseDestination { id, outcome } => self.close(&id, outcome).await,
                // The store forgets ended compositions by itself, so nothing is left to drive.
                Output::ReleaseWorker | Output::Forget => return ControlFlow::Break(()),
            }
        }
        self.store().await;
        ControlFlow::Continue(())
    }

    /// Stores the newest state and the events that led to it, at once or not at all.
    async fn store(&mut self) {
        let clock = self.services.clock;
        if let Some(progress) = self.unstored.waiting_state() {
            progress.saved = Some(self.machine.save(clock.monotonic(), clock.wall()));
        }
        self.unstored.store(&self.services.store).await;
    }

    /// The last state is worth waiting for: without it the composition would be shown, and hold its channel, until the
    /// server restarts.
    async fn store_last(mut self) {
        for _ in 0..STORE_AGAIN_MAX {
            if self.unstored.is_empty() {
                return;
            }
            tokio::time::sleep(STORE_AGAIN_AFTER).await;
            self.store().await;
        }
    }

    fn note(&mut self, event: &Event) {
        let at = self.services.clock.wall();
        self.unstored
            .event(composition_event(&self.spec, at, event));
        tracing::info!(
            composition = %self.spec.id,
            destination = event.destination().map(DestinationId::as_str),
            error_code = event.error_code(),
            "{}", event.name()
        );
    }

    fn note_spool(&mut self, destination: &DestinationId, change: SpoolChange, bytes: u64) {
        let arn = Arn::parse(&self.spec.arn).expect("a composition's ARN was made by `Arn::new`");
        let at = self.services.clock.wall();
        let bytes = (bytes, self.services.spool_bytes_max);
        let event = spool_event(&arn, destination.as_str(), at, change, bytes);
        self.unstored.event(event);
    }

    async fn open(&mut self, id: DestinationId, attempt: u32) {
        let index = self
            .spec
            .destinations
            .iter()
            .position(|destination| destination.id == id);
        let index = index.expect("the machine knows the spec's destinations only");
        let encoder = self.plan.encoder_of[index];
        let spec = &self.spec.destinations[index];
        let resumed = self.recordings.remove(&id);
        let opened = Destination::open(
            &self.services,
            &self.spec,
            spec,
            encoder,
            (attempt, resumed),
            &self.reports,
        )
        .await;
        match opened {
            Ok(destination) => drop(self.destinations.insert(id, destination)),
            Err(error) => {
                tracing::error!(composition = %self.spec.id, destination = %id, error = %error_chain(&error), "not opened");
                let news = News::State(DestinationReport::Rejected(DestinationError::Internal));
                // Room is certain: a destination that did not open has not reported anything else.
                let _ = self.reports.try_send(Report { id, news });
            }
        }
    }

    async fn begin_stop(&mut self, cause: StopCause) {
        tracing::info!(composition = %self.spec.id, ?cause, "stopping");
        self.quality = None;
        let at = self.media_now();
        match &self.supervisor {
            Some(supervisor) => supervisor.stop(at),
            // No worker will say that it has ended.
            None => return self.finish().await,
        }
        self.kept_jobs.end(at).await;
    }

    /// Everything up to the stop time was passed on.
    async fn finish(&mut self) {
        for destination in self.destinations.values_mut() {
            destination.finish().await;
        }
    }

    async fn close(&mut self, id: &DestinationId, outcome: DestinationOutcome) {
        if let Some(destination) = self.destinations.remove(id) {
            destination.close(outcome).await;
        }
    }
}

/// What the machine needs to know of a composition.
pub(super) fn start_spec(
    spec: &CompositionSpec,
    retry_seed: u64,
) -> Result<StartSpec, crate::backend::BackendError> {
    let destinations = spec.destinations.iter().map(|destination| {
        let kind = match destination.target {
            DestinationTarget::Channel { .. } => DestinationKind::Channel,
            DestinationTarget::S3 { .. } => DestinationKind::S3,
        };
        (destination.id.clone(), kind)
    });
    StartSpec::new(spec.id.clone(), destinations.collect(), retry_seed).map_err(|error| {
        crate::backend::BackendError::new(
            format!("composition {} cannot be started", spec.id),
            error,
        )
    })
}
