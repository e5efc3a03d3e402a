//! Where a composition's units go: a recording, or a broadcast. Both report to the state machine in its own words.

use bytes::Bytes;
use channel::{Publisher, PublisherEvent, UrlError, VideoParams};
use compositor_core::composition::{DestinationError, DestinationOutcome, DestinationReport};
use compositor_core::error_chain::error_chain;
use compositor_core::id::DestinationId;
use recorder::{
    Recording, RecordingError, RecordingEvent, RecordingOutcome, RecordingSpec, Rejection,
    RenditionSpec, Source, Thumbnails,
};
use tokio::sync::mpsc;

use super::Services;
use super::encoders::keyframe_every;
use super::left::Resumed;
use crate::backend::{CompositionSpec, DestinationSpec, DestinationTarget};
use crate::event::SpoolChange;

/// Events of a broadcast that wait to be translated.
const BROADCAST_EVENTS_MAX: usize = 8;

/// Why a destination cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error("cannot begin the recording")]
    Recording(#[from] RecordingError),
    #[error("the channel's ingest URL cannot be used")]
    Url(#[from] UrlError),
}

/// News of one destination.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) id: DestinationId,
    pub(super) news: News,
}

/// For whom news are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum News {
    /// The state machine.
    State(DestinationReport),
    /// Who follows the events: what has become of the spool, and the bytes in it.
    Spool(SpoolChange, u64),
}

/// An open destination.
pub(super) struct Destination {
    encoder: u8,
    sink: Sink,
}

enum Sink {
    Recording(Recording),
    Broadcast {
        publisher: Publisher,
        reporter: Reporter,
    },
    /// Everything was handed over; the last report is on its way.
    Finished,
}

impl Destination {
    /// Opens the recording, or goes on with the one of an earlier run, or begins to connect. `attempt` rises from 1: each
    /// later attempt may take over from the one before.
    pub(super) async fn open(
        services: &Services,
        composition: &CompositionSpec,
        spec: &DestinationSpec,
        encoder: u8,
        (attempt, resumed): (u32, Option<Resumed>),
        reports: &mpsc::Sender<Report>,
    ) -> Result<Self, OpenError> {
        let reporter = Reporter {
            id: spec.id.clone(),
            reports: reports.clone(),
        };
        let sink = match &spec.target {
            DestinationTarget::S3 { .. } => {
                let recording = recording_spec(services, composition, spec);
                let (recording, events) = match resumed {
                    Some(resumed) => resumed,
                    None => {
                        let (objects, clock) = (&services.objects, &services.recording_clock);
                        Recording::start(recording, objects.clone(), clock.clone()).await?
                    }
                };
                tokio::spawn(reporter.follow_recording(events));
                Sink::Recording(recording)
            }
            DestinationTarget::Channel {
                stream_key,
                channel_arn,
                ..
            } => {
                let external = services.external_channels.get(channel_arn);
                let url = match external {
                    Some(url) => url.expose().to_owned(),
                    None => format!("{}/{}", services.rtmp_url, stream_key.expose()),
                };
                let url = with_priority(&url, attempt);
                let video = VideoParams {
                    width: spec.video.width.into(),
                    height: spec.video.height.into(),
                    fps: spec.video.fps,
                    bitrate: spec.video.bitrate,
                };
                let (event_tx, events) = mpsc::channel(BROADCAST_EVENTS_MAX);
                let publisher = Publisher::start(&url, video, event_tx)?;
                let following = reporter
                    .clone()
                    .follow_broadcast(events, external.is_some());
                tokio::spawn(following);
                Sink::Broadcast {
                    publisher,
                    reporter,
                }
            }
        };
        Ok(Self { encoder, sink })
    }

    /// Connects again, taking over from the attempt before. A recording goes on by itself.
    pub(super) fn retry(&mut self, attempt: u32) {
        if let Sink::Broadcast { publisher, .. } = &self.sink {
            publisher.reconnect(attempt);
        }
    }

    /// Index of the encoder whose pictures it takes.
    pub(super) fn encoder(&self) -> u8 {
        self.encoder
    }

    // A sink that has stopped says why in its last event, so the errors below need no handling.

    pub(super) async fn video(&mut self, k: u64, keyframe: bool, data: Bytes) {
        match &mut self.sink {
            Sink::Recording(recording) => drop(recording.video(k, keyframe, data).await),
            Sink::Broadcast { publisher, .. } => publisher.video(k, keyframe, data),
            Sink::Finished => {}
        }
    }

    pub(super) async fn audio(&mut self, n: u64, data: Bytes) {
        match &mut self.sink {
            Sink::Recording(recording) => drop(recording.audio(n, data).await),
            Sink::Broadcast { publisher, .. } => publisher.audio(n, data),
            Sink::Finished => {}
        }
    }

    pub(super) async fn thumbnail(&mut self, k: u64, jpeg: Bytes) {
        if let Sink::Recording(recording) = &self.sink {
            let _ = recording.thumbnail(k, jpeg).await;
        }
    }

    /// Everything up to the stop time was passed on: seal, hang up; the report `Ended` follows.
    pub(super) async fn finish(&mut self) {
        match std::mem::replace(&mut self.sink, Sink::Finished) {
            Sink::Recording(recording) => drop(recording.finish(RecordingOutcome::Ended).await),
            // Saying goodbye may take a while, and the others have something to finish, too.
            Sink::Broadcast {
                publisher,
                reporter,
            } => drop(tokio::spawn(async move {
                publisher.finish().await;
                reporter.report(DestinationReport::Ended).await;
            })),
            Sink::Finished => {}
        }
    }

    /// Lets go; what is in the spool stays and goes on uploading.
    pub(super) async fn close(self, outcome: DestinationOutcome) {
        let recording_outcome = match outcome {
            DestinationOutcome::Ended | DestinationOutcome::Abandoned => RecordingOutcome::Ended,
            DestinationOutcome::Failed(error) => RecordingOutcome::Failed {
                message: Some(error.code().to_owned()),
            },
        };
        match self.sink {
            Sink::Recording(recording) => drop(recording.finish(recording_outcome).await),
            Sink::Broadcast { publisher, .. } => drop(tokio::spawn(publisher.finish())),
            Sink::Finished => {}
        }
    }
}

/// The first attempt has no priority, so that it is refused where somebody else broadcasts. Those that follow must take over
/// from their own connection that broke.
fn with_priority(url: &str, attempt: u32) -> String {
    match attempt {
        0 | 1 => url.to_owned(),
        later if url.contains('?') => format!("{url}&priority={later}"),
        later => format!("{url}?priority={later}"),
    }
}

fn recording_spec(
    services: &Services,
    composition: &CompositionSpec,
    spec: &DestinationSpec,
) -> RecordingSpec {
    let DestinationTarget::S3 {
        bucket,
        prefix,
        thumbnails,
        ..
    } = &spec.target
    else {
        unreachable!("called for recordings only");
    };
    RecordingSpec {
        source: Source::Composition {
            destination: spec.id.clone(),
            stage_arn: composition.stage_arn.clone(),
            rendition_id: spec.id.as_str().to_owned(),
            segment_frames: keyframe_every(spec),
        },
        bucket: bucket.clone(),
        prefix: prefix.clone(),
        rendition: RenditionSpec {
            width: spec.video.width,
            height: spec.video.height,
            fps: spec.video.fps,
            bitrate: spec.video.bitrate,
        },
        thumbnails: thumbnails.map_or_else(Thumbnails::default, |thumbnails| Thumbnails {
            sequential: thumbnails.sequential,
            latest: thumbnails.latest,
        }),
        spool_dir: services.spool_root.join(spec.id.as_str()),
        spool_bytes_max: services.spool_bytes_max,
    }
}

/// Translates what a sink says.
#[derive(Clone)]
struct Reporter {
    id: DestinationId,
    reports: mpsc::Sender<Report>,
}

impl Reporter {
    async fn report(&self, report: DestinationReport) {
        self.tell(News::State(report)).await;
    }

    async fn tell(&self, news: News) {
        let id = self.id.clone();
        // A composition that has ended does not listen; the sink still has to be heard out.
        let _ = self.reports.send(Report { id, news }).await;
    }

    async fn follow_recording(self, mut events: mpsc::Receiver<RecordingEvent>) {
        while let Some(event) = events.recv().await {
            let destination = &self.id;
            let report = match event {
                RecordingEvent::FirstOutput => DestinationReport::FirstOutput,
                RecordingEvent::Interrupted { error } => {
                    tracing::warn!(%destination, error, "uploads are interrupted");
                    DestinationReport::Interrupted
                }
                RecordingEvent::Recovered => DestinationReport::Recovered,
                RecordingEvent::Rejected { reason, error } => {
                    tracing::error!(%destination, error, "recording rejected");
                    DestinationReport::Rejected(match reason {
                        Rejection::AccessDenied => DestinationError::AccessDenied,
                        Rejection::BucketNotFound => DestinationError::BucketNotFound,
                        Rejection::KeyTaken => DestinationError::Internal,
                    })
                }
                RecordingEvent::SpoolFilling { bytes } => {
                    tracing::warn!(%destination, bytes, "spool is filling");
                    self.tell(News::Spool(SpoolChange::Filling, bytes)).await;
                    continue;
                }
                RecordingEvent::SpoolFull { bytes } => {
                    tracing::error!(%destination, bytes, "spool is full");
                    self.tell(News::Spool(SpoolChange::Full, bytes)).await;
                    DestinationReport::Rejected(DestinationError::SpoolFull)
                }
                RecordingEvent::SpoolFailed { error } => {
                    tracing::error!(%destination, error, "spool failed");
                    DestinationReport::Rejected(DestinationError::Internal)
                }
                RecordingEvent::Hole {
                    kind,
                    expected,
                    got,
                } => {
                    tracing::error!(%destination, ?kind, expected, got, "units are missing");
                    continue;
                }
                RecordingEvent::Finished { objects, duration } => {
                    tracing::info!(%destination, objects, ?duration, "recording finished");
                    DestinationReport::Ended
                }
            };
            self.report(report).await;
        }
    }

    async fn follow_broadcast(self, mut events: mpsc::Receiver<PublisherEvent>, is_external: bool) {
        let mut reached = false;
        while let Some(event) = events.recv().await {
            let destination = &self.id;
            let again_later = if reached {
                DestinationReport::Interrupted
            } else {
                DestinationReport::ConnectFailed
            };
            let report = match event {
                PublisherEvent::FirstKeyframeWritten => {
                    reached = true;
                    DestinationReport::FirstOutput
                }
                PublisherEvent::Interrupted { error } => {
                    tracing::warn!(%destination, error = %error_chain(&error), "broadcast interrupted");
                    again_later
                }
                PublisherEvent::Refused { code } => {
                    tracing::error!(%destination, code, "broadcast refused");
                    match refusal(&code) {
                        // Other servers know no takeover: what is in the way is most likely our own connection that broke.
                        Some(DestinationError::StreamExists) if reached && is_external => {
                            again_later
                        }
                        refusal => refusal.map_or(again_later, DestinationReport::Rejected),
                    }
                }
            };
            self.report(report).await;
        }
    }
}

/// What an RTMP server's refusal means; `None` when it may take the broadcast another time. An own earlier attempt is no
/// reason to refuse: a later one takes over from it.
fn refusal(code: &str) -> Option<DestinationError> {
    match code {
        "NetStream.Publish.BadName" => Some(DestinationError::StreamExists),
        "NetStream.Publish.Denied" => Some(DestinationError::Internal),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the state machine hears of these events.
    async fn heard(events: Vec<PublisherEvent>, is_external: bool) -> Vec<DestinationReport> {
        let (reports, mut heard) = mpsc::channel(BROADCAST_EVENTS_MAX);
        let (event_tx, event_rx) = mpsc::channel(BROADCAST_EVENTS_MAX);
        for event in events {
            event_tx.send(event).await.unwrap();
        }
        drop(event_tx);
        let id = DestinationId::new("D");
        (Reporter { id, reports }.follow_broadcast(event_rx, is_external)).await;
        let mut said = Vec::new();
        while let Some(Report { news, .. }) = heard.recv().await {
            match news {
                News::State(report) => said.push(report),
                News::Spool(..) => panic!("a broadcast has no spool"),
            }
        }
        said
    }

    fn refused(code: &str) -> PublisherEvent {
        PublisherEvent::Refused { code: code.into() }
    }

    #[test]
    fn the_first_attempt_takes_over_from_nobody() {
        let [plain, query] = ["rtmp://h/app/sk", "rtmp://h/app/sk?a=1"];
        assert_eq!(with_priority(plain, 1), plain);
        assert_eq!(with_priority(plain, 2), "rtmp://h/app/sk?priority=2");
        assert_eq!(with_priority(query, 2), "rtmp://h/app/sk?a=1&priority=2");
    }

    #[tokio::test]
    async fn a_refusal_is_final_only_when_asking_again_cannot_help() {
        let [busy, wrong, away] = [
            "NetStream.Publish.BadName",
            "NetStream.Publish.Denied",
            "NetStream.Publish.Failed",
        ];
        assert_eq!(
            heard(vec![refused(busy), refused(wrong), refused(away)], false).await,
            [
                DestinationReport::Rejected(DestinationError::StreamExists),
                DestinationReport::Rejected(DestinationError::Internal),
                DestinationReport::ConnectFailed,
            ]
        );
        assert_eq!(
            heard(
                vec![PublisherEvent::FirstKeyframeWritten, refused(away)],
                false
            )
            .await,
            [
                DestinationReport::FirstOutput,
                DestinationReport::Interrupted,
            ]
        );
    }

    #[tokio::test]
    async fn elsewhere_our_own_broken_connection_may_hold_the_key_for_a_while() {
        let busy = || refused("NetStream.Publish.BadName");
        assert_eq!(
            heard(
                vec![busy(), PublisherEvent::FirstKeyframeWritten, busy()],
                true
            )
            .await,
            [
                DestinationReport::Rejected(DestinationError::StreamExists),
                DestinationReport::FirstOutput,
                DestinationReport::Interrupted,
            ]
        );
    }
}
