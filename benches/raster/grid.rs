//! Twelve pictures on a 4 x 3 grid.

use std::sync::Arc;

use benches::cpu::{median, of_this_process};
use benches::{BenchError, table};
use compositor::raster::{Item, Picture, Raster};
use compositor_core::id::ParticipantId;
use compositor_core::layout::{
    Candidate, Canvas, GridSpec, LayoutSpec, Rect, VideoAspectRatio, VideoFillMode, layout,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rayon::ThreadPoolBuilder;

use super::peer::Peer;

pub(crate) const CANVAS: Canvas = Canvas {
    width: 1280,
    height: 720,
};

const TILES: u64 = 12;

/// Frames before the measurement.
const WARM_UP: usize = 10;

/// Pictures of one size, and the slots for them. Each tile shows its two in turn.
struct Case {
    name: String,
    slots: Vec<Rect>,
    sets: [Vec<Vec<u8>>; 2],
    size: (u32, u32),
}

pub(crate) fn run(frames: usize, rounds: usize) -> Result<(), BenchError> {
    println!("### 12 pictures to a 4 x 3 grid at 1280x720\n");
    let head = [
        "pictures",
        "gap",
        "GStreamer us/frame",
        "raster us/frame",
        "raster / GStreamer",
        "one thread",
        "no SIMD",
        "unchanged us/frame",
        "unchanged / GStreamer",
    ];
    let mut rows = Vec::new();
    for size in [(1280, 720), (640, 360), (320, 180)] {
        for gap in [2, 0] {
            let case = Case::new(size, gap);
            let mut figures: [Vec<f64>; 5] = Default::default();
            for _ in 0..rounds {
                let one = ThreadPoolBuilder::new().num_threads(1).build()?;
                for (figure, value) in figures.iter_mut().zip([
                    case.gstreamer(frames)?,
                    case.ours(Raster::new(CANVAS), frames, true)?,
                    one.install(|| case.ours(Raster::new(CANVAS), frames, true))?,
                    case.ours(Raster::scalar(CANVAS), frames / 4, true)?,
                    case.ours(Raster::new(CANVAS), frames * 100, false)?,
                ]) {
                    figure.push(value);
                }
            }
            let [peer, ours, one, scalar, still] = figures.map(median);
            rows.push(vec![
                case.name,
                gap.to_string(),
                format!("{peer:.0}"),
                format!("{ours:.0}"),
                format!("{:.3}", ours / peer),
                format!("{one:.0}"),
                format!("{scalar:.0}"),
                format!("{still:.2}"),
                format!("1/{:.0}", peer / still),
            ]);
        }
    }
    table::print(&head, &rows);
    Ok(())
}

impl Case {
    fn new(size: (u32, u32), gap: u32) -> Self {
        let mut random = StdRng::seed_from_u64(12);
        let mut set = || (0..TILES).map(|_| noise(size, &mut random)).collect();
        Self {
            name: format!("{}x{}", size.0, size.1),
            slots: slots(gap),
            sets: [set(), set()],
            size,
        }
    }

    /// Microseconds of CPU per frame.
    fn ours(&self, mut raster: Raster, frames: usize, changing: bool) -> Result<f64, BenchError> {
        let (width, height) = self.size;
        let scenes = self.sets.clone().map(|set| {
            let pictures = set
                .into_iter()
                .map(|data| Arc::new(Picture::own(width, height, data)));
            let items = self
                .slots
                .iter()
                .zip(pictures)
                .map(|(&slot, picture)| Item {
                    slot,
                    fill_mode: VideoFillMode::Fill,
                    picture,
                });
            items.collect::<Vec<_>>()
        });
        let mut canvas = raster.black();
        let mut draw = |frames: usize| {
            for frame in 0..frames {
                let scene = &scenes[if changing { frame % 2 } else { 0 }];
                raster.draw(&mut canvas, scene.clone());
            }
            Ok(())
        };
        draw(WARM_UP)?;
        let used = of_this_process(|| draw(frames))?;
        Ok(used.as_secs_f64() * 1e6 / frames as f64)
    }

    fn gstreamer(&self, frames: usize) -> Result<f64, BenchError> {
        let mut peer = Peer::start(self.size, &self.slots, &self.sets)?;
        peer.compose(WARM_UP)?;
        let used = of_this_process(|| peer.compose(frames))?;
        Ok(used.as_secs_f64() * 1e6 / frames as f64)
    }
}

fn slots(gap: u32) -> Vec<Rect> {
    let spec = LayoutSpec::Grid(GridSpec {
        featured_participant_attribute: String::new(),
        grid_gap: gap,
        omit_stopped_video: false,
        participant_order_attribute: String::new(),
        video_aspect_ratio: VideoAspectRatio::Video,
        video_fill_mode: Some(VideoFillMode::Fill),
    });
    let ids: Vec<_> = (0..TILES)
        .map(|n| ParticipantId::new(format!("p{n}")))
        .collect();
    let attributes = Default::default();
    let candidates: Vec<_> = ids
        .iter()
        .map(|participant| Candidate {
            participant,
            attributes: &attributes,
            has_video: true,
            video_size: Some((1280, 720)),
        })
        .collect();
    layout(&spec, CANVAS, &candidates)
        .into_iter()
        .map(|slot| slot.rect)
        .collect()
}

/// Smooth noise in three planes: as hard to scale as any picture.
fn noise((width, height): (u32, u32), random: &mut StdRng) -> Vec<u8> {
    let mut value = 128_i32;
    (0..width * height * 3 / 2)
        .map(|_| {
            value = (value + random.random_range(-9..=9)).clamp(16, 235);
            value as u8
        })
        .collect()
}
