//! H.264 in its two forms: length-prefixed with a configuration record (ISO/IEC 14496-15, 5.2.4), and Annex B.

use bytes::{BufMut, Bytes, BytesMut};

use crate::flv::sps::{Sps, SpsError};

const START_CODE: [u8; 4] = [0, 0, 0, 1];
const NAL_SPS: u8 = 7;
const NAL_PPS: u8 = 8;
const NAL_DELIMITER: u8 = 9;

/// Parameter sets of one kind in a record; a real one has one.
const PARAMETER_SETS_MAX: usize = 32;

/// The configuration of an H.264 stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct AvcConfig {
    length_bytes: usize,
    sps: Vec<Bytes>,
    pps: Vec<Bytes>,
    picture: Sps,
}

/// Why H.264 cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum AvcError {
    #[error("the AVC configuration record ends early")]
    ShortRecord,
    #[error("the AVC configuration record has version {0}, only 1 is known")]
    Version(u8),
    #[error("the AVC configuration record has NAL lengths of 3 bytes, which is not allowed")]
    LengthSize,
    #[error("the AVC configuration record has no {0}")]
    Missing(&'static str),
    #[error("the sequence parameter set cannot be read")]
    Sps(#[source] SpsError),
    #[error("a NAL unit of {0} bytes does not fit into its picture")]
    NalLength(usize),
}

impl AvcConfig {
    /// Reads an AVC configuration record.
    pub(crate) fn parse(record: &Bytes) -> Result<Self, AvcError> {
        let header = record.get(..6).ok_or(AvcError::ShortRecord)?;
        if header[0] != 1 {
            return Err(AvcError::Version(header[0]));
        }
        let length_bytes = usize::from(header[4] & 3) + 1;
        if length_bytes == 3 {
            return Err(AvcError::LengthSize);
        }
        let (sps, at) = read_sets(record, 6, header[5] & 0x1F)?;
        let pps_count = *record.get(at).ok_or(AvcError::ShortRecord)?;
        let (pps, _) = read_sets(record, at + 1, pps_count)?;
        Self::new(length_bytes, sps, pps)
    }

    /// The configuration in a keyframe in Annex B form, if it carries one.
    pub(crate) fn of_keyframe(annexb: &Bytes) -> Result<Self, AvcError> {
        let of_kind = |kind| {
            nals(annexb)
                .filter(move |nal| nal_type(nal) == kind)
                .collect()
        };
        Self::new(4, of_kind(NAL_SPS), of_kind(NAL_PPS))
    }

    fn new(length_bytes: usize, sps: Vec<Bytes>, pps: Vec<Bytes>) -> Result<Self, AvcError> {
        let first = sps
            .first()
            .ok_or(AvcError::Missing("sequence parameter set"))?;
        if pps.is_empty() {
            return Err(AvcError::Missing("picture parameter set"));
        }
        let picture = Sps::parse(first).map_err(AvcError::Sps)?;
        Ok(Self {
            length_bytes,
            sps,
            pps,
            picture,
        })
    }

    /// The AVC configuration record, with NAL lengths of 4 bytes.
    pub(crate) fn record(&self) -> Bytes {
        let mut record = BytesMut::new();
        record.put_u8(1);
        record.put_slice(&self.sps[0][1..4]);
        record.put_u8(0xFC | 3);
        record.put_u8(0xE0 | self.sps.len().min(PARAMETER_SETS_MAX - 1) as u8);
        put_sets(&mut record, &self.sps);
        record.put_u8(self.pps.len().min(PARAMETER_SETS_MAX - 1) as u8);
        put_sets(&mut record, &self.pps);
        if matches!(self.picture.profile, 100 | 110 | 122 | 144) {
            record.put_u8(0xFC | self.picture.chroma_format);
            record.put_u8(0xF8 | self.picture.bit_depth_luma_minus8);
            record.put_u8(0xF8 | self.picture.bit_depth_chroma_minus8);
            record.put_u8(0);
        }
        record.freeze()
    }

    /// What the sequence parameter set says of the pictures.
    pub(crate) fn picture(&self) -> &Sps {
        &self.picture
    }

    /// A picture in Annex B form. A keyframe without parameter sets gets those of the configuration; access unit
    /// delimiters are left out.
    pub(crate) fn annexb(&self, keyframe: bool, avcc: &Bytes) -> Result<Bytes, AvcError> {
        let mut units = Vec::new();
        let mut rest = avcc.clone();
        while !rest.is_empty() {
            let (nal, after) = self.split_nal(&rest)?;
            rest = after;
            if !nal.is_empty() && nal_type(&nal) != NAL_DELIMITER {
                units.push(nal);
            }
        }
        let has_sets = units.iter().any(|nal| nal_type(nal) == NAL_SPS);
        let mut annexb = BytesMut::with_capacity(avcc.len() + 64);
        if keyframe && !has_sets {
            self.sps
                .iter()
                .chain(&self.pps)
                .for_each(|nal| put_annexb(&mut annexb, nal));
        }
        units.iter().for_each(|nal| put_annexb(&mut annexb, nal));
        Ok(annexb.freeze())
    }

    fn split_nal(&self, data: &Bytes) -> Result<(Bytes, Bytes), AvcError> {
        let prefix = data
            .get(..self.length_bytes)
            .ok_or(AvcError::NalLength(data.len()))?;
        let length = prefix
            .iter()
            .fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
        let end = self.length_bytes + length;
        if end > data.len() {
            return Err(AvcError::NalLength(length));
        }
        Ok((data.slice(self.length_bytes..end), data.slice(end..)))
    }
}

/// An Annex B picture as NAL units with lengths of 4 bytes, without parameter sets and delimiters.
pub(crate) fn avcc_of_annexb(annexb: &Bytes) -> Bytes {
    let mut avcc = BytesMut::with_capacity(annexb.len() + 16);
    for nal in nals(annexb) {
        if !matches!(nal_type(&nal), NAL_SPS | NAL_PPS | NAL_DELIMITER) {
            avcc.put_u32(u32::try_from(nal.len()).expect("a picture is far below 4 GiB"));
            avcc.put_slice(&nal);
        }
    }
    avcc.freeze()
}

/// The NAL units of an Annex B byte stream, without start codes and trailing zeros.
pub(crate) fn nals(annexb: &Bytes) -> impl Iterator<Item = Bytes> + '_ {
    let mut starts = start_codes(annexb).peekable();
    std::iter::from_fn(move || {
        let (_, begin) = starts.next()?;
        let end = starts.peek().map_or(annexb.len(), |(code, _)| *code);
        let trimmed = annexb[begin..end]
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(begin, |last| begin + last + 1);
        Some(annexb.slice(begin..trimmed))
    })
    .filter(|nal| !nal.is_empty())
}

/// Where each start code begins, and where it ends.
fn start_codes(data: &[u8]) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at + 3 <= data.len() {
            // Only every third byte must be looked at while none of them can end a start code.
            match data[at + 2] {
                1 if data[at] == 0 && data[at + 1] == 0 => {
                    at += 3;
                    return Some((at - 3, at));
                }
                0 => at += 1,
                _ => at += 3,
            }
        }
        None
    })
}

fn read_sets(record: &Bytes, mut at: usize, count: u8) -> Result<(Vec<Bytes>, usize), AvcError> {
    let mut sets = Vec::new();
    for _ in 0..count.min(PARAMETER_SETS_MAX as u8) {
        let length = record.get(at..at + 2).ok_or(AvcError::ShortRecord)?;
        let begin = at + 2;
        at = begin + usize::from(u16::from_be_bytes([length[0], length[1]]));
        if at > record.len() {
            return Err(AvcError::ShortRecord);
        }
        if begin < at {
            sets.push(record.slice(begin..at));
        }
    }
    Ok((sets, at))
}

fn put_sets(record: &mut BytesMut, sets: &[Bytes]) {
    for set in sets.iter().take(PARAMETER_SETS_MAX - 1) {
        record.put_u16(u16::try_from(set.len()).unwrap_or(u16::MAX));
        record.put_slice(&set[..set.len().min(usize::from(u16::MAX))]);
    }
}

fn put_annexb(annexb: &mut BytesMut, nal: &[u8]) {
    annexb.put_slice(&START_CODE);
    annexb.put_slice(nal);
}

fn nal_type(nal: &[u8]) -> u8 {
    nal.first().map_or(0, |byte| byte & 0x1F)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flv::sps::tests::SPS_1280X720;

    const PPS: [u8; 4] = [0x68, 0xEB, 0xE3, 0xCB];

    fn keyframe() -> Bytes {
        let mut annexb = BytesMut::new();
        for nal in [&[0x09, 0xF0][..], &SPS_1280X720, &PPS, &[0x65, 1, 2, 3]] {
            put_annexb(&mut annexb, nal);
        }
        annexb.freeze()
    }

    #[test]
    fn record_of_a_keyframe_reads_back() {
        let config = AvcConfig::of_keyframe(&keyframe()).unwrap();
        assert_eq!(AvcConfig::parse(&config.record()), Ok(config));
    }

    #[test]
    fn picture_survives_both_forms_and_gets_its_parameter_sets_back() {
        let config = AvcConfig::of_keyframe(&keyframe()).unwrap();
        let avcc = avcc_of_annexb(&keyframe());
        assert_eq!(avcc[..], [0, 0, 0, 4, 0x65, 1, 2, 3]);
        let back = config.annexb(true, &avcc).unwrap();
        assert_eq!(back, keyframe().slice(6..));
        assert_eq!(
            config.annexb(false, &avcc).unwrap()[..],
            [0, 0, 0, 1, 0x65, 1, 2, 3]
        );
    }

    #[test]
    fn nal_longer_than_its_picture_is_refused() {
        let config = AvcConfig::of_keyframe(&keyframe()).unwrap();
        let bad = Bytes::from_static(&[0, 0, 0, 9, 0x65]);
        assert_eq!(config.annexb(false, &bad), Err(AvcError::NalLength(9)));
        let short = Bytes::from_static(&[0, 0]);
        assert_eq!(config.annexb(false, &short), Err(AvcError::NalLength(2)));
    }

    #[test]
    fn every_truncation_of_a_record_is_refused() {
        let record = AvcConfig::of_keyframe(&keyframe()).unwrap().record();
        // The extension of the high profiles behind the parameter sets is optional.
        for length in 0..record.len() - 4 {
            assert!(
                AvcConfig::parse(&record.slice(..length)).is_err(),
                "{length} bytes"
            );
        }
    }

    #[test]
    fn start_codes_of_three_bytes_and_trailing_zeros_are_read() {
        let annexb = Bytes::from_static(&[0, 0, 1, 0x41, 5, 0, 0, 0, 1, 0x41, 6, 0, 0, 0]);
        let units: Vec<Bytes> = nals(&annexb).collect();
        assert_eq!(
            units,
            [
                Bytes::from_static(&[0x41, 5]),
                Bytes::from_static(&[0x41, 6])
            ]
        );
        assert_eq!(nals(&Bytes::from_static(&[0, 0, 1])).count(), 0);
    }
}
