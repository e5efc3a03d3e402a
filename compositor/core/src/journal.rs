//! The journal's records and their byte form, the same on disk and on the worker's socket.
//!
//! A record is `length: u32 LE` (of what follows the checksum), `crc32c: u32 LE` (over it), then the body: `kind: u8`,
//! `seq: u64 LE`, `time: u64 LE`, and by kind either the head of an access unit and its bytes, or a postcard value.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::access_unit::{AccessUnit, Codec};
use crate::id::{CompositionId, Layer, TrackId};
use crate::limits::JOURNAL_RECORD_BYTES_MAX;
use crate::roster::RosterChange;
use crate::time::{MediaTime, WallTime};

/// Position of a record in the journal of a stage session: 0, 1, 2, ... without holes.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct JournalSeq(pub u64);

/// One entry of the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Where it stands.
    pub seq: JournalSeq,
    /// The stage clock: an access unit's PTS; for all others, when it was written.
    pub time: MediaTime,
    /// What it says.
    pub body: RecordBody,
}

/// What a record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordBody {
    /// Media; `Record::time` is its PTS.
    AccessUnit(AccessUnit),
    /// The stage clock has reached `Record::time`; written every 20 ms. Media with an earlier PTS that follows is late
    /// by as much.
    Watermark,
    /// Who publishes.
    Roster(RosterChange),
    /// A track's RTP clock was mapped anew.
    ClockMapping(ClockMapping),
    /// A composition is to show another layer of a track from that layer's next keyframe on.
    LayerChoice(LayerChoice),
    /// A composition took a step on the degradation ladder.
    Degradation(Degradation),
    /// The server was away; the stage clock stood still meanwhile.
    Gap(Gap),
}

/// `pts = media + (rtp - rtp_ts) / clock_rate`, from the unit it precedes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClockMapping {
    /// Which track.
    pub track: TrackId,
    /// Which layer.
    pub layer: Layer,
    /// An extended RTP timestamp (unwrapped to 64 bit).
    pub rtp_ts: u64,
    /// The stage time of that RTP timestamp.
    pub media: MediaTime,
    /// RTP ticks per second.
    pub clock_rate: u32,
    /// Why the mapping changed.
    pub cause: MappingCause,
}

/// Why a clock mapping changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum MappingCause {
    /// First packet: arrival time minus the smallest transit seen.
    Arrival,
    /// First sender report; may step once.
    FirstReport,
    /// A later report; slews by at most 0.5 %.
    Slew,
    /// The source jumped by more than 300 ms.
    Jump,
}

/// The layer that a composition shows of a track.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LayerChoice {
    /// Which composition.
    pub composition: CompositionId,
    /// Which track.
    pub track: TrackId,
    /// The layer to show from its next keyframe on.
    pub layer: Layer,
}

/// A rung of the degradation ladder; 0 is full quality.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Degradation {
    /// Which composition.
    pub composition: CompositionId,
    /// The rung.
    pub step: u8,
}

/// Lost wall-clock time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Gap {
    /// When the server came back.
    pub resumed_at: WallTime,
    /// How long the stage clock stood still, in microseconds.
    pub lost_us: u64,
}

/// Why bytes are not a record.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The length field is out of range.
    #[error("record length {length} is not within 17 to {JOURNAL_RECORD_BYTES_MAX} bytes")]
    Length {
        /// What it says.
        length: usize,
    },
    /// The bytes were damaged or torn.
    #[error("record checksum is {found:#010x}, the bytes give {computed:#010x}")]
    Checksum {
        /// Stored.
        found: u32,
        /// Computed.
        computed: u32,
    },
    /// The body does not parse.
    #[error("record of kind {kind} does not parse")]
    Body {
        /// The kind byte.
        kind: u8,
    },
}

const HEADER_BYTES: usize = 8;
const BODY_HEAD_BYTES: usize = 17;

impl Record {
    /// Appends the byte form to `out`.
    pub fn encode(&self, out: &mut BytesMut) {
        let start = out.len();
        out.put_u64_le(0);
        out.put_u8(self.body.kind());
        out.put_u64_le(self.seq.0);
        out.put_u64_le(self.time.0);
        match &self.body {
            RecordBody::AccessUnit(unit) => {
                out.put_u32_le(unit.track.0);
                out.put_u8(unit.layer.0);
                out.put_u8(codec_number(unit.codec));
                out.put_u8(u8::from(unit.keyframe) | (u8::from(unit.discontinuity) << 1));
                out.put_slice(&unit.data);
            }
            RecordBody::Watermark => {}
            RecordBody::Roster(value) => put_value(out, value),
            RecordBody::ClockMapping(value) => put_value(out, value),
            RecordBody::LayerChoice(value) => put_value(out, value),
            RecordBody::Degradation(value) => put_value(out, value),
            RecordBody::Gap(value) => put_value(out, value),
        }
        let length = out.len() - start - HEADER_BYTES;
        let crc = crc32c::crc32c(&out[start + HEADER_BYTES..]);
        out[start..start + 4].copy_from_slice(&(length as u32).to_le_bytes());
        out[start + 4..start + HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
    }

    /// Bytes of the record at the front of `input`, which are as they were written; `None` while it is not complete.
    pub fn whole_len(input: &[u8]) -> Result<Option<usize>, RecordError> {
        if input.len() < HEADER_BYTES {
            return Ok(None);
        }
        let length = (&input[..4]).get_u32_le() as usize;
        if !(BODY_HEAD_BYTES..=JOURNAL_RECORD_BYTES_MAX).contains(&length) {
            return Err(RecordError::Length { length });
        }
        if input.len() < HEADER_BYTES + length {
            return Ok(None);
        }
        let found = (&input[4..HEADER_BYTES]).get_u32_le();
        let computed = crc32c::crc32c(&input[HEADER_BYTES..HEADER_BYTES + length]);
        if found != computed {
            return Err(RecordError::Checksum { found, computed });
        }
        Ok(Some(HEADER_BYTES + length))
    }

    /// Takes one record off the front of `input`; `None` while it is not complete.
    pub fn decode(input: &mut Bytes) -> Result<Option<Self>, RecordError> {
        let Some(length) = Self::whole_len(input)? else {
            return Ok(None);
        };
        let mut body = input.split_to(length);
        body.advance(HEADER_BYTES);
        let kind = body.get_u8();
        let seq = JournalSeq(body.get_u64_le());
        let time = MediaTime(body.get_u64_le());
        let body = RecordBody::parse(kind, time, body).ok_or(RecordError::Body { kind })?;
        Ok(Some(Self { seq, time, body }))
    }
}

impl RecordBody {
    fn kind(&self) -> u8 {
        match self {
            Self::AccessUnit(_) => 0,
            Self::Watermark => 1,
            Self::Roster(_) => 2,
            Self::ClockMapping(_) => 3,
            Self::LayerChoice(_) => 4,
            Self::Degradation(_) => 5,
            Self::Gap(_) => 6,
        }
    }

    fn parse(kind: u8, time: MediaTime, mut body: Bytes) -> Option<Self> {
        Some(match kind {
            0 if body.len() >= 7 => {
                let track = TrackId(body.get_u32_le());
                let layer = Layer(body.get_u8());
                let codec = codec_of(body.get_u8())?;
                let flags = body.get_u8();
                Self::AccessUnit(AccessUnit {
                    track,
                    layer,
                    pts: time,
                    codec,
                    keyframe: flags & 1 != 0,
                    discontinuity: flags & 2 != 0,
                    data: body,
                })
            }
            1 => Self::Watermark,
            2 => Self::Roster(postcard::from_bytes(&body).ok()?),
            3 => Self::ClockMapping(postcard::from_bytes(&body).ok()?),
            4 => Self::LayerChoice(postcard::from_bytes(&body).ok()?),
            5 => Self::Degradation(postcard::from_bytes(&body).ok()?),
            6 => Self::Gap(postcard::from_bytes(&body).ok()?),
            _ => return None,
        })
    }
}

fn put_value<T: Serialize>(out: &mut BytesMut, value: &T) {
    let bytes = postcard::to_allocvec(value).expect("plain values always serialize");
    out.put_slice(&bytes);
}

fn codec_number(codec: Codec) -> u8 {
    match codec {
        Codec::H264 => 0,
        Codec::Vp8 => 1,
        Codec::Vp9 => 2,
        Codec::Opus => 3,
    }
}

fn codec_of(number: u8) -> Option<Codec> {
    [Codec::H264, Codec::Vp8, Codec::Vp9, Codec::Opus]
        .get(usize::from(number))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit() -> Record {
        Record {
            seq: JournalSeq(7),
            time: MediaTime(1_234),
            body: RecordBody::AccessUnit(AccessUnit {
                track: TrackId(3),
                layer: Layer(1),
                pts: MediaTime(1_234),
                codec: Codec::Vp8,
                keyframe: true,
                discontinuity: false,
                data: Bytes::from_static(b"picture"),
            }),
        }
    }

    #[test]
    fn records_survive_the_round_trip_back_to_back() {
        let mark = Record {
            seq: JournalSeq(8),
            time: MediaTime(20_000_000),
            body: RecordBody::Watermark,
        };
        let mut out = BytesMut::new();
        unit().encode(&mut out);
        mark.encode(&mut out);
        let mut input = out.freeze();
        assert_eq!(Record::decode(&mut input), Ok(Some(unit())));
        assert_eq!(Record::decode(&mut input), Ok(Some(mark)));
        assert_eq!(Record::decode(&mut input), Ok(None));
    }

    #[test]
    fn a_torn_record_is_incomplete_and_a_damaged_one_an_error() {
        let mut out = BytesMut::new();
        unit().encode(&mut out);
        let whole = out.freeze();
        for cut in 0..whole.len() {
            assert_eq!(Record::decode(&mut whole.slice(..cut)), Ok(None));
        }
        let mut damaged = whole.to_vec();
        *damaged.last_mut().expect("not empty") ^= 1;
        assert!(matches!(
            Record::decode(&mut Bytes::from(damaged)),
            Err(RecordError::Checksum { .. })
        ));
    }
}
