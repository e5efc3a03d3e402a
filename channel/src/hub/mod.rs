//! Which channels are live, who publishes to them, and where their origins are. One lock, never held across an await.
//!
//! Lock order: the hub's state, then its taps, then an origin, then the viewers.

mod live;
mod state;

use std::sync::Arc;

use compositor_core::error_chain::error_chain;
use compositor_core::id::ChannelId;
use compositor_core::time::MonotonicTime;
use parking_lot::Mutex;
use rand::Rng;
use rand::distr::Alphanumeric;
use recorder::AdBreak;
use recorder::mux::text_tag;
use tokio::sync::{Notify, mpsc, watch};

use crate::ad_breaks::{AdBreakRefusal, AdBreakRequest};
use crate::channels::LiveStream;
use crate::clock::{Clock, Now};
use crate::directory::ChannelGrant;
use crate::event::Report;
use crate::hub::live::Live;
use crate::hub::state::State;
use crate::ingest::IngestDescription;
use crate::limits::{TAPS_MAX, TICK};
use crate::origin::{LiveOrigin, MediaFormat, Viewers, Watched};
use crate::playback::PlaybackTerms;
use crate::sample::Sample;
use crate::slate::{SlateFormat, SlateSource};
use crate::stream_session::Input;
use crate::tap::{StreamTap, tap};

/// Why a connection must close.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CloseReason {
    /// StopStream.
    Stopped,
    /// Another publisher continues the stream.
    TakenOver,
    /// No media for too long.
    NoData,
    /// The ingest exceeds a limit.
    LimitBreach,
    /// The server stops.
    Shutdown,
}

/// One RTMP connection that wants to publish.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    /// Unique in this process.
    pub(crate) connection: u64,
    pub(crate) priority: Option<u32>,
    /// Told when the connection must close.
    pub(crate) close: watch::Sender<Option<CloseReason>>,
}

/// Why a publisher is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(
        "the channel is being published to, and the priority does not exceed that of its publisher"
    )]
    Busy,
    #[error("the stream was taken over as often as is allowed")]
    TakeoverLimit,
    #[error("the account has as many live streams as it may have")]
    Broadcasts,
    #[error("the media exceeds a limit of the channel")]
    Limit,
    #[error("too many events of streams wait to be recorded")]
    Overloaded,
    #[error("the takeover brings another resolution, other codecs or other tracks")]
    MediaMismatch,
    #[error("the stream session that the publisher was admitted to is over")]
    Over,
}

pub(crate) type SharedOrigin = Arc<Mutex<LiveOrigin>>;

/// A stream as its viewers see it.
#[derive(Clone, Debug)]
pub(crate) struct Playable {
    pub(crate) origin: SharedOrigin,
    pub(crate) watched: Watched,
    pub(crate) terms: PlaybackTerms,
}

/// Everything that connections, routes and the API share.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) clock: Clock,
    slates: Arc<dyn SlateSource>,
    pub(crate) viewers: Mutex<Viewers>,
    state: Mutex<State>,
    /// Who wants every stream; see [`Self::tap_streams`].
    taps: Mutex<Option<mpsc::Sender<StreamTap>>>,
    has_events: Notify,
    no_events: Notify,
}

impl Hub {
    pub(crate) fn new(slates: Arc<dyn SlateSource>, viewers_max: usize) -> Self {
        Self {
            clock: Clock::start(),
            slates,
            viewers: Mutex::new(Viewers::new(viewers_max)),
            state: Mutex::default(),
            taps: Mutex::default(),
            has_events: Notify::new(),
            no_events: Notify::new(),
        }
    }

    /// A connection with a valid stream key wants to publish. Who may take over continues the stream with its first
    /// keyframe, see [`Self::begin`]; until then the current publisher stays.
    pub(crate) fn admit(&self, grant: &ChannelGrant, publisher: Publisher) -> Result<(), Refusal> {
        self.change(&grant.channel, |state, now| {
            if let Some(live) = state.live.get_mut(&grant.channel) {
                return live.admit_takeover(now, publisher.priority);
            }
            state.open(now, grant, publisher)?;
            Ok(())
        })
    }

    /// The first keyframe of an admitted connection is here: it becomes the publisher, if it is not already.
    pub(crate) fn begin(
        &self,
        grant: &ChannelGrant,
        publisher: Publisher,
        format: MediaFormat,
    ) -> Result<SharedOrigin, Refusal> {
        self.change(&grant.channel, |state, now| {
            // What the connection was admitted with may have been revoked since: who wants another session asks again.
            let live = state.live.get_mut(&grant.channel).ok_or(Refusal::Over)?;
            let is_new = live.origin().is_none();
            let origin = live.begin(now, publisher, format)?;
            if is_new {
                self.tap(grant, live.stream_id(), &origin);
            }
            if let Some(playable) = live.playable() {
                let stream_id = playable.watched.stream_id.clone();
                state.origins.insert(stream_id, playable);
            }
            Ok(origin)
        })
    }

    /// A tap of every stream that begins from now on.
    pub(crate) fn tap_streams(&self) -> mpsc::Receiver<StreamTap> {
        let (sender, taps) = mpsc::channel(TAPS_MAX);
        *self.taps.lock() = Some(sender);
        taps
    }

    fn tap(&self, grant: &ChannelGrant, stream_id: &str, origin: &SharedOrigin) {
        let taps = self.taps.lock();
        let Some(taps) = &*taps else { return };
        let (sender, tap) = tap(grant, stream_id.to_owned());
        match taps.try_send(tap) {
            Ok(()) => origin.lock().set_tap(sender),
            Err(error) => tracing::error!(%error, stream_id, "a stream is not recorded"),
        }
    }

    /// Media of the publisher, which plays for `span`.
    pub(crate) fn media(
        &self,
        channel: &ChannelId,
        connection: u64,
        (span, samples): (std::time::Duration, &[Sample]),
    ) {
        let now = self.clock.now();
        let origin = self.change(channel, |state, now| {
            let live = state.live.get_mut(channel)?;
            let started = live.session.live_since().is_some();
            let origin = live.media(now, connection, (span, samples))?;
            Some((origin, started))
        });
        let Some((origin, started)) = origin else {
            return;
        };
        let mut origin = origin.lock();
        for sample in samples {
            origin.push(now.wall, connection, sample);
        }
        let is_playable = origin.is_playable();
        drop(origin);
        if is_playable && !started {
            self.change(channel, |state, now| {
                if let Some(live) = state.live.get_mut(channel) {
                    live.input(now, Input::Playable);
                }
            });
        }
    }

    /// What a connection sends. Whether it is the publisher, and this is new.
    pub(crate) fn describe_ingest(
        &self,
        channel: &ChannelId,
        connection: u64,
        description: Arc<IngestDescription>,
    ) -> bool {
        self.change(channel, |state, _| {
            let live = state.live.get_mut(channel);
            live.is_some_and(|live| live.describe_ingest(connection, description))
        })
    }

    /// Gets the slate of a live channel ready for when it is needed.
    pub(crate) async fn prepare_slate(&self, channel: ChannelId, format: SlateFormat) {
        match self.slates.pictures(format).await {
            Ok(pictures) => {
                if let Some(live) = self.state.lock().live.get_mut(&channel) {
                    live.prepare_slate(format, pictures);
                }
            }
            Err(error) => {
                let error = error_chain(&error);
                tracing::error!(%channel, %error, "the channel has no failover slate");
            }
        }
    }

    /// Timed metadata into the stream of a live channel. `false` when it is not live, or its media is away and too much
    /// waits for it.
    pub(crate) fn put_metadata(&self, channel: &ChannelId, text: &str) -> bool {
        let state = self.state.lock();
        let Some(origin) = state.live.get(channel).and_then(Live::live_origin) else {
            return false;
        };
        drop(state);
        let id3 = text_tag(text).into();
        origin.lock().put_metadata(self.clock.now().wall, id3)
    }

    /// Plans an ad break in the stream of a live channel.
    pub(crate) fn insert_ad_break(
        &self,
        channel: &ChannelId,
        request: AdBreakRequest,
    ) -> Result<AdBreak, AdBreakRefusal> {
        self.change(channel, |state, now| {
            let live = state.live.get_mut(channel).ok_or(AdBreakRefusal::NotLive)?;
            live.insert_ad_break(now, request)
        })
    }

    /// A connection is gone. One that said goodbye ends its stream; the stream of another waits to be continued.
    pub(crate) fn leave(&self, channel: &ChannelId, connection: u64, said_goodbye: bool) {
        self.change(channel, |state, now| {
            if let Some(live) = state.live.get_mut(channel) {
                live.leave(now, connection, said_goodbye);
            }
        });
    }

    /// Throws the publisher out and ends the stream session, whether it can be played already or not. `false` when there
    /// is none.
    pub(crate) fn stop(&self, channel: &ChannelId, reason: CloseReason) -> bool {
        self.change(channel, |state, now| match state.live.get_mut(channel) {
            Some(live) => {
                live.close(reason);
                live.input(now, Input::PublisherEnded);
                true
            }
            None => false,
        })
    }

    pub(crate) fn stop_all(&self, reason: CloseReason) {
        let channels: Vec<ChannelId> = self.state.lock().live.keys().cloned().collect();
        for channel in channels {
            self.stop(&channel, reason);
        }
    }

    pub(crate) fn stream(&self, channel: &ChannelId) -> Option<LiveStream> {
        let now = self.clock.now().monotonic;
        self.state
            .lock()
            .live
            .get(channel)
            .and_then(|live| live.describe(self.viewers_of(live, now)))
    }

    /// Whether a channel has a stream session, which may not be live yet.
    pub(crate) fn has_session(&self, channel: &ChannelId) -> bool {
        self.state.lock().live.contains_key(channel)
    }

    pub(crate) fn streams(&self) -> Vec<LiveStream> {
        let now = self.clock.now().monotonic;
        self.state
            .lock()
            .live
            .values()
            .filter_map(|live| live.describe(self.viewers_of(live, now)))
            .collect()
    }

    fn viewers_of(&self, live: &Live, now: MonotonicTime) -> usize {
        self.viewers.lock().count(now, live.stream_id())
    }

    /// The stream of a live channel.
    pub(crate) fn playable_of_channel(&self, channel: &ChannelId) -> Option<Playable> {
        let state = self.state.lock();
        state.live.get(channel)?.playable()
    }

    /// A stream that is live or ended a short while ago.
    pub(crate) fn playable_of_stream(&self, stream_id: &str) -> Option<Playable> {
        self.state.lock().origins.get(stream_id).cloned()
    }

    /// Looks at the timers for ever.
    pub(crate) async fn run_timers(&self) {
        let mut interval = tokio::time::interval(TICK);
        loop {
            interval.tick().await;
            let channels: Vec<ChannelId> = self.state.lock().live.keys().cloned().collect();
            for channel in &channels {
                self.change(channel, |state, now| {
                    if let Some(live) = state.live.get_mut(channel) {
                        live.tick(now);
                    }
                });
            }
            self.state.lock().forget_ended(self.clock.now().monotonic);
        }
    }

    /// Hands events on for ever, in order.
    pub(crate) async fn run_events(&self, events: mpsc::Sender<Report>) {
        loop {
            let next = self.state.lock().events.pop_front();
            match next {
                Some(event) => {
                    if events.send(event).await.is_err() {
                        return;
                    }
                }
                None => {
                    self.no_events.notify_waiters();
                    self.has_events.notified().await;
                }
            }
        }
    }

    /// Waits until no event is left to hand on.
    pub(crate) async fn events_delivered(&self) {
        let mut delivered = std::pin::pin!(self.no_events.notified());
        delivered.as_mut().enable();
        if !self.state.lock().events.is_empty() {
            delivered.await;
        }
    }

    /// Changes the state of a channel, then collects what its session reports and lets go of it if it ended.
    fn change<T>(&self, channel: &ChannelId, change: impl FnOnce(&mut State, Now) -> T) -> T {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let result = change(&mut state, now);
        state.settle(now, channel);
        if !state.events.is_empty() {
            self.has_events.notify_one();
        }
        result
    }
}

/// The fifth part of an ARN.
fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

/// `st-` and 23 alphanumerics.
fn stream_id() -> String {
    format!("st-{}", random_name(23))
}

/// Random alphanumerics.
pub(crate) fn random_name(chars: usize) -> String {
    rand::rng()
        .sample_iter(Alphanumeric)
        .take(chars)
        .map(char::from)
        .collect()
}
