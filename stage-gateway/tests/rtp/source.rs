//! Makes the packets that the tests feed in.

use bytes::Bytes;
use compositor_core::access_unit::Codec;
use stage_gateway::rtp::depacketize::{CodedFrame, Depacketized, Depacketizer, Payload};

/// SPS and PPS as x264 writes them for 1280x720, High profile.
pub(crate) const SPS_720P: &str = "6764001facb200a00b7602d40404050000030001000003003c8f183248";
pub(crate) const PPS: &str = "68ebccb22c";

/// The first bytes of a VP8 keyframe of 322x242 and of its successor, as libvpx writes them.
pub(crate) const VP8_KEY: &str = "9069009d012a4201f200004708858588";
pub(crate) const VP8_DELTA: &str = "f11d002f11e8001bc846ffc58ffffd2b";

/// The first bytes of a VP9 keyframe of 642x362 and of its successor, as libvpx writes them.
pub(crate) const VP9_KEY: &str = "8249834220281016961438241c18ae10";
pub(crate) const VP9_DELTA: &str = "86004092f1f1570401007c1d3bc277bf";

pub(crate) fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).expect("hex digits"))
        .collect()
}

/// An IDR slice of picture parameter set 0 that starts its picture.
pub(crate) fn idr(length: usize) -> Vec<u8> {
    filled(&[0x65, 0x88, 0x84], length)
}

/// A P slice of picture parameter set 0 that starts its picture.
pub(crate) fn p_slice(length: usize) -> Vec<u8> {
    filled(&[0x41, 0x9a], length)
}

/// A P slice that continues its picture at macroblock 1.
pub(crate) fn later_slice(length: usize) -> Vec<u8> {
    filled(&[0x41, 0x46, 0x80], length)
}

/// `head` and then bytes that differ from place to place, `length` in all.
pub(crate) fn filled(head: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = head.to_vec();
    bytes.extend((head.len()..length).map(|n| (n % 251) as u8 | 1));
    bytes
}

pub(crate) fn annex_b(nals: &[Vec<u8>]) -> Vec<u8> {
    nals.iter()
        .flat_map(|nal| [&[0, 0, 0, 1], &nal[..]].concat())
        .collect()
}

pub(crate) fn stap_a(nals: &[Vec<u8>]) -> Vec<u8> {
    let sized = |nal: &Vec<u8>| [&(nal.len() as u16).to_be_bytes()[..], nal].concat();
    [vec![0x78], nals.iter().flat_map(sized).collect()].concat()
}

pub(crate) fn fu_a(nal: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let pieces: Vec<&[u8]> = nal[1..].chunks(piece).collect();
    let last = pieces.len() - 1;
    let fragment = |(n, piece): (usize, &&[u8])| {
        let bits = if n == 0 { 0x80 } else { 0 } | if n == last { 0x40 } else { 0 };
        [&[nal[0] & 0xe0 | 28, nal[0] & 0x1f | bits], *piece].concat()
    };
    pieces.iter().enumerate().map(fragment).collect()
}

/// A VP8 frame as payloads with a 15-bit picture id.
pub(crate) fn vp8_payloads(frame: &[u8], picture_id: u16, piece: usize) -> Vec<Vec<u8>> {
    let [high, low] = (picture_id & 0x7fff | 0x8000).to_be_bytes();
    let payload = |(n, piece): (usize, &[u8])| {
        let start = if n == 0 { 0x10 } else { 0 };
        [&[0x80 | start, 0x80, high, low], piece].concat()
    };
    frame.chunks(piece).enumerate().map(payload).collect()
}

/// A VP9 layer frame as payloads in non-flexible mode, one spatial layer, with a 7-bit picture id.
pub(crate) fn vp9_payloads(frame: &[u8], keyframe: bool, piece: usize) -> Vec<Vec<u8>> {
    let last = frame.chunks(piece).count() - 1;
    let payload = |(n, piece): (usize, &[u8])| {
        let mut head = 0x80 | if keyframe { 0 } else { 0x40 };
        head |= if n == 0 { 0x08 } else { 0 } | if n == last { 0x04 } else { 0 };
        [&[head, 0x11], piece].concat()
    };
    frame.chunks(piece).enumerate().map(payload).collect()
}

/// A depacketizer and what came out of it.
pub(crate) struct Bench {
    depacketizer: Depacketizer,
    pub(crate) out: Vec<Depacketized>,
}

impl Bench {
    pub(crate) fn new(codec: Codec) -> Self {
        Self {
            depacketizer: Depacketizer::new(codec),
            out: vec![],
        }
    }

    /// One picture: all payloads share a timestamp, the last one has the marker.
    pub(crate) fn picture(&mut self, rtp_ts: u64, payloads: &[Vec<u8>]) -> &mut Self {
        for (n, payload) in payloads.iter().enumerate() {
            self.push(rtp_ts, n + 1 == payloads.len(), payload);
        }
        self
    }

    pub(crate) fn push(&mut self, rtp_ts: u64, marker: bool, payload: &[u8]) -> &mut Self {
        let data = Bytes::copy_from_slice(payload);
        self.depacketizer.push(
            Payload {
                rtp_ts,
                marker,
                data,
            },
            &mut self.out,
        );
        self
    }

    pub(crate) fn lose(&mut self) -> &mut Self {
        self.depacketizer.lose(&mut self.out);
        self
    }

    /// The frames since the last call; anything broken fails the test.
    #[track_caller]
    pub(crate) fn frames(&mut self) -> Vec<CodedFrame> {
        let frame = |out: Depacketized| match out {
            Depacketized::Frame(frame) => frame,
            Depacketized::Broken => panic!("something was broken"),
        };
        self.out.drain(..).map(frame).collect()
    }

    #[track_caller]
    pub(crate) fn broken(&mut self) {
        assert_eq!(std::mem::take(&mut self.out), vec![Depacketized::Broken]);
    }
}
