//! The peer: the same work done by GStreamer's own `compositor` and `audiomixer`, and the parts that nobody can avoid.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use compositor_core::access_unit::Codec;
use compositor_core::layout::Slot;

use crate::BenchError;

/// The worker's own settings.
const X264: &str = "x264enc tune=zerolatency speed-preset=veryfast threads=1 bframes=0 byte-stream=true aud=false \
     bitrate=2500 vbv-buf-capacity=1000 key-int-max=60 option-string=scenecut=0:open-gop=0:aq-strength=0.5 ! \
     video/x-h264,stream-format=byte-stream,alignment=au,profile=high";
const AAC: &str = "avenc_aac bitrate=128000";
const CANVAS: &str = "video/x-raw,format=I420,width=1280,height=720,framerate=30/1";
const SINK: &str = "fakesink sync=false async=false";
/// Takes pictures with padded rows, as everything does that draws them; to others they are copied.
const PICTURE_SINK: &str = "fakevideosink sync=false async=false";

/// A file and where its picture goes.
#[derive(Debug)]
pub struct Tile {
    /// Matroska, picture and sound.
    pub file: PathBuf,
    /// Of the picture.
    pub codec: Codec,
    /// On the canvas.
    pub slot: Slot,
}

/// Decodes, composes, mixes and encodes.
pub fn compose(tiles: &[Tile]) -> Result<(), BenchError> {
    let mut text = "compositor name=grid background=black".to_owned();
    for (index, tile) in tiles.iter().enumerate() {
        let rect = tile.slot.rect;
        write!(
            text,
            " sink_{index}::xpos={} sink_{index}::ypos={} sink_{index}::width={} sink_{index}::height={}",
            rect.x, rect.y, rect.width, rect.height
        )?;
    }
    write!(
        text,
        " ! {CANVAS} ! {X264} ! {SINK} \
         audiomixer name=mix ! audio/x-raw,rate=48000,channels=2 ! audioconvert ! {AAC} ! {SINK}"
    )?;
    for (index, tile) in tiles.iter().enumerate() {
        write!(
            text,
            " {} ! queue ! grid.sink_{index} d{index}. ! queue ! opusdec ! audioconvert ! queue ! mix.sink_{index}",
            decoded(index, tile)
        )?;
    }
    launch(&text)
}

/// The same by ffmpeg: `scale` and `xstack`, `amix`.
pub fn xstack(tiles: &[Tile]) -> Result<(), BenchError> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-filter_complex_threads", "1"]);
    let [mut graph, mut layout, mut pictures, mut sounds] = [const { String::new() }; 4];
    for (index, tile) in tiles.iter().enumerate() {
        command.args(["-threads", "1", "-i"]).arg(&tile.file);
        let rect = tile.slot.rect;
        writeln!(
            graph,
            "[{index}:v]scale={}:{}[v{index}];",
            rect.width, rect.height
        )?;
        write!(pictures, "[v{index}]")?;
        write!(sounds, "[{index}:a]")?;
        let separator = if index > 0 { "|" } else { "" };
        write!(layout, "{separator}{}_{}", rect.x, rect.y)?;
    }
    let count = tiles.len();
    let canvas = "pad=1280:720:0:0,format=yuv420p[v]";
    // xstack takes two pictures at least.
    if count > 1 {
        write!(
            graph,
            "{pictures}xstack=inputs={count}:layout={layout}:fill=black,{canvas};"
        )?;
    } else {
        write!(graph, "{pictures}{canvas};")?;
    }
    write!(
        graph,
        "{sounds}amix=inputs={count}:normalize=0,aresample=48000[a]"
    )?;
    let encoders = "-r 30 -c:v libx264 -preset veryfast -tune zerolatency -threads 1 -b:v 2500k -maxrate 2500k \
         -bufsize 2500k -g 60 -sc_threshold 0 -c:a aac -b:a 128k -ac 2 -f null -";
    command.args(["-filter_complex", &graph, "-map", "[v]", "-map", "[a]"]);
    run(command.args(encoders.split_whitespace()))
}

/// Decodes, and nothing else.
pub fn decode(tiles: &[Tile]) -> Result<(), BenchError> {
    let mut text = String::new();
    for (index, tile) in tiles.iter().enumerate() {
        write!(
            text,
            " {} ! {PICTURE_SINK} d{index}. ! queue ! opusdec ! {SINK}",
            decoded(index, tile)
        )?;
    }
    launch(&text)
}

/// Decodes the sound of one file.
pub fn decode_sound(tile: &Tile) -> Result<(), BenchError> {
    launch(&format!("{} ! {SINK}", sound(tile)))
}

/// Decodes the sound of one file and encodes it as the worker does.
pub fn recode_sound(tile: &Tile) -> Result<(), BenchError> {
    launch(&format!("{} ! {AAC} ! {SINK}", sound(tile)))
}

/// Decodes an H.264 byte stream.
pub fn decode_stream(file: &Path) -> Result<(), BenchError> {
    launch(&format!("{} ! {PICTURE_SINK}", stream(file)))
}

/// Decodes an H.264 byte stream and encodes the pictures again as the worker does.
pub fn recode_stream(file: &Path) -> Result<(), BenchError> {
    launch(&format!("{} ! {X264} ! {SINK}", stream(file)))
}

fn decoded(index: usize, tile: &Tile) -> String {
    let decoder = match tile.codec {
        Codec::H264 => "h264parse ! avdec_h264 max-threads=1",
        Codec::Vp8 | Codec::Vp9 | Codec::Opus => "vp8dec threads=1",
    };
    format!(
        "filesrc location={} ! matroskademux name=d{index} d{index}. ! queue ! {decoder} ! videoconvert n-threads=1 ! \
         video/x-raw,format=I420",
        tile.file.display()
    )
}

fn sound(tile: &Tile) -> String {
    let file = tile.file.display();
    format!("filesrc location={file} ! matroskademux name=d d.audio_0 ! opusdec ! audioconvert")
}

fn stream(file: &Path) -> String {
    format!(
        "filesrc location={} ! h264parse ! avdec_h264 max-threads=1 ! videoconvert n-threads=1 ! {CANVAS}",
        file.display()
    )
}

fn launch(text: &str) -> Result<(), BenchError> {
    let mut command = Command::new("gst-launch-1.0");
    run(command.arg("-q").args(text.split_whitespace()))
}

fn run(command: &mut Command) -> Result<(), BenchError> {
    let done = command.stdin(Stdio::null()).output()?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    Err(format!("{command:?}: {}: {said}", done.status).into())
}
