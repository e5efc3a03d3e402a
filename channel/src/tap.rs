//! What a live stream is made of, for whoever records it.
//!
//! A live stream never waits for its listener: what does not fit is left out, up to the next keyframe for which there is
//! room, and the listener sees a break.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use compositor_core::id::ChannelId;
use compositor_core::time::WallTime;
use recorder::TimedUnit;
use recorder::mux::AudioConfig;
use tokio::sync::mpsc;

use crate::directory::{ChannelGrant, Snapshot};
use crate::limits::{METADATA_PENDING_MAX, TAP_BYTES_MAX, TAP_UNITS_MAX};
use crate::origin::MediaFormat;
use crate::sample::Sample;

/// How a stream is coded.
#[derive(Clone, PartialEq, Debug)]
pub struct StreamFormat {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// RFC 6381 codec string of the pictures.
    pub video_codec: String,
    /// How the sound is coded, if there is any.
    pub audio: Option<AudioConfig>,
    /// Frames per second, if the publisher announced them.
    pub fps: Option<f64>,
}

/// What comes out of a tap.
#[derive(Clone, PartialEq, Debug)]
pub enum TapUnit {
    /// The format of what follows; first of all, and in front of each [`TimedUnit::Begin`].
    Format(StreamFormat),
    /// Media.
    Media(TimedUnit),
}

/// One live stream, from its first keyframe on. It ends when the stream does.
#[derive(Debug)]
pub struct StreamTap {
    /// The channel.
    pub channel: ChannelId,
    /// The channel's ARN when the stream session began.
    pub arn: String,
    /// The channel's name when the stream session began; may be empty.
    pub name: String,
    /// The stream session.
    pub stream_id: String,
    /// What the directory said of the channel when the stream session began.
    pub snapshot: Snapshot,
    units: mpsc::Receiver<TapUnit>,
    queued_bytes: Arc<AtomicUsize>,
}

impl StreamTap {
    /// The next unit; `None` when the stream has ended.
    pub async fn recv(&mut self) -> Option<TapUnit> {
        let unit = self.units.recv().await?;
        self.queued_bytes.fetch_sub(bytes(&unit), Ordering::Relaxed);
        Some(unit)
    }
}

/// The origin's end of a tap.
#[derive(Debug)]
pub(crate) struct TapSender {
    units: mpsc::Sender<TapUnit>,
    queued_bytes: Arc<AtomicUsize>,
    /// Whether the last unit that was sent belongs to a stretch of continuous media.
    is_begun: bool,
    /// What came between two stretches and goes to where the next one begins.
    pending: VecDeque<Pending>,
}

/// A tag, without its time.
#[derive(Debug)]
enum Pending {
    Metadata(Bytes),
    DateRange(String),
}

/// A tap of the stream `stream_id`.
pub(crate) fn tap(grant: &ChannelGrant, stream_id: String) -> (TapSender, StreamTap) {
    let (sender, units) = mpsc::channel(TAP_UNITS_MAX);
    let queued_bytes = Arc::new(AtomicUsize::new(0));
    let tap = StreamTap {
        channel: grant.channel.clone(),
        arn: grant.arn.clone(),
        name: grant.name.clone(),
        stream_id,
        snapshot: grant.ingest.snapshot.clone(),
        units,
        queued_bytes: Arc::clone(&queued_bytes),
    };
    let sender = TapSender {
        units: sender,
        queued_bytes,
        is_begun: false,
        pending: VecDeque::new(),
    };
    (sender, tap)
}

impl TapSender {
    /// Passes on a sample that came at `at`. A stretch of media begins with a keyframe.
    pub(crate) fn sample(&mut self, at: WallTime, format: &MediaFormat, sample: &Sample) {
        let mut begins_at = None;
        let unit = match sample {
            Sample::Discontinuity => return self.break_off(),
            Sample::Video {
                pts,
                dts,
                keyframe,
                data,
            } => {
                if !self.is_begun {
                    if !keyframe || !self.has_room(data.len()) {
                        return;
                    }
                    self.begin(at, format);
                    begins_at = Some(*pts);
                }
                let (pts, dts, keyframe) = (*pts, *dts, *keyframe);
                let data = data.clone();
                TimedUnit::Video {
                    pts,
                    dts,
                    keyframe,
                    data,
                }
            }
            Sample::Audio { pts, data } => TimedUnit::Audio {
                pts: *pts,
                data: data.clone(),
            },
            Sample::Metadata { pts, id3 } => {
                let tag = Pending::Metadata(id3.clone());
                let Some(tag) = self.begun_or_later(tag) else {
                    return;
                };
                tag.at(*pts)
            }
            Sample::AdBreak { pts, ad_break } => {
                let tag = ad_break.in_tag().unwrap_or_else(|| ad_break.out_tag());
                let Some(tag) = self.begun_or_later(Pending::DateRange(tag)) else {
                    return;
                };
                tag.at(*pts)
            }
        };
        self.pass_on(unit);
        if let Some(pts) = begins_at {
            for tag in std::mem::take(&mut self.pending) {
                self.pass_on(tag.at(pts));
            }
        }
    }

    /// A tag that belongs here; `None` when it waits for the next stretch.
    fn begun_or_later(&mut self, tag: Pending) -> Option<Pending> {
        if self.is_begun {
            return Some(tag);
        }
        if self.pending.len() >= METADATA_PENDING_MAX {
            tracing::warn!("a tag is missing in the recording of a stream, others are newer");
            self.pending.pop_front();
        }
        self.pending.push_back(tag);
        None
    }

    fn pass_on(&mut self, unit: TimedUnit) {
        if !self.is_begun {
            return;
        }
        if self.has_room(unit_bytes(&unit)) {
            self.send(TapUnit::Media(unit));
        } else {
            tracing::warn!("whoever records a stream is too slow; a part of it is left out");
            self.break_off();
        }
    }

    /// What comes next does not continue what came before.
    pub(crate) fn break_off(&mut self) {
        // A break that does not fit shows in the next beginning.
        if std::mem::take(&mut self.is_begun) {
            self.send(TapUnit::Media(TimedUnit::Break));
        }
    }

    fn begin(&mut self, at: WallTime, format: &MediaFormat) {
        self.send(TapUnit::Format(format.describe()));
        let audio = format.audio;
        self.send(TapUnit::Media(TimedUnit::Begin { at, audio }));
        self.is_begun = true;
    }

    /// Whether a unit of so many bytes fits, with a beginning in front and a break behind.
    fn has_room(&self, bytes: usize) -> bool {
        let queued = self.queued_bytes.load(Ordering::Relaxed);
        self.units.capacity() >= 4 && queued + bytes <= TAP_BYTES_MAX
    }

    fn send(&self, unit: TapUnit) {
        self.queued_bytes.fetch_add(bytes(&unit), Ordering::Relaxed);
        if let Err(error) = self.units.try_send(unit) {
            // Nobody listens, or it was checked before that there is room.
            let unit = error.into_inner();
            self.queued_bytes.fetch_sub(bytes(&unit), Ordering::Relaxed);
        }
    }
}

impl Pending {
    fn at(self, pts: u64) -> TimedUnit {
        match self {
            Self::Metadata(id3) => TimedUnit::Metadata { pts, id3 },
            Self::DateRange(tag) => TimedUnit::DateRange { pts, tag },
        }
    }
}

fn bytes(unit: &TapUnit) -> usize {
    match unit {
        TapUnit::Format(_) => 0,
        TapUnit::Media(unit) => unit_bytes(unit),
    }
}

fn unit_bytes(unit: &TimedUnit) -> usize {
    match unit {
        TimedUnit::Video { data, .. }
        | TimedUnit::Audio { data, .. }
        | TimedUnit::Metadata { id3: data, .. } => Bytes::len(data),
        TimedUnit::DateRange { tag, .. } => tag.len(),
        TimedUnit::Begin { .. } | TimedUnit::Break => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{ChannelType, IngestTerms};
    use crate::flv::sps::{Sps, tests::SPS_1280X720};

    fn parts() -> (TapSender, StreamTap, MediaFormat) {
        let grant = ChannelGrant {
            channel: ChannelId::new("C"),
            arn: "arn".into(),
            name: String::new(),
            insecure_ingest: true,
            channel_type: ChannelType::Standard,
            ingest: IngestTerms::default(),
            playback: crate::playback::PlaybackTerms::Open,
        };
        let (sender, tap) = tap(&grant, "st-x".into());
        let format = MediaFormat {
            picture: Sps::parse(&SPS_1280X720).unwrap(),
            audio: None,
            fps: Some(25.0),
        };
        (sender, tap, format)
    }

    fn picture(n: u64, bytes: usize) -> Sample {
        Sample::Video {
            pts: n,
            dts: n,
            keyframe: n.is_multiple_of(2),
            data: vec![0; bytes].into(),
        }
    }

    /// What waits: `f`ormat, `b`eginning, `|` break, or the number of a picture.
    fn waiting(tap: &mut StreamTap) -> String {
        let unit = || tap.units.try_recv().ok();
        std::iter::from_fn(unit)
            .map(|unit| match unit {
                TapUnit::Format(_) => "f".to_owned(),
                TapUnit::Media(TimedUnit::Begin { .. }) => "b".to_owned(),
                TapUnit::Media(TimedUnit::Break) => "|".to_owned(),
                TapUnit::Media(TimedUnit::Video { dts, .. }) => dts.to_string(),
                TapUnit::Media(_) => "-".to_owned(),
            })
            .collect()
    }

    #[test]
    fn a_stretch_begins_with_its_format_and_a_keyframe() {
        let (mut sender, mut tap, format) = parts();
        for n in 1..4 {
            sender.sample(WallTime(0), &format, &picture(n, 10));
        }
        sender.sample(WallTime(0), &format, &Sample::Discontinuity);
        for n in 5..8 {
            sender.sample(WallTime(0), &format, &picture(n, 10));
        }
        assert_eq!(waiting(&mut tap), "fb23|fb67");
    }

    #[test]
    fn what_does_not_fit_is_left_out_up_to_a_keyframe() {
        let (mut sender, mut tap, format) = parts();
        let third = TAP_BYTES_MAX / 3;
        for n in 0..6 {
            sender.sample(WallTime(0), &format, &picture(n, third));
        }
        assert_eq!(waiting(&mut tap), "fb012|");
        tap.queued_bytes.store(0, Ordering::Relaxed);
        for n in 7..10 {
            sender.sample(WallTime(0), &format, &picture(n, 10));
        }
        assert_eq!(waiting(&mut tap), "fb89");
    }

    #[test]
    fn tags_between_two_stretches_go_to_where_the_next_one_begins() {
        let (mut sender, mut tap, format) = parts();
        let tag = |pts| Sample::Metadata {
            pts,
            id3: Bytes::from_static(b"ID3"),
        };
        for _ in 0..=METADATA_PENDING_MAX {
            sender.sample(WallTime(0), &format, &tag(1));
        }
        sender.sample(WallTime(0), &format, &picture(2, 10));
        sender.sample(WallTime(0), &format, &tag(2));
        let tags = "-".repeat(METADATA_PENDING_MAX + 1);
        assert_eq!(waiting(&mut tap), format!("fb2{tags}"));
        sender.break_off();
        sender.sample(WallTime(0), &format, &tag(2));
        sender.sample(WallTime(0), &format, &picture(4, 10));
        assert_eq!(waiting(&mut tap), "|fb4-");
    }

    #[tokio::test]
    async fn what_was_read_makes_room_and_the_end_of_the_sender_is_the_end() {
        let (mut sender, mut tap, format) = parts();
        for n in 0..10 * TAP_UNITS_MAX as u64 {
            sender.sample(WallTime(0), &format, &picture(2 * n, 1000));
            while tap
                .recv()
                .await
                .is_some_and(|unit| !matches!(unit, TapUnit::Media(TimedUnit::Video { .. })))
            {
            }
        }
        assert_eq!(tap.queued_bytes.load(Ordering::Relaxed), 0);
        drop(sender);
        assert_eq!(tap.recv().await, None);
    }
}
