//! One Opus track: packets that wait for their time, their decoder, and the line they end on.

use std::collections::VecDeque;

use bytes::Bytes;
use compositor_core::journal::JournalSeq;
use compositor_core::limits::AUDIO_SAMPLE_RATE;
use compositor_core::worker_protocol::TrackStats;

use super::line::{FADE, Line};
use crate::codec::CodecError;
use crate::codec::opus::{OpusDecoder, StereoSample};

/// Packets that wait; 20 s of the usual 20 ms.
const QUEUE_MAX: usize = 1000;

/// A loss of up to 60 ms, one packet of the longest usual kind, is concealed by the decoder.
const CONCEAL_MAX: i64 = 2880;

/// Opus conceals in steps of 2.5 ms.
const CONCEAL_STEP: i64 = 120;

/// Decoders need the packets of this much time before the first sample that counts: 1 s.
const PRE_FEED: i64 = 48_000;

/// A packet before its time.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) seq: JournalSeq,
    pub(super) at: i64,
    pub(super) discontinuity: bool,
    pub(super) data: Bytes,
}

/// What became of packets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) decoded: u64,
    pub(crate) late: u64,
    pub(crate) damaged: u64,
}

#[derive(Debug)]
pub(super) struct AudioTrack {
    decoder: OpusDecoder,
    first: i64,
    queue: VecDeque<Packet>,
    /// Where the packets of the last second stand in the journal.
    fed: VecDeque<(JournalSeq, i64)>,
    line: Line,
    /// How far the cursor is from where the last packet belongs.
    error: i64,
    last_at: i64,
    late: u64,
    concealed: u64,
    scratch: Vec<StereoSample>,
}

impl AudioTrack {
    /// A silent track from `base` on. What ends before `first` is for the decoder only.
    pub(super) fn new(first: i64, base: i64, offset: i64) -> Result<Self, CodecError> {
        Ok(Self {
            decoder: OpusDecoder::new()?,
            first,
            queue: VecDeque::new(),
            fed: VecDeque::new(),
            line: Line::new(base, offset),
            error: offset,
            last_at: base,
            late: 0,
            concealed: 0,
            scratch: Vec::new(),
        })
    }

    pub(super) fn push(&mut self, packet: Packet) {
        if self.queue.len() == QUEUE_MAX {
            self.queue.pop_front();
        }
        self.queue.push_back(packet);
    }

    /// Places all that belongs before `end`, and what may show a loss there; adds it to `mix` and moves on by its length.
    pub(super) fn render(&mut self, end: i64, mix: &mut [StereoSample], counts: &mut Counts) {
        let horizon = end + FADE + CONCEAL_MAX;
        while self
            .queue
            .front()
            .is_some_and(|packet| packet.at <= horizon)
        {
            if let Some(packet) = self.queue.pop_front() {
                self.place(&packet, counts);
            }
        }
        self.line.settle(end);
        self.line.mix_into(mix);
        while self.fed.front().is_some_and(|(_, at)| *at < end - PRE_FEED) {
            self.fed.pop_front();
        }
    }

    fn place(&mut self, packet: &Packet, counts: &mut Counts) {
        self.last_at = packet.at;
        self.fed.push_back((packet.seq, packet.at));
        self.scratch.clear();
        let lost = packet.at - self.line.cursor();
        if self.line.live() && packet.discontinuity && (CONCEAL_STEP..=CONCEAL_MAX).contains(&lost)
        {
            let whole_steps = lost / CONCEAL_STEP * CONCEAL_STEP;
            self.decoder
                .conceal(whole_steps as usize, &packet.data, &mut self.scratch);
            self.line.add(self.line.cursor(), &self.scratch);
            self.scratch.clear();
            self.concealed += 1;
        }
        if self.decoder.decode(&packet.data, &mut self.scratch) == 0 {
            counts.damaged += 1;
            return;
        }
        counts.decoded += 1;
        let end = packet.at + self.scratch.len() as i64;
        if !self.line.add(packet.at, &self.scratch) && end > self.first {
            counts.late += 1;
            self.late += 1;
        }
        self.error = self.line.cursor() - end;
    }

    /// The oldest record that a successor must feed.
    pub(super) fn read_from(&self) -> Option<JournalSeq> {
        let fed = self.fed.front().map(|(seq, _)| *seq);
        fed.or(self.queue.front().map(|packet| packet.seq))
    }

    /// The error that is being slewed; none while silent.
    pub(super) fn error(&self) -> i64 {
        self.offset().unwrap_or_default()
    }

    /// How much later it is heard than it belongs, in samples; `None` while silent.
    pub(super) fn offset(&self) -> Option<i64> {
        self.line.live().then_some(self.error)
    }

    /// Counters, when `position` is the next sample of the mix.
    pub(super) fn stats(&self, position: i64) -> TrackStats {
        let waiting = self.queue.back().map_or(0, |packet| packet.at - position);
        TrackStats {
            buffered_ms: (waiting.max(0) * 1000 / i64::from(AUDIO_SAMPLE_RATE)) as u32,
            late: self.late,
            filled: self.concealed,
        }
    }

    /// Whether nothing has come since `position`.
    pub(super) fn idle_since(&self, position: i64) -> bool {
        self.queue.is_empty() && !self.line.live() && self.last_at < position
    }
}
