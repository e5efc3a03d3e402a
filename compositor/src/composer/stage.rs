//! Who is on the stage and what is to be seen of each, frame by frame.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use compositor_core::access_unit::{AccessUnit, MediaKind};
use compositor_core::id::{Layer, TrackId};
use compositor_core::journal::JournalSeq;
use compositor_core::layout::{Candidate, Canvas, LayoutSpec, Rect, Slot, layout};
use compositor_core::limits::AUDIO_SAMPLE_RATE;
use compositor_core::quarantine::Quarantine;
use compositor_core::roster::{Publisher, Roster, RosterChange, Track};
use compositor_core::time::MediaTime;
use compositor_core::worker_protocol::ParticipantStats;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::placeholders::Placeholders;
use super::track::{Counts, TrackState, VideoTrack};
use crate::audio::Mixer;
use crate::codec::CodecError;
use crate::codec::picture::Picture;
use crate::raster::Scaling;
use crate::raster::tile::Look;

/// A keyframe is asked for when a track shows no picture for this long after it was published.
const PICTURE_PATIENCE: Duration = Duration::from_secs(1);

/// Units of a track that the roster does not name are kept for so long.
const UNPUBLISHED_KEEP: Duration = Duration::from_secs(10);

/// Publishers above 1080p take part with their sound only; coded heights may be rounded up to whole macroblocks.
pub(super) const LONG_SIDE_MAX: u32 = 1920;
const SHORT_SIDE_MAX: u32 = 1088;

/// Below this many shown pixels (twelve of 720p are eleven million) decoding takes less than half a frame's time at 30 fps;
/// waking other threads for it costs a tenth of all CPU time, to bring the frame a few milliseconds earlier.
const PARALLEL_PIXELS_MIN: u64 = 12 << 20;

/// The same for a worker that is late: this machine, or these pictures, take longer.
const PARALLEL_PIXELS_MIN_LATE: u64 = 5 << 20;

/// A slot, what it shows, and of which track that is (also when it shows a placeholder for it).
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) slot: Slot,
    pub(super) picture: Arc<Picture>,
    pub(super) track: Option<TrackId>,
}

/// A frame of one encoder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) encoder: usize,
    pub(super) canvas: Canvas,
    pub(super) scaling: Scaling,
    pub(super) due: MediaTime,
    /// A picture may be off by so much: half a frame.
    pub(super) half: Duration,
    /// Whether pictures are scaled ahead for it; what is drawn does not depend on it.
    pub(super) is_drawn: bool,
    /// Whether the frame before it is not encoded yet.
    pub(super) is_late: bool,
}

/// What a successor must know of the stage.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct StageState {
    roster: Roster,
    pending: Vec<(MediaTime, RosterChange)>,
    tracks: Vec<(TrackId, TrackState)>,
}

/// The publishers and their video tracks.
#[derive(Debug, Default)]
pub(super) struct Stage {
    roster: Roster,
    /// Whether any roster record was seen.
    opened: bool,
    /// Changes that are not due yet.
    pending: VecDeque<(MediaTime, RosterChange)>,
    tracks: BTreeMap<TrackId, VideoTrack>,
    placeholders: Placeholders,
    /// Of tracks that are gone.
    past_counts: Counts,
    quarantine: Quarantine,
    /// Units with a PTS up to this are decoded one at a time, to see which of them kills.
    suspected_until: MediaTime,
    /// What was due the last time.
    horizon: MediaTime,
}

impl Stage {
    /// Continues a predecessor's stage, the next frame of which is due at `now`.
    pub(super) fn restored(state: StageState, now: MediaTime) -> Self {
        let mut stage = Self {
            roster: state.roster,
            opened: true,
            pending: state.pending.into(),
            tracks: state
                .tracks
                .into_iter()
                .map(|(id, track)| (id, VideoTrack::new(id, Some(track))))
                .collect(),
            ..Self::default()
        };
        stage.follow_roster(now);
        stage
    }

    pub(super) fn state(&self) -> StageState {
        StageState {
            roster: self.roster.clone(),
            pending: self.pending.iter().cloned().collect(),
            tracks: self
                .tracks
                .iter()
                .map(|(id, track)| (*id, track.state()))
                .collect(),
        }
    }

    /// Decodes nothing of what predecessors died of.
    pub(super) fn avoid(&mut self, quarantine: Quarantine) {
        self.quarantine = quarantine;
    }

    /// Takes an access unit of a video track.
    pub(super) fn push(&mut self, seq: JournalSeq, mut unit: AccessUnit) {
        if self.quarantine.suspects_until() >= Some(seq) {
            self.suspected_until = self.suspected_until.max(unit.pts);
        }
        if self.quarantine.gives_up(unit.track) {
            return;
        }
        if self.quarantine.holds(seq) {
            // As if it had been lost: the next keyframe goes on.
            unit.keyframe = false;
            unit.discontinuity = true;
            unit.data.clear();
        }
        self.track(unit.track).push(seq, unit);
    }

    fn track(&mut self, id: TrackId) -> &mut VideoTrack {
        self.tracks
            .entry(id)
            .or_insert_with(|| VideoTrack::new(id, None))
    }

    /// Takes a change that was journaled at `time`; the first one says who was there from the beginning.
    pub(super) fn change(&mut self, time: MediaTime, change: RosterChange) {
        let time = if self.opened { time } else { MediaTime(0) };
        self.opened = true;
        self.pending.push_back((time, change));
    }

    /// Shows `layer` of `track` from its next keyframe after record `since` on.
    pub(super) fn choose(&mut self, track: TrackId, layer: Layer, since: JournalSeq) {
        self.track(track).choose(layer, since);
    }

    /// Applies what is due at the time of `frame`, decodes the pictures for it, and scales them if it is to be drawn.
    pub(super) fn advance(&mut self, frame: Frame) -> Result<(), CodecError> {
        let (due, half) = (frame.due, frame.half);
        let horizon = due.plus(half);
        let mut changed = false;
        while self.pending.front().is_some_and(|(time, _)| *time <= due) {
            if let Some((_, change)) = self.pending.pop_front() {
                self.roster.apply(change);
                changed = true;
            }
        }
        if changed {
            self.follow_roster(due);
        }
        let mut published: Vec<_> = self
            .tracks
            .values_mut()
            .filter(|track| track.is_published())
            .collect();
        let pixels: u64 = published.iter().map(|track| track.picture_pixels()).sum();
        let is_suspected = self.horizon < self.suspected_until;
        self.horizon = horizon;
        let parallel_min = if frame.is_late {
            PARALLEL_PIXELS_MIN_LATE
        } else {
            PARALLEL_PIXELS_MIN
        };
        let prepare = |track: &mut &mut VideoTrack| {
            track.advance(horizon)?;
            if frame.is_drawn {
                track.make_tile(frame.encoder, (due, half));
            }
            Ok(())
        };
        if is_suspected || pixels < parallel_min {
            published.iter_mut().try_for_each(prepare)
        } else {
            published.par_iter_mut().try_for_each(prepare)
        }
    }

    fn follow_roster(&mut self, now: MediaTime) {
        let mut gone: Vec<TrackId> = self
            .tracks
            .iter()
            .filter(|(_, track)| track.is_published())
            .map(|(id, _)| *id)
            .collect();
        for publisher in self.roster.publishers() {
            let large = is_too_large(publisher);
            for track in publisher.tracks.iter().filter(|track| is_video(track)) {
                if large {
                    continue;
                }
                gone.retain(|id| *id != track.id);
                let known = self
                    .tracks
                    .entry(track.id)
                    .or_insert_with(|| VideoTrack::new(track.id, None));
                known.publish(now);
                known.set_sizes(&track.layers);
                if track.stopped && publisher.connected {
                    known.clear_pictures(now);
                }
            }
        }
        for id in gone {
            if let Some(track) = self.tracks.remove(&id) {
                self.past_counts = sum(self.past_counts, track.counts());
            }
        }
    }

    /// What a canvas shows.
    pub(super) fn scene(&mut self, spec: &LayoutSpec, frame: Frame) -> Vec<Shown> {
        let Frame {
            encoder,
            canvas,
            scaling,
            due,
            half,
            ..
        } = frame;
        let seen: Vec<Seen> = self
            .roster
            .publishers()
            .iter()
            .map(|publisher| see(publisher, &mut self.tracks, (due, half)))
            .collect();
        let publishers = self.roster.publishers();
        let candidates: Vec<Candidate<'_>> = publishers
            .iter()
            .zip(&seen)
            .map(|(publisher, seen)| Candidate {
                participant: &publisher.participant,
                attributes: &publisher.attributes,
                has_video: seen.has_video,
                video_size: seen.size,
            })
            .collect();
        let slots = layout(spec, canvas, &candidates);
        let mut shown = Vec::with_capacity(slots.len());
        for slot in slots {
            let of = publishers
                .iter()
                .zip(&seen)
                .find(|(publisher, _)| publisher.participant == slot.participant);
            let Some((publisher, seen)) = of else {
                continue;
            };
            let track = seen.track.and_then(|id| self.tracks.get_mut(&id));
            let picture = match (&seen.picture, track) {
                (Some(picture), Some(track)) => {
                    let Rect { width, height, .. } = slot.rect;
                    let look = Look {
                        size: Canvas { width, height },
                        fill_mode: slot.fill_mode,
                        scaling,
                    };
                    track.tiles().take(encoder, look, Arc::clone(picture))
                }
                _ => self.placeholders.of(publisher, &slot),
            };
            shown.push(Shown {
                slot,
                picture,
                track: seen.track,
            });
        }
        shown
    }

    /// Keyframes to ask for at `now`.
    pub(super) fn keyframe_requests(&mut self, now: MediaTime) -> Vec<(TrackId, Layer)> {
        let mut requests = Vec::new();
        for publisher in self.roster.publishers().iter().filter(|p| p.connected) {
            let wanted = |track: &&Track| !track.stopped && !self.quarantine.gives_up(track.id);
            let Some(video) = video_track(publisher).filter(wanted) else {
                continue;
            };
            if let Some(track) = self.tracks.get_mut(&video.id)
                && let Some(layer) = track.keyframe_request(now, PICTURE_PATIENCE)
            {
                requests.push((video.id, layer));
            }
        }
        requests
    }

    /// Drops what nobody will ask for any more; once a second.
    pub(super) fn tidy(&mut self, now: MediaTime) {
        for track in self.tracks.values_mut().filter(|t| !t.is_published()) {
            track.forget_before(now.minus(UNPUBLISHED_KEEP));
        }
        self.tracks
            .retain(|_, track| track.is_published() || !track.is_idle());
    }

    /// The oldest record that a successor must feed.
    pub(super) fn read_from(&self) -> Option<JournalSeq> {
        self.tracks.values().filter_map(VideoTrack::read_from).min()
    }

    /// Each publisher with its counters after the frame due at `due`, those of its sound taken from `mixer`.
    pub(super) fn participants(&self, due: MediaTime, mixer: &Mixer) -> Vec<ParticipantStats> {
        let of = |publisher: &Publisher| {
            let sound = publisher.tracks.iter().find(|track| !is_video(track));
            let (audio, heard) = sound.map(|track| mixer.stats(track.id)).unwrap_or_default();
            let picture = video_track(publisher).filter(|track| !track.stopped);
            let picture = picture.and_then(|track| self.tracks.get(&track.id));
            let shown = picture.and_then(VideoTrack::offset);
            ParticipantStats {
                participant: publisher.participant.clone(),
                skew_us: heard.zip(shown).map(|(heard, shown)| {
                    let heard_us = heard * 1_000_000 / i64::from(AUDIO_SAMPLE_RATE);
                    (heard_us - shown / 1000) as i32
                }),
                video: picture.map(|track| track.stats(due)).unwrap_or_default(),
                audio,
            }
        };
        self.roster.publishers().iter().map(of).collect()
    }

    /// What became of all access units so far.
    pub(super) fn counts(&self) -> Counts {
        self.tracks
            .values()
            .map(VideoTrack::counts)
            .fold(self.past_counts, sum)
    }
}

/// What there is to see of a publisher.
#[derive(Debug)]
struct Seen {
    has_video: bool,
    size: Option<(u32, u32)>,
    picture: Option<Arc<Picture>>,
    track: Option<TrackId>,
}

fn see(
    publisher: &Publisher,
    tracks: &mut BTreeMap<TrackId, VideoTrack>,
    (due, half): (MediaTime, Duration),
) -> Seen {
    let nothing = Seen {
        has_video: false,
        size: None,
        picture: None,
        track: None,
    };
    let Some(video) = video_track(publisher).filter(|_| !is_too_large(publisher)) else {
        return nothing;
    };
    let picture = tracks
        .get_mut(&video.id)
        .and_then(|track| track.picture_at(due, half))
        // The roster may learn the size after the decoder.
        .filter(|picture| !exceeds_1080p(picture.width(), picture.height()));
    // Who is away for a moment is shown as last seen.
    let has_video = if publisher.connected {
        !video.stopped
    } else {
        picture.is_some()
    };
    if !has_video {
        return nothing;
    }
    let largest = video.layers.iter().max_by_key(|size| size.height);
    let size = largest.map(|size| (u32::from(size.width), u32::from(size.height)));
    Seen {
        has_video,
        size: size.or(picture.as_ref().map(|p| (p.width(), p.height()))),
        picture,
        track: Some(video.id),
    }
}

/// The track that stands for a publisher: the first that is not stopped, else the first.
fn video_track(publisher: &Publisher) -> Option<&Track> {
    let mut videos = publisher.tracks.iter().filter(|track| is_video(track));
    let first = videos.clone().next();
    videos.find(|track| !track.stopped).or(first)
}

fn is_video(track: &Track) -> bool {
    track.codec.kind() == MediaKind::Video
}

fn is_too_large(publisher: &Publisher) -> bool {
    let layers = publisher.tracks.iter().flat_map(|track| &track.layers);
    layers
        .into_iter()
        .any(|size| exceeds_1080p(size.width.into(), size.height.into()))
}

fn exceeds_1080p(width: u32, height: u32) -> bool {
    width.max(height) > LONG_SIDE_MAX || width.min(height) > SHORT_SIDE_MAX
}

fn sum(a: Counts, b: Counts) -> Counts {
    Counts {
        decoded: a.decoded + b.decoded,
        late: a.late + b.late,
        damaged: a.damaged + b.damaged,
        pixels: a.pixels + b.pixels,
    }
}
