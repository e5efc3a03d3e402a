//! CPU per composed second: the real worker, GStreamer and ffmpeg doing the same, and the parts nobody can avoid.
//!
//! Every figure is the difference between a long and a short run, divided by the difference of their lengths: what a
//! process needs to start and to end is not in it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use benches::clip::{Clip, simulcast_and_single};
use benches::cpu::{median, of_children};
use benches::peer::{self, Tile};
use benches::stage::{LEAD, Stage};
use benches::{BenchError, options, table, worker};
use compositor::source::SourceCodec;

const PARTICIPANTS: [usize; 4] = [1, 4, 9, 12];

/// The short run.
const SHORT: Duration = Duration::from_secs(1);

/// What one round measures, milliseconds of CPU per composed second.
struct Round {
    ours: f64,
    gstreamer: f64,
    xstack: f64,
    decode: f64,
    x264: f64,
    aac: f64,
}

impl Round {
    /// What nobody can avoid.
    fn parts(&self) -> f64 {
        self.decode + self.x264 + self.aac
    }
}

struct Bench {
    proscenium: PathBuf,
    folder: PathBuf,
    /// By how much the long run is longer.
    seconds: u32,
}

fn main() -> Result<(), BenchError> {
    let seconds = options::value("seconds", 5)?;
    let rounds: usize = options::value("rounds", 3)?;
    let only: String = options::value("only", String::new())?;
    let folder = tempfile::tempdir()?;
    let bench = Bench {
        proscenium: options::proscenium()?,
        folder: folder.path().to_owned(),
        seconds,
    };
    for (name, codec) in [("H.264", SourceCodec::H264), ("VP8", SourceCodec::Vp8)] {
        let (simulcast, single) = simulcast_and_single(codec)?;
        for (layers, clips) in [("720p", &single), ("simulcast q/h/f", &simulcast)] {
            let title = format!("{name} {layers}");
            if title.contains(&only) {
                let mean = clips.iter().map(Clip::bitrate).sum::<f64>() / clips.len() as f64;
                println!("### {title}, {:.1} Mb/s per participant\n", mean / 1e6);
                bench.rows(clips, rounds)?;
            }
        }
    }
    Ok(())
}

impl Bench {
    fn rows(&self, clips: &[Clip], rounds: usize) -> Result<(), BenchError> {
        let mut rows = Vec::new();
        for count in PARTICIPANTS {
            let stage = Stage {
                clips: clips.iter().cycle().take(count).collect(),
                step: 0,
            };
            let rounds: Vec<Round> = (0..rounds)
                .map(|_| self.round(&stage))
                .collect::<Result<_, _>>()?;
            let of = |value: fn(&Round) -> f64| median(rounds.iter().map(value).collect());
            let ms = |value: fn(&Round) -> f64| format!("{:.0}", of(value));
            rows.push(vec![
                count.to_string(),
                ms(|r| r.ours),
                ms(|r| r.gstreamer),
                ms(|r| r.xstack),
                format!("{:.2}", of(|r| r.ours / r.gstreamer)),
                format!("{:.2}", of(|r| r.ours / r.xstack)),
                ms(|r| r.decode),
                ms(|r| r.x264),
                ms(|r| r.aac),
                format!("{:.2}", of(|r| r.ours / r.parts())),
            ]);
        }
        let head = [
            "participants",
            "worker ms/s",
            "GStreamer ms/s",
            "xstack ms/s",
            "worker / GStreamer",
            "worker / xstack",
            "decoding ms/s",
            "x264 ms/s",
            "AAC ms/s",
            "worker / parts",
        ];
        table::print(&head, &rows);
        Ok(())
    }

    fn round(&self, stage: &Stage<'_>) -> Result<Round, BenchError> {
        let long = SHORT + Duration::from_secs(u64::from(self.seconds));
        let composed = |name| self.folder.join(name);
        let ours = self.difference(
            || self.compose(stage, SHORT, &composed("short.h264")),
            || self.compose(stage, long, &composed("long.h264")),
        )?;
        let (short, tiles) = (
            self.tiles(stage, SHORT, "short")?,
            self.tiles(stage, long, "long")?,
        );
        let gstreamer = self.difference(|| peer::compose(&short), || peer::compose(&tiles))?;
        let xstack = self.difference(|| peer::xstack(&short), || peer::xstack(&tiles))?;
        let decode = self.difference(|| peer::decode(&short), || peer::decode(&tiles))?;
        let decode_composed = self.difference(
            || peer::decode_stream(&composed("short.h264")),
            || peer::decode_stream(&composed("long.h264")),
        )?;
        let recode_composed = self.difference(
            || peer::recode_stream(&composed("short.h264")),
            || peer::recode_stream(&composed("long.h264")),
        )?;
        let decode_sound = self.difference(
            || peer::decode_sound(&short[0]),
            || peer::decode_sound(&tiles[0]),
        )?;
        let recode_sound = self.difference(
            || peer::recode_sound(&short[0]),
            || peer::recode_sound(&tiles[0]),
        )?;
        Ok(Round {
            ours,
            gstreamer,
            xstack,
            decode,
            x264: recode_composed - decode_composed,
            aac: recode_sound - decode_sound,
        })
    }

    /// Milliseconds of CPU per second by which `long` is longer than `short`.
    fn difference(
        &self,
        short: impl FnOnce() -> Result<(), BenchError>,
        long: impl FnOnce() -> Result<(), BenchError>,
    ) -> Result<f64, BenchError> {
        let ((), short) = of_children(short)?;
        let ((), long) = of_children(long)?;
        Ok((long.as_secs_f64() - short.as_secs_f64()) * 1000.0 / f64::from(self.seconds))
    }

    fn compose(
        &self,
        stage: &Stage<'_>,
        length: Duration,
        result: &Path,
    ) -> Result<(), BenchError> {
        let composed = worker::compose(
            &self.proscenium,
            &stage.job(),
            length,
            &stage.journal(length),
            worker::Feed::AtOnce,
        )?;
        let expected = length.as_secs() * u64::from(benches::clip::FPS);
        let stats = composed.stats.last();
        if composed.pictures != expected || stats.is_none_or(|stats| stats.units_damaged > 0) {
            let pictures = composed.pictures;
            return Err(format!("{pictures} pictures of {expected} came, {stats:?}").into());
        }
        Ok(std::fs::write(result, composed.video)?)
    }

    /// The files that the peer plays: the layers that the worker shows, for as long as it decodes them.
    fn tiles(
        &self,
        stage: &Stage<'_>,
        length: Duration,
        name: &str,
    ) -> Result<Vec<Tile>, BenchError> {
        let layers = stage.shown_layers();
        let tiles = stage.clips.iter().zip(layers).zip(stage.slots());
        tiles
            .enumerate()
            .map(|(index, ((clip, layer), slot))| {
                let file = self.folder.join(format!("{name}{index}.mkv"));
                benches::matroska::write(clip, layer, LEAD + length, &file)?;
                Ok(Tile {
                    file,
                    codec: clip.codec,
                    slot,
                })
            })
            .collect()
    }
}
