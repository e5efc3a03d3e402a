//! Random and mutated bytes: nothing panics, nothing grows without bound, and sound streams work afterwards.

use bytes::Bytes;
use compositor_core::access_unit::Codec;
use compositor_core::bitstream::h264::{Pps, SliceHead, Sps};
use compositor_core::id::{Layer, TrackId};
use compositor_core::time::MonotonicTime;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, proptest};
use proptest::sample::select;
use stage_gateway::rtp::depacketize::{Depacketized, Depacketizer, Payload};
use stage_gateway::rtp::{
    IngestConfig, NtpTime, ParticipantClock, RtpPacket, SenderReport, StageClock, TrackIngest,
};

use crate::source::{
    Bench, PPS, SPS_720P, VP8_KEY, VP9_KEY, filled, fu_a, hex, idr, stap_a, vp8_payloads,
    vp9_payloads,
};

const CODECS: [Codec; 4] = [Codec::H264, Codec::Vp8, Codec::Vp9, Codec::Opus];

/// A picture as it should be.
fn sound(codec: Codec) -> Vec<Vec<u8>> {
    match codec {
        Codec::H264 => {
            let mut payloads = vec![stap_a(&[hex(SPS_720P), hex(PPS)])];
            payloads.extend(fu_a(&idr(3000), 1000));
            payloads
        }
        Codec::Vp8 => vp8_payloads(&filled(&hex(VP8_KEY), 3000), 1, 1000),
        Codec::Vp9 => vp9_payloads(&filled(&hex(VP9_KEY), 3000), true, 1000),
        Codec::Opus => vec![vec![0xfc, 1, 2, 3]],
    }
}

fn payload_bytes() -> impl Strategy<Value = Vec<u8>> {
    let mutated = (
        select(&CODECS[..]),
        any::<u8>(),
        vec((any::<u16>(), any::<u8>()), 0..4),
    )
        .prop_map(|(codec, which, mutations)| {
            let payloads = sound(codec);
            let mut payload = payloads[usize::from(which) % payloads.len()].clone();
            for (place, byte) in mutations {
                // Most of what matters is in the first bytes.
                let place = usize::from(place) % payload.len().min(40);
                payload[place] = byte;
            }
            payload
        });
    let truncated =
        (select(&CODECS[..]), any::<u8>(), 0..40_usize).prop_map(|(codec, which, cut)| {
            let payloads = sound(codec);
            let mut payload = payloads[usize::from(which) % payloads.len()].clone();
            payload.truncate(cut);
            payload
        });
    proptest::prop_oneof![vec(any::<u8>(), 0..64), mutated, truncated]
}

proptest! {
    #[test]
    fn depacketizers_survive_any_payloads(
        codec in select(&CODECS[..]),
        inputs in vec((payload_bytes(), any::<bool>(), 0..3_u64, 0..8_u8), 1..40),
    ) {
        let mut depacketizer = Depacketizer::new(codec);
        let mut out = vec![];
        let mut rtp_ts = 0;
        for (data, marker, step, lose) in inputs {
            rtp_ts += step * 3000;
            if lose == 0 {
                depacketizer.lose(&mut out);
            }
            depacketizer.push(Payload { rtp_ts, marker, data: data.into() }, &mut out);
        }
        for frame in &out {
            if let Depacketized::Frame(frame) = frame {
                prop_assert!(!frame.data.is_empty());
            }
        }
        out.clear();
        let payloads = sound(codec);
        for (n, data) in payloads.iter().enumerate() {
            let marker = n + 1 == payloads.len();
            let data = Bytes::copy_from_slice(data);
            depacketizer.push(Payload { rtp_ts: rtp_ts + 3000, marker, data }, &mut out);
        }
        prop_assert!(matches!(out.last(), Some(Depacketized::Frame(frame)) if frame.keyframe));
    }

    #[test]
    fn parameter_sets_and_slices_survive_any_bytes(bytes in vec(any::<u8>(), 0..80)) {
        let _ = (Sps::parse(&bytes), Pps::parse(&bytes), SliceHead::parse(&bytes));
        let mut sps = hex(SPS_720P);
        sps.splice(4.min(bytes.len()).., bytes);
        let _ = Sps::parse(&sps);
    }

    #[test]
    fn an_ingest_survives_any_packets_and_reports(
        codec in select(&CODECS[..]),
        inputs in vec(
            (any::<(bool, u16, u32, u64)>(), payload_bytes(), 0..200_u64, 0..20_u8),
            1..60,
        ),
    ) {
        let mut clock = ParticipantClock::new(StageClock::starting(MonotonicTime(0)));
        let config = IngestConfig { track: TrackId(1), layer: Layer(0), codec };
        let mut ingest = TrackIngest::new(config);
        let mut now = MonotonicTime(0);
        let mut units = 0;
        for ((marker, seq, rtp_ts, ntp), payload, ms, choice) in inputs {
            now = MonotonicTime(now.0 + ms * 1_000_000);
            let ssrc = u32::from(choice == 0);
            // Half of the sequence numbers are close together, so that some packets are accepted in order.
            let seq = if choice % 2 == 0 { seq % 64 } else { seq };
            let abs_capture_time = (choice == 1).then_some(NtpTime(ntp));
            let payload = payload.into();
            let packet =
                RtpPacket { payload_type: 96, marker, seq, rtp_ts, ssrc, abs_capture_time, payload };
            ingest.handle_rtp(now, packet, &mut clock);
            if choice == 2 {
                let report = SenderReport { ntp: NtpTime(ntp), rtp_ts };
                ingest.handle_sender_report(now, report, &mut clock);
            }
            if ingest.poll_timeout().is_some_and(|at| at <= now) {
                ingest.handle_timeout(now, &mut clock);
            }
            prop_assert!(ingest.poll_timeout().is_none_or(|at| at > now));
            while ingest.poll_output().is_some() {
                units += 1;
            }
        }
        prop_assert!(units <= 60 * 4);
    }
}

#[test]
fn a_picture_without_end_is_given_up_at_the_size_limit() {
    let mut endless = fu_a(&idr(200_000), 60_000);
    endless.pop();
    let middle = endless.pop().expect("several fragments");
    let mut bench = Bench::new(Codec::H264);
    bench.push(1, false, &endless[0]);
    for _ in 0..200 {
        bench.push(1, false, &middle);
    }
    bench.broken();

    let mut bench = Bench::new(Codec::Vp8);
    let payloads = vp8_payloads(&filled(&hex(VP8_KEY), 120_000), 1, 60_000);
    bench.push(1, false, &payloads[0]);
    for _ in 0..200 {
        bench.push(1, false, &payloads[1]);
    }
    bench.broken();
}
