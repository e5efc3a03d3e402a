//! The failover slate: what players see while the ingest of a stream is interrupted. Pure; time is an argument.

mod silence;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use compositor_core::time::{FrameRate, MonotonicTime};
use recorder::mux::AudioConfig;

use crate::limits::SLATE_BEHIND_MAX;
use crate::sample::{CLOCK_HZ, Sample};

/// Samples in an AAC frame.
const AAC_FRAME_SAMPLES: u64 = 1024;

/// When a slate is shown, and how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlateTimes {
    /// Without media for this long, it is shown.
    pub activation: Duration,
    /// Once shown, it stays at least this long.
    pub min_display: Duration,
    /// After this long without media the stream ends.
    pub max_display: Duration,
}

/// What a slate must look like to fit its stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SlateFormat {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: FrameRate,
}

/// Makes the pictures of slates; implemented where encoders are.
#[async_trait]
pub trait SlateSource: std::fmt::Debug + Send + Sync + 'static {
    /// A group of pictures that can be repeated: H.264 access units in Annex B form, an IDR picture with its parameter
    /// sets first, in the order in which they are shown.
    async fn pictures(&self, format: SlateFormat) -> Result<Arc<[Bytes]>, SlateError>;
}

/// There is no slate.
#[derive(Debug, thiserror::Error)]
#[error("the slate cannot be encoded")]
pub struct SlateError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// The slate of one stream.
#[derive(Debug)]
pub(crate) struct Slate {
    times: SlateTimes,
    prepared: Option<Prepared>,
    showing: Option<Showing>,
}

#[derive(Clone, Debug)]
struct Prepared {
    format: SlateFormat,
    pictures: Arc<[Bytes]>,
}

#[derive(Debug)]
struct Showing {
    /// When it was decided.
    since: MonotonicTime,
    /// Its time line begins where the media broke off.
    zero: MonotonicTime,
    /// The 90 kHz time of `zero`.
    base: u64,
    prepared: Prepared,
    sound: Option<Sound>,
    next_picture: u64,
}

#[derive(Debug)]
struct Sound {
    frame: Bytes,
    sample_rate: u64,
    next: u64,
}

impl Slate {
    pub(crate) fn new(times: SlateTimes) -> Self {
        Self {
            times,
            prepared: None,
            showing: None,
        }
    }

    /// The pictures are there.
    pub(crate) fn prepare(&mut self, format: SlateFormat, pictures: Arc<[Bytes]>) {
        self.prepared = (!pictures.is_empty()).then_some(Prepared { format, pictures });
    }

    /// How long a stream with this slate lives without media.
    pub(crate) fn patience(times: SlateTimes) -> Duration {
        times.activation + times.max_display
    }

    pub(crate) fn is_showing(&self) -> bool {
        self.showing.is_some()
    }

    /// Begins to show it when there has been no media for long enough. `size` is that of the stream; `latest` is the
    /// 90 kHz time at which its media broke off. Whether it began.
    pub(crate) fn start(
        &mut self,
        now: MonotonicTime,
        last_media: MonotonicTime,
        (size, audio, latest): ((u32, u32), Option<AudioConfig>, u64),
    ) -> bool {
        let due = now >= last_media.plus(self.times.activation);
        let Some(prepared) = &self.prepared else {
            return false;
        };
        let fits = (prepared.format.width, prepared.format.height) == size;
        if !due || !fits || self.is_showing() {
            return false;
        }
        // From where the media broke off, so that players who are that far behind see no hole.
        let behind = now.since(last_media).min(SLATE_BEHIND_MAX);
        self.showing = Some(Showing {
            since: now,
            zero: now.minus(behind),
            base: latest + CLOCK_HZ,
            prepared: prepared.clone(),
            sound: audio.map(|audio| Sound {
                frame: silence::frame(audio.channels()),
                sample_rate: u64::from(audio.sample_rate()).max(1),
                next: 0,
            }),
            next_picture: 0,
        });
        true
    }

    /// Pictures and silence that are due, in order.
    pub(crate) fn due(&mut self, now: MonotonicTime) -> Vec<Sample> {
        let Some(showing) = &mut self.showing else {
            return Vec::new();
        };
        let mut due = Vec::new();
        while let Some(sample) = showing.next(now) {
            due.push(sample);
        }
        due
    }

    /// When its time line began, of a slate that is shown.
    pub(crate) fn zero(&self) -> Option<MonotonicTime> {
        self.showing.as_ref().map(|showing| showing.zero)
    }

    /// Whether it was shown for so long that media may return.
    pub(crate) fn may_stop(&self, now: MonotonicTime) -> bool {
        let showing = self.showing.as_ref();
        showing.is_some_and(|showing| now >= showing.since.plus(self.times.min_display))
    }

    /// Media is back.
    pub(crate) fn stop(&mut self) {
        self.showing = None;
    }
}

impl Showing {
    fn next(&mut self, now: MonotonicTime) -> Option<Sample> {
        let elapsed = u64::try_from(now.since(self.zero).as_nanos()).unwrap_or(u64::MAX);
        let now = self.base + elapsed / 100_000 * 9;
        let picture = self.base + self.prepared.format.fps.pts_90k(self.next_picture);
        let sound = self.sound.as_mut();
        if let Some(sound) = sound.filter(|sound| self.base + sound.ticks() < picture) {
            let pts = self.base + sound.ticks();
            if pts > now {
                return None;
            }
            sound.next += 1;
            let data = sound.frame.clone();
            return Some(Sample::Audio { pts, data });
        }
        if picture > now {
            return None;
        }
        let pictures = &self.prepared.pictures;
        let index = usize::try_from(self.next_picture).unwrap_or(0) % pictures.len();
        self.next_picture += 1;
        Some(Sample::Video {
            pts: picture,
            dts: picture,
            keyframe: index == 0,
            data: pictures[index].clone(),
        })
    }
}

impl Sound {
    fn ticks(&self) -> u64 {
        self.next * AAC_FRAME_SAMPLES * CLOCK_HZ / self.sample_rate
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Nobody encodes.
    #[derive(Debug)]
    pub(crate) struct NoSlate;

    #[async_trait]
    impl SlateSource for NoSlate {
        async fn pictures(&self, _: SlateFormat) -> Result<Arc<[Bytes]>, SlateError> {
            Err(SlateError("nobody encodes".into()))
        }
    }

    const TIMES: SlateTimes = SlateTimes {
        activation: Duration::from_secs(3),
        min_display: Duration::from_secs(5),
        max_display: Duration::from_secs(60),
    };

    const SIZE: (u32, u32) = (640, 360);

    fn at(seconds: u64) -> MonotonicTime {
        MonotonicTime(seconds * 1_000_000_000)
    }

    fn slate() -> Slate {
        let mut slate = Slate::new(TIMES);
        let format = SlateFormat {
            width: SIZE.0,
            height: SIZE.1,
            fps: FrameRate::whole(25),
        };
        let pictures: Vec<Bytes> = (0..50).map(|n| vec![n].into()).collect();
        slate.prepare(format, pictures.into());
        slate
    }

    fn stream(size: (u32, u32)) -> ((u32, u32), Option<AudioConfig>, u64) {
        (size, Some(AudioConfig::of_compositions()), 1000)
    }

    #[test]
    fn it_is_shown_after_the_threshold_in_the_size_of_the_stream_only() {
        let mut slate = slate();
        assert!(!slate.start(at(12), at(10), stream(SIZE)));
        assert!(!slate.start(at(13), at(10), stream((320, 180))));
        assert!(slate.start(at(13), at(10), stream(SIZE)));
        assert!(!slate.start(at(14), at(10), stream(SIZE)), "it is already");
        let mut unprepared = Slate::new(TIMES);
        assert!(!unprepared.start(at(99), at(10), stream(SIZE)));
    }

    #[test]
    fn it_fills_the_hole_and_then_keeps_the_pace() {
        let mut slate = slate();
        slate.start(at(13), at(10), stream(SIZE));
        let first = slate.due(at(13));
        let pictures = |samples: &[Sample]| {
            let video = |sample: &&Sample| matches!(sample, Sample::Video { .. });
            samples.iter().filter(video).count()
        };
        assert_eq!(pictures(&first), 3 * 25 + 1);
        assert_eq!(
            first.len() - pictures(&first),
            141,
            "3 s of sound at 48 kHz"
        );
        assert!(matches!(
            &first[0],
            Sample::Video {
                dts: 91_000,
                keyframe: true,
                ..
            }
        ));
        let keyframes = first
            .iter()
            .filter(|sample| matches!(sample, Sample::Video { keyframe: true, .. }));
        assert_eq!(keyframes.count(), 2, "the group of 50 is repeated");
        assert_eq!(slate.due(at(13)), []);
        assert_eq!(pictures(&slate.due(at(14))), 25);
        let times = first.iter().filter_map(|sample| match sample {
            Sample::Video { pts, .. } | Sample::Audio { pts, .. } => Some(*pts),
            _ => None,
        });
        assert!(times.is_sorted());
    }

    #[test]
    fn media_may_return_after_the_minimum() {
        let mut slate = slate();
        assert!(!slate.may_stop(at(99)));
        slate.start(at(13), at(10), stream(SIZE));
        assert!(!slate.may_stop(at(17)));
        assert!(slate.may_stop(at(18)));
        slate.stop();
        assert!(!slate.is_showing());
        assert_eq!(slate.due(at(20)), []);
    }

    #[test]
    fn a_long_stall_is_not_filled_whole() {
        let mut slate = slate();
        slate.start(at(500), at(10), stream(SIZE));
        assert!(slate.due(at(500)).len() < 1000);
    }
}
