//! A media file, decoded to the raw pictures and sound that the coders take.

use std::path::PathBuf;
use std::sync::Arc;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSink;

use super::audio::PACKET_SAMPLES;
use super::{SourceError, VideoSpec};

/// Decoded buffers that may wait in each sink.
const BUFFERS_MAX: u32 = 8;
/// A stereo sample of S16LE.
const SAMPLE_BYTES: usize = 4;
/// A file that yields nothing for this long does not play.
const STALL_SECONDS: u64 = 10;

/// Shared by the picture and the sound source of one file.
#[derive(Clone, Debug)]
pub(super) struct MediaFile {
    playing: Arc<Playing>,
    pending_sound: Vec<u8>,
}

#[derive(Debug)]
struct Playing {
    path: PathBuf,
    pipeline: gst::Pipeline,
    pictures: Option<AppSink>,
    sound: Option<AppSink>,
}

impl MediaFile {
    /// Starts decoding; pictures come scaled to the largest layer at the spec's frame rate.
    pub(super) fn open(
        path: PathBuf,
        video: Option<&VideoSpec>,
        audio: bool,
    ) -> Result<Self, SourceError> {
        let failed = |reason: &str| SourceError::File {
            file: path.clone(),
            reason: reason.to_owned(),
        };
        if !path.is_file() {
            return Err(failed("there is no such file"));
        }
        let mut description = "filesrc name=file ! decodebin name=decoder".to_owned();
        if let Some(spec) = video {
            let largest = spec.layers.iter().max_by_key(|layer| layer.height);
            let (width, height) = largest.map_or((2, 2), |layer| (layer.width, layer.height));
            description += &format!(
                " decoder. ! queue ! videoconvert ! videoscale add-borders=true ! videorate ! \
                 video/x-raw,format=I420,width={width},height={height},framerate={}/1,pixel-aspect-ratio=1/1,colorimetry=bt601 ! \
                 appsink name=pictures sync=false max-buffers={BUFFERS_MAX}",
                spec.fps
            );
        }
        if audio {
            description += &format!(
                " decoder. ! queue ! audioconvert ! audioresample ! \
                 audio/x-raw,format=S16LE,rate=48000,channels=2,layout=interleaved ! \
                 appsink name=sound sync=false max-buffers={BUFFERS_MAX}"
            );
        }
        let pipeline = gst::parse::launch(&description)?;
        let pipeline = pipeline
            .downcast::<gst::Pipeline>()
            .map_err(|_| failed("it needs no pipeline"))?;
        let file = pipeline
            .by_name("file")
            .ok_or_else(|| failed("the file element is missing"))?;
        file.set_property("location", path.to_string_lossy().as_ref());
        let sink = |name| {
            pipeline
                .by_name(name)
                .and_then(|sink| sink.downcast::<AppSink>().ok())
        };
        let (pictures, sound) = (sink("pictures"), sink("sound"));
        pipeline
            .set_state(gst::State::Playing)
            .map_err(|_| failed("it does not start"))?;
        let playing = Playing {
            path,
            pipeline,
            pictures,
            sound,
        };
        Ok(Self {
            playing: Arc::new(playing),
            pending_sound: Vec::new(),
        })
    }

    /// The next picture; `None` at the end.
    pub(super) fn picture(&mut self) -> Result<Option<gst::Buffer>, SourceError> {
        let sample = self.playing.pull(self.playing.pictures.as_ref())?;
        Ok(sample.and_then(|sample| sample.buffer_owned()))
    }

    /// The next 20 ms of sound; `None` at the end.
    pub(super) fn sound(&mut self) -> Result<Option<Vec<u8>>, SourceError> {
        let wanted = PACKET_SAMPLES as usize * SAMPLE_BYTES;
        while self.pending_sound.len() < wanted {
            let Some(sample) = self.playing.pull(self.playing.sound.as_ref())? else {
                return Ok(None);
            };
            if let Some(map) = sample
                .buffer()
                .and_then(|buffer| buffer.map_readable().ok())
            {
                self.pending_sound.extend_from_slice(&map);
            }
        }
        let rest = self.pending_sound.split_off(wanted);
        Ok(Some(std::mem::replace(&mut self.pending_sound, rest)))
    }
}

impl Playing {
    fn pull(&self, sink: Option<&AppSink>) -> Result<Option<gst::Sample>, SourceError> {
        let Some(sink) = sink else {
            return Ok(None);
        };
        match sink.try_pull_sample(gst::ClockTime::from_seconds(STALL_SECONDS)) {
            Some(sample) => Ok(Some(sample)),
            None if sink.is_eos() => Ok(None),
            None => Err(SourceError::File {
                file: self.path.clone(),
                reason: self.complaint(),
            }),
        }
    }

    fn complaint(&self) -> String {
        let bus = self.pipeline.bus();
        let message = bus.and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => error.error().to_string(),
            _ => format!("it yields nothing for {STALL_SECONDS} s"),
        }
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        // Nothing can be done about a pipeline that does not stop.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
