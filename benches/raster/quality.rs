//! How true scaled pictures are: against a scene whose light on any pixel is known exactly.
//!
//! The scene is a sum of waves in all directions, some finer than the smaller picture can show. A pixel is the mean of the
//! scene over its area. The source is that, rounded to eight bits; the reference is that at the size asked for, not rounded.

use std::f64::consts::TAU;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use benches::{BenchError, table};
use compositor::raster::{Item, Picture, Raster};
use compositor_core::layout::{Canvas, VideoFillMode};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const SOURCE: (u32, u32) = (1280, 720);
const SIZES: [(u32, u32); 7] = [
    (1918, 1078),
    (1706, 960),
    (960, 540),
    (854, 480),
    (640, 360),
    (424, 238),
    (318, 178),
];
const WAVES: usize = 60;

/// cos(x * across + y * down + phase), with x and y from 0 to 1.
struct Wave {
    across: f64,
    down: f64,
    phase: f64,
    strength: f64,
}

struct Scene(Vec<Wave>);

pub(crate) fn run() -> Result<(), BenchError> {
    println!("### PSNR of luma, 1280x720 scaled, dB\n");
    let scene = Scene::new();
    let source: Vec<u8> = scene
        .at(SOURCE)
        .into_iter()
        .map(|v| v.round() as u8)
        .collect();
    let mut rows = Vec::new();
    for size in SIZES {
        let reference = scene.at(size);
        let mut row = vec![format!("{}x{}", size.0, size.1)];
        row.push(format!("{:.2}", psnr(&reference, &ours(&source, size))));
        for flags in ["bilinear", "area", "bicubic"] {
            let scaled = swscale(&source, size, flags)?;
            row.push(format!("{:.2}", psnr(&reference, &scaled)));
        }
        rows.push(row);
    }
    let head = [
        "size",
        "raster",
        "swscale bilinear",
        "swscale area",
        "swscale bicubic",
    ];
    table::print(&head, &rows);
    Ok(())
}

impl Scene {
    fn new() -> Self {
        let mut random = StdRng::seed_from_u64(7);
        let waves = (0..WAVES).map(|_| {
            // As in pictures of the world, fine detail is weaker.
            let cycles = 2_f64 * 200_f64.powf(random.random());
            let angle = TAU * random.random::<f64>();
            Wave {
                across: TAU * cycles * angle.cos() * 16.0 / 9.0,
                down: TAU * cycles * angle.sin(),
                phase: TAU * random.random::<f64>(),
                strength: 60.0 / (4.0 + cycles),
            }
        });
        Self(waves.collect())
    }

    /// The mean over each pixel.
    fn at(&self, (width, height): (u32, u32)) -> Vec<f64> {
        let mut picture = vec![126.0; (width * height) as usize];
        for wave in &self.0 {
            // The mean of a wave over a pixel is its value in the middle, weakened along both sides.
            let sinc = |x: f64| if x == 0.0 { 1.0 } else { x.sin() / x };
            let (w, h) = (f64::from(width), f64::from(height));
            let strength = wave.strength * sinc(wave.across / w / 2.0) * sinc(wave.down / h / 2.0);
            for (y, row) in picture.chunks_mut(width as usize).enumerate() {
                for (x, value) in row.iter_mut().enumerate() {
                    let (x, y) = ((x as f64 + 0.5) / w, (y as f64 + 0.5) / h);
                    *value += strength * (x * wave.across + y * wave.down + wave.phase).cos();
                }
            }
        }
        picture
            .iter_mut()
            .for_each(|value| *value = value.clamp(16.0, 235.0));
        picture
    }
}

fn with_grey_chroma(luma: &[u8]) -> Vec<u8> {
    let mut picture = luma.to_vec();
    picture.resize(luma.len() * 3 / 2, 128);
    picture
}

fn ours(source: &[u8], (width, height): (u32, u32)) -> Vec<u8> {
    let canvas = Canvas { width, height };
    let mut raster = Raster::new(canvas);
    let mut drawn = raster.black();
    let picture = Picture::own(SOURCE.0, SOURCE.1, with_grey_chroma(source));
    let scene = vec![Item {
        slot: canvas.rect(),
        fill_mode: VideoFillMode::Fill,
        picture: Arc::new(picture),
    }];
    raster.draw(&mut drawn, scene);
    drawn.truncate((width * height) as usize);
    drawn
}

fn swscale(source: &[u8], (width, height): (u32, u32), flags: &str) -> Result<Vec<u8>, BenchError> {
    let raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p"];
    let mut child = Command::new("ffmpeg")
        .args(["-v", "error"])
        .args(raw)
        .args(["-s", &format!("{}x{}", SOURCE.0, SOURCE.1), "-i", "-"])
        .args(["-vf", &format!("scale={width}:{height}:flags={flags}")])
        .args(raw)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    let picture = with_grey_chroma(source);
    let writer = std::thread::spawn(move || input.write_all(&picture));
    let mut scaled = child.wait_with_output()?.stdout;
    writer.join().map_err(|_| "the writer panicked")??;
    let luma = (width * height) as usize;
    if scaled.len() != luma * 3 / 2 {
        return Err(format!("ffmpeg gave {} bytes", scaled.len()).into());
    }
    scaled.truncate(luma);
    Ok(scaled)
}

fn psnr(reference: &[f64], picture: &[u8]) -> f64 {
    let errors = reference
        .iter()
        .zip(picture)
        .map(|(a, &b)| (a - f64::from(b)).powi(2));
    let mean = errors.sum::<f64>() / reference.len() as f64;
    10.0 * (255.0_f64.powi(2) / mean).log10()
}
