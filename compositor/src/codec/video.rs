//! Picture decoders.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use compositor_core::access_unit::Codec;
use compositor_core::bitstream::colour::Colour;
use compositor_core::bitstream::colour_of;
use compositor_core::time::MediaTime;
use gstreamer as gst;

use super::CodecError;
use super::chain::Chain;
use super::picture::Picture;
use crate::spent::{self, Part};

/// Decoders see units this far apart, whatever their PTS: some elements bend timestamps that jump.
const UNIT_SPACING_NANOS: u64 = 10_000_000;

/// More answers than this are never outstanding; older ones will not come.
const OUTSTANDING_MAX: usize = 32;

/// A picture and when it is to be seen.
#[derive(Clone, Debug)]
pub(crate) struct TimedPicture {
    pub(crate) pts: MediaTime,
    pub(crate) picture: Arc<Picture>,
}

/// What a decoder needs to know of an access unit.
#[derive(Clone, Debug)]
pub(crate) struct CodedUnit {
    pub(crate) pts: MediaTime,
    pub(crate) keyframe: bool,
    pub(crate) data: Bytes,
}

/// A decoder of one codec. It can change layer at any keyframe.
#[derive(Debug)]
pub(crate) struct VideoDecoder {
    codec: Codec,
    chain: Chain,
    /// As the last keyframe said.
    colour: Colour,
    units: u64,
    outstanding: VecDeque<(u64, MediaTime)>,
}

impl VideoDecoder {
    /// Starts a decoder for a video codec.
    pub(crate) fn new(codec: Codec) -> Result<Self, CodecError> {
        let (element, caps) = match codec {
            Codec::H264 => (
                "avdec_h264 max-threads=1 std-compliance=normal output-corrupt=false qos=false",
                gst::Caps::builder("video/x-h264")
                    .field("stream-format", "byte-stream")
                    .field("alignment", "au")
                    .build(),
            ),
            Codec::Vp8 => (
                "vp8dec threads=1 qos=false",
                gst::Caps::builder("video/x-vp8").build(),
            ),
            Codec::Vp9 => (
                "vp9dec threads=1 qos=false",
                gst::Caps::builder("video/x-vp9").build(),
            ),
            Codec::Opus => unreachable!("sound has its own decoder"),
        };
        let description = format!("{element} ! videoconvert n-threads=1 ! video/x-raw,format=I420");
        Ok(Self {
            codec,
            chain: Chain::new(&description, &caps)?,
            colour: Colour::default(),
            units: 0,
            outstanding: VecDeque::new(),
        })
    }

    pub(crate) fn codec(&self) -> Codec {
        self.codec
    }

    /// Decodes one access unit; what it shows is appended to `pictures`. False if nothing came out.
    pub(crate) fn decode(
        &mut self,
        unit: CodedUnit,
        pictures: &mut impl Extend<TimedPicture>,
    ) -> bool {
        let CodedUnit {
            pts,
            keyframe,
            data,
        } = unit;
        if keyframe && let Some(colour) = colour_of(self.codec, &data) {
            self.colour = colour;
        }
        let stamp = self.units * UNIT_SPACING_NANOS;
        self.units += 1;
        self.outstanding.push_back((stamp, pts));
        if self.outstanding.len() > OUTSTANDING_MAX {
            self.outstanding.pop_front();
        }
        let mut buffer = gst::Buffer::from_slice(data);
        {
            let buffer = buffer.get_mut().expect("nobody else has it yet");
            buffer.set_pts(gst::ClockTime::from_nseconds(stamp));
            buffer.set_dts(gst::ClockTime::from_nseconds(stamp));
            buffer.set_duration(gst::ClockTime::from_nseconds(UNIT_SPACING_NANOS));
        }
        // An error of the flow shows as a missing answer.
        let _ = spent::on(Part::VideoDecoding, || self.chain.push(buffer));
        let mut answered = false;
        while let Some(sample) = self.chain.answer() {
            let stamp = sample.buffer().and_then(|buffer| buffer.pts());
            let pts = stamp.map_or(pts, |stamp| self.take_outstanding(stamp.nseconds(), pts));
            if let Some(picture) = Picture::decoded(&sample, self.colour) {
                pictures.extend([TimedPicture {
                    pts,
                    picture: Arc::new(picture),
                }]);
                answered = true;
            }
        }
        answered
    }

    /// The PTS of the unit that was pushed with `stamp`.
    fn take_outstanding(&mut self, stamp: u64, newest: MediaTime) -> MediaTime {
        while let Some((first, pts)) = self.outstanding.pop_front() {
            if first >= stamp {
                return pts;
            }
        }
        newest
    }
}
