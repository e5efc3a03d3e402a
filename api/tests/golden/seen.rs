//! Composes a job and remembers what could be seen and heard.

use std::sync::Arc;

use api::offline;
use compositor::composer::Tap;
use parking_lot::Mutex;

use super::Scenario;

/// Points of the picture that are remembered, in each direction.
const POINTS: usize = 32;

/// Tones are measured in windows of this many samples (100 ms), which whole periods of all tones fill.
const WINDOW: usize = 4_800;

/// Chromium's coarse quantisers at these bit rates are off by up to 16 of 255 in flat areas; the colours differ by 70.
const COLOUR_TOLERANCE: u8 = 24;

/// Y, U, V by BT.601, limited range.
pub(crate) type Colour = [u8; 3];

/// #c03030, #30a030, #3050c0: what record.py publishes.
pub(crate) const RED: Colour = [94, 107, 191];
pub(crate) const GREEN: Colour = [114, 95, 87];
pub(crate) const BLUE: Colour = [88, 182, 106];
pub(crate) const BLACK: Colour = [16, 128, 128];

/// The tones of the three.
pub(crate) const RED_HZ: f64 = 500.0;
pub(crate) const GREEN_HZ: f64 = 700.0;
pub(crate) const BLUE_HZ: f64 = 900.0;

/// A composition, as somebody who watches would describe it. Times are seconds on the stage clock.
pub(crate) struct Seen {
    start: f64,
    fps: f64,
    pictures: Vec<Vec<Colour>>,
    sound: Vec<f32>,
}

#[derive(Clone, Debug, Default)]
struct Watcher(Arc<Mutex<Watched>>);

#[derive(Debug, Default)]
struct Watched {
    canvas: (usize, usize),
    pictures: Vec<Vec<Colour>>,
    sound: Vec<f32>,
}

impl Tap for Watcher {
    fn picture(&mut self, _encoder: usize, _k: u64, i420: &[u8]) {
        let mut watched = self.0.lock();
        let (width, height) = watched.canvas;
        assert_eq!(
            i420.len(),
            width * height * 3 / 2,
            "a canvas without padding"
        );
        let (luma, chroma) = i420.split_at(width * height);
        let (u, v) = chroma.split_at(chroma.len() / 2);
        let point = |row: usize, column: usize| {
            let (y, x) = (
                (2 * row + 1) * height / (2 * POINTS),
                (2 * column + 1) * width / (2 * POINTS),
            );
            let at = y / 2 * (width / 2) + x / 2;
            [luma[y * width + x], u[at], v[at]]
        };
        let points = (0..POINTS * POINTS).map(|i| point(i / POINTS, i % POINTS));
        watched.pictures.push(points.collect());
    }

    fn sound(&mut self, _n: u64, samples: &[[f32; 2]]) {
        let mono = samples.iter().map(|[left, right]| (left + right) / 2.0);
        self.0.lock().sound.extend(mono);
    }
}

impl Seen {
    pub(crate) fn of(scenario: &Scenario, job: &str) -> Self {
        let job = scenario.job(job);
        let watcher = Watcher::default();
        watcher.0.lock().canvas = (job.video.width.into(), job.video.height.into());
        offline::look(&scenario.folder, &job, Box::new(watcher.clone())).expect("it is composed");
        let Watched {
            pictures, sound, ..
        } = std::mem::take(&mut *watcher.0.lock());
        Self {
            start: job.start.expect("recorded jobs have one").0 as f64 / 1e9,
            fps: job.video.framerate,
            pictures,
            sound,
        }
    }

    /// When it begins.
    pub(crate) fn start(&self) -> f64 {
        self.start
    }

    /// When it ends.
    pub(crate) fn end(&self) -> f64 {
        self.start + self.pictures.len() as f64 / self.fps
    }

    /// The colour at a place of the canvas, each coordinate from 0 to 1.
    pub(crate) fn colour(&self, time: f64, (x, y): (f64, f64)) -> Colour {
        let k = ((time - self.start) * self.fps).round() as usize;
        let column = (x * POINTS as f64) as usize;
        let row = (y * POINTS as f64) as usize;
        self.pictures[k][row * POINTS + column]
    }

    #[track_caller]
    pub(crate) fn check(&self, time: f64, place: (f64, f64), expected: Colour) {
        let found = self.colour(time, place);
        assert!(
            is_near(found, expected),
            "{:.2} s after the start: {found:?} at {place:?}, not {expected:?}",
            time - self.start
        );
    }

    /// Every frame between two times shows one of these colours there.
    #[track_caller]
    pub(crate) fn check_all(&self, (from, to): (f64, f64), place: (f64, f64), allowed: &[Colour]) {
        let frames = ((to - from) * self.fps) as u32;
        for frame in 0..frames {
            let time = from + f64::from(frame) / self.fps;
            let found = self.colour(time, place);
            assert!(
                allowed.iter().any(|colour| is_near(found, *colour)),
                "{:.2} s after the start: {found:?} at {place:?}, not of {allowed:?}",
                time - self.start
            );
        }
    }

    /// How many of the frames between two times differ from the one before.
    pub(crate) fn changes(&self, (from, to): (f64, f64)) -> usize {
        let k = |time: f64| ((time - self.start) * self.fps).round() as usize;
        let frames = &self.pictures[k(from)..k(to).min(self.pictures.len())];
        frames.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    /// The amplitude of a tone in the 100 ms that begin at `time`.
    pub(crate) fn tone(&self, time: f64, hz: f64) -> f64 {
        let first = ((time - self.start) * 48_000.0) as usize;
        let window = &self.sound[first..first + WINDOW];
        let mut sum = (0.0, 0.0);
        for (i, sample) in window.iter().enumerate() {
            let phase = i as f64 * hz * std::f64::consts::TAU / 48_000.0;
            sum.0 += f64::from(*sample) * phase.cos();
            sum.1 += f64::from(*sample) * phase.sin();
        }
        2.0 * f64::hypot(sum.0, sum.1) / WINDOW as f64
    }
}

pub(crate) fn is_near(a: Colour, b: Colour) -> bool {
    a.iter()
        .zip(b)
        .all(|(a, b)| a.abs_diff(b) <= COLOUR_TOLERANCE)
}
