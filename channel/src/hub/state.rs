//! What the hub's lock guards: the live channels, the streams that can still be played, and what is to be reported.

use std::collections::{HashMap, VecDeque};

use compositor_core::id::ChannelId;
use compositor_core::time::MonotonicTime;

use crate::clock::Now;
use crate::directory::ChannelGrant;
use crate::event::{ChannelEvent, Report, StreamEvent};
use crate::hub::live::Live;
use crate::hub::{Playable, Publisher, Refusal, account_of, stream_id};
use crate::limits::{ENDED_BYTES_MAX, ENDED_STREAM_KEPT, ENDED_STREAMS_MAX, EVENTS_PENDING_MAX};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) live: HashMap<ChannelId, Live>,
    pub(super) origins: HashMap<String, Playable>,
    ended: VecDeque<Ended>,
    pub(super) events: VecDeque<Report>,
}

/// A stream whose playlist can still be fetched.
#[derive(Debug)]
struct Ended {
    until: MonotonicTime,
    stream_id: String,
    bytes: usize,
}

impl State {
    /// A new stream session for its first publisher.
    pub(super) fn open(
        &mut self,
        now: Now,
        grant: &ChannelGrant,
        publisher: Publisher,
    ) -> Result<(), Refusal> {
        // Sessions that go on have room for all they will report.
        if self.events.len() > EVENTS_PENDING_MAX / 2 {
            return Err(Refusal::Overloaded);
        }
        let limit = grant.ingest.broadcasts_max;
        let of_account = |live: &&Live| live.account() == account_of(&grant.arn);
        let broadcasts = self.live.values().filter(of_account).count();
        if broadcasts >= usize::try_from(limit).unwrap_or(usize::MAX) {
            self.report(Report::BroadcastRefused {
                account: account_of(&grant.arn).to_owned(),
                limit,
                at: now.wall,
            });
            return Err(Refusal::Broadcasts);
        }
        let live = Live::new(now, grant.clone(), stream_id(), publisher);
        self.live.insert(grant.channel.clone(), live);
        Ok(())
    }

    /// Queues a report. The queue is half empty when a session begins, and what a session reports is bounded; only health
    /// can change for ever, so that alone may be left out.
    fn report(&mut self, report: Report) {
        let is_health = matches!(
            &report,
            Report::Stream(ChannelEvent {
                event: StreamEvent::StarvationStart | StreamEvent::StarvationEnd,
                ..
            })
        );
        let room = if is_health {
            EVENTS_PENDING_MAX * 3 / 4
        } else {
            EVENTS_PENDING_MAX
        };
        if self.events.len() < room {
            self.events.push_back(report);
        } else {
            tracing::error!(?report, "nobody reads channel events, this one is lost");
        }
    }

    pub(super) fn settle(&mut self, now: Now, channel: &ChannelId) {
        let Some(live) = self.live.get_mut(channel) else {
            return;
        };
        let mut reports = Vec::new();
        while let Some(event) = live.poll_event(now) {
            reports.push(Report::Stream(event));
        }
        let ended = live.session.ended();
        reports.into_iter().for_each(|report| self.report(report));
        if ended && let Some(live) = self.live.remove(channel) {
            let (stream_id, bytes) = live.finish(now);
            let until = now.monotonic.plus(ENDED_STREAM_KEPT);
            self.ended.push_back(Ended {
                until,
                stream_id,
                bytes,
            });
            self.forget_ended(now.monotonic);
        }
    }

    pub(super) fn forget_ended(&mut self, now: MonotonicTime) {
        let mut bytes: usize = self.ended.iter().map(|ended| ended.bytes).sum();
        let mut count = self.ended.len();
        while let Some(oldest) = self.ended.pop_front_if(|oldest| {
            oldest.until <= now || count > ENDED_STREAMS_MAX || bytes > ENDED_BYTES_MAX
        }) {
            count -= 1;
            bytes -= oldest.bytes;
            self.origins.remove(&oldest.stream_id);
        }
    }
}
