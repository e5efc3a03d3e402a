//! Forwards one layer at a time of a source to one subscriber, as if it were one stream. Pure.
//!
//! A switch happens at a keyframe: sequence numbers go on, RTP timestamps go on by the time that passed, and so do the
//! picture numbers of VP8 and VP9, so that the receiver's decoder sees a keyframe and no tear.

pub(crate) mod gather;
pub(crate) mod payload;

use bytes::Bytes;
use compositor_core::access_unit::{Codec, MediaKind};
use compositor_core::id::{Layer, TrackId};
use compositor_core::time::MonotonicTime;

use crate::rtp::RtpPacket;
use payload::PictureNumbers;

/// A received packet on its way to the subscribers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Forwarded {
    /// Where it comes from.
    pub(crate) source: Source,
    /// When it arrived.
    pub(crate) arrived: MonotonicTime,
    /// Whether it is the first packet of a keyframe; true for all audio.
    pub(crate) keyframe: bool,
    /// The packet as received.
    pub(crate) packet: RtpPacket,
}

/// One layer of one track.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Source {
    /// Which track.
    pub(crate) track: TrackId,
    /// Which layer of it.
    pub(crate) layer: Layer,
}

/// What goes out for a forwarded packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Outgoing {
    /// Sequence number.
    pub(crate) seq: u16,
    /// RTP timestamp.
    pub(crate) rtp_ts: u32,
    /// As received.
    pub(crate) marker: bool,
    /// As received but for picture numbers.
    pub(crate) payload: Bytes,
}

/// Makes one stream of many sources of one codec.
#[derive(Debug)]
pub(crate) struct Forwarder {
    codec: Codec,
    target: Option<Source>,
    current: Option<Current>,
    newest: Option<Newest>,
}

/// How far the oldest sequence number that is still forwarded may be behind the newest; a quarter of them all.
const FLOOR_BEHIND_MAX: u16 = 0x4000;

/// What is forwarded and how its numbers are shifted.
#[derive(Clone, Copy, Debug)]
struct Current {
    source: Source,
    first_seq: u16,
    seq_shift: u16,
    rtp_ts_shift: u32,
    picture_id_shift: u16,
    tl0_shift: u8,
}

impl Current {
    /// Sequence numbers go round: a floor that stayed where the switch was would be ahead of half of them.
    fn follow(&mut self, seq: u16) {
        if seq.wrapping_sub(self.first_seq) >= FLOOR_BEHIND_MAX {
            self.first_seq = seq.wrapping_sub(FLOOR_BEHIND_MAX / 2);
        }
    }
}

/// The newest of what went out.
#[derive(Clone, Copy, Debug)]
struct Newest {
    seq: u16,
    rtp_ts: u32,
    arrived: MonotonicTime,
    numbers: PictureNumbers,
}

impl Forwarder {
    /// A forwarder that waits for a target.
    pub(crate) fn new(codec: Codec) -> Self {
        Self {
            codec,
            target: None,
            current: None,
            newest: None,
        }
    }

    /// Goes over to `target` at its next keyframe.
    pub(crate) fn set_target(&mut self, target: Option<Source>) {
        self.target = target;
    }

    /// What it goes or has gone over to.
    pub(crate) fn target(&self) -> Option<Source> {
        self.target
    }

    /// The target while its keyframe has not come.
    pub(crate) fn awaited(&self) -> Option<Source> {
        let current = self.current.map(|current| current.source);
        self.target.filter(|target| Some(*target) != current)
    }

    /// What goes out for `forwarded`; nothing when it is of another layer or from before the switch.
    pub(crate) fn forward(&mut self, forwarded: &Forwarded) -> Option<Outgoing> {
        let source = forwarded.source;
        if self.awaited() == Some(source) && forwarded.keyframe {
            self.switch_to(forwarded);
        }
        let current = self.current.as_mut()?;
        if current.source != source || is_before(forwarded.packet.seq, current.first_seq) {
            return None;
        }
        current.follow(forwarded.packet.seq);
        let current = *current;
        let outgoing = Outgoing {
            seq: forwarded.packet.seq.wrapping_add(current.seq_shift),
            rtp_ts: forwarded.packet.rtp_ts.wrapping_add(current.rtp_ts_shift),
            marker: forwarded.packet.marker,
            payload: shifted(self.codec, &current, &forwarded.packet.payload),
        };
        self.remember(forwarded, &outgoing);
        Some(outgoing)
    }

    fn switch_to(&mut self, forwarded: &Forwarded) {
        let RtpPacket { seq, rtp_ts, .. } = forwarded.packet;
        let theirs = payload::picture_numbers(self.codec, &forwarded.packet.payload);
        let mut current = Current {
            source: forwarded.source,
            first_seq: seq,
            seq_shift: 0,
            rtp_ts_shift: 0,
            picture_id_shift: 0,
            tl0_shift: 0,
        };
        if let Some(newest) = self.newest {
            let passed = forwarded.arrived.since(newest.arrived).as_nanos();
            let ticks = (passed * u128::from(clock_rate(self.codec)) / 1_000_000_000) as u32;
            let next_rtp_ts = newest.rtp_ts.wrapping_add(ticks.max(1));
            current.seq_shift = newest.seq.wrapping_add(1).wrapping_sub(seq);
            current.rtp_ts_shift = next_rtp_ts.wrapping_sub(rtp_ts);
            if let (Some(ours), Some(theirs)) = (newest.numbers.picture_id, theirs.picture_id) {
                current.picture_id_shift = ours.wrapping_add(1).wrapping_sub(theirs) & 0x7fff;
            }
            if let (Some(ours), Some(theirs)) = (newest.numbers.tl0, theirs.tl0) {
                current.tl0_shift = ours.wrapping_add(1).wrapping_sub(theirs);
            }
        }
        self.current = Some(current);
    }

    fn remember(&mut self, forwarded: &Forwarded, outgoing: &Outgoing) {
        if self
            .newest
            .is_some_and(|newest| is_before(outgoing.seq, newest.seq))
        {
            return;
        }
        self.newest = Some(Newest {
            seq: outgoing.seq,
            rtp_ts: outgoing.rtp_ts,
            arrived: forwarded.arrived,
            numbers: payload::picture_numbers(self.codec, &outgoing.payload),
        });
    }
}

fn shifted(codec: Codec, current: &Current, original: &Bytes) -> Bytes {
    if current.picture_id_shift == 0 && current.tl0_shift == 0 {
        return original.clone();
    }
    let mut numbers = payload::picture_numbers(codec, original);
    numbers.picture_id = numbers
        .picture_id
        .map(|id| id.wrapping_add(current.picture_id_shift) & 0x7fff);
    numbers.tl0 = numbers.tl0.map(|tl0| tl0.wrapping_add(current.tl0_shift));
    let mut copy = original.to_vec();
    payload::set_picture_numbers(codec, &mut copy, numbers);
    copy.into()
}

/// Ticks per second of a codec's RTP timestamps.
pub(crate) fn clock_rate(codec: Codec) -> u32 {
    match codec.kind() {
        MediaKind::Audio => 48_000,
        MediaKind::Video => 90_000,
    }
}

/// Whether `seq` precedes `other` on the circle of sequence numbers.
fn is_before(seq: u16, other: u16) -> bool {
    seq != other && other.wrapping_sub(seq) < 0x8000
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: Source = Source {
        track: TrackId(1),
        layer: Layer(0),
    };
    const HIGH: Source = Source {
        track: TrackId(1),
        layer: Layer(1),
    };

    /// A VP8 packet that starts a frame, with a 15 bit picture id and TL0PICIDX.
    fn packet(source: Source, at_ms: u64, seq: u16, rtp_ts: u32, keyframe: bool) -> Forwarded {
        let numbers = [0x80 | (seq >> 8) as u8 & 0x7f, seq as u8, seq as u8];
        let mut data = vec![0x90, 0xe0];
        data.extend(numbers);
        data.extend([0x20, u8::from(!keyframe)]);
        Forwarded {
            source,
            arrived: MonotonicTime(at_ms * 1_000_000),
            keyframe,
            packet: RtpPacket {
                payload_type: 96,
                marker: true,
                seq,
                rtp_ts,
                ssrc: 7,
                abs_capture_time: None,
                payload: data.into(),
            },
        }
    }

    #[test]
    fn forwarding_starts_at_a_keyframe() {
        let mut forwarder = Forwarder::new(Codec::Vp8);
        forwarder.set_target(Some(LOW));
        assert_eq!(forwarder.forward(&packet(LOW, 0, 10, 100, false)), None);
        assert_eq!(forwarder.awaited(), Some(LOW));
        let out = forwarder.forward(&packet(LOW, 33, 11, 3100, true)).unwrap();
        assert_eq!((out.seq, out.rtp_ts), (11, 3100));
        assert_eq!(forwarder.awaited(), None);
        assert_eq!(forwarder.forward(&packet(LOW, 34, 9, 100, false)), None);
    }

    #[test]
    fn sequence_numbers_go_round_without_a_gap() {
        let mut forwarder = Forwarder::new(Codec::Vp8);
        forwarder.set_target(Some(LOW));
        for n in 0..200_000_u32 {
            let seq = 60_000_u16.wrapping_add(n as u16);
            let out = forwarder.forward(&packet(LOW, 0, seq, n, n == 0));
            assert_eq!(out.map(|out| out.seq), Some(seq), "packet {n}");
        }
        let last = 60_000_u16.wrapping_add(199_999_u32 as u16);
        let late = packet(LOW, 0, last.wrapping_sub(100), 0, false);
        assert!(forwarder.forward(&late).is_some());
    }

    #[test]
    fn a_switch_goes_on_in_every_number() {
        let mut forwarder = Forwarder::new(Codec::Vp8);
        forwarder.set_target(Some(LOW));
        forwarder.forward(&packet(LOW, 0, 65_535, 1_000, true));
        forwarder.set_target(Some(HIGH));
        let still_low = forwarder
            .forward(&packet(LOW, 33, 0, 3_970, false))
            .unwrap();
        assert_eq!((still_low.seq, still_low.rtp_ts), (0, 3_970));
        assert_eq!(forwarder.forward(&packet(HIGH, 50, 500, 77, false)), None);
        let high = forwarder
            .forward(&packet(HIGH, 66, 501, 3_000_000, true))
            .unwrap();
        assert_eq!(high.seq, 1);
        assert_eq!(high.rtp_ts, 3_970 + 2_970);
        let numbers = payload::picture_numbers(Codec::Vp8, &high.payload);
        assert_eq!(
            numbers,
            PictureNumbers {
                picture_id: Some(1),
                tl0: Some(1)
            }
        );
        assert_eq!(forwarder.forward(&packet(LOW, 67, 1, 6_940, false)), None);
        let next = forwarder
            .forward(&packet(HIGH, 99, 502, 3_003_000, false))
            .unwrap();
        assert_eq!((next.seq, next.rtp_ts), (2, 3_970 + 2_970 + 3_000));
    }

    #[test]
    fn reordered_packets_keep_their_distance() {
        let mut forwarder = Forwarder::new(Codec::Vp8);
        forwarder.set_target(Some(LOW));
        forwarder.forward(&packet(LOW, 0, 10, 0, true));
        assert_eq!(
            forwarder
                .forward(&packet(LOW, 1, 12, 0, false))
                .unwrap()
                .seq,
            12
        );
        assert_eq!(
            forwarder
                .forward(&packet(LOW, 2, 11, 0, false))
                .unwrap()
                .seq,
            11
        );
        forwarder.set_target(Some(HIGH));
        assert_eq!(
            forwarder
                .forward(&packet(HIGH, 9, 900, 0, true))
                .unwrap()
                .seq,
            13
        );
    }
}
