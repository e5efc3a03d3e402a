//! One channel with a stream session.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compositor_core::time::WallTime;
use parking_lot::Mutex;
use recorder::AdBreak;

use crate::ad_breaks::{AdBreakRefusal, AdBreakRequest, AdBreaks, Inserted};
use crate::channels::LiveStream;
use crate::clock::Now;
use crate::directory::ChannelGrant;
use crate::event::{ChannelEvent, LimitBreach, StreamEvent, TakeoverFailure};
use crate::hub::{CloseReason, Playable, Publisher, Refusal, SharedOrigin, account_of};
use crate::ingest::IngestDescription;
use crate::limits::NO_DATA_TIMEOUT;
use crate::origin::{LiveOrigin, MediaFormat, Watched};
use crate::rate_meter::RateMeter;
use crate::sample::Sample;
use crate::slate::{Slate, SlateFormat};
use crate::stream_session::{Input, StreamSession};

/// Pushes into an origin while the slate is shown; connections are numbered from 1.
const SLATE_OWNER: u64 = 0;

/// A stream session with its publisher and, after the first keyframe, its origin.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) session: StreamSession,
    grant: ChannelGrant,
    /// Who publishes; `None` while a takeover is waited for.
    publisher: Option<Publisher>,
    /// The priority to exceed; 0 when none was given.
    priority: u32,
    /// What it sends.
    format: Option<MediaFormat>,
    /// As it was reported last.
    description: Option<Arc<IngestDescription>>,
    rate: RateMeter,
    origin: Option<SharedOrigin>,
    ad_breaks: AdBreaks,
    slate: Option<Slate>,
}

impl Live {
    pub(super) fn new(
        now: Now,
        grant: ChannelGrant,
        stream_id: String,
        publisher: Publisher,
    ) -> Self {
        let slate = grant.ingest.slate;
        let patience = slate.map_or(NO_DATA_TIMEOUT, Slate::patience);
        Self {
            session: StreamSession::new(stream_id, patience, now.monotonic),
            slate: slate.map(Slate::new),
            format: None,
            description: None,
            rate: RateMeter::new(now.monotonic),
            grant,
            priority: publisher.priority.unwrap_or(0),
            publisher: Some(publisher),
            origin: None,
            ad_breaks: AdBreaks::default(),
        }
    }

    /// Whether another connection may continue this stream with its first keyframe. While a slate is shown, or would be,
    /// the publisher may return without a priority.
    pub(super) fn admit_takeover(
        &mut self,
        now: Now,
        priority: Option<u32>,
    ) -> Result<(), Refusal> {
        let (refusal, failure) = match priority {
            None if self.awaits_return() => return Ok(()),
            Some(wanted) if wanted > self.priority => {
                if self.session.takeover_allowed() {
                    return Ok(());
                }
                (Refusal::TakeoverLimit, TakeoverFailure::LimitBreached)
            }
            Some(_) | None => (Refusal::Busy, TakeoverFailure::InvalidPriority),
        };
        if priority.is_some() {
            self.input(now, Input::TakeoverRefused(failure));
        }
        Err(refusal)
    }

    /// The first keyframe of `publisher`, or its first in another format.
    pub(super) fn begin(
        &mut self,
        now: Now,
        publisher: Publisher,
        format: MediaFormat,
    ) -> Result<SharedOrigin, Refusal> {
        let connection = publisher.connection;
        if !self.is_publisher(connection) {
            self.replace_publisher(now, publisher, format)?;
        }
        let (width, height) = format.size();
        if let Some(breach) = self.grant.ingest.limits.check_size(width, height) {
            self.throw_out(now, breach);
            return Err(Refusal::Limit);
        }
        self.format = Some(format);
        match &self.origin {
            Some(origin) => {
                // Media stays hidden until the slate is over.
                if !self.slate.as_ref().is_some_and(Slate::is_showing) {
                    origin.lock().hand_over(connection, format);
                }
                Ok(Arc::clone(origin))
            }
            None => {
                let origin = Arc::new(Mutex::new(LiveOrigin::new(connection, format)));
                self.origin = Some(Arc::clone(&origin));
                Ok(origin)
            }
        }
    }

    fn replace_publisher(
        &mut self,
        now: Now,
        publisher: Publisher,
        format: MediaFormat,
    ) -> Result<(), Refusal> {
        self.admit_takeover(now, publisher.priority)?;
        self.check_format(now, format)?;
        self.close(CloseReason::TakenOver);
        let takes_over = publisher.priority.is_some();
        self.priority = publisher.priority.unwrap_or(self.priority);
        self.publisher = Some(publisher);
        self.rate = RateMeter::new(now.monotonic);
        let input = if takes_over {
            Input::TakenOver
        } else {
            Input::Resumed
        };
        self.input(now, input);
        Ok(())
    }

    /// Counts media of `connection`; `None` when it is not for the stream (any more).
    pub(super) fn media(
        &mut self,
        now: Now,
        connection: u64,
        (span, samples): (Duration, &[Sample]),
    ) -> Option<SharedOrigin> {
        if !self.is_publisher(connection) {
            return None;
        }
        self.input(now, Input::Media(span));
        let bytes = samples.iter().map(Sample::bytes).sum();
        let format = self.format?;
        let rate = self.rate.add(now.monotonic, bytes, span);
        let limits = self.grant.ingest.limits;
        if let Some(breach) = rate.and_then(|rate| limits.check_bitrate(rate, format.size())) {
            self.throw_out(now, breach);
            return None;
        }
        if let Some(slate) = &mut self.slate
            && slate.is_showing()
        {
            if !slate.may_stop(now.monotonic) || !samples.iter().any(Sample::is_keyframe) {
                return None;
            }
            slate.stop();
            let origin = self.origin.as_ref()?;
            origin.lock().hand_over(connection, format);
        }
        self.origin()
    }

    pub(super) fn leave(&mut self, now: Now, connection: u64, said_goodbye: bool) {
        if !self.is_publisher(connection) {
            return;
        }
        self.publisher = None;
        if said_goodbye {
            self.input(now, Input::PublisherEnded);
            return;
        }
        // A slate that is shown goes on.
        if let Some(origin) = &self.origin
            && !self.slate.as_ref().is_some_and(Slate::is_showing)
        {
            origin.lock().break_off();
        }
        self.input(now, Input::PublisherLost);
    }

    /// The publisher exceeds a limit: it goes, and the stream ends.
    fn throw_out(&mut self, now: Now, breach: LimitBreach) {
        self.session.report(StreamEvent::LimitBreach(breach));
        self.close(CloseReason::LimitBreach);
        self.input(now, Input::PublisherEnded);
    }

    /// What the publisher sends, for whoever reads of the stream later. Whether it is new.
    pub(super) fn describe_ingest(
        &mut self,
        connection: u64,
        description: Arc<IngestDescription>,
    ) -> bool {
        if !self.is_publisher(connection) || self.description.as_ref() == Some(&description) {
            return false;
        }
        self.description = Some(Arc::clone(&description));
        self.session
            .report(StreamEvent::IngestDescribed(description));
        true
    }

    /// The pictures of the slate are there.
    pub(super) fn prepare_slate(&mut self, format: SlateFormat, pictures: Arc<[Bytes]>) {
        if let Some(slate) = &mut self.slate {
            slate.prepare(format, pictures);
        }
    }

    /// Tells the publisher's connection to close.
    pub(super) fn close(&mut self, reason: CloseReason) {
        if let Some(publisher) = self.publisher.take() {
            publisher.close.send_replace(Some(reason));
        }
    }

    /// Plans an ad break and tells players of it.
    pub(super) fn insert_ad_break(
        &mut self,
        now: Now,
        request: AdBreakRequest,
    ) -> Result<AdBreak, AdBreakRefusal> {
        let origin = self.live_origin().ok_or(AdBreakRefusal::NotLive)?;
        match self.ad_breaks.insert(now.wall, request)? {
            Inserted::Known(ad_break) => Ok(ad_break),
            Inserted::New(ad_break) => {
                origin.lock().announce(ad_break.clone());
                let event = StreamEvent::AdBreakInserted(ad_break.clone());
                self.session.report(event);
                Ok(ad_break)
            }
        }
    }

    pub(super) fn tick(&mut self, now: Now) {
        while let Some(ad_break) = self.ad_breaks.poll(now.wall) {
            if let Some(origin) = &self.origin {
                origin.lock().put_ad_break(now.wall, ad_break);
            }
        }
        self.run_slate(now);
        self.input(now, Input::Tick);
        if self.session.ended() {
            self.close(CloseReason::NoData);
        }
    }

    /// Shows the slate when it is time, and keeps it going.
    fn run_slate(&mut self, now: Now) {
        let (Some(slate), Some(origin)) = (&mut self.slate, &self.origin) else {
            return;
        };
        let (Some(format), Some(_)) = (self.format, self.session.live_since()) else {
            return;
        };
        let last_media = self.session.last_media();
        let mut origin = origin.lock();
        let stream = (format.size(), format.audio, origin.latest());
        if slate.start(now.monotonic, last_media, stream) {
            tracing::info!(channel = %self.grant.channel, "the failover slate is shown");
            origin.hand_over(SLATE_OWNER, format);
        }
        let Some(zero) = slate.zero() else { return };
        // The time line of the slate begins where the media broke off.
        let begun = i64::try_from(now.monotonic.since(zero).as_micros()).unwrap_or(0);
        let wall = WallTime(now.wall.0 - begun);
        for sample in slate.due(now.monotonic) {
            origin.push(wall, SLATE_OWNER, &sample);
        }
    }

    /// Whether the publisher may come back as if it had never been away.
    fn awaits_return(&self) -> bool {
        self.slate
            .as_ref()
            .is_some_and(|slate| slate.is_showing() || self.publisher.is_none())
    }

    pub(super) fn input(&mut self, now: Now, input: Input) {
        self.session.handle_input(now.monotonic, now.wall, input);
    }

    pub(super) fn poll_event(&mut self, now: Now) -> Option<ChannelEvent> {
        let event = self.session.poll_event()?;
        let ChannelGrant {
            channel,
            arn,
            name,
            ingest,
            ..
        } = self.grant.clone();
        let stream_id = self.stream_id().to_owned();
        Some(ChannelEvent {
            channel,
            arn,
            name,
            stream_id,
            snapshot: ingest.snapshot,
            at: now.wall,
            event,
        })
    }

    pub(super) fn stream_id(&self) -> &str {
        self.session.stream_id()
    }

    /// Whose channel it is.
    pub(super) fn account(&self) -> &str {
        account_of(&self.grant.arn)
    }

    /// What playback needs to know of the stream, once there is an origin.
    pub(super) fn playable(&self) -> Option<Playable> {
        let ChannelGrant { arn, playback, .. } = &self.grant;
        Some(Playable {
            origin: self.origin()?,
            watched: Watched {
                stream_id: self.stream_id().to_owned(),
                channel_arn: arn.clone(),
                account: account_of(arn).to_owned(),
            },
            terms: playback.clone(),
        })
    }

    pub(super) fn origin(&self) -> Option<SharedOrigin> {
        self.origin.clone()
    }

    /// The origin of a stream that has begun.
    pub(super) fn live_origin(&self) -> Option<SharedOrigin> {
        self.session.live_since()?;
        self.origin()
    }

    pub(super) fn describe(&self, viewer_count: usize) -> Option<LiveStream> {
        let start = self.session.live_since()?;
        Some(LiveStream {
            channel: self.grant.channel.clone(),
            stream_id: self.stream_id().to_owned(),
            start,
            health: self.session.health(),
            viewer_count,
        })
    }

    /// Ends the playlist; returns the stream id, and the bytes that its origin holds.
    pub(super) fn finish(mut self, now: Now) -> (String, usize) {
        let ad_break = self.ad_breaks.end(now.wall);
        let bytes = self.origin.as_ref().map_or(0, |origin| {
            let mut origin = origin.lock();
            if let Some(ad_break) = ad_break {
                origin.put_ad_break(now.wall, ad_break);
            }
            origin.end();
            origin.bytes()
        });
        (self.session.stream_id().to_owned(), bytes)
    }

    fn is_publisher(&self, connection: u64) -> bool {
        self.publisher
            .as_ref()
            .is_some_and(|publisher| publisher.connection == connection)
    }

    fn check_format(&mut self, now: Now, format: MediaFormat) -> Result<(), Refusal> {
        let fits = self
            .origin
            .as_ref()
            .is_none_or(|origin| origin.lock().format().continued_by(&format));
        if fits {
            return Ok(());
        }
        self.input(now, Input::TakeoverRefused(TakeoverFailure::MediaMismatch));
        Err(Refusal::MediaMismatch)
    }
}
