//! The picture being put together: what VP8 and VP9 have in common.

use bytes::{Bytes, BytesMut};

use super::{Depacketized, Payload};
use crate::rtp::limits::ACCESS_UNIT_BYTES_MAX;

/// Collects the payloads of one picture; they share an RTP timestamp and the last one has the marker.
#[derive(Debug, Default)]
pub struct PictureBuilder {
    state: State,
}

/// How far the picture is.
#[derive(Debug, Default)]
enum State {
    /// Between pictures.
    #[default]
    Empty,
    /// All of the picture so far is here.
    Open {
        /// Its unwrapped RTP timestamp.
        rtp_ts: u64,
        /// Its bytes so far.
        data: BytesMut,
    },
    /// Something of the picture with this RTP timestamp is missing; the rest of it is skipped.
    Skipping {
        /// Its unwrapped RTP timestamp.
        rtp_ts: u64,
    },
}

/// What a payload means to the picture.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Whether a picture can begin here.
    pub first: bool,
    /// What the payload holds after its descriptor.
    pub data: Bytes,
}

impl PictureBuilder {
    /// Takes the next part. Returns the picture that it completes, with its RTP timestamp.
    pub fn push(
        &mut self,
        payload: &Payload,
        part: &Part,
        out: &mut Vec<Depacketized>,
    ) -> Option<(u64, Bytes)> {
        let same = match &self.state {
            State::Empty => false,
            State::Open { rtp_ts, .. } | State::Skipping { rtp_ts } => *rtp_ts == payload.rtp_ts,
        };
        if !same {
            self.begin(payload.rtp_ts, part.first, out);
        }
        let overlong = match &mut self.state {
            State::Open { data, .. } if data.len() + part.data.len() <= ACCESS_UNIT_BYTES_MAX => {
                data.extend_from_slice(&part.data);
                false
            }
            State::Open { .. } => true,
            State::Empty | State::Skipping { .. } => false,
        };
        if overlong {
            self.skip(payload.rtp_ts, out);
        }
        if !payload.marker {
            return None;
        }
        match std::mem::take(&mut self.state) {
            State::Open { rtp_ts, data } => Some((rtp_ts, data.freeze())),
            State::Empty | State::Skipping { .. } => None,
        }
    }

    /// Whether a payload with this RTP timestamp begins a new picture.
    pub fn begins(&self, rtp_ts: u64) -> bool {
        match &self.state {
            State::Empty => true,
            State::Open { rtp_ts: open, .. } | State::Skipping { rtp_ts: open } => *open != rtp_ts,
        }
    }

    /// How many bytes the open picture has.
    pub fn byte_count(&self) -> usize {
        match &self.state {
            State::Open { data, .. } => data.len(),
            State::Empty | State::Skipping { .. } => 0,
        }
    }

    /// The rest of the picture with this RTP timestamp is of no use.
    pub fn skip(&mut self, rtp_ts: u64, out: &mut Vec<Depacketized>) {
        if !matches!(&self.state, State::Skipping { rtp_ts: skipped } if *skipped == rtp_ts) {
            out.push(Depacketized::Broken);
        }
        self.state = State::Skipping { rtp_ts };
    }

    /// Packets before the next payload are lost.
    pub fn lose(&mut self, out: &mut Vec<Depacketized>) {
        if let State::Open { rtp_ts, .. } = self.state {
            self.skip(rtp_ts, out);
        }
    }

    fn begin(&mut self, rtp_ts: u64, first: bool, out: &mut Vec<Depacketized>) {
        if matches!(self.state, State::Open { .. }) {
            // The predecessor never got its marker.
            out.push(Depacketized::Broken);
        }
        self.state = State::Open {
            rtp_ts,
            data: BytesMut::new(),
        };
        if !first {
            self.skip(rtp_ts, out);
        }
    }
}
