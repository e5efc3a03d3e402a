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

/// With more events than this, no session begins.
const EVENTS_PENDING_OPEN_MAX: usize = EVENTS_PENDING_MAX / 2;

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
        if self.events.len() > EVENTS_PENDING_OPEN_MAX {
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

    /// Queues a report, if there is room for its kind.
    fn report(&mut self, report: Report) {
        if self.events.len() < room_for(&report) {
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

/// With how many events in front of it a report is still queued. What a session reports is bounded and always has room,
/// but for its health, which can change for ever. What a publisher can bring about as often as it likes has so little that
/// it alone keeps nobody else out.
fn room_for(report: &Report) -> usize {
    let event = match report {
        Report::BroadcastRefused { .. } => return EVENTS_PENDING_OPEN_MAX / 2,
        Report::Stream(ChannelEvent { event, .. }) => event,
    };
    match event {
        StreamEvent::IngestDescribed(_) | StreamEvent::StreamTakeoverFailure(_) => {
            EVENTS_PENDING_OPEN_MAX / 2
        }
        StreamEvent::StarvationStart | StreamEvent::StarvationEnd => EVENTS_PENDING_MAX * 3 / 4,
        StreamEvent::SessionCreated
        | StreamEvent::StreamStart
        | StreamEvent::StreamEnd
        | StreamEvent::SessionEnded
        | StreamEvent::StreamTakeover
        | StreamEvent::AdBreakInserted(_)
        | StreamEvent::LimitBreach(_) => EVENTS_PENDING_MAX,
    }
}

#[cfg(test)]
mod tests {
    use compositor_core::time::WallTime;
    use tokio::sync::watch;

    use super::*;
    use crate::directory::{ChannelType, IngestTerms};
    use crate::playback::PlaybackTerms;

    const NOW: Now = Now {
        monotonic: MonotonicTime(0),
        wall: WallTime(0),
    };

    fn open(state: &mut State, channel: &str, broadcasts_max: u32) -> Result<(), Refusal> {
        let grant = ChannelGrant {
            channel: ChannelId::new(channel),
            arn: String::new(),
            name: String::new(),
            insecure_ingest: true,
            channel_type: ChannelType::Standard,
            ingest: IngestTerms {
                broadcasts_max,
                ..IngestTerms::default()
            },
            playback: PlaybackTerms::Open,
        };
        let publisher = Publisher {
            connection: 1,
            priority: None,
            close: watch::Sender::new(None),
        };
        state.open(NOW, &grant, publisher)?;
        state.settle(NOW, &grant.channel);
        Ok(())
    }

    #[test]
    fn refused_publishers_cannot_keep_others_out() {
        let mut state = State::default();
        for _ in 0..2 * EVENTS_PENDING_MAX {
            assert_eq!(open(&mut state, "mine", 0), Err(Refusal::Broadcasts));
        }
        open(&mut state, "taken", 100).unwrap();
        let live = state.live.get_mut(&ChannelId::new("taken")).unwrap();
        for _ in 0..2 * EVENTS_PENDING_MAX {
            let refused = live.admit_takeover(NOW, Some(0));
            assert_eq!(refused, Err(Refusal::Busy));
        }
        state.settle(NOW, &ChannelId::new("taken"));
        assert_eq!(open(&mut state, "other", 100), Ok(()));
    }
}
