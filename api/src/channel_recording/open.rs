//! One recording of a channel while it takes streams.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use channel::{StreamFormat, StreamTap, TapUnit};
use compositor::thumbnail::ThumbnailRequest;
use compositor_core::error_chain::error_chain;
use parking_lot::Mutex;
use recorder::{
    ChannelSource, Recording, RecordingClosed, RecordingOutcome, RecordingSpec, RenditionSpec,
    Source, TimedUnit,
};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::follow::follow;
use super::plan::{Plan, prefix};
use super::probe::StreamShape;
use super::thumbnail_clock::ThumbnailClock;
use super::{INTERNAL, STORE_PATIENCE, Services, tell_start_failure};
use crate::arn::Arn;
use crate::event::recording::RecordingSession;
use crate::ids;
use crate::retry::until_done;
use crate::store::ChannelRecording;

/// Streams that one recording may hold (IVS).
const STREAMS_MAX: usize = 20;

/// From the start of a recording to the last stream that may join it (IVS).
const LENGTH_MAX: Duration = Duration::from_secs(48 * 3600);

/// How long the end of a stream waits for its last thumbnail.
const THUMBNAIL_WAIT_MAX: Duration = Duration::from_secs(5);

/// What a recording shares with the task that hears of its uploads.
#[derive(Debug)]
pub(super) struct Shared {
    /// As the store has it.
    pub(super) kept: Mutex<ChannelRecording>,
    /// Media time of all streams so far.
    pub(super) position_ms: AtomicU64,
}

/// Why no more of a stream is taken.
#[derive(Debug)]
pub(super) enum StreamEnd {
    /// It is over.
    Ended,
    /// It goes on in a format that does not fit into the recording.
    Changed(StreamFormat),
    /// The recording had stopped before it took what of the stream came already.
    Stopped,
    /// The recording has stopped, and told why.
    Failed,
}

/// See the module.
#[derive(Debug)]
pub(super) struct OpenRecording {
    services: Arc<Services>,
    plan: Plan,
    shape: StreamShape,
    recording: Recording,
    shared: Arc<Shared>,
    started: Instant,
    /// When its last stream ended.
    waits_since: Instant,
    clock: ThumbnailClock,
    thumbnails: u64,
    /// The thumbnail that is being made.
    in_flight: Option<JoinHandle<Option<Bytes>>>,
}

impl OpenRecording {
    /// Begins the recording of a stream; `None` when that failed, which is told.
    pub(super) async fn begin(
        services: &Arc<Services>,
        (channel, plan): (&Arn, &Plan),
        tap: &StreamTap,
        shape: StreamShape,
    ) -> Option<Self> {
        let session = RecordingSession {
            id: ids::recording_session_id(),
            channel: channel.clone(),
            channel_name: tap.name.clone(),
            stream_ids: vec![tap.stream_id.clone()],
            bucket: plan.bucket.clone(),
            prefix: prefix(channel, services.clock.now(), &ids::resource_id()),
        };
        let spec = specification(services, &session, plan, &shape);
        let shared = Arc::new(Shared {
            kept: Mutex::new(ChannelRecording {
                session: session.clone(),
                is_started: false,
                is_streaming: true,
            }),
            position_ms: AtomicU64::new(0),
        });
        if !keep_first(services, &shared).await {
            tell_start_failure(services, session, INTERNAL);
            return None;
        }
        let objects = services.objects.clone();
        let started = Recording::start(spec, objects, services.clock.clone()).await;
        let (recording, events) = match started {
            Ok(started) => started,
            Err(error) => {
                tracing::error!(error = %error_chain(&error), stream = tap.stream_id, "a stream is not recorded");
                tell_start_failure(services, session, INTERNAL);
                return None;
            }
        };
        let following = follow(
            Arc::clone(services),
            Arc::clone(&shared),
            events,
            RecordingOutcome::Ended,
        );
        services.spawn(following);
        let interval = plan.thumbnails.as_ref().map(|plan| plan.interval);
        Some(Self {
            services: Arc::clone(services),
            plan: plan.clone(),
            shape,
            recording,
            shared,
            started: Instant::now(),
            waits_since: Instant::now(),
            clock: ThumbnailClock::new(interval.unwrap_or(Duration::from_secs(60))),
            thumbnails: 0,
            in_flight: None,
        })
    }

    /// Whether a stream that came at `now` may continue this recording.
    pub(super) fn may_continue(&self, now: Instant, plan: &Plan, shape: &StreamShape) -> bool {
        let streams = self.shared.kept.lock().session.stream_ids.len();
        !self.plan.window.is_zero()
            && !self.recording.is_stopped()
            && self.plan == *plan
            && self.shape.continued_by(shape)
            && now <= self.waits_until()
            && now <= self.started + LENGTH_MAX
            && streams < STREAMS_MAX
    }

    /// Another stream continues it.
    pub(super) async fn join(&mut self, stream_id: &str) {
        {
            let mut kept = self.shared.kept.lock();
            kept.session.stream_ids.push(stream_id.to_owned());
            kept.is_streaming = true;
        }
        self.services.keep(&self.shared).await;
    }

    /// Until when a stream may continue it.
    pub(super) fn waits_until(&self) -> Instant {
        self.waits_since + self.plan.window
    }

    /// Records a stream, of which `units` came already, to its end.
    pub(super) async fn stream(&mut self, units: &[TapUnit], tap: &mut StreamTap) -> StreamEnd {
        let end = match self.take_first(units).await {
            Ok(None) => match self.take_all(tap).await {
                Ok(None) => StreamEnd::Ended,
                Ok(Some(format)) => StreamEnd::Changed(format),
                Err(RecordingClosed) => StreamEnd::Failed,
            },
            Ok(Some(format)) => StreamEnd::Changed(format),
            Err(RecordingClosed) => StreamEnd::Stopped,
        };
        self.waits_since = Instant::now();
        if let Some(making) = self.in_flight.take()
            && let Ok(Ok(jpeg)) = tokio::time::timeout(THUMBNAIL_WAIT_MAX, making).await
        {
            // A recording that has stopped needs none.
            let _ = self.keep_thumbnail(jpeg).await;
        }
        self.shared.kept.lock().is_streaming = false;
        if matches!(end, StreamEnd::Ended) {
            self.services.keep(&self.shared).await;
        }
        end
    }

    /// No stream will continue it. Uploading goes on by itself.
    pub(super) async fn finish(self) {
        // One that has stopped has told why.
        let _ = self.recording.finish(RecordingOutcome::Ended).await;
    }

    async fn take_first(
        &mut self,
        units: &[TapUnit],
    ) -> Result<Option<StreamFormat>, RecordingClosed> {
        for unit in units {
            if let Some(format) = self.take(unit.clone()).await? {
                return Ok(Some(format));
            }
        }
        Ok(None)
    }

    async fn take_all(
        &mut self,
        tap: &mut StreamTap,
    ) -> Result<Option<StreamFormat>, RecordingClosed> {
        loop {
            tokio::select! {
                unit = tap.recv() => {
                    let Some(unit) = unit else { break };
                    if let Some(format) = self.take(unit).await? {
                        return Ok(Some(format));
                    }
                }
                jpeg = made(&mut self.in_flight) => self.keep_thumbnail(jpeg).await?,
            }
        }
        self.record(TimedUnit::Break).await?;
        Ok(None)
    }

    async fn take(&mut self, unit: TapUnit) -> Result<Option<StreamFormat>, RecordingClosed> {
        match unit {
            TapUnit::Format(format) if self.shape.keeps(&format) => Ok(None),
            TapUnit::Format(format) => Ok(Some(format)),
            TapUnit::Media(unit) => {
                if self.clock.is_due(&unit) && self.in_flight.is_none() {
                    self.begin_thumbnail(&unit);
                }
                let position = u64::try_from(self.clock.position().as_millis());
                let position = position.unwrap_or(u64::MAX);
                self.shared.position_ms.store(position, Ordering::Relaxed);
                self.record(unit).await?;
                Ok(None)
            }
        }
    }

    async fn record(&self, unit: TimedUnit) -> Result<(), RecordingClosed> {
        if self.plan.has_rendition {
            self.recording.timed(unit).await
        } else {
            Ok(())
        }
    }

    fn begin_thumbnail(&mut self, unit: &TimedUnit) {
        let TimedUnit::Video { data, .. } = unit else {
            return;
        };
        if self.plan.thumbnails.is_none() {
            return;
        }
        self.clock.taken();
        let (width, height) = self.plan.thumbnail_size(self.shape.size());
        let request = ThumbnailRequest {
            width,
            height,
            keyframe: data.clone(),
        };
        let thumbnailer = self.services.thumbnailer.clone();
        self.in_flight = Some(tokio::spawn(async move {
            match thumbnailer.jpeg(&request).await {
                Ok(jpeg) => Some(jpeg),
                Err(error) => {
                    tracing::warn!(error = %error_chain(&error), "a thumbnail is missing");
                    None
                }
            }
        }));
    }

    async fn keep_thumbnail(&mut self, jpeg: Option<Bytes>) -> Result<(), RecordingClosed> {
        if let Some(jpeg) = jpeg {
            self.recording.thumbnail(self.thumbnails, jpeg).await?;
            self.thumbnails += 1;
        }
        Ok(())
    }
}

/// Waits for the thumbnail that is being made; for ever if none is.
async fn made(in_flight: &mut Option<JoinHandle<Option<Bytes>>>) -> Option<Bytes> {
    let Some(making) = in_flight else {
        return std::future::pending().await;
    };
    let jpeg = making.await.unwrap_or(None);
    *in_flight = None;
    jpeg
}

/// Whether the store knows of a recording that begins.
async fn keep_first(services: &Services, shared: &Shared) -> bool {
    let first = shared.kept.lock().clone();
    let kept = until_done("a recording cannot begin yet", || {
        services.store.begin_channel_recording(&first)
    });
    tokio::time::timeout(STORE_PATIENCE, kept).await.is_ok()
}

fn specification(
    services: &Services,
    session: &RecordingSession,
    plan: &Plan,
    shape: &StreamShape,
) -> RecordingSpec {
    let (width, height) = shape.size();
    RecordingSpec {
        source: Source::Channel(ChannelSource {
            session_id: session.id.clone(),
            channel_arn: session.channel.to_string(),
            has_rendition: plan.has_rendition,
            thumbnail_size: plan.thumbnail_size((width, height)),
        }),
        bucket: session.bucket.clone(),
        prefix: session.prefix.clone(),
        rendition: RenditionSpec {
            width,
            height,
            fps: shape.fps,
            bitrate: shape.bitrate,
        },
        thumbnails: plan.stored_thumbnails(),
        spool_dir: services.spool_root.join(&session.id),
        spool_bytes_max: services.spool_bytes_max,
    }
}
