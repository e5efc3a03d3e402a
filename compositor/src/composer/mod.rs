//! Journal in, numbered access units out: a function of the journal, not of the wall clock.
//!
//! Frame k is due at `start + k / fps` and composed at the first watermark that has passed that time by the composition
//! delay. What is due is done in the order of its due time, so the same journal gives the same bytes. A frame is encoded
//! while the pictures of the next one are decoded, if that is due already.

mod back_off;
mod canvas;
mod outbox;
mod placeholders;
mod schedule;
mod sound;
mod stage;
mod tap;
mod tiles;
mod track;
mod wishes;

use std::time::Duration;

use bytes::Bytes;
use compositor_core::access_unit::MediaKind;
use compositor_core::journal::{Degradation, JournalSeq, Record, RecordBody};
use compositor_core::limits::COMPOSITION_DELAY;
use compositor_core::quality::Quality;
use compositor_core::time::MediaTime;
use compositor_core::worker_protocol::{Checkpoint, FromWorker, Job, Resume, WorkerStats};
use serde::{Deserialize, Serialize};

use self::canvas::{CanvasOutput, canvas_of};
use self::outbox::{OpenFrame, Outbox};
use self::schedule::{Due, Schedule};
use self::sound::Sound;
use self::stage::{Frame, Stage, StageState};
pub use self::tap::Tap;
use self::wishes::Wishes;
use crate::audio::MixerState;
use crate::codec::CodecError;
use crate::raster::Item;
use crate::worker::WorkerError;

/// Checkpoints come twice as often as promised.
const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(500);

/// A picture may be off its frame by half a frame, but not more than this: at low frame rates too many would be decoded
/// before their time.
const OFF_MAX: Duration = Duration::from_millis(50);

const STATS_INTERVAL: Duration = Duration::from_secs(1);

/// One composition, from its job to its end. It reads no clock and does no IO.
#[derive(Debug)]
pub struct Composer {
    job: Job,
    videos: Vec<Video>,
    sound: Sound,
    stage: Stage,
    /// Records before this one only feed decoders.
    state_at: JournalSeq,
    next_seq: JournalSeq,
    watermark: MediaTime,
    schedule: Schedule,
    ended: bool,
    wishes: Wishes,
    outbox: Outbox,
    /// On the degradation ladder.
    step: u8,
    stats: WorkerStats,
    last_checkpoint: MediaTime,
    last_stats: MediaTime,
    /// The due time of the last frame composed.
    composed_until: MediaTime,
    tap: Option<Box<dyn Tap>>,
}

/// One encoder's frames.
#[derive(Debug)]
struct Video {
    output: CanvasOutput,
    next_k: u64,
    /// Frames before this one were sent by a predecessor.
    send_from: u64,
}

/// All that a checkpoint holds; opaque to the server.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    next_k: Vec<u64>,
    next_mix: u64,
    step: u8,
    stage: StageState,
    mixer: MixerState,
}

impl Composer {
    /// Prepares encoders for `job`, at its start or where its predecessor's last checkpoint is.
    pub fn new(job: Job) -> Result<Self, WorkerError> {
        gstreamer::init().map_err(WorkerError::Gstreamer)?;
        let fresh = Resume::fresh(job.encoders.len());
        let resume = job.resume.as_ref().unwrap_or(&fresh);
        let checkpoint = resume.checkpoint.as_ref();
        let state: Option<State> = checkpoint
            .map(|checkpoint| postcard::from_bytes(&checkpoint.state))
            .transpose()
            .map_err(WorkerError::Checkpoint)?;
        let step = state.as_ref().map_or(0, |state| state.step);
        let mut videos = Vec::with_capacity(job.encoders.len());
        for (index, spec) in job.encoders.iter().enumerate() {
            let number = |numbers: &[u64]| numbers.get(index).copied().unwrap_or_default();
            let send_from = number(&resume.next_k);
            let state_k = state.as_ref().map_or(0, |state| number(&state.next_k));
            let mut output = CanvasOutput::new(spec)?;
            output.set_quality(Quality::at(step));
            videos.push(Video {
                output,
                next_k: state_k.min(send_from),
                send_from,
            });
        }
        let schedule = Schedule::from(job.start);
        let state_at = checkpoint.map_or(JournalSeq(0), |checkpoint| checkpoint.state_at);
        let next_mix = state.as_ref().map_or(0, |state| state.next_mix);
        let (mut stage, mixer) = match state {
            Some(state) => {
                let now = schedule.sound_end(state.next_mix);
                (Stage::restored(state.stage, now), Some(state.mixer))
            }
            None => (Stage::default(), None),
        };
        stage.avoid(resume.quarantine.clone());
        Ok(Self {
            sound: Sound::new(job.start, next_mix, resume.next_n, mixer)?,
            videos,
            stage,
            state_at,
            next_seq: JournalSeq(0),
            watermark: MediaTime(0),
            schedule,
            ended: false,
            wishes: Wishes::new(job.encoders.len()),
            outbox: Outbox::default(),
            step,
            stats: WorkerStats::default(),
            last_checkpoint: MediaTime(0),
            last_stats: MediaTime(0),
            composed_until: job.start,
            tap: None,
            job,
        })
    }

    /// Shows everything that the encoders get to `tap` first.
    pub fn with_tap(self, tap: Box<dyn Tap>) -> Self {
        Self {
            tap: Some(tap),
            ..self
        }
    }

    /// Takes the next record; what it makes due is appended to `out`, the last frame of it perhaps by a later call only.
    pub fn record(&mut self, record: Record, out: &mut Vec<FromWorker>) -> Result<(), WorkerError> {
        let Record { seq, time, body } = record;
        self.next_seq = JournalSeq(seq.0 + 1);
        match body {
            RecordBody::AccessUnit(unit) => match unit.codec.kind() {
                MediaKind::Video => self.stage.push(seq, unit),
                MediaKind::Audio => self.sound.push(seq, unit)?,
            },
            _ if seq < self.state_at => {}
            RecordBody::Watermark => {
                self.watermark = self.watermark.max(time);
                self.compose_due()?;
                self.report()?;
                self.outbox.send(out);
            }
            RecordBody::Roster(change) => self.stage.change(time, change),
            RecordBody::LayerChoice(choice) => {
                if choice.composition == self.job.composition {
                    self.stage.choose(choice.track, choice.layer, seq);
                }
            }
            RecordBody::Degradation(Degradation { composition, step }) => {
                if composition == self.job.composition {
                    self.take_step(step)?;
                }
            }
            RecordBody::ClockMapping(_) | RecordBody::Gap(_) => {}
        }
        Ok(())
    }

    /// Completes what [`Self::record`] began, for a caller that has no more records at the moment.
    pub fn settle(&mut self, out: &mut Vec<FromWorker>) -> Result<(), WorkerError> {
        self.encode_open()?;
        self.outbox.send(out);
        Ok(())
    }

    /// Makes the frames from the next one on by another step of the degradation ladder.
    fn take_step(&mut self, step: u8) -> Result<(), CodecError> {
        if step == self.step {
            return Ok(());
        }
        self.encode_open()?;
        self.step = step;
        self.stats.steps_taken += 1;
        for video in &mut self.videos {
            video.output.set_quality(Quality::at(step));
        }
        Ok(())
    }

    /// Ends the composition before `at`; records are still needed up to that time. The earliest stop counts.
    pub fn stop(&mut self, at: MediaTime, out: &mut Vec<FromWorker>) -> Result<(), WorkerError> {
        self.schedule.stop(at);
        self.compose_due()?;
        self.outbox.send(out);
        Ok(())
    }

    /// Whether [`FromWorker::Ended`] was said.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    fn compose_due(&mut self) -> Result<(), WorkerError> {
        while let Some((due, what)) = self.next_due() {
            if due.plus(COMPOSITION_DELAY) > self.watermark {
                return Ok(());
            }
            match what {
                Due::Video(index) => self.compose_frame(index, due)?,
                Due::Sound => {
                    let mut coded = Vec::new();
                    self.sound.advance(&mut coded, self.tap.as_deref_mut())?;
                    self.send_sound(coded);
                }
            }
        }
        self.end()
    }

    fn next_due(&self) -> Option<(MediaTime, Due)> {
        let rates = self.job.encoders.iter().map(|encoder| encoder.fps);
        let frames = rates.zip(self.videos.iter().map(|video| video.next_k));
        self.schedule.next(frames, self.sound.next_mix())
    }

    fn compose_frame(&mut self, index: usize, due: MediaTime) -> Result<(), CodecError> {
        let Video {
            output,
            next_k,
            send_from,
        } = &self.videos[index];
        let sends = next_k >= send_from;
        let spec = &self.job.encoders[index];
        let frame = Frame {
            encoder: index,
            canvas: canvas_of(spec),
            scaling: output.scaling(),
            due,
            half: (spec.fps.frame_time(1) / 2).min(OFF_MAX),
            is_drawn: sends && output.draws(*next_k),
            is_late: self.outbox.open_frame().is_some(),
        };
        self.decode_for(frame)?;
        if sends {
            for (track, layer) in self.stage.keyframe_requests(due) {
                self.outbox
                    .push(FromWorker::KeyframeRequest { track, layer });
            }
            self.draw(frame);
        }
        self.videos[index].next_k += 1;
        self.composed_until = self.composed_until.max(due);
        Ok(())
    }

    /// Decodes the pictures of the next frame, and encodes the open one beside it.
    fn decode_for(&mut self, frame: Frame) -> Result<(), CodecError> {
        let Some(OpenFrame { encoder, k }) = self.outbox.open_frame() else {
            return self.stage.advance(frame);
        };
        let (output, stage) = (&mut self.videos[encoder].output, &mut self.stage);
        let (coded, decoded) = rayon::join(|| output.encode(k), || stage.advance(frame));
        self.outbox.close(coded?, output.thumbnail(k));
        decoded
    }

    fn encode_open(&mut self) -> Result<(), CodecError> {
        if let Some(OpenFrame { encoder, k }) = self.outbox.open_frame() {
            let output = &mut self.videos[encoder].output;
            let coded = output.encode(k)?;
            self.outbox.close(coded, output.thumbnail(k));
        }
        Ok(())
    }

    fn draw(&mut self, frame: Frame) {
        let index = frame.encoder;
        let scene = self.stage.scene(&self.job.layout, frame);
        let divisor = Quality::at(self.step).height_divisor;
        for (track, height) in self.wishes.update(index, &scene, divisor) {
            self.outbox.push(FromWorker::HeightWish { track, height });
        }
        let video = &mut self.videos[index];
        let items = scene.into_iter().map(|shown| Item {
            slot: shown.slot.rect,
            fill_mode: shown.slot.fill_mode,
            picture: shown.picture,
        });
        let k = video.next_k;
        let changed = video.output.draw(k, items.collect());
        self.stats.frames_composed += u64::from(changed);
        self.stats.frames_repeated += u64::from(!changed);
        if let Some(tap) = &mut self.tap {
            tap.picture(index, k, &video.output.pixels());
        }
        self.outbox.open(OpenFrame { encoder: index, k });
    }

    fn send_sound(&mut self, coded: Vec<(u64, Bytes)>) {
        for (n, data) in coded {
            self.outbox.push(FromWorker::Audio { n, data });
        }
    }

    /// Checkpoint and statistics, each at its interval.
    fn report(&mut self) -> Result<(), CodecError> {
        if self.ended {
            return Ok(());
        }
        if self.watermark.since(self.last_checkpoint) >= CHECKPOINT_INTERVAL {
            self.last_checkpoint = self.watermark;
            self.stage.tidy(self.composed_until);
            self.encode_open()?;
            self.outbox.push(FromWorker::Checkpoint(self.checkpoint()));
        }
        if self.watermark.since(self.last_stats) >= STATS_INTERVAL {
            self.last_stats = self.watermark;
            self.outbox.push(FromWorker::Stats(self.stats()));
        }
        Ok(())
    }

    fn checkpoint(&self) -> Checkpoint {
        let state = State {
            next_k: self.videos.iter().map(|video| video.next_k).collect(),
            next_mix: self.sound.next_mix(),
            step: self.step,
            stage: self.stage.state(),
            mixer: self.sound.mixer().state(),
        };
        let needed = [self.stage.read_from(), self.sound.mixer().read_from()];
        Checkpoint {
            read_from: needed
                .into_iter()
                .flatten()
                .fold(self.next_seq, JournalSeq::min),
            state_at: self.next_seq,
            state: postcard::to_allocvec(&state)
                .expect("plain values always serialize")
                .into(),
        }
    }

    /// Counters so far; CPU time and how busy it is are for the shell to fill in.
    fn stats(&self) -> WorkerStats {
        let (pictures, sound) = (self.stage.counts(), self.sound.mixer().counts());
        WorkerStats {
            units_decoded: pictures.decoded + sound.decoded,
            units_late: pictures.late + sound.late,
            units_damaged: pictures.damaged + sound.damaged,
            pixels_decoded: pictures.pixels,
            composed_until: self.composed_until,
            step: self.step,
            participants: (self.stage).participants(self.composed_until, self.sound.mixer()),
            ..self.stats.clone()
        }
    }

    fn end(&mut self) -> Result<(), WorkerError> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        self.encode_open()?;
        let mut coded = Vec::new();
        self.sound.drain(self.sound.next_mix(), &mut coded)?;
        self.send_sound(coded);
        self.outbox.push(FromWorker::Stats(self.stats()));
        self.outbox.push(FromWorker::Ended);
        Ok(())
    }
}
