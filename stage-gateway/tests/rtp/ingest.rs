//! Whole tracks through the ingest: loss, reordering and duplicates with fixed seeds.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use compositor_core::access_unit::{AccessUnit, Codec};
use compositor_core::id::{Layer, TrackId};
use compositor_core::journal::{ClockMapping, MappingCause};
use compositor_core::roster::LayerSize;
use compositor_core::time::{MediaTime, MonotonicTime};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use stage_gateway::rtp::limits::{AUDIO_REORDER_WAIT, KEYFRAME_RETRY_MIN, VIDEO_REPAIR_WAIT};
use stage_gateway::rtp::{
    IngestConfig, IngestOutput, NtpTime, ParticipantClock, RtpPacket, SenderReport, StageClock,
    TrackIngest,
};

use crate::source::{
    PPS, SPS_720P, VP8_DELTA, VP8_KEY, VP9_DELTA, VP9_KEY, annex_b, filled, fu_a, hex, idr,
    p_slice, stap_a, vp8_payloads, vp9_payloads,
};

const FRAME: Duration = Duration::from_millis(33);
const PIECE: usize = 1100;

fn at_ms(ms: u64) -> MonotonicTime {
    MonotonicTime(ms * 1_000_000)
}

/// An ingest, its clock, and what came out.
struct Ingest {
    ingest: TrackIngest,
    clock: ParticipantClock,
    units: Vec<AccessUnit>,
    mappings: Vec<ClockMapping>,
    sizes: Vec<LayerSize>,
    keyframes_asked: u32,
}

impl Ingest {
    fn new(codec: Codec) -> Self {
        let config = IngestConfig {
            track: TrackId(3),
            layer: Layer(1),
            codec,
        };
        Self {
            ingest: TrackIngest::new(config),
            clock: ParticipantClock::new(StageClock::starting(at_ms(0))),
            units: vec![],
            mappings: vec![],
            sizes: vec![],
            keyframes_asked: 0,
        }
    }

    fn rtp(&mut self, now: MonotonicTime, packet: RtpPacket) {
        self.ingest.handle_rtp(now, packet, &mut self.clock);
        self.drain();
    }

    /// Handles every timeout up to `now`, each at its time.
    fn timeouts(&mut self, now: MonotonicTime) {
        while let Some(at) = self.ingest.poll_timeout().filter(|at| *at <= now) {
            self.ingest.handle_timeout(at, &mut self.clock);
            self.drain();
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.ingest.poll_output() {
            match output {
                IngestOutput::AccessUnit(unit) => self.units.push(unit),
                IngestOutput::ClockMapping(mapping) => self.mappings.push(mapping),
                IngestOutput::LayerSize(size) => self.sizes.push(size),
                IngestOutput::NeedKeyframe => self.keyframes_asked += 1,
            }
        }
    }
}

/// Numbers packets.
struct Numbering {
    seq: u16,
    ssrc: u32,
}

impl Numbering {
    fn packets(&mut self, rtp_ts: u32, payloads: &[Vec<u8>]) -> Vec<RtpPacket> {
        let mut packets = vec![];
        for (n, payload) in payloads.iter().enumerate() {
            packets.push(RtpPacket {
                payload_type: 96,
                marker: n + 1 == payloads.len(),
                seq: self.seq,
                rtp_ts,
                ssrc: self.ssrc,
                abs_capture_time: None,
                payload: Bytes::copy_from_slice(payload),
            });
            self.seq = self.seq.wrapping_add(1);
        }
        packets
    }
}

/// Starts shortly before the sequence number wraps.
fn numbering() -> Numbering {
    Numbering {
        seq: 65_500,
        ssrc: 77,
    }
}

/// Frame `n` as it must come out, and its payloads.
fn frame(codec: Codec, n: u32, keyframe: bool) -> (Vec<u8>, Vec<Vec<u8>>) {
    let length = if keyframe { 9000 } else { 2500 } + n as usize % 700;
    let numbered = |head: &str| filled(&[&hex(head)[..], &n.to_be_bytes()].concat(), length);
    match (codec, keyframe) {
        (Codec::H264, true) => {
            let nals = [hex(SPS_720P), hex(PPS), idr(length)];
            let mut payloads = vec![stap_a(&nals[..2])];
            payloads.extend(fu_a(&nals[2], PIECE));
            (annex_b(&nals), payloads)
        }
        (Codec::H264, false) => {
            let slice = [&p_slice(length)[..], &n.to_be_bytes(), &[0x80]].concat();
            (annex_b(std::slice::from_ref(&slice)), fu_a(&slice, PIECE))
        }
        (Codec::Vp8, _) => {
            let frame = numbered(if keyframe { VP8_KEY } else { VP8_DELTA });
            let payloads = vp8_payloads(&frame, n as u16, PIECE);
            (frame, payloads)
        }
        (Codec::Vp9, _) => {
            let frame = numbered(if keyframe { VP9_KEY } else { VP9_DELTA });
            let payloads = vp9_payloads(&frame, keyframe, PIECE);
            (frame, payloads)
        }
        (Codec::Opus, _) => {
            let packet = [&[0xfc], &n.to_be_bytes()[..]].concat();
            (packet.clone(), vec![packet])
        }
    }
}

/// What the network does to packets.
struct Network {
    loss: f64,
    duplicates: f64,
    delay_ms_max: u64,
    /// A lost packet comes again after so long.
    repair: Option<Duration>,
}

/// Sends `frames` frames; the sender answers keyframe requests. Returns the ingest and what was sent, in order.
fn run(codec: Codec, frames: u32, network: &Network, seed: u64) -> (Ingest, Vec<Vec<u8>>) {
    let mut random = StdRng::seed_from_u64(seed);
    let (mut ingest, mut numbering) = (Ingest::new(codec), numbering());
    let mut under_way: BTreeMap<(MonotonicTime, u64), RtpPacket> = BTreeMap::new();
    let (mut sent, mut answered, mut order) = (vec![], 0, 0);
    let ticks = if codec == Codec::Opus {
        33 * 48
    } else {
        33 * 90
    };
    for n in 0..frames + 30 {
        let now = MonotonicTime(u64::from(n) * FRAME.as_nanos() as u64);
        while let Some(entry) = under_way.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((arrival, _), packet) = entry.remove_entry();
            ingest.timeouts(arrival);
            ingest.rtp(arrival, packet);
        }
        ingest.timeouts(now);
        if n >= frames {
            continue;
        }
        let keyframe = n == 0 || ingest.keyframes_asked > answered;
        answered = ingest.keyframes_asked;
        let (data, payloads) = frame(codec, n, keyframe);
        sent.push(data);
        for packet in numbering.packets(n * ticks, &payloads) {
            let mut send = |at: MonotonicTime, packet: &RtpPacket, random: &mut StdRng| {
                let delay_ms = random.random_range(0..=network.delay_ms_max);
                let delay = Duration::from_millis(if n == 0 { 0 } else { delay_ms });
                order += 1;
                under_way.insert((at.plus(delay), order), packet.clone());
            };
            // The first frame arrives in order, so that there is a first packet to count from.
            if n > 0 && random.random_bool(network.loss) {
                if let Some(repair) = network.repair {
                    send(now.plus(repair), &packet, &mut random);
                }
                continue;
            }
            send(now, &packet, &mut random);
            if random.random_bool(network.duplicates) {
                send(now, &packet, &mut random);
            }
        }
    }
    (ingest, sent)
}

/// No unit is anything but a sent frame, and none is put out whose predecessor is missing.
#[track_caller]
fn check_whole(ingest: &Ingest, sent: &[Vec<u8>]) -> usize {
    let mut expected = 0;
    let mut skipped = 0;
    for unit in &ingest.units {
        let n = expected
            + sent[expected..]
                .iter()
                .position(|frame| unit.data == frame[..])
                .expect("every unit is a frame that was sent, in order");
        assert_eq!(unit.discontinuity, n > expected, "frame {n}");
        assert!(n == expected || unit.keyframe, "frame {n} follows a hole");
        skipped += n - expected;
        expected = n + 1;
    }
    skipped + sent.len() - expected
}

const VIDEO: [Codec; 3] = [Codec::H264, Codec::Vp8, Codec::Vp9];
const CODECS: [Codec; 4] = [Codec::H264, Codec::Vp8, Codec::Vp9, Codec::Opus];

#[test]
fn a_clean_network_delivers_every_frame_without_a_request() {
    for codec in CODECS {
        let network = Network {
            loss: 0.0,
            duplicates: 0.0,
            delay_ms_max: 0,
            repair: None,
        };
        let (ingest, sent) = run(codec, 300, &network, 1);
        assert_eq!(check_whole(&ingest, &sent), 0);
        assert_eq!(ingest.keyframes_asked, 0);
        assert_eq!(ingest.mappings.len(), 1);
    }
}

#[test]
fn reordering_and_duplicates_lose_nothing() {
    for codec in CODECS {
        let network = Network {
            loss: 0.0,
            duplicates: 0.2,
            delay_ms_max: 30,
            repair: None,
        };
        let (ingest, sent) = run(codec, 500, &network, 2);
        assert_eq!(check_whole(&ingest, &sent), 0, "{codec:?}");
        let stats = ingest.ingest.stats();
        assert!(
            stats.duplicate > 50 && (codec == Codec::Opus || stats.reordered > 50),
            "{stats:?}"
        );
        assert_eq!((stats.lost, stats.late, stats.broken), (0, 0, 0));
        assert_eq!(stats.units, 500);
    }
}

#[test]
fn repaired_loss_loses_nothing() {
    for codec in VIDEO {
        let repair = Some(Duration::from_millis(100));
        let network = Network {
            loss: 0.1,
            duplicates: 0.0,
            delay_ms_max: 10,
            repair,
        };
        let (ingest, sent) = run(codec, 500, &network, 3);
        assert_eq!(check_whole(&ingest, &sent), 0, "{codec:?}");
        assert_eq!(ingest.keyframes_asked, 0);
        assert_eq!(ingest.ingest.stats().lost, 0);
    }
}

#[test]
fn real_loss_skips_to_the_next_keyframe_and_asks_for_it() {
    for codec in VIDEO {
        for seed in 0..10 {
            let network = Network {
                loss: 0.01,
                duplicates: 0.05,
                delay_ms_max: 20,
                repair: None,
            };
            let (ingest, sent) = run(codec, 600, &network, seed);
            let missing = check_whole(&ingest, &sent);
            assert!(missing > 0 && missing < 500, "{codec:?} {seed} {missing}");
            assert!(ingest.keyframes_asked > 0);
            let stats = ingest.ingest.stats();
            assert_eq!(stats.units as usize + missing, sent.len(), "{stats:?}");
            assert!(stats.lost > 0);
        }
    }
}

#[test]
fn lost_audio_is_skipped_and_flagged_without_a_request() {
    let network = Network {
        loss: 0.05,
        duplicates: 0.05,
        delay_ms_max: 10,
        repair: None,
    };
    let (ingest, sent) = run(Codec::Opus, 1000, &network, 5);
    let missing = check_whole(&ingest, &sent);
    assert!(missing > 20 && missing < 80, "{missing}");
    assert_eq!(ingest.keyframes_asked, 0);
    assert!(ingest.units.iter().all(|unit| unit.keyframe));
}

#[test]
fn packets_repaired_too_late_are_counted() {
    let repair = Some(VIDEO_REPAIR_WAIT * 2);
    let network = Network {
        loss: 0.02,
        duplicates: 0.0,
        delay_ms_max: 0,
        repair,
    };
    let (ingest, sent) = run(Codec::Vp8, 300, &network, 6);
    check_whole(&ingest, &sent);
    let stats = ingest.ingest.stats();
    assert!(stats.late > 0 && stats.late <= stats.lost, "{stats:?}");
}

/// The first frame and the second without its first packet.
fn with_hole(codec: Codec) -> (Ingest, MonotonicTime) {
    let (mut ingest, mut numbering) = (Ingest::new(codec), numbering());
    for packet in numbering.packets(0, &frame(codec, 0, true).1) {
        ingest.rtp(at_ms(0), packet);
    }
    numbering.packets(3000, &frame(codec, 1, false).1);
    for packet in numbering.packets(6000, &frame(codec, 2, false).1) {
        ingest.rtp(at_ms(40), packet);
    }
    assert_eq!(ingest.units.len(), 1);
    (ingest, at_ms(40))
}

#[test]
fn video_waits_for_repair_and_audio_only_for_reordering() {
    for (codec, wait) in [
        (Codec::Vp8, VIDEO_REPAIR_WAIT),
        (Codec::Opus, AUDIO_REORDER_WAIT),
    ] {
        let (mut ingest, noticed) = with_hole(codec);
        let deadline = noticed.plus(wait);
        assert_eq!(ingest.ingest.poll_timeout(), Some(deadline));
        ingest.timeouts(MonotonicTime(deadline.0 - 1));
        assert_eq!(ingest.ingest.stats().lost, 0);
        ingest.timeouts(deadline);
        assert!(ingest.ingest.stats().lost > 0);
        assert_eq!(ingest.units.len(), if codec == Codec::Opus { 2 } else { 1 });
        assert_eq!(
            ingest.keyframes_asked,
            if codec == Codec::Opus { 0 } else { 1 }
        );
    }
}

#[test]
fn a_keyframe_that_does_not_come_is_asked_for_again_more_and_more_slowly() {
    let (mut ingest, noticed) = with_hole(Codec::Vp8);
    let lost_at = noticed.plus(VIDEO_REPAIR_WAIT);
    ingest.timeouts(lost_at);
    assert_eq!(ingest.keyframes_asked, 1);
    ingest.timeouts(MonotonicTime(lost_at.plus(KEYFRAME_RETRY_MIN).0 - 1));
    assert_eq!(ingest.keyframes_asked, 1);
    ingest.timeouts(lost_at.plus(KEYFRAME_RETRY_MIN));
    assert_eq!(ingest.keyframes_asked, 2);
    ingest.timeouts(lost_at.plus(KEYFRAME_RETRY_MIN * 3));
    assert_eq!(ingest.keyframes_asked, 3);
    ingest.timeouts(lost_at.plus(KEYFRAME_RETRY_MIN * 7));
    assert_eq!(ingest.keyframes_asked, 4);
}

#[test]
fn a_stream_that_begins_in_the_middle_asks_at_its_first_frame() {
    let (mut ingest, mut numbering) = (Ingest::new(Codec::Vp8), numbering());
    for packet in numbering.packets(0, &frame(Codec::Vp8, 0, false).1) {
        ingest.rtp(at_ms(0), packet);
    }
    assert_eq!((ingest.units.len(), ingest.keyframes_asked), (0, 1));
    for packet in numbering.packets(3000, &frame(Codec::Vp8, 1, true).1) {
        ingest.rtp(at_ms(33), packet);
    }
    assert_eq!((ingest.units.len(), ingest.keyframes_asked), (1, 1));
    assert_eq!(ingest.ingest.stats().units_unusable, 1);
}

#[test]
fn the_size_is_told_once_and_when_it_changes() {
    let (mut ingest, mut numbering) = (Ingest::new(Codec::Vp8), numbering());
    let small = filled(&hex("9069009d012a4001b400"), 50);
    for (n, data) in [hex(VP8_KEY), hex(VP8_DELTA), hex(VP8_KEY), small]
        .iter()
        .enumerate()
    {
        for packet in numbering.packets(n as u32 * 3000, &vp8_payloads(data, n as u16, PIECE)) {
            ingest.rtp(at_ms(n as u64 * 33), packet);
        }
    }
    let size = |width, height| LayerSize {
        layer: Layer(1),
        width,
        height,
    };
    assert_eq!(ingest.sizes, vec![size(322, 242), size(320, 180)]);
}

#[test]
fn another_source_on_the_same_layer_starts_over() {
    let (mut ingest, mut numbering) = (Ingest::new(Codec::Vp8), numbering());
    for packet in numbering.packets(900_000, &frame(Codec::Vp8, 0, true).1) {
        ingest.rtp(at_ms(0), packet);
    }
    let mut other = Numbering { seq: 9, ssrc: 78 };
    for packet in other.packets(5, &frame(Codec::Vp8, 1, true).1) {
        ingest.rtp(at_ms(500), packet);
    }
    assert_eq!(ingest.units.len(), 2);
    assert!(ingest.units[1].discontinuity);
    assert_eq!(ingest.units[1].pts, MediaTime(500_000_000));
}

#[test]
fn capture_times_take_the_place_of_reports() {
    let mut ingest = Ingest::new(Codec::Opus);
    let mut numbering = numbering();
    for n in 0..100_u32 {
        let mut packet = numbering
            .packets(n * 960, &frame(Codec::Opus, n, true).1)
            .remove(0);
        let captured = Duration::from_millis(1_000_000 + u64::from(n) * 20);
        packet.abs_capture_time = Some(NtpTime::from_duration(captured));
        ingest.rtp(at_ms(50 + u64::from(n) * 20), packet);
        let wrong = SenderReport {
            ntp: NtpTime(u64::from(n) << 40),
            rtp_ts: n * 77,
        };
        ingest
            .ingest
            .handle_sender_report(at_ms(50), wrong, &mut ingest.clock);
    }
    assert_eq!(ingest.units.len(), 100);
    assert!(
        ingest
            .mappings
            .iter()
            .all(|mapping| mapping.cause == MappingCause::Arrival)
    );
    for (n, unit) in ingest.units.iter().enumerate() {
        let expected = 50_000_000 + n as i64 * 20_000_000;
        assert!(
            (unit.pts.0 as i64 - expected).abs() < 1000,
            "{n} {:?}",
            unit.pts
        );
    }
}
