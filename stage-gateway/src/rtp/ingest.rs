//! From the RTP packets of one layer of one track to its access units.

use std::collections::VecDeque;
use std::time::Duration;

use compositor_core::access_unit::{AccessUnit, Codec, MediaKind};
use compositor_core::bitstream::PictureSize;
use compositor_core::id::{Layer, TrackId};
use compositor_core::journal::ClockMapping;
use compositor_core::roster::LayerSize;
use compositor_core::time::MonotonicTime;

use super::depacketize::{CodedFrame, Depacketized, Depacketizer, Payload};
use super::jitter::{Inserted, JitterBuffer, Popped};
use super::limits::{
    AUDIO_REORDER_WAIT, INGEST_OUTPUTS_MAX, KEYFRAME_RETRY_MAX, KEYFRAME_RETRY_MIN,
    VIDEO_REPAIR_WAIT,
};
use super::packet::{RtpPacket, SenderReport};
use super::seq::{RtpTsUnwrapper, SeqUnwrapper};
use super::sync::{ParticipantClock, Tie, TrackSync};

/// What is ingested.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IngestConfig {
    /// Of which track.
    pub track: TrackId,
    /// Which layer.
    pub layer: Layer,
    /// How it is coded; a source that changes its codec gets a new ingest.
    pub codec: Codec,
}

impl IngestConfig {
    fn clock_rate(self) -> u32 {
        match self.codec.kind() {
            MediaKind::Audio => 48_000,
            MediaKind::Video => 90_000,
        }
    }

    fn wait(self) -> Duration {
        match self.codec.kind() {
            MediaKind::Audio => AUDIO_REORDER_WAIT,
            MediaKind::Video => VIDEO_REPAIR_WAIT,
        }
    }
}

/// What an ingest asks its owner to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IngestOutput {
    /// Journal this unit.
    AccessUnit(AccessUnit),
    /// Journal this mapping, before the units that follow.
    ClockMapping(ClockMapping),
    /// The layer's picture size has become known or has changed; the keyframe that says so follows.
    LayerSize(LayerSize),
    /// Nothing can be used until a keyframe comes: ask the publisher.
    NeedKeyframe,
}

/// Counters since the ingest was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct IngestStats {
    /// Packets handed in.
    pub packets: u64,
    /// Packets that filled a hole behind a newer one.
    pub reordered: u64,
    /// Packets that were there already.
    pub duplicate: u64,
    /// Packets that arrived after they had been declared lost.
    pub late: u64,
    /// Packets declared lost.
    pub lost: u64,
    /// Pictures that were incomplete, and payloads that no rule allows.
    pub broken: u64,
    /// Access units put out.
    pub units: u64,
    /// Complete pictures thrown away because one that they may need is lost.
    pub units_unusable: u64,
}

/// Whether pictures may pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Gate {
    /// Everything up to here is whole.
    Open,
    /// Only a keyframe may pass; one is asked for at `ask_at`. `pause` is the last pause between requests, zero before
    /// the first one.
    AwaitsKeyframe {
        ask_at: MonotonicTime,
        pause: Duration,
    },
}

/// Turns the packets of one layer of one track into access units on the stage clock. Pure: see the module.
#[derive(Debug)]
pub struct TrackIngest {
    config: IngestConfig,
    ssrc: Option<u32>,
    seq: SeqUnwrapper,
    rtp_ts: RtpTsUnwrapper,
    jitter: JitterBuffer<Payload>,
    sync: TrackSync,
    capture_times: bool,
    depacketizer: Depacketizer,
    gate: Option<Gate>,
    discontinuity: bool,
    size: Option<PictureSize>,
    outputs: VecDeque<IngestOutput>,
    scratch: Vec<Depacketized>,
    stats: IngestStats,
}

impl TrackIngest {
    /// An ingest that has seen nothing yet.
    pub fn new(config: IngestConfig) -> Self {
        Self {
            config,
            ssrc: None,
            seq: SeqUnwrapper::default(),
            rtp_ts: RtpTsUnwrapper::default(),
            jitter: JitterBuffer::new(config.wait()),
            sync: TrackSync::new(config.track, config.layer, config.clock_rate()),
            capture_times: false,
            depacketizer: Depacketizer::new(config.codec),
            gate: None,
            discontinuity: false,
            size: None,
            outputs: VecDeque::new(),
            scratch: Vec::new(),
            stats: IngestStats::default(),
        }
    }

    /// A packet has arrived at `now`.
    pub fn handle_rtp(
        &mut self,
        now: MonotonicTime,
        packet: RtpPacket,
        clock: &mut ParticipantClock,
    ) {
        self.stats.packets += 1;
        if self.ssrc.is_some_and(|ssrc| ssrc != packet.ssrc) {
            self.restart();
        }
        self.ssrc = Some(packet.ssrc);
        let gate = self.gate.unwrap_or(match self.config.codec.kind() {
            MediaKind::Audio => Gate::Open,
            // A source usually begins with a keyframe; it is asked for one when it turns out that it did not.
            MediaKind::Video => Gate::AwaitsKeyframe {
                ask_at: now.plus(KEYFRAME_RETRY_MIN),
                pause: Duration::ZERO,
            },
        });
        self.gate = Some(gate);
        let seq = self.seq.unwrap(packet.seq);
        let rtp_ts = self.rtp_ts.unwrap(packet.rtp_ts);
        let payload = Payload {
            rtp_ts,
            marker: packet.marker,
            data: packet.payload,
        };
        let padding = payload.data.is_empty();
        let inserted = self.jitter.insert(now, seq, payload);
        match inserted {
            Inserted::Newest => {}
            Inserted::Filled => self.stats.reordered += 1,
            Inserted::Duplicate => self.stats.duplicate += 1,
            Inserted::Late => self.stats.late += 1,
        }
        let kept = matches!(inserted, Inserted::Newest | Inserted::Filled);
        if kept && !padding {
            self.sync
                .on_packet(now, rtp_ts, inserted == Inserted::Newest, clock);
            if let Some(captured) = packet.abs_capture_time {
                self.capture_times = true;
                let tie = Tie {
                    rtp_ts,
                    ntp: captured,
                    sent_now: false,
                };
                self.sync.on_tie(now, tie, clock);
            }
        }
        self.advance(now, clock);
    }

    /// A sender report for this layer's SSRC has arrived at `now`.
    pub fn handle_sender_report(
        &mut self,
        now: MonotonicTime,
        report: SenderReport,
        clock: &mut ParticipantClock,
    ) {
        // Capture times tell the same more exactly; a source that sends them is not pulled back by its reports.
        if self.capture_times {
            return;
        }
        let rtp_ts = self.rtp_ts.peek(report.rtp_ts);
        let tie = Tie {
            rtp_ts,
            ntp: report.ntp,
            sent_now: true,
        };
        self.sync.on_tie(now, tie, clock);
    }

    /// The time of [`Self::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: MonotonicTime, clock: &mut ParticipantClock) {
        self.advance(now, clock);
    }

    /// What to do next; `None` when there is nothing until the next input.
    pub fn poll_output(&mut self) -> Option<IngestOutput> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<MonotonicTime> {
        let ask_at = match self.gate {
            Some(Gate::AwaitsKeyframe { ask_at, .. }) => Some(ask_at),
            Some(Gate::Open) | None => None,
        };
        [self.jitter.deadline(), ask_at].into_iter().flatten().min()
    }

    /// Counters since the ingest was made.
    pub fn stats(&self) -> IngestStats {
        self.stats
    }

    /// The picture size of the last keyframe.
    pub fn size(&self) -> Option<PictureSize> {
        self.size
    }

    /// Passes on what is in order and acts on what is overdue.
    fn advance(&mut self, now: MonotonicTime, clock: &ParticipantClock) {
        while let Some(popped) = self.jitter.pop(now) {
            let mut out = std::mem::take(&mut self.scratch);
            match popped {
                Popped::Packet(payload) => self.depacketizer.push(payload, &mut out),
                Popped::Lost(packets) => {
                    self.stats.lost += packets;
                    self.depacketizer.lose(&mut out);
                    self.on_loss(now);
                }
            }
            for depacketized in out.drain(..) {
                match depacketized {
                    Depacketized::Frame(frame) => self.on_frame(now, frame, clock),
                    Depacketized::Broken => {
                        self.stats.broken += 1;
                        self.on_loss(now);
                    }
                }
            }
            self.scratch = out;
        }
        self.ask_for_keyframe(now);
    }

    fn on_frame(&mut self, now: MonotonicTime, frame: CodedFrame, clock: &ParticipantClock) {
        if let Some(Gate::AwaitsKeyframe { ask_at, pause }) = &mut self.gate
            && !frame.keyframe
        {
            if pause.is_zero() {
                *ask_at = now;
            }
            self.stats.units_unusable += 1;
            self.discontinuity = true;
            return;
        }
        self.gate = Some(Gate::Open);
        let layer = self.config.layer;
        if frame.size.is_some() && frame.size != self.size {
            self.size = frame.size;
            if let Some(PictureSize { width, height }) = frame.size {
                self.put_out(IngestOutput::LayerSize(LayerSize {
                    layer,
                    width,
                    height,
                }));
            }
        }
        let (pts, mapping) = self.sync.map(frame.rtp_ts, clock);
        if let Some(mapping) = mapping {
            self.put_out(IngestOutput::ClockMapping(mapping));
        }
        self.stats.units += 1;
        let discontinuity = std::mem::take(&mut self.discontinuity);
        self.put_out(IngestOutput::AccessUnit(AccessUnit {
            track: self.config.track,
            layer,
            pts,
            codec: self.config.codec,
            keyframe: frame.keyframe,
            discontinuity,
            data: frame.data,
        }));
    }

    fn on_loss(&mut self, now: MonotonicTime) {
        self.discontinuity = true;
        match &mut self.gate {
            Some(gate @ Gate::Open) if self.config.codec.kind() == MediaKind::Video => {
                *gate = Gate::AwaitsKeyframe {
                    ask_at: now,
                    pause: Duration::ZERO,
                };
            }
            // What was lost may have been the keyframe that is waited for.
            Some(Gate::AwaitsKeyframe { ask_at, .. }) => {
                *ask_at = now.plus(KEYFRAME_RETRY_MIN).min(*ask_at);
            }
            Some(Gate::Open) | None => {}
        }
    }

    fn ask_for_keyframe(&mut self, now: MonotonicTime) {
        let Some(Gate::AwaitsKeyframe { ask_at, pause }) = &mut self.gate else {
            return;
        };
        if now < *ask_at {
            return;
        }
        *pause = (*pause * 2).clamp(KEYFRAME_RETRY_MIN, KEYFRAME_RETRY_MAX);
        *ask_at = now.plus(*pause);
        self.put_out(IngestOutput::NeedKeyframe);
    }

    /// Another source has taken over: nothing of the old one helps to understand it.
    fn restart(&mut self) {
        let fresh = Self::new(self.config);
        let old = std::mem::replace(self, fresh);
        self.discontinuity = old.stats.units > 0;
        self.size = old.size;
        self.outputs = old.outputs;
        self.stats = old.stats;
    }

    fn put_out(&mut self, output: IngestOutput) {
        if self.outputs.len() < INGEST_OUTPUTS_MAX {
            self.outputs.push_back(output);
        } else {
            self.discontinuity = true;
        }
    }
}
