//! Clock mapping in virtual time.

use compositor_core::id::{Layer, TrackId};
use compositor_core::journal::{ClockMapping, MappingCause};
use compositor_core::time::{MediaTime, MonotonicTime};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use stage_gateway::rtp::sync::{Tie, TrackSync};
use stage_gateway::rtp::{NtpTime, ParticipantClock, StageClock};

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;
/// Real sound and picture of one instant may be this far apart, at most (DESIGN.md 7).
const SKEW_MAX: i64 = 20 * MS;

/// A sender: one instant of its capture clock is `capture` nanoseconds after the stage began.
struct Sender {
    sync: TrackSync,
    rate: i64,
    rtp_base: i64,
    /// The RTP clock runs fast by so many millionths.
    ppm: i64,
    ntp_base: i64,
}

impl Sender {
    fn audio() -> Self {
        Self::new(48_000, 7_000_000)
    }

    fn video() -> Self {
        Self::new(90_000, 123_456_789)
    }

    fn new(rate: i64, rtp_base: i64) -> Self {
        let sync = TrackSync::new(TrackId(1), Layer(0), rate as u32);
        Self {
            sync,
            rate,
            rtp_base,
            ppm: 0,
            ntp_base: 3_900_000_000 * SECOND,
        }
    }

    fn rtp(&self, capture: i64) -> u64 {
        let local = capture + capture / 1_000_000 * self.ppm;
        (self.rtp_base + (i128::from(local) * i128::from(self.rate) / i128::from(SECOND)) as i64)
            as u64
    }

    /// A packet captured at `capture` that was under way for `transit`.
    fn packet(&mut self, capture: i64, transit: i64, clock: &mut ParticipantClock) {
        let rtp = self.rtp(capture);
        self.sync.on_packet(at(capture + transit), rtp, true, clock);
    }

    fn report(&mut self, capture: i64, transit: i64, clock: &mut ParticipantClock) {
        let tie = self.tie(capture);
        self.sync.on_tie(at(capture + transit), tie, clock);
    }

    fn tie(&self, capture: i64) -> Tie {
        let ntp = i128::from(self.ntp_base + capture);
        let fraction = ((ntp % 1_000_000_000) << 32) / 1_000_000_000;
        let fixed = fraction | ((ntp / 1_000_000_000) << 32);
        Tie {
            rtp_ts: self.rtp(capture),
            ntp: NtpTime(fixed as u64),
            sent_now: true,
        }
    }

    /// Where the unit captured at `capture` is placed, relative to its capture, and why that changed.
    fn place(&mut self, capture: i64, clock: &ParticipantClock) -> (i64, Option<MappingCause>) {
        let (pts, mapping) = self.sync.map(self.rtp(capture), clock);
        (pts.0 as i64 - capture, mapping.map(|mapping| mapping.cause))
    }

    /// A packet and its unit at once.
    fn unit(&mut self, capture: i64, transit: i64, clock: &mut ParticipantClock) -> i64 {
        self.packet(capture, transit, clock);
        self.place(capture, clock).0
    }
}

fn at(nanos: i64) -> MonotonicTime {
    MonotonicTime(nanos as u64)
}

fn clock() -> ParticipantClock {
    ParticipantClock::new(StageClock::starting(at(0)))
}

/// The nearest that RTP ticks can express.
#[track_caller]
fn check_near(found: i64, expected: i64) {
    assert!(
        (found - expected).abs() < 25_000,
        "{found} is not near {expected}"
    );
}

#[test]
fn the_stage_clock_is_zero_when_the_session_starts() {
    let clock = StageClock::starting(MonotonicTime(5_000));
    assert_eq!(clock.media(MonotonicTime(5_000)), MediaTime(0));
    assert_eq!(clock.media(MonotonicTime(7_000)), MediaTime(2_000));
    let resumed = StageClock {
        started_at: MonotonicTime(100),
        base: MediaTime(40_000),
    };
    assert_eq!(resumed.media(MonotonicTime(101)), MediaTime(40_001));
}

#[test]
fn before_the_first_report_the_smallest_transit_counts() {
    let (mut clock, mut audio) = (clock(), Sender::audio());
    audio.packet(SECOND, 80 * MS, &mut clock);
    let (late, cause) = audio.place(SECOND, &clock);
    check_near(late, 80 * MS);
    assert_eq!(cause, Some(MappingCause::Arrival));
    audio.packet(SECOND + 20 * MS, 60 * MS, &mut clock);
    let (late, cause) = audio.place(SECOND + 20 * MS, &clock);
    check_near(late, 60 * MS);
    assert_eq!(cause, Some(MappingCause::Arrival));
    audio.packet(SECOND + 40 * MS, 90 * MS, &mut clock);
    let (late, cause) = audio.place(SECOND + 40 * MS, &clock);
    check_near(late, 60 * MS);
    assert_eq!(cause, None);
}

#[test]
fn the_first_report_steps_once_and_brings_both_tracks_together() {
    let (mut clock, mut audio, mut video) = (clock(), Sender::audio(), Sender::video());
    let start = 2 * SECOND;
    check_near(audio.unit(start, 45 * MS, &mut clock), 45 * MS);
    check_near(video.unit(start, 130 * MS, &mut clock), 130 * MS);
    audio.report(start + 5 * MS, 30 * MS, &mut clock);
    video.report(start + 8 * MS, 30 * MS, &mut clock);
    let (sound, cause) = audio.place(start + 20 * MS, &clock);
    check_near(sound, 30 * MS);
    assert_eq!(cause, Some(MappingCause::FirstReport));
    let (picture, cause) = video.place(start + 33 * MS, &clock);
    check_near(picture, 30 * MS);
    assert_eq!(cause, Some(MappingCause::FirstReport));
    assert_eq!(audio.place(start + 40 * MS, &clock).1, None);
}

#[test]
fn a_first_report_that_moves_the_participant_moves_all_its_tracks_at_once() {
    let (mut clock, mut audio, mut video) = (clock(), Sender::audio(), Sender::video());
    let start = 2 * SECOND;
    audio.unit(start, 55 * MS, &mut clock);
    video.unit(start, 130 * MS, &mut clock);
    audio.report(start + 5 * MS, 55 * MS, &mut clock);
    check_near(audio.place(start + 20 * MS, &clock).0, 55 * MS);
    video.report(start + 8 * MS, 30 * MS, &mut clock);
    check_near(video.place(start + 33 * MS, &clock).0, 30 * MS);
    let (sound, cause) = audio.place(start + 40 * MS, &clock);
    check_near(sound, 30 * MS);
    assert_eq!(cause, Some(MappingCause::FirstReport));
    assert_eq!(audio.place(start + 60 * MS, &clock).1, None);
    assert_eq!(video.place(start + 66 * MS, &clock).1, None);
}

#[test]
fn a_track_that_starts_later_joins_the_participants_mapping() {
    let (mut clock, mut audio, mut video) = (clock(), Sender::audio(), Sender::video());
    audio.unit(0, 50 * MS, &mut clock);
    audio.report(0, 50 * MS, &mut clock);
    let later = 20 * SECOND;
    audio.unit(later, 50 * MS, &mut clock);
    video.unit(later, 200 * MS, &mut clock);
    video.report(later, 190 * MS, &mut clock);
    check_near(video.place(later + 33 * MS, &clock).0, 50 * MS);
}

#[test]
fn a_correction_slews_by_half_a_percent_and_ends() {
    let (mut clock, mut audio) = (clock(), Sender::audio());
    audio.unit(0, 50 * MS, &mut clock);
    audio.report(0, 50 * MS, &mut clock);
    check_near(audio.unit(20 * MS, 60 * MS, &mut clock), 50 * MS);
    // Five reports that agree that the RTP clock is 40 ms ahead of what was thought.
    audio.ntp_base -= 40 * MS;
    for n in 2..7 {
        audio.report(n * 10 * MS, 90 * MS, &mut clock);
    }
    let mut capture = 40 * MS;
    let mut last = audio.place(capture, &clock).0;
    let mut steps = 0;
    for _ in 0..1000 {
        capture += 20 * MS;
        let (place, cause) = audio.place(capture, &clock);
        assert!(
            (place - last).abs() <= 100_000 + 25_000,
            "{} at {capture}",
            place - last
        );
        steps += i32::from(cause == Some(MappingCause::Slew));
        last = place;
    }
    check_near(last, 10 * MS);
    assert!((395..=405).contains(&steps), "{steps}");
    assert_eq!(audio.place(capture + 20 * MS, &clock).1, None);
}

#[test]
fn report_noise_below_the_dead_zone_changes_nothing() {
    let (mut clock, mut video) = (clock(), Sender::video());
    video.unit(0, 50 * MS, &mut clock);
    video.report(0, 50 * MS, &mut clock);
    video.place(0, &clock);
    for n in 1..100 {
        video.ntp_base += if n % 2 == 0 { 400_000 } else { -400_000 };
        video.report(n * SECOND, 51 * MS, &mut clock);
        video.packet(n * SECOND, 60 * MS, &mut clock);
        assert_eq!(video.place(n * SECOND, &clock).1, None);
    }
}

#[test]
fn a_report_that_shows_a_jump_of_the_source_maps_anew() {
    let (mut clock, mut video) = (clock(), Sender::video());
    for n in 0..30 {
        video.unit(n * 33 * MS, 50 * MS, &mut clock);
    }
    video.report(SECOND, 50 * MS, &mut clock);
    video.unit(SECOND, 50 * MS, &mut clock);
    // The RTP timestamps fall back by 5 s while the packets go on.
    video.rtp_base -= 5 * 90_000;
    video.packet(SECOND + 33 * MS, 50 * MS, &mut clock);
    video.report(SECOND + 40 * MS, 50 * MS, &mut clock);
    let (place, cause) = video.place(SECOND + 66 * MS, &clock);
    check_near(place, 50 * MS);
    assert_eq!(cause, Some(MappingCause::Jump));
}

#[test]
fn a_source_that_resumes_with_its_clock_held_is_mapped_anew_without_a_report() {
    let (mut clock, mut audio) = (clock(), Sender::audio());
    audio.unit(0, 50 * MS, &mut clock);
    audio.report(0, 50 * MS, &mut clock);
    audio.unit(20 * MS, 50 * MS, &mut clock);
    // Ten seconds of mute that the RTP clock does not count.
    audio.rtp_base -= 10 * 48_000;
    let resumed = 10 * SECOND + 40 * MS;
    let mut causes = vec![];
    for n in 0..40 {
        let capture = resumed + n * 20 * MS;
        audio.packet(capture, 50 * MS, &mut clock);
        let (place, cause) = audio.place(capture, &clock);
        causes.extend(cause);
        if n >= 13 {
            check_near(place, 50 * MS);
        }
    }
    assert_eq!(causes, vec![MappingCause::Jump]);
    audio.report(resumed + 800 * MS, 45 * MS, &mut clock);
    assert_eq!(
        audio.place(resumed + 820 * MS, &clock).1,
        Some(MappingCause::FirstReport)
    );
}

#[test]
fn timestamps_far_ahead_of_their_arrival_map_anew_at_once() {
    let (mut clock, mut video) = (clock(), Sender::video());
    video.unit(0, 50 * MS, &mut clock);
    video.report(0, 50 * MS, &mut clock);
    video.rtp_base += 3600 * 90_000;
    video.packet(33 * MS, 50 * MS, &mut clock);
    let (place, cause) = video.place(33 * MS, &clock);
    check_near(place, 50 * MS);
    assert_eq!(cause, Some(MappingCause::Jump));
}

#[test]
fn a_network_that_stalls_and_catches_up_moves_nothing() {
    let (mut clock, mut audio) = (clock(), Sender::audio());
    for n in 0..50 {
        audio.unit(n * 20 * MS, 50 * MS, &mut clock);
    }
    audio.report(SECOND, 50 * MS, &mut clock);
    audio.unit(SECOND, 50 * MS, &mut clock);
    // Two seconds of packets arrive in one burst.
    for n in 1..=100 {
        let capture = SECOND + n * 20 * MS;
        audio.packet(capture, 50 * MS + 3 * SECOND - capture, &mut clock);
        let (place, cause) = audio.place(capture, &clock);
        assert_eq!(cause, None);
        check_near(place, 50 * MS);
    }
}

#[test]
fn a_step_of_the_senders_wall_clock_moves_nothing() {
    let (mut clock, mut audio, mut video) = (clock(), Sender::audio(), Sender::video());
    for n in 0..10 {
        for track in [&mut audio, &mut video] {
            track.packet(n * SECOND, 50 * MS, &mut clock);
            track.report(n * SECOND, 50 * MS, &mut clock);
            track.place(n * SECOND, &clock);
        }
    }
    for step in [-3600 * SECOND, 7200 * SECOND] {
        for n in 10..20 {
            for track in [&mut audio, &mut video] {
                track.ntp_base += if n == 10 { step } else { 0 };
                track.packet(n * SECOND, 50 * MS, &mut clock);
                track.report(n * SECOND, 50 * MS, &mut clock);
                let (place, cause) = track.place(n * SECOND, &clock);
                assert_eq!(cause, None);
                check_near(place, 50 * MS);
            }
        }
    }
}

#[test]
fn a_report_before_the_first_packet_is_ignored() {
    let (mut clock, mut audio) = (clock(), Sender::audio());
    audio.report(0, 0, &mut clock);
    check_near(audio.unit(20 * MS, 50 * MS, &mut clock), 50 * MS);
}

#[test]
fn every_pts_follows_from_the_mapping_before_it() {
    let (mut clock, mut audio) = (clock(), Sender::audio());
    let mut random = StdRng::seed_from_u64(11);
    let mut mapping: Option<ClockMapping> = None;
    for n in 0..5000_i64 {
        let capture = n * 20 * MS;
        audio.packet(capture, random.random_range(40..90) * MS, &mut clock);
        if n % 100 == 7 {
            audio.ntp_base += random.random_range(-5..=5) * MS;
            audio.report(capture, random.random_range(40..90) * MS, &mut clock);
        }
        let rtp = audio.rtp(capture);
        let (pts, changed) = audio.sync.map(rtp, &clock);
        mapping = changed.or(mapping);
        let mapping = mapping.expect("the first unit has one");
        let ticks = i128::from(rtp) - i128::from(mapping.rtp_ts);
        let expected = i128::from(mapping.media.0) + ticks * 1_000_000_000 / 48_000;
        assert!(
            (i128::from(pts.0) - expected).abs() <= 1,
            "{pts:?} {expected}"
        );
    }
}

/// Four hours with drifting clocks and a jittery network. Returns the skew of each second after the first reports.
fn skews(audio_ppm: i64, video_ppm: i64, seed: u64) -> Vec<i64> {
    let (mut clock, mut audio, mut video) = (clock(), Sender::audio(), Sender::video());
    (audio.ppm, video.ppm) = (audio_ppm, video_ppm);
    let mut random = StdRng::seed_from_u64(seed);
    let mut skews = vec![];
    for n in 0..4 * 3600 {
        let second = n * SECOND;
        let (mut sound, mut picture) = (0, 0);
        for tick in 0..25 {
            let capture = second + tick * 40 * MS;
            sound = audio.unit(capture, random.random_range(25..60) * MS, &mut clock);
            picture = video.unit(capture, random.random_range(40..120) * MS, &mut clock);
        }
        video.report(
            second + 990 * MS,
            random.random_range(20..50) * MS,
            &mut clock,
        );
        if n % 5 == 0 {
            audio.report(
                second + 990 * MS,
                random.random_range(20..50) * MS,
                &mut clock,
            );
        }
        if n > 10 {
            skews.push((sound - picture).abs());
        }
    }
    skews.sort_unstable();
    skews
}

#[test]
fn sound_and_picture_stay_together_for_four_hours_of_drift() {
    for (audio_ppm, video_ppm) in [(0, 0), (200, -200), (-200, 200), (200, 200)] {
        let skews = skews(audio_ppm, video_ppm, 42);
        let p99 = skews[skews.len() * 99 / 100];
        assert!(p99 <= SKEW_MAX / 2, "p99 {p99} at {audio_ppm} {video_ppm}");
        assert!(
            skews[skews.len() - 1] <= SKEW_MAX,
            "{audio_ppm} {video_ppm}"
        );
    }
}
