//! What a stream is like, found in its first seconds. Pure.

use channel::{StreamFormat, TapUnit};
use compositor_core::time::FrameRate;
use recorder::TimedUnit;

/// So much of a stream is looked at: two seconds, on the 90 kHz clock. Announced frame rates are mostly right and bit rates
/// mostly missing, so both streams of a reconnect are measured in the same way.
const PROBE_TICKS: u64 = 180_000;

/// Units that are looked at at most, should the times of a stream stand still.
const PROBE_UNITS_MAX: usize = 1024;

/// Where nothing tells the frame rate: a stream of one picture.
const FRAME_RATE_UNKNOWN: f64 = 30.0;

/// Frame rates that are believed.
const FRAME_RATES: std::ops::RangeInclusive<f64> = 1.0..=120.0;

/// What must be the same for one stream to continue the recording of another.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct StreamShape {
    pub(super) format: StreamFormat,
    pub(super) fps: FrameRate,
    /// Of pictures and sound, bits per second, over the first seconds.
    pub(super) bitrate: u32,
}

impl StreamShape {
    pub(super) fn size(&self) -> (u16, u16) {
        size(&self.format)
    }

    /// Whether a stream like `next` may continue: same size, frame rate and codecs, and a bit rate that differs by at most
    /// a half.
    pub(super) fn continued_by(&self, next: &Self) -> bool {
        self.size() == next.size()
            && self.fps == next.fps
            && same_codecs(&self.format, &next.format)
            && self.bitrate.abs_diff(next.bitrate) <= self.bitrate / 2
    }

    /// Whether a stream that goes on in this format can stay in its recording.
    pub(super) fn keeps(&self, format: &StreamFormat) -> bool {
        self.size() == size(format) && same_codecs(&self.format, format)
    }
}

fn size(format: &StreamFormat) -> (u16, u16) {
    let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX);
    (side(format.width), side(format.height))
}

fn same_codecs(one: &StreamFormat, other: &StreamFormat) -> bool {
    one.video_codec == other.video_codec && one.audio == other.audio
}

/// Gathers the first units of a stream.
#[derive(Debug, Default)]
pub(super) struct Probe {
    units: Vec<TapUnit>,
    format: Option<StreamFormat>,
    first: Option<u64>,
    last: u64,
    pictures: u32,
    bytes: u64,
    is_over: bool,
}

impl Probe {
    /// Takes a unit; false when it knows enough.
    pub(super) fn push(&mut self, unit: TapUnit) -> bool {
        match &unit {
            // Another format: it ends what can be measured.
            TapUnit::Format(_) if self.format.is_some() => self.is_over = true,
            TapUnit::Format(format) => self.format = Some(format.clone()),
            TapUnit::Media(_) if self.is_over => {}
            TapUnit::Media(TimedUnit::Video { dts, data, .. }) => {
                self.first.get_or_insert(*dts);
                self.last = *dts;
                self.pictures += 1;
                self.bytes += data.len() as u64;
            }
            TapUnit::Media(TimedUnit::Audio { data, .. }) => self.bytes += data.len() as u64,
            TapUnit::Media(TimedUnit::Break) => self.is_over = true,
            TapUnit::Media(
                TimedUnit::Begin { .. } | TimedUnit::Metadata { .. } | TimedUnit::DateRange { .. },
            ) => {}
        }
        self.units.push(unit);
        !self.is_over && self.span() < PROBE_TICKS && self.units.len() < PROBE_UNITS_MAX
    }

    /// What the stream is like, and the units that tell; `None` when there was no picture.
    pub(super) fn finish(self) -> Option<(StreamShape, Vec<TapUnit>)> {
        let span = self.span();
        let steps = self.pictures.saturating_sub(1);
        // Bytes of the last picture belong to what follows the span, but a keyframe in front outweighs it.
        let seconds = span as f64 / 90_000.0;
        let measured = (steps > 0 && span > 0).then(|| (f64::from(steps) / seconds).round());
        let believed = |fps: &f64| FRAME_RATES.contains(fps);
        let format = self.format?;
        let fps = format.fps.filter(believed).or(measured.filter(believed));
        self.first?;
        let bitrate = if span > 0 {
            (self.bytes as f64 * 8.0 / seconds) as u32
        } else {
            0
        };
        let shape = StreamShape {
            fps: FrameRate::from_api(fps.unwrap_or(FRAME_RATE_UNKNOWN)),
            format,
            bitrate,
        };
        Some((shape, self.units))
    }

    fn span(&self) -> u64 {
        self.first
            .map_or(0, |first| self.last.saturating_sub(first))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use compositor_core::time::WallTime;

    use super::*;

    fn format(fps: Option<f64>) -> StreamFormat {
        StreamFormat {
            width: 1280,
            height: 720,
            video_codec: "avc1.64001F".to_owned(),
            audio: None,
            fps,
        }
    }

    /// A stream of pictures 40 ms apart.
    fn shape(announced: Option<f64>, picture_bytes: usize) -> StreamShape {
        let mut probe = Probe::default();
        probe.push(TapUnit::Format(format(announced)));
        let at = WallTime(0);
        probe.push(TapUnit::Media(TimedUnit::Begin { at, audio: None }));
        let picture = |n: u64| {
            TapUnit::Media(TimedUnit::Video {
                pts: n * 3600,
                dts: n * 3600,
                keyframe: n == 0,
                data: Bytes::from(vec![0; picture_bytes]),
            })
        };
        let taken = (0..).take_while(|n| probe.push(picture(*n))).count();
        assert_eq!(taken, 50, "two seconds are enough");
        let (shape, units) = probe.finish().unwrap();
        assert_eq!(units.len(), 53, "nothing is lost");
        shape
    }

    #[test]
    fn frame_rate_is_measured_unless_it_was_announced() {
        assert_eq!(shape(None, 1000).fps, FrameRate::whole(25));
        let announced = shape(Some(29.97), 1000);
        assert_eq!(
            announced.fps,
            FrameRate {
                num: 30_000,
                den: 1001
            }
        );
        assert_eq!(shape(Some(1000.0), 1000).fps, FrameRate::whole(25));
        assert_eq!(announced.bitrate, 51 * 1000 * 8 / 2);
    }

    #[test]
    fn another_stream_continues_only_when_it_is_alike() {
        let first = shape(None, 1000);
        assert!(first.continued_by(&shape(None, 1490)));
        assert!(first.continued_by(&shape(None, 510)));
        assert!(!first.continued_by(&shape(None, 1520)));
        assert!(!first.continued_by(&shape(None, 490)));
        assert!(!first.continued_by(&shape(Some(30.0), 1000)));
        let mut smaller = first.clone();
        smaller.format.height = 480;
        assert!(!first.continued_by(&smaller) && !first.keeps(&smaller.format));
        let mut other = first.clone();
        other.format.video_codec = "avc1.42C01F".to_owned();
        assert!(!first.continued_by(&other));
    }

    #[test]
    fn a_stream_without_a_picture_has_no_shape_and_one_picture_is_enough() {
        assert!(Probe::default().finish().is_none());
        let mut probe = Probe::default();
        probe.push(TapUnit::Format(format(None)));
        assert!(!probe.push(TapUnit::Media(TimedUnit::Break)));
        assert!(probe.finish().is_none());
    }
}
