//! Records channels to S3 by their recording configurations.
//!
//! ```text
//! live origin ─► tap (bounded) ─► one task a stream ─► Recording (spool, uploader)
//!                                   │ keyframes at the interval ─► `proscenium thumbnail` ─► JPEG
//!                                   └─ at the end of the stream the recording waits for the reconnect window
//! ```
//!
//! The live stream never waits: its tap drops what does not fit.

mod follow;
mod open;
mod plan;
mod probe;
mod recovery;
mod thumbnail_clock;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use channel::{StreamFormat, StreamTap, TapUnit};
use compositor::thumbnail::Thumbnailer;
use compositor_core::error_chain::error_chain;
use compositor_core::id::ChannelId;
use parking_lot::Mutex;
use recorder::{ObjectStore, WallClock};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::open::{OpenRecording, Shared, StreamEnd};
use self::plan::Plan;
use self::probe::{Probe, StreamShape};
use self::recovery::recover;
use crate::arn::Arn;
use crate::dto::recording_configuration::RecordingConfigurationRecord;
use crate::dto::stream_session::StreamSnapshot;
use crate::event::recording::{RecordingChange, RecordingSession, recording_news};
use crate::event::{SpoolChange, spool_event};
use crate::ids;
use crate::retry::until_done;
use crate::store::{ChannelRecording, Store};

/// Even a server that has no time left seals what it recorded.
const SEAL_TIME: Duration = Duration::from_secs(1);

/// How long a stream waits for the store before it can be recorded; about what its tap holds.
const STORE_PATIENCE: Duration = Duration::from_secs(5);

/// The reason of what is nobody's fault but ours.
const INTERNAL: &str = "InternalServerException";

/// What recordings of channels are made with.
#[derive(Debug)]
pub struct Services {
    /// Where channels, configurations and events are.
    pub store: Store,
    /// Where the objects go.
    pub objects: ObjectStore,
    /// Makes thumbnails.
    pub thumbnailer: Thumbnailer,
    /// What is not uploaded yet, a folder a recording.
    pub spool_root: PathBuf,
    /// What each of them may hold, bytes.
    pub spool_bytes_max: u64,
    /// The time.
    pub clock: WallClock,
    tasks: Mutex<JoinSet<()>>,
    /// Whether the server is being stopped.
    stopping: watch::Sender<bool>,
}

impl Services {
    /// Nothing is recorded yet.
    pub fn new(
        store: Store,
        objects: ObjectStore,
        thumbnailer: Thumbnailer,
        (spool_root, spool_bytes_max): (PathBuf, u64),
        clock: WallClock,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            objects,
            thumbnailer,
            spool_root,
            spool_bytes_max,
            clock,
            tasks: Mutex::default(),
            stopping: watch::Sender::new(false),
        })
    }

    /// Runs a task that the end of the server waits for.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock();
        while let Some(ended) = tasks.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "a task of a channel's recording died");
            }
        }
        tasks.spawn(task);
    }

    /// Keeps the present state of a recording. A store that fails does not end it: the next change makes up for it.
    async fn keep(&self, shared: &Shared) {
        let kept = shared.kept.lock().clone();
        if let Err(error) = self.store.keep_channel_recording(&kept, None).await {
            let error = error_chain(&error);
            tracing::error!(recording = kept.session.id, error = %error, "the state of a recording is not kept");
        }
    }

    /// Tells that a recording has started, however long the store is away.
    async fn tell_start(&self, shared: &Shared) {
        let session = shared.kept.lock().session.clone();
        let news = recording_news(&session, RecordingChange::Start, self.clock.now());
        until_done("the start of a recording is not told yet", || async {
            let kept = shared.kept.lock().clone();
            self.store.keep_channel_recording(&kept, Some(&news)).await
        })
        .await;
    }

    /// Tells what has become of a spool. A store that fails keeps it to the log.
    async fn tell_spool(&self, session: &RecordingSession, change: SpoolChange, bytes: u64) {
        let bytes = (bytes, self.spool_bytes_max);
        let event = spool_event(
            &session.channel,
            &session.id,
            self.clock.now(),
            change,
            bytes,
        );
        if let Err(error) = self.store.append_events(&[event]).await {
            let error = error_chain(&error);
            tracing::error!(recording = session.id, error = %error, "a change of a spool is not told");
        }
    }

    /// Tells that a recording is over, or never began, however long the store is away.
    async fn tell_end(&self, session: &RecordingSession, change: RecordingChange) {
        let news = recording_news(session, change, self.clock.now());
        until_done("the end of a recording is not told yet", || async {
            self.store.end_channel_recording(&session.id, &news).await
        })
        .await;
    }
}

/// All recordings of channels.
#[derive(Debug)]
pub struct ChannelRecordings {
    services: Arc<Services>,
}

/// The recording of one channel between its streams; locked while one is recorded.
type Slot = Arc<tokio::sync::Mutex<Option<OpenRecording>>>;

impl ChannelRecordings {
    /// Records what comes out of `taps`. Every spool that an earlier run left is uploaded, of compositions too, and the
    /// end of its recordings of channels, which `left` are in the store, is told.
    pub fn start(
        services: Arc<Services>,
        left: Vec<ChannelRecording>,
        taps: mpsc::Receiver<StreamTap>,
    ) -> Self {
        services.spawn(recover(Arc::clone(&services), left));
        tokio::spawn(dispatch(Arc::clone(&services), taps));
        Self { services }
    }

    /// Finishes every recording until `deadline`; streams must have ended. What is not uploaded then is at the next start.
    pub async fn drain(&self, deadline: Instant) {
        let deadline = deadline.max(Instant::now() + SEAL_TIME);
        self.services.stopping.send_replace(true);
        let all = async {
            loop {
                let mut tasks = std::mem::take(&mut *self.services.tasks.lock());
                if tasks.is_empty() {
                    return;
                }
                while tasks.join_next().await.is_some() {}
            }
        };
        if tokio::time::timeout_at(deadline, all).await.is_err() {
            tracing::warn!("recordings of channels are uploaded at the next start");
        }
    }
}

async fn dispatch(services: Arc<Services>, mut taps: mpsc::Receiver<StreamTap>) {
    let mut slots: HashMap<ChannelId, Slot> = HashMap::new();
    while let Some(tap) = taps.recv().await {
        slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        let slot = Arc::clone(slots.entry(tap.channel.clone()).or_default());
        services.spawn(record(Arc::clone(&services), slot, tap));
    }
}

/// Records one stream, then waits for another to continue it, or ends the recording.
async fn record(services: Arc<Services>, slot: Slot, mut tap: StreamTap) {
    let arrived = Instant::now();
    let Some(channel) = Arn::parse(&tap.arn) else {
        return;
    };
    let mut place = slot.lock().await;
    let Some(plan) = plan_of(&services, &channel, &tap).await else {
        return;
    };
    let mut next = probe(&mut tap, None).await;
    while let Some((shape, units)) = next.take() {
        let mut joins = false;
        let mut open = match place.take() {
            Some(mut open) if open.may_continue(arrived, &plan, &shape) => {
                open.join(&tap.stream_id).await;
                joins = true;
                open
            }
            before => {
                if let Some(before) = before {
                    before.finish().await;
                }
                let of = (&channel, &plan);
                let begun = OpenRecording::begin(&services, of, &tap, shape.clone());
                let Some(open) = begun.await else { return };
                open
            }
        };
        match open.stream(&units, &mut tap).await {
            StreamEnd::Ended => *place = Some(open),
            // What it has told is no news of this stream.
            StreamEnd::Stopped if joins => next = Some((shape, units)),
            StreamEnd::Stopped | StreamEnd::Failed => return,
            StreamEnd::Changed(format) => {
                open.finish().await;
                next = probe(&mut tap, Some(format)).await;
            }
        }
    }
    let waits_until = place.as_ref().map(OpenRecording::waits_until);
    drop(place);
    if let Some(until) = waits_until {
        end_after(&services, &slot, until).await;
    }
}

/// Ends the recording that waits until `until`, unless another stream has continued it by then.
async fn end_after(services: &Services, slot: &Slot, until: Instant) {
    let mut stopping = services.stopping.subscribe();
    tokio::select! {
        () = tokio::time::sleep_until(until) => {}
        // The sender lives as long as the services.
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    let mut place = slot.lock().await;
    let waits = place.take_if(|open| open.waits_until() == until);
    drop(place);
    if let Some(open) = waits {
        open.finish().await;
    }
}

/// The first units of a stream, and what it is like; `None` when it ends without a picture.
async fn probe(
    tap: &mut StreamTap,
    format: Option<StreamFormat>,
) -> Option<(StreamShape, Vec<TapUnit>)> {
    let mut probe = Probe::default();
    if let Some(format) = format {
        probe.push(TapUnit::Format(format));
    }
    while let Some(unit) = tap.recv().await
        && probe.push(unit)
    {}
    probe.finish()
}

/// How the stream is to be recorded, by the configuration that the channel had when its session began; `None` when it is
/// not. One that cannot be recorded is told.
async fn plan_of(services: &Arc<Services>, channel: &Arn, tap: &StreamTap) -> Option<Plan> {
    let snapshot = StreamSnapshot::read(tap.snapshot.expose())?;
    let configuration = snapshot.channel.recording_configuration?;
    let mut session = RecordingSession {
        id: ids::recording_session_id(),
        channel: channel.clone(),
        channel_name: tap.name.clone(),
        stream_ids: vec![tap.stream_id.clone()],
        bucket: String::new(),
        prefix: String::new(),
    };
    let asked = until_done("cannot look up how a stream is recorded", || {
        let store = &services.store;
        store.find::<RecordingConfigurationRecord>(channel.account(), &configuration)
    });
    let Ok(found) = tokio::time::timeout(STORE_PATIENCE, asked).await else {
        tell_start_failure(services, session, INTERNAL);
        return None;
    };
    let configuration = found?.record;
    match Plan::new(&configuration) {
        Ok(plan) => Some(plan),
        Err(error) => {
            tracing::warn!(stream = tap.stream_id, error = %error, "a stream is not recorded");
            session.bucket = configuration.destination_configuration.s3.bucket_name;
            tell_start_failure(services, session, "ValidationException");
            None
        }
    }
}

/// Tells of a recording that never began, on a task of its own.
fn tell_start_failure(services: &Arc<Services>, session: RecordingSession, reason: &'static str) {
    let telling = Arc::clone(services);
    services.spawn(async move {
        let change = RecordingChange::StartFailure { reason };
        telling.tell_end(&session, change).await;
    });
}
