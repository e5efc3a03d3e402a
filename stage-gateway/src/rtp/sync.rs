//! Maps RTP timestamps to the stage clock.
//!
//! Where zero is: the stage clock reads [`StageClock::base`] at the monotonic instant [`StageClock::started_at`]. A sender
//! report ties a track's RTP timestamps to its sender's wall clock; the smallest transit seen (arrival minus wall clock)
//! ties that wall clock to the stage clock. All tracks of a participant share the second tie, so they stay in sync.
//! Before its first report a track is mapped by its own smallest transit, arrival minus RTP time.

use std::collections::VecDeque;

use compositor_core::id::{Layer, TrackId};
use compositor_core::journal::{ClockMapping, MappingCause};
use compositor_core::time::{MediaTime, MonotonicTime};

use super::limits::{
    SYNC_DEAD_ZONE, SYNC_FIRST_STEP_MAX, SYNC_JUMP, SYNC_REPORTS, SYNC_RESUME_WAIT,
    SYNC_SLEW_DIVISOR, TRANSIT_BUCKET, TRANSIT_BUCKETS,
};
use super::packet::NtpTime;

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const JUMP: i128 = SYNC_JUMP.as_nanos() as i128;
const DEAD_ZONE: i128 = SYNC_DEAD_ZONE.as_nanos() as i128;
const FIRST_STEP_MAX: i128 = SYNC_FIRST_STEP_MAX.as_nanos() as i128;

/// Where the stage clock stands on the monotonic clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StageClock {
    /// When the session began, or continued after a restart of the server.
    pub started_at: MonotonicTime,
    /// What the stage clock read then; zero for a new session.
    pub base: MediaTime,
}

impl StageClock {
    /// The clock of a session that begins now.
    pub fn starting(now: MonotonicTime) -> Self {
        Self {
            started_at: now,
            base: MediaTime(0),
        }
    }

    /// What the stage clock reads at `now`.
    pub fn media(&self, now: MonotonicTime) -> MediaTime {
        self.base.plus(now.since(self.started_at))
    }
}

/// What the tracks of one participant share: how its wall clock lies to the stage clock. One per peer connection: a
/// participant that returns may do so from another machine, with another wall clock.
#[derive(Clone, Debug)]
pub struct ParticipantClock {
    stage: StageClock,
    transit: TransitWindow,
    /// How many tracks have begun to follow reports. Each may move the shared tie, and then all tracks step together.
    steps: u64,
}

impl ParticipantClock {
    /// The clock of a participant on the stage whose clock is `stage`.
    pub fn new(stage: StageClock) -> Self {
        Self {
            stage,
            transit: TransitWindow::default(),
            steps: 0,
        }
    }

    /// The stage clock that all this is mapped to.
    pub fn stage(&self) -> StageClock {
        self.stage
    }

    fn arrival(&self, now: MonotonicTime) -> i128 {
        i128::from(self.stage.media(now).0)
    }
}

/// The smallest of the transits of the last 30 s.
#[derive(Clone, Debug, Default)]
struct TransitWindow {
    buckets: VecDeque<(MonotonicTime, i128)>,
}

impl TransitWindow {
    fn observe(&mut self, now: MonotonicTime, transit: i128) {
        let open = self
            .buckets
            .back_mut()
            .filter(|(from, _)| now.since(*from) < TRANSIT_BUCKET);
        match open {
            Some((_, smallest)) => *smallest = transit.min(*smallest),
            None => self.buckets.push_back((now, transit)),
        }
        let span = TRANSIT_BUCKET * TRANSIT_BUCKETS as u32;
        while self
            .buckets
            .front()
            .is_some_and(|(from, _)| now.since(*from) >= span)
        {
            self.buckets.pop_front();
        }
    }

    fn smallest(&self) -> Option<i128> {
        self.buckets.iter().map(|(_, transit)| *transit).min()
    }
}

/// An instant on a track's RTP clock and on its sender's wall clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tie {
    /// The unwrapped RTP timestamp.
    pub rtp_ts: u64,
    /// The sender's wall clock.
    pub ntp: NtpTime,
    /// Whether it was sent at that instant, as a sender report is and a capture time is not.
    pub sent_now: bool,
}

/// How a packet arrived.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    at: MonotonicTime,
    rtp_ns: i128,
}

/// A pause after which media came too late: either the network stood still, or the source jumped.
#[derive(Clone, Copy, Debug)]
struct Resume {
    since: MonotonicTime,
    lateness_min: i128,
}

/// What the mapping follows.
#[derive(Clone, Debug)]
enum Reference {
    /// Arrival times; holds the transits of this track alone.
    Arrivals(TransitWindow),
    /// Sender reports; holds the last relations of wall clock to RTP time, in nanoseconds.
    Reports(VecDeque<i128>),
}

/// The mapping of one layer of one track.
#[derive(Debug)]
pub struct TrackSync {
    track: TrackId,
    layer: Layer,
    clock_rate: u32,
    reference: Reference,
    /// `pts = rtp_ns + offset`; `None` before the first packet.
    offset: Option<i128>,
    /// Why the next unit must be preceded by a mapping record, if it must.
    changed: Option<MappingCause>,
    slewing: bool,
    /// How many of the participant's steps this track has made.
    steps: u64,
    /// Added to this track's reported wall clock to take out its steps.
    ntp_shift: i128,
    newest: Option<Arrival>,
    resume: Option<Resume>,
    mapped_rtp_ns: Option<i128>,
}

impl TrackSync {
    /// A track without any packet yet, with `clock_rate` RTP ticks per second.
    pub fn new(track: TrackId, layer: Layer, clock_rate: u32) -> Self {
        Self {
            track,
            layer,
            clock_rate,
            reference: Reference::Arrivals(TransitWindow::default()),
            offset: None,
            changed: None,
            slewing: false,
            steps: 0,
            ntp_shift: 0,
            newest: None,
            resume: None,
            mapped_rtp_ns: None,
        }
    }

    /// A packet has arrived; `newest` when no later one has arrived before it.
    pub fn on_packet(
        &mut self,
        now: MonotonicTime,
        rtp_ts: u64,
        newest: bool,
        clock: &mut ParticipantClock,
    ) {
        let rtp_ns = self.rtp_ns(rtp_ts);
        let transit = clock.arrival(now) - rtp_ns;
        let Some(offset) = self.offset else {
            self.newest = Some(Arrival { at: now, rtp_ns });
            return self.remap_by_arrival(now, transit, MappingCause::Arrival);
        };
        let lateness = transit - offset;
        if newest {
            self.watch_for_resume(now, rtp_ns, lateness);
            self.newest = Some(Arrival { at: now, rtp_ns });
        }
        if lateness < -JUMP {
            return self.remap_by_arrival(now, transit, MappingCause::Jump);
        }
        if let Some(lateness_min) = self.jumped(now, lateness) {
            return self.remap_by_arrival(now, offset + lateness_min, MappingCause::Jump);
        }
        match &mut self.reference {
            Reference::Arrivals(window) => {
                window.observe(now, transit);
                if lateness < 0 {
                    self.offset = Some(transit);
                    self.changed.get_or_insert(MappingCause::Arrival);
                }
            }
            Reference::Reports(relations) => {
                clock.transit.observe(now, transit - median(relations));
            }
        }
    }

    /// A sender report or a capture time has arrived: `tie.rtp_ts` happened at `tie.ntp` on the sender's wall clock.
    pub fn on_tie(&mut self, now: MonotonicTime, tie: Tie, clock: &mut ParticipantClock) {
        // Without a packet there is nothing to map yet, and no timestamp to unwrap the report's against.
        let (Some(offset), Some(newest)) = (self.offset, self.newest) else {
            return;
        };
        let relation = tie.ntp.nanos() + self.ntp_shift - self.rtp_ns(tie.rtp_ts);
        let newest_transit = clock.arrival(newest.at) - newest.rtp_ns;
        match &mut self.reference {
            Reference::Arrivals(_) => {
                self.begin_reports(now, relation, newest_transit, clock);
                self.observe_sending(now, tie, clock);
                clock.steps += 1;
                self.step(offset, clock);
            }
            Reference::Reports(relations) => {
                let moved = relation - median(relations);
                let lateness = newest_transit - offset;
                if moved.abs() <= JUMP {
                    relations.push_back(relation);
                    while relations.len() > SYNC_REPORTS {
                        relations.pop_front();
                    }
                } else if (lateness - moved).abs() < lateness.abs() {
                    // The new relation explains the newest arrivals better: the RTP timestamps have jumped.
                    *relations = VecDeque::from([relation]);
                } else {
                    // The media still arrives when expected: it is the sender's wall clock that was set.
                    self.ntp_shift -= moved;
                    relations.push_back(relation - moved);
                }
                self.observe_sending(now, tie, clock);
            }
        }
    }

    /// The stage time of a unit that is about to leave, and the mapping record that must precede it. Called in order.
    pub fn map(
        &mut self,
        rtp_ts: u64,
        clock: &ParticipantClock,
    ) -> (MediaTime, Option<ClockMapping>) {
        let rtp_ns = self.rtp_ns(rtp_ts);
        self.follow(rtp_ns, clock);
        let media = clamp(rtp_ns + self.offset.unwrap_or(0));
        let mapping = self.changed.take().map(|cause| ClockMapping {
            track: self.track,
            layer: self.layer,
            rtp_ts,
            media,
            clock_rate: self.clock_rate,
            cause,
        });
        (media, mapping)
    }

    /// Moves the mapping to its reference at once, as a first report may.
    fn step(&mut self, offset: i128, clock: &ParticipantClock) {
        self.steps = clock.steps;
        let target = self.target(clock).unwrap_or(offset);
        if target != offset {
            self.offset = Some(target);
            self.slewing = false;
            self.changed = Some(MappingCause::FirstReport);
        }
    }

    /// Moves the mapping towards its reference.
    fn follow(&mut self, rtp_ns: i128, clock: &ParticipantClock) {
        let elapsed = self.mapped_rtp_ns.map_or(0, |last| (rtp_ns - last).max(0));
        self.mapped_rtp_ns = Some(rtp_ns);
        let (Some(offset), Some(target)) = (self.offset, self.target(clock)) else {
            return;
        };
        let error = target - offset;
        let stepped = self.steps != clock.steps && matches!(self.reference, Reference::Reports(_));
        if stepped && error.abs() > DEAD_ZONE {
            return self.step(offset, clock);
        }
        self.steps = clock.steps;
        if error.abs() > JUMP {
            self.offset = Some(target);
            self.slewing = false;
            self.changed = Some(MappingCause::Jump);
            return;
        }
        self.slewing = error != 0 && (self.slewing || error.abs() > DEAD_ZONE);
        let step_max = elapsed / SYNC_SLEW_DIVISOR;
        let step = error.clamp(-step_max, step_max);
        if self.slewing && step != 0 {
            self.offset = Some(offset + step);
            self.changed.get_or_insert(MappingCause::Slew);
        }
    }

    fn target(&self, clock: &ParticipantClock) -> Option<i128> {
        match &self.reference {
            Reference::Arrivals(window) => window.smallest(),
            Reference::Reports(relations) => Some(median(relations) + clock.transit.smallest()?),
        }
    }

    /// The first report: from now on the track follows its sender's wall clock.
    fn begin_reports(
        &mut self,
        now: MonotonicTime,
        relation: i128,
        newest_transit: i128,
        clock: &mut ParticipantClock,
    ) {
        let mut relation = relation;
        let shared = clock
            .transit
            .smallest()
            .map(|smallest| newest_transit - relation - smallest);
        if let Some(lateness) = shared.filter(|lateness| lateness.abs() > FIRST_STEP_MAX) {
            // This track's wall clock is not its sibling's. Keep it where its arrivals put it.
            self.ntp_shift += lateness;
            relation += lateness;
        }
        self.reference = Reference::Reports(VecDeque::from([relation]));
        clock.transit.observe(now, newest_transit - relation);
    }

    /// A report's own transit counts too: unlike media it has waited for no encoder.
    fn observe_sending(&self, now: MonotonicTime, tie: Tie, clock: &mut ParticipantClock) {
        if tie.sent_now {
            let sent = tie.ntp.nanos() + self.ntp_shift;
            clock.transit.observe(now, clock.arrival(now) - sent);
        }
    }

    fn remap_by_arrival(&mut self, now: MonotonicTime, transit: i128, cause: MappingCause) {
        let mut window = TransitWindow::default();
        window.observe(now, transit);
        self.reference = Reference::Arrivals(window);
        self.offset = Some(transit);
        self.changed = Some(cause);
        self.resume = None;
        self.slewing = false;
    }

    /// Notices when the transit grows by more than a jump from one packet to the next.
    fn watch_for_resume(&mut self, now: MonotonicTime, rtp_ns: i128, lateness: i128) {
        let Some(last) = self.newest else { return };
        let waited = now.since(last.at).as_nanos() as i128;
        if waited - (rtp_ns - last.rtp_ns) > JUMP {
            self.resume = Some(Resume {
                since: now,
                lateness_min: lateness,
            });
        }
    }

    /// How late the best packet since a resume is, once that is decided to be the source's doing.
    fn jumped(&mut self, now: MonotonicTime, lateness: i128) -> Option<i128> {
        let resume = self.resume.as_mut()?;
        resume.lateness_min = resume.lateness_min.min(lateness);
        let Resume {
            since,
            lateness_min,
        } = *resume;
        if lateness_min <= JUMP {
            self.resume = None;
            return None;
        }
        (now.since(since) >= SYNC_RESUME_WAIT).then_some(lateness_min)
    }

    fn rtp_ns(&self, rtp_ts: u64) -> i128 {
        i128::from(rtp_ts) * NANOS_PER_SECOND / i128::from(self.clock_rate)
    }
}

fn median(relations: &VecDeque<i128>) -> i128 {
    let mut sorted: Vec<i128> = relations.iter().copied().collect();
    sorted.sort_unstable();
    sorted
        .get(sorted.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or_default()
}

fn clamp(nanos: i128) -> MediaTime {
    // The largest time leaves room for sums with durations.
    MediaTime(nanos.clamp(0, i128::from(u64::MAX / 2)) as u64)
}
