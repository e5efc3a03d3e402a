//! What the parsers of this crate are fed: plain functions of bytes, which must return.

use std::fs;

use ::fuzz::fuzz;
use bytes::{Buf, Bytes, BytesMut};
use compositor_core::access_unit::Codec;
use compositor_core::id::{Layer, TrackId};
use compositor_core::journal::{JournalSeq, Record};
use compositor_core::time::{MonotonicTime, WallTime};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use p384::SecretKey;
use p384::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use rtc::shared::marshal::Unmarshal;
use tokio::sync::mpsc;

use crate::forward::payload::starts_keyframe;
use crate::journal::{Replay, segment};
use crate::mux::stun;
use crate::rtcp::RtcpTap;
use crate::rtp::{IngestConfig, ParticipantClock, RtpPacket, StageClock, TrackIngest};
use crate::sdp::{
    Purpose, check_fragment, check_offer, restart_fragment, with_candidates, with_credentials,
    with_start_bitrate,
};
use crate::token::{self, ImportedKey, TokenIssuer, TokenKey};

macro_rules! corpus {
    ($name:literal) => {
        concat!("corpus/", $name)
    };
}

/// What publishers may send, by the payload types of the corpus.
const CODECS: [(u8, Codec); 4] = [
    (96, Codec::Vp8),
    (98, Codec::Vp9),
    (102, Codec::H264),
    (111, Codec::Opus),
];

/// Between two packets.
const STEP_NANOS: u64 = 7_000_000;

/// A multiple of this may come out of that many packets.
const UNITS_PER_PACKET_MAX: usize = 64;

/// When the tokens of the corpus are good.
const NOW: WallTime = WallTime(1_800_000_000_000_000);

fn sdp(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for purpose in [Purpose::Publish, Purpose::Subscribe] {
        let Ok(offer) = check_offer(&text, purpose) else {
            continue;
        };
        assert!(offer.audio || offer.video);
        let candidate = |line: &str| line.starts_with("a=candidate:");
        assert!(!offer.sdp.lines().any(candidate), "{text}");
        let candidates = ["candidate:1 1 udp 7 127.0.0.1 8189 typ host".to_owned()];
        let _ = restart_fragment(&text, &offer.ice, &candidates);
        let told = with_candidates(&offer.sdp, &candidates);
        let _ = with_start_bitrate(&text, &told);
        let other = with_credentials(&offer.sdp, &offer.ice);
        let again = check_offer(&other, purpose).expect("with its own credentials it is the same");
        assert_eq!(again.ice, offer.ice, "{text}");
    }
    let _ = check_fragment(&text);
}

/// Packets, each after its length in two bytes, as they come through a socket of TCP.
fn packets(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = input;
    std::iter::from_fn(move || {
        let (length, tail) = rest.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes(*length)).min(tail.len());
        let (packet, tail) = tail.split_at(length);
        rest = tail;
        Some(packet)
    })
}

fn rtp(input: &[u8]) {
    let mut clock = ParticipantClock::new(StageClock::starting(MonotonicTime(0)));
    let ingest = |codec| {
        TrackIngest::new(IngestConfig {
            track: TrackId(1),
            layer: Layer(0),
            codec,
        })
    };
    let mut tracks = CODECS.map(|(payload_type, codec)| (payload_type, codec, ingest(codec)));
    let mut now = MonotonicTime(0);
    let (mut came, mut units) = (0, 0);
    for packet in packets(input) {
        came += 1;
        now = MonotonicTime(now.0 + STEP_NANOS);
        let mut bytes = Bytes::copy_from_slice(packet);
        let Ok(packet) = rtc::rtp::Packet::unmarshal(&mut bytes) else {
            continue;
        };
        let packet = RtpPacket {
            payload_type: packet.header.payload_type,
            marker: packet.header.marker,
            seq: packet.header.sequence_number,
            rtp_ts: packet.header.timestamp,
            ssrc: packet.header.ssrc,
            abs_capture_time: None,
            payload: packet.payload,
        };
        for (payload_type, codec, track) in &mut tracks {
            let _ = starts_keyframe(*codec, &packet.payload);
            if packet.payload_type & 0x7F == *payload_type {
                track.handle_rtp(now, packet.clone(), &mut clock);
            }
            if track.poll_timeout().is_some_and(|at| at <= now) {
                track.handle_timeout(now, &mut clock);
            }
            while track.poll_output().is_some() {
                units += 1;
            }
        }
    }
    assert!(units <= came * UNITS_PER_PACKET_MAX, "{units} of {came}");
}

fn rtcp(input: &[u8]) {
    let (facts, mut told) = mpsc::channel(64);
    let tap = RtcpTap::new(facts);
    for packet in packets(input) {
        let mut bytes = Bytes::copy_from_slice(packet);
        let Ok(packets) = rtc::rtcp::packet::unmarshal(&mut bytes) else {
            continue;
        };
        packets.iter().for_each(|packet| tap.tell(packet.as_ref()));
        while let Ok(fact) = told.try_recv() {
            let _ = fact.about();
        }
    }
}

fn datagram(input: &[u8]) {
    let _ = (stun::is_stun(input), stun::local_ufrag(input));
}

/// A file of these records, with checksums that hold.
fn mended(input: &[u8]) -> Vec<u8> {
    let mut mended = segment::heading(JournalSeq(0)).to_vec();
    let mut rest = input;
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let body = tail.get(4..).unwrap_or_default();
        let length = (u32::from_le_bytes(*length) as usize).min(body.len());
        let (body, tail) = body.split_at(length);
        mended.extend((length as u32).to_le_bytes());
        mended.extend(crc32c::crc32c(body).to_le_bytes());
        mended.extend(body);
        rest = tail;
    }
    mended
}

fn records(input: &[u8]) {
    let mut bytes = Bytes::from(mended(input));
    bytes.advance(segment::HEADING_BYTES as usize);
    while let Ok(Some(record)) = Record::decode(&mut bytes) {
        let mut again = BytesMut::new();
        record.encode(&mut again);
        let again = Record::decode(&mut again.freeze()).expect("what was read can be written");
        assert_eq!(again, Some(record));
    }
}

/// As they are, which a checksum mostly finds, and mended.
fn journals(input: &[u8]) {
    for bytes in [input, &mended(input)] {
        // A new file each: one that is overwritten is flushed.
        let dir = tempfile::tempdir().expect("a folder");
        let first = JournalSeq(0);
        fs::write(segment::path(dir.path(), first), bytes).expect("it can be written");
        let read = Replay::open(dir.path()).expect("there is a file");
        // It ends, with an error or without.
        let _ = read.count();
        let _ = segment::check(dir.path(), first);
    }
}

/// As a token, and as the claims of one that is signed as it should be.
fn participant_token(key: &Keys, input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let _ = token::key_id(&text);
    let mut tokens = vec![text.to_string()];
    if let Ok(claims) = serde_json::from_slice::<serde_json::Value>(input) {
        let header = Header::new(Algorithm::ES384);
        let signed = jsonwebtoken::encode(&header, &claims, &key.signing);
        tokens.extend(signed);
    }
    for token in tokens {
        let grants = [
            key.own.verify(NOW, &key.issuer, &token),
            key.imported.verify(NOW, &key.issuer, &token),
        ];
        for grant in grants.into_iter().flatten() {
            assert!(NOW < grant.expires_at);
            assert!(token::is_participant_id(grant.participant.as_str()));
        }
    }
}

struct Keys {
    own: TokenKey,
    imported: ImportedKey,
    signing: EncodingKey,
    issuer: TokenIssuer,
}

impl Keys {
    fn new() -> Self {
        let secret = SecretKey::from_slice(&[7; 48]).expect("it is a scalar");
        let private = secret.to_pkcs8_pem(LineEnding::LF).expect("it has a form");
        let public = secret.public_key().to_public_key_pem(LineEnding::LF);
        let public = public.expect("it has a form");
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(&file, private.as_bytes()).expect("it can be written");
        Self {
            own: TokenKey::load_or_create(file.path()).expect("it is a key"),
            imported: ImportedKey::from_pem("123456789012", &public).expect("it is on P-384"),
            signing: EncodingKey::from_ec_pem(private.as_bytes()).expect("it is a key"),
            issuer: TokenIssuer {
                region: "us-east-1".to_owned(),
                whip_url: "http://127.0.0.1/whip".to_owned(),
                events_url: "ws://127.0.0.1/events".to_owned(),
            },
        }
    }
}

#[test]
fn sdp_is_refused_or_understood() {
    fuzz(corpus!("sdp"), 20_000, sdp);
}

#[test]
fn rtp_becomes_units_or_nothing() {
    fuzz(corpus!("rtp"), 20_000, rtp);
}

#[test]
fn rtcp_becomes_facts_or_nothing() {
    fuzz(corpus!("rtcp"), 50_000, rtcp);
}

#[test]
fn datagrams_name_somebody_or_nobody() {
    fuzz(corpus!("stun"), 50_000, datagram);
}

#[test]
fn records_are_refused_or_read() {
    fuzz(corpus!("journal"), 20_000, records);
}

#[test]
fn journals_are_read_up_to_where_they_are_damaged() {
    fuzz(corpus!("journal"), 200, journals);
}

#[test]
fn participant_tokens_are_refused_or_good() {
    let keys = Keys::new();
    fuzz(corpus!("token"), 1_000, move |input| {
        participant_token(&keys, input)
    });
}
