//! H.264 from RTP (RFC 6184, packetization mode 1) to Annex B access units.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{BufMut, Bytes, BytesMut};
use compositor_core::bitstream::PictureSize;
use compositor_core::bitstream::h264::{Pps, SliceHead, Sps};

use super::{CodedFrame, Depacketized, Payload};
use crate::rtp::limits::ACCESS_UNIT_BYTES_MAX;

const NAL_SLICE: u8 = 1;
const NAL_PARTITION_A: u8 = 2;
const NAL_IDR: u8 = 5;
const NAL_SPS: u8 = 7;
const NAL_PPS: u8 = 8;
const NAL_DELIMITER: u8 = 9;
const NAL_FILLER: u8 = 12;
const NAL_LAST_SINGLE: u8 = 23;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// NAL units of one picture: 8160 macroblocks of 1080p as one slice each would still pass.
const NALS_MAX: usize = 8192;

/// Puts access units together. Parameter sets are remembered and put before each keyframe that needs them.
#[derive(Debug, Default)]
pub struct H264Depacketizer {
    parameters: ParameterSets,
    state: State,
    /// Packets were lost since the last payload.
    after_loss: bool,
}

/// How far the picture is.
#[derive(Debug, Default)]
enum State {
    /// Between pictures.
    #[default]
    Empty,
    /// All of the picture so far is here.
    Open(Picture),
    /// Something of the picture with this RTP timestamp is missing; the rest of it is skipped.
    Skipping {
        /// Its unwrapped RTP timestamp.
        rtp_ts: u64,
    },
}

#[derive(Debug)]
struct Picture {
    rtp_ts: u64,
    nals: Vec<Bytes>,
    bytes: usize,
    fragment: Option<BytesMut>,
    /// Packets right before this picture are lost; they may have been its parameter sets.
    after_loss: bool,
}

/// Why a payload cannot be used.
#[derive(Debug)]
struct Malformed;

/// The parameter sets seen last, by id.
#[derive(Debug, Default)]
struct ParameterSets {
    sps: BTreeMap<u8, (PictureSize, Bytes)>,
    pps: BTreeMap<u8, (u8, Bytes)>,
}

impl H264Depacketizer {
    /// Takes the next payload; what it completes is appended to `out`.
    pub fn push(&mut self, payload: Payload, out: &mut Vec<Depacketized>) {
        let Payload {
            rtp_ts,
            marker,
            data,
        } = payload;
        if data.is_empty() {
            return;
        }
        if self.rtp_ts() != Some(rtp_ts) {
            // Without a marker the next timestamp ends the picture; nothing is lost in between.
            self.finish(out);
            self.state = State::Open(Picture {
                rtp_ts,
                nals: vec![],
                bytes: 0,
                fragment: None,
                after_loss: self.after_loss,
            });
        }
        self.after_loss = false;
        if let State::Open(picture) = &mut self.state
            && picture.push(&data).is_err()
        {
            self.skip(rtp_ts, out);
        }
        if marker {
            self.finish(out);
        }
    }

    /// Packets before the next payload are lost.
    pub fn lose(&mut self, out: &mut Vec<Depacketized>) {
        self.after_loss = true;
        if let State::Open(Picture { rtp_ts, .. }) = self.state {
            self.skip(rtp_ts, out);
        }
    }

    fn rtp_ts(&self) -> Option<u64> {
        match &self.state {
            State::Empty => None,
            State::Open(Picture { rtp_ts, .. }) | State::Skipping { rtp_ts } => Some(*rtp_ts),
        }
    }

    fn skip(&mut self, rtp_ts: u64, out: &mut Vec<Depacketized>) {
        self.state = State::Skipping { rtp_ts };
        out.push(Depacketized::Broken);
    }

    fn finish(&mut self, out: &mut Vec<Depacketized>) {
        let State::Open(picture) = std::mem::take(&mut self.state) else {
            return;
        };
        // Parameter sets are worth keeping even when the picture around them is not.
        picture
            .nals
            .iter()
            .for_each(|nal| self.parameters.remember(nal));
        match picture.frame(&self.parameters) {
            Ok(Some(frame)) => out.push(Depacketized::Frame(frame)),
            Ok(None) => {}
            Err(Malformed) => out.push(Depacketized::Broken),
        }
    }
}

impl Picture {
    fn push(&mut self, data: &Bytes) -> Result<(), Malformed> {
        match kind(data) {
            FU_A => self.push_fragment(data),
            _ if self.fragment.is_some() => Err(Malformed),
            STAP_A => self.push_aggregate(data.slice(1..)),
            1..=NAL_LAST_SINGLE => self.push_nal(data.clone()),
            _ => Err(Malformed),
        }
    }

    /// RFC 6184 5.7.1: 16-bit sizes, each before its NAL unit.
    fn push_aggregate(&mut self, mut rest: Bytes) -> Result<(), Malformed> {
        while !rest.is_empty() {
            let &[high, low, ..] = &rest[..] else {
                return Err(Malformed);
            };
            let length = usize::from(u16::from_be_bytes([high, low]));
            let nal = rest.split_off(2);
            if length == 0 || length > nal.len() || !(1..=NAL_LAST_SINGLE).contains(&kind(&nal)) {
                return Err(Malformed);
            }
            rest = nal.slice(length..);
            self.push_nal(nal.slice(..length))?;
        }
        Ok(())
    }

    /// RFC 6184 5.8: indicator, header with start and end bit, then a piece of the NAL unit.
    fn push_fragment(&mut self, data: &Bytes) -> Result<(), Malformed> {
        let &[indicator, header, ref piece @ ..] = &data[..] else {
            return Err(Malformed);
        };
        let (start, end) = (header & 0x80 != 0, header & 0x40 != 0);
        let unit = match (start, self.fragment.take()) {
            (true, None) => {
                let mut unit = BytesMut::with_capacity(piece.len() * 2);
                unit.put_u8(indicator & 0xe0 | header & 0x1f);
                unit
            }
            (false, Some(unit)) => unit,
            (true, Some(_)) | (false, None) => return Err(Malformed),
        };
        let mut unit = unit;
        if self.bytes + unit.len() + piece.len() > ACCESS_UNIT_BYTES_MAX {
            return Err(Malformed);
        }
        unit.extend_from_slice(piece);
        if end {
            return self.push_nal(unit.freeze());
        }
        self.fragment = Some(unit);
        Ok(())
    }

    fn push_nal(&mut self, nal: Bytes) -> Result<(), Malformed> {
        if matches!(kind(&nal), NAL_DELIMITER | NAL_FILLER) {
            return Ok(());
        }
        self.bytes += START_CODE.len() + nal.len();
        if self.bytes > ACCESS_UNIT_BYTES_MAX || self.nals.len() >= NALS_MAX {
            return Err(Malformed);
        }
        self.nals.push(nal);
        Ok(())
    }

    /// The access unit; `None` when there is no picture in it, only parameter sets or the like.
    fn frame(&self, parameters: &ParameterSets) -> Result<Option<CodedFrame>, Malformed> {
        if self.fragment.is_some() {
            return Err(Malformed);
        }
        let mut heads = Vec::new();
        for nal in self.nals.iter().filter(|nal| is_slice(nal)) {
            heads.push(SliceHead::parse(nal).ok_or(Malformed)?);
        }
        let Some(first) = heads.first() else {
            return Ok(None);
        };
        if !first.first {
            // The slices before this one were lost without a trace in this picture.
            return Err(Malformed);
        }
        let keyframe = self.nals.iter().any(|nal| kind(nal) == NAL_IDR);
        let (own, rest): (Vec<&Bytes>, Vec<&Bytes>) = self
            .nals
            .iter()
            .partition(|nal| matches!(kind(nal), NAL_SPS | NAL_PPS));
        let (mut size, mut sets) = (None, Vec::new());
        if keyframe {
            let used: BTreeSet<u8> = heads.iter().map(|head| head.pps).collect();
            (size, sets) = parameters.of(&used)?;
        }
        if self.after_loss && sets.iter().any(|set| !own.contains(set)) {
            // What is remembered may be of another size than what was lost.
            return Err(Malformed);
        }
        // Some senders repeat the sets before each slice, which decoders take for the start of another picture.
        for set in own {
            if !sets.contains(&set) {
                sets.push(set);
            }
        }
        sets.sort_by_key(|set| kind(set));
        let mut data = BytesMut::with_capacity(self.bytes + 256);
        for nal in sets.into_iter().chain(rest) {
            data.put_slice(&START_CODE);
            data.put_slice(nal);
        }
        if data.len() > ACCESS_UNIT_BYTES_MAX {
            return Err(Malformed);
        }
        Ok(Some(CodedFrame {
            rtp_ts: self.rtp_ts,
            keyframe,
            size,
            data: data.freeze(),
        }))
    }
}

impl ParameterSets {
    fn remember(&mut self, nal: &Bytes) {
        match kind(nal) {
            NAL_SPS => {
                if let Some(sps) = Sps::parse(nal) {
                    self.sps.insert(sps.id, (sps.size, nal.clone()));
                }
            }
            NAL_PPS => {
                if let Some(pps) = Pps::parse(nal) {
                    self.pps.insert(pps.id, (pps.sps, nal.clone()));
                }
            }
            _ => {}
        }
    }

    /// The parameter sets that slices with these PPS ids need, and the picture size that they say.
    fn of(&self, used: &BTreeSet<u8>) -> Result<(Option<PictureSize>, Vec<&Bytes>), Malformed> {
        let (mut sps_ids, mut sets) = (BTreeSet::new(), Vec::new());
        for id in used {
            let (sps, pps) = self.pps.get(id).ok_or(Malformed)?;
            sps_ids.insert(*sps);
            sets.push(pps);
        }
        let mut size = None;
        for id in sps_ids {
            let (sps_size, sps) = self.sps.get(&id).ok_or(Malformed)?;
            size = size.or(Some(*sps_size));
            sets.push(sps);
        }
        Ok((size, sets))
    }
}

fn kind(nal: &[u8]) -> u8 {
    nal.first().map_or(0, |header| header & 0x1f)
}

fn is_slice(nal: &[u8]) -> bool {
    matches!(kind(nal), NAL_SLICE | NAL_PARTITION_A | NAL_IDR)
}
