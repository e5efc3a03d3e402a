//! One channel with a stream session.

use std::sync::Arc;
use std::time::Duration;

use compositor_core::time::MonotonicTime;
use parking_lot::Mutex;
use recorder::AdBreak;

use crate::ad_breaks::{AdBreakRefusal, AdBreakRequest, AdBreaks, Inserted};
use crate::channels::LiveStream;
use crate::clock::Now;
use crate::directory::ChannelGrant;
use crate::event::{ChannelEvent, StreamEvent};
use crate::hub::{CloseReason, Publisher, Refusal, SharedOrigin};
use crate::origin::{LiveOrigin, MediaFormat};
use crate::stream_session::{Input, StreamSession};

/// A stream session with its publisher and, after the first keyframe, its origin.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) session: StreamSession,
    grant: ChannelGrant,
    /// Who publishes; `None` while a takeover is waited for.
    publisher: Option<Publisher>,
    /// The priority to exceed; 0 when none was given.
    priority: u32,
    origin: Option<SharedOrigin>,
    ad_breaks: AdBreaks,
}

impl Live {
    pub(super) fn new(
        now: Now,
        grant: ChannelGrant,
        stream_id: String,
        publisher: Publisher,
    ) -> Self {
        Self {
            session: StreamSession::new(stream_id, now.monotonic),
            grant,
            priority: publisher.priority.unwrap_or(0),
            publisher: Some(publisher),
            origin: None,
            ad_breaks: AdBreaks::default(),
        }
    }

    /// Whether another connection may continue this stream with its first keyframe.
    pub(super) fn admit_takeover(
        &mut self,
        now: Now,
        priority: Option<u32>,
    ) -> Result<(), Refusal> {
        let refusal = match priority {
            Some(wanted) if wanted > self.priority => {
                if self.session.takeover_allowed() {
                    return Ok(());
                }
                Refusal::TakeoverLimit
            }
            Some(_) | None => Refusal::Busy,
        };
        if priority.is_some() {
            self.input(now, Input::TakeoverRefused(refusal.into()));
        }
        Err(refusal)
    }

    /// The first keyframe of `publisher`.
    pub(super) fn begin(
        &mut self,
        now: Now,
        publisher: Publisher,
        format: MediaFormat,
    ) -> Result<SharedOrigin, Refusal> {
        let connection = publisher.connection;
        if !self.is_publisher(connection) {
            self.admit_takeover(now, publisher.priority)?;
            self.check_format(now, format)?;
            self.close(CloseReason::TakenOver);
            self.priority = publisher.priority.unwrap_or(0);
            self.publisher = Some(publisher);
            self.input(now, Input::TakenOver);
        }
        match &self.origin {
            Some(origin) => {
                origin.lock().hand_over(connection, format);
                Ok(Arc::clone(origin))
            }
            None => {
                let origin = Arc::new(Mutex::new(LiveOrigin::new(connection, format)));
                self.origin = Some(Arc::clone(&origin));
                Ok(origin)
            }
        }
    }

    /// Counts media of `connection`; `None` when it does not publish (any more).
    pub(super) fn media(
        &mut self,
        now: Now,
        connection: u64,
        span: Duration,
    ) -> Option<SharedOrigin> {
        if !self.is_publisher(connection) {
            return None;
        }
        self.input(now, Input::Media(span));
        self.origin()
    }

    pub(super) fn leave(&mut self, now: Now, connection: u64, said_goodbye: bool) {
        if !self.is_publisher(connection) {
            return;
        }
        self.publisher = None;
        let may_be_continued = self.priority > 0 && !said_goodbye;
        if may_be_continued {
            if let Some(origin) = &self.origin {
                origin.lock().break_off();
            }
            self.input(now, Input::PublisherLost);
        } else {
            self.input(now, Input::PublisherEnded);
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
        self.input(now, Input::Tick);
        if self.session.ended() {
            self.close(CloseReason::NoData);
        }
    }

    pub(super) fn input(&mut self, now: Now, input: Input) {
        self.session.handle_input(now.monotonic, now.wall, input);
    }

    pub(super) fn poll_event(&mut self, now: Now) -> Option<ChannelEvent> {
        let event = self.session.poll_event()?;
        let ChannelGrant {
            channel, arn, name, ..
        } = self.grant.clone();
        let stream_id = self.stream_id().to_owned();
        Some(ChannelEvent {
            channel,
            arn,
            name,
            stream_id,
            at: now.wall,
            event,
        })
    }

    pub(super) fn stream_id(&self) -> &str {
        self.session.stream_id()
    }

    pub(super) fn origin(&self) -> Option<SharedOrigin> {
        self.origin.clone()
    }

    /// The origin of a stream that has begun.
    pub(super) fn live_origin(&self) -> Option<SharedOrigin> {
        self.session.live_since()?;
        self.origin()
    }

    pub(super) fn describe(&self, now: MonotonicTime) -> Option<LiveStream> {
        let start = self.session.live_since()?;
        let viewer_count = self
            .origin
            .as_ref()
            .map_or(0, |origin| origin.lock().viewer_count(now));
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
        self.input(now, Input::TakeoverRefused(Refusal::MediaMismatch.into()));
        Err(Refusal::MediaMismatch)
    }
}
