//! The peer: the same work done by GStreamer's own `compositor` and `audiomixer`, and the parts that nobody can avoid.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use compositor_core::access_unit::Codec;
use compositor_core::layout::Slot;

use crate::BenchError;

/// The worker's own settings.
const X264: &str = "x264enc tune=zerolatency speed-preset=veryfast threads=1 bframes=0 byte-stream=true aud=false \
     bitrate=2500 vbv-buf-capacity=1000 key-int-max=60 option-string=scenecut=0:open-gop=0 ! \
     video/x-h264,stream-format=byte-stream,alignment=au,profile=high";
const AAC: &str = "avenc_aac bitrate=128000";
const CANVAS: &str = "video/x-raw,format=I420,width=1280,height=720,framerate=30/1";
const SINK: &str = "fakesink sync=false async=false";

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

/// Decodes, and nothing else.
pub fn decode(tiles: &[Tile]) -> Result<(), BenchError> {
    let mut text = String::new();
    for (index, tile) in tiles.iter().enumerate() {
        write!(
            text,
            " {} ! {SINK} d{index}. ! queue ! opusdec ! {SINK}",
            decoded(index, tile)
        )?;
    }
    launch(&text)
}

/// Decodes an H.264 byte stream.
pub fn decode_stream(file: &Path) -> Result<(), BenchError> {
    launch(&format!("{} ! {SINK}", stream(file)))
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

fn stream(file: &Path) -> String {
    format!(
        "filesrc location={} ! h264parse ! avdec_h264 max-threads=1 ! videoconvert n-threads=1 ! {CANVAS}",
        file.display()
    )
}

fn launch(text: &str) -> Result<(), BenchError> {
    let done = Command::new("gst-launch-1.0")
        .arg("-q")
        .args(text.split_whitespace())
        .stdin(Stdio::null())
        .output()?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    Err(format!("gst-launch-1.0 {text}: {}: {said}", done.status).into())
}
