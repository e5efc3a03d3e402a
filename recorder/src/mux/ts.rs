//! Access units into transport packets.

use super::adts::AudioConfig;
use super::packet::{Adaptation, CLOCK_MASK, Continuity, write_clock, write_packets};
use super::psi::{PID_AUDIO, PID_METADATA, PID_PMT, PID_VIDEO, program_association, program_map};
use crate::h264;

const PID_PAT: u16 = 0;

/// What is added to every PTS, so that the clock reference, which runs ahead, does not begin below zero.
const TIMESTAMP_BASE: u64 = 90_000;

/// How far the clock reference is before the decode time: time for a large keyframe to arrive.
const CLOCK_LEAD: u64 = 45_000;

/// A clock reference comes at least every 100 ms (ISO/IEC 13818-1 2.7.2); audio frames are at most 30 ms apart.
const CLOCK_INTERVAL: u64 = 6_300;

const STREAM_ID_VIDEO: u8 = 0xE0;
const STREAM_ID_AUDIO: u8 = 0xC0;
const STREAM_ID_PRIVATE_1: u8 = 0xBD;

/// One coded picture on its way into a segment; times on the 90 kHz clock, from the recording's zero.
#[derive(Clone, Copy, Debug)]
pub struct VideoSample<'a> {
    /// When it is shown.
    pub pts: u64,
    /// When it is decoded; the same unless the stream has B-frames.
    pub dts: u64,
    /// Whether a decoder can start here.
    pub keyframe: bool,
    /// H.264 Annex B byte stream.
    pub data: &'a [u8],
}

/// Writes one H.264 stream and one AAC stream (and ID3 tags) as MPEG-TS. Units must come in decode order, streams
/// interleaved by time. Continuity counters run on across segments.
#[derive(Debug)]
pub struct TsMuxer {
    audio: AudioConfig,
    has_metadata: bool,
    continuity: Continuity,
    last_clock: Option<u64>,
    pes: Vec<u8>,
}

impl TsMuxer {
    /// A muxer that continues after `continuity` (the default at the start of a stream). With `has_metadata`, the program
    /// map announces a stream of ID3 tags.
    pub fn new(audio: AudioConfig, has_metadata: bool, continuity: Continuity) -> Self {
        Self {
            audio,
            has_metadata,
            continuity,
            last_clock: None,
            pes: Vec::new(),
        }
    }

    /// Where the continuity counters stand, for a later muxer of the same stream.
    pub fn continuity(&self) -> Continuity {
        self.continuity
    }

    /// Begins a segment: program tables, so that it can be played by itself.
    pub fn start_segment(&mut self, out: &mut Vec<u8>) {
        self.last_clock = None;
        let Continuity { pat, pmt, .. } = &mut self.continuity;
        let plain = Adaptation::default();
        write_packets(out, (PID_PAT, pat), plain, &program_association());
        write_packets(out, (PID_PMT, pmt), plain, &program_map(self.has_metadata));
    }

    /// Writes one picture, with an access unit delimiter in front.
    pub fn video(&mut self, sample: VideoSample<'_>, out: &mut Vec<u8>) {
        let VideoSample {
            pts,
            dts,
            keyframe,
            data,
        } = sample;
        self.pes.clear();
        pes_header(
            &mut self.pes,
            STREAM_ID_VIDEO,
            pts,
            (pts != dts).then_some(dts),
        );
        if !h264::begins_with_delimiter(data) {
            self.pes.extend_from_slice(&h264::ACCESS_UNIT_DELIMITER);
        }
        self.pes.extend_from_slice(data);
        self.last_clock = Some(dts);
        let adaptation = Adaptation {
            pcr: Some(clock(dts)),
            random_access: keyframe,
        };
        write_packets(
            out,
            (PID_VIDEO, &mut self.continuity.video),
            adaptation,
            &self.pes,
        );
    }

    /// Writes one raw AAC frame. A frame that no ADTS header can describe (over 8 KiB: no encoder makes one) is refused.
    pub fn audio(&mut self, pts: u64, frame: &[u8], out: &mut Vec<u8>) -> Result<(), FrameTooLong> {
        let header = self
            .audio
            .header(frame.len())
            .ok_or(FrameTooLong { bytes: frame.len() })?;
        if self
            .last_clock
            .is_none_or(|last| pts >= last + CLOCK_INTERVAL)
        {
            self.last_clock = Some(pts);
            write_clock(out, (PID_VIDEO, self.continuity.video), clock(pts));
        }
        self.pes.clear();
        pes_header(&mut self.pes, STREAM_ID_AUDIO, pts, None);
        self.pes.extend_from_slice(&header);
        self.pes.extend_from_slice(frame);
        set_pes_length(&mut self.pes);
        let adaptation = Adaptation {
            pcr: None,
            random_access: true,
        };
        write_packets(
            out,
            (PID_AUDIO, &mut self.continuity.audio),
            adaptation,
            &self.pes,
        );
        Ok(())
    }

    /// Writes one ID3 tag, to be acted upon at `pts`. The muxer must have been made with `has_metadata`.
    pub fn metadata(&mut self, pts: u64, id3: &[u8], out: &mut Vec<u8>) {
        debug_assert!(
            self.has_metadata,
            "the program map announces the metadata stream"
        );
        self.pes.clear();
        pes_header(&mut self.pes, STREAM_ID_PRIVATE_1, pts, None);
        self.pes.extend_from_slice(id3);
        set_pes_length(&mut self.pes);
        let adaptation = Adaptation {
            pcr: None,
            random_access: true,
        };
        write_packets(
            out,
            (PID_METADATA, &mut self.continuity.metadata),
            adaptation,
            &self.pes,
        );
    }
}

/// A frame whose length does not fit in an ADTS header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("AAC frame of {bytes} bytes: ADTS allows at most 8184")]
pub struct FrameTooLong {
    /// Length of the frame.
    pub bytes: usize,
}

fn clock(dts: u64) -> u64 {
    dts + TIMESTAMP_BASE - CLOCK_LEAD
}

/// A PES header with unbounded length (ISO/IEC 13818-1 2.4.3.6).
fn pes_header(pes: &mut Vec<u8>, stream_id: u8, pts: u64, dts: Option<u64>) {
    let (flags, length) = if dts.is_some() { (0xC0, 10) } else { (0x80, 5) };
    // Marker bits and data_alignment_indicator: each PES packet begins with an access unit.
    pes.extend_from_slice(&[0, 0, 1, stream_id, 0, 0, 0x84, flags, length]);
    pes.extend_from_slice(&timestamp(if dts.is_some() { 0x3 } else { 0x2 }, pts));
    if let Some(dts) = dts {
        pes.extend_from_slice(&timestamp(0x1, dts));
    }
}

/// Fills in the length of a finished PES packet; one too long for the field stays unbounded.
fn set_pes_length(pes: &mut [u8]) {
    if let Ok(length) = u16::try_from(pes.len() - 6) {
        pes[4..6].copy_from_slice(&length.to_be_bytes());
    }
}

fn timestamp(prefix: u8, time: u64) -> [u8; 5] {
    let time = (time + TIMESTAMP_BASE) & CLOCK_MASK;
    [
        prefix << 4 | (time >> 29) as u8 & 0x0E | 1,
        (time >> 22) as u8,
        (time >> 14) as u8 | 1,
        (time >> 7) as u8,
        (time << 1) as u8 | 1,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_wrap_at_thirty_three_bits() {
        assert_eq!(
            timestamp(0x2, (1 << 33) - TIMESTAMP_BASE),
            [0x21, 0, 1, 0, 1]
        );
        assert_eq!(
            timestamp(0x2, (1 << 33) - 1 - TIMESTAMP_BASE),
            [0x2F, 0xFF, 0xFF, 0xFF, 0xFF]
        );
    }

    #[test]
    fn slow_video_gets_clock_references_between_audio_frames() {
        let mut muxer = TsMuxer::new(AudioConfig::of_compositions(), false, Continuity::default());
        let mut out = Vec::new();
        let sample = VideoSample {
            pts: 0,
            dts: 0,
            keyframe: true,
            data: &[0, 0, 1, 0x65],
        };
        muxer.video(sample, &mut out);
        for n in 0..47 {
            muxer
                .audio(n * 1920, &[0; 50], &mut out)
                .expect("a short frame fits");
        }
        let clocks = out.chunks(188).filter(|p| p[3] & 0x30 == 0x20).count();
        assert_eq!(clocks, 11, "one every 4 audio frames, which is 85 ms");
    }

    #[test]
    fn counters_run_on_across_segments() {
        let mut muxer = TsMuxer::new(AudioConfig::of_compositions(), true, Continuity::default());
        let mut out = Vec::new();
        for _ in 0..17 {
            muxer.start_segment(&mut out);
            muxer.metadata(0, b"ID3", &mut out);
        }
        assert_eq!(
            muxer.continuity(),
            Continuity {
                pat: 1,
                pmt: 1,
                metadata: 1,
                ..Continuity::default()
            }
        );
    }
}
