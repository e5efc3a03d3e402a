//! A recording into a folder: segments and playlists beside each other, no bucket, no spool.
//!
//! For units that are made faster than in real time and can be made again: what a crash leaves is no recording.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use crate::mux::Continuity;
use crate::playlist::{RecordingPlaylist, Variant, multivariant};
use crate::recording::RenditionSpec;
use crate::segmenter::{Placement, Segmenter};
use crate::spool::{Content, Unit, UnitKind};

/// The playlist that names the segments.
const PLAYLIST: &str = "playlist.m3u8";
/// The playlist that says what players must know of the recording.
const MULTIVARIANT: &str = "multivariant.m3u8";

/// A recording of numbered units into a folder; the units of the segments that are not complete wait in memory.
#[derive(Debug)]
pub struct FolderRecording {
    dir: PathBuf,
    rendition: RenditionSpec,
    segment_frames: u32,
    segmenter: Segmenter,
    open: BTreeMap<u64, Content>,
    segments: Vec<Segment>,
    continuity: Continuity,
    codecs: Option<String>,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    frames: u32,
    bytes: u64,
}

impl FolderRecording {
    /// A recording before its first unit. The folder exists; a segment has `segment_frames` frames, which is not 0.
    pub fn new(dir: PathBuf, rendition: RenditionSpec, segment_frames: u32) -> Self {
        Self {
            dir,
            segmenter: Segmenter::new(rendition.fps, segment_frames),
            rendition,
            segment_frames,
            open: BTreeMap::new(),
            segments: Vec::new(),
            continuity: Continuity::default(),
            codecs: None,
        }
    }

    /// Takes H.264 frame `k`.
    pub fn video(&mut self, k: u64, keyframe: bool, data: Bytes) -> io::Result<()> {
        let kind = if keyframe {
            UnitKind::Keyframe
        } else {
            UnitKind::Video
        };
        let placement = self.segmenter.video(k);
        self.take(placement, kind, (k, data))
    }

    /// Takes AAC frame `n`, at most 8184 bytes.
    pub fn audio(&mut self, n: u64, data: Bytes) -> io::Result<()> {
        let placement = self.segmenter.audio(n);
        self.take(placement, UnitKind::Audio, (n, data))
    }

    /// Writes the last segment and the playlists; answers how long the recording is.
    pub fn finish(mut self) -> io::Result<Duration> {
        // Sound behind the last picture goes with it, so that every segment has pictures.
        let mut last = Content::default();
        for (_, content) in std::mem::take(&mut self.open) {
            if !content.video.is_empty() && !last.video.is_empty() {
                self.seal(&std::mem::take(&mut last))?;
            }
            last.video.extend(content.video);
            last.audio.extend(content.audio);
        }
        if !last.video.is_empty() {
            self.seal(&last)?;
        }
        let playlist = RecordingPlaylist {
            fps: self.rendition.fps,
            segment_frames: self.segment_frames,
        };
        let frames = self.segments.iter().map(|segment| segment.frames);
        let text = playlist.render(frames.clone(), true);
        std::fs::write(self.dir.join(PLAYLIST), text)?;
        std::fs::write(self.dir.join(MULTIVARIANT), multivariant(&[self.variant()]))?;
        Ok(self.length(frames.map(u64::from).sum()))
    }

    fn take(
        &mut self,
        placement: Placement,
        kind: UnitKind,
        (number, data): (u64, Bytes),
    ) -> io::Result<()> {
        let segment = match placement {
            Placement::Segment(segment) | Placement::AfterHole { segment, .. } => segment,
            Placement::Repeated => return Ok(()),
        };
        let content = self.open.entry(segment).or_default();
        let units = match kind {
            UnitKind::Audio => &mut content.audio,
            _ => &mut content.video,
        };
        units.push(Unit {
            kind,
            number,
            later: 0,
            data,
        });
        while let Some(complete) = self.segmenter.complete() {
            if let Some(content) = self.open.remove(&complete) {
                self.seal(&content)?;
            }
            self.segmenter.sealed(complete);
        }
        Ok(())
    }

    fn seal(&mut self, content: &Content) -> io::Result<()> {
        let (segment, continuity) = content.mux(self.rendition.fps, self.continuity);
        let name = format!("{}.ts", self.segments.len());
        std::fs::write(self.dir.join(name), &segment)?;
        self.continuity = continuity;
        self.codecs = self.codecs.take().or_else(|| content.codecs());
        let frames = content.video.len();
        self.segments.push(Segment {
            frames: u32::try_from(frames).unwrap_or(u32::MAX),
            bytes: segment.len() as u64,
        });
        Ok(())
    }

    fn length(&self, frames: u64) -> Duration {
        self.rendition.fps.frame_time(frames)
    }

    fn variant(&self) -> Variant {
        let rate = |bytes: u64, frames: u64| {
            let seconds = self.length(frames.max(1)).as_secs_f64();
            (bytes as f64 * 8.0 / seconds) as u64
        };
        let rates = self.segments.iter();
        let rates = rates.map(|segment| rate(segment.bytes, segment.frames.into()));
        let bytes = self.segments.iter().map(|segment| segment.bytes).sum();
        let frames = self.segments.iter().map(|s| u64::from(s.frames)).sum();
        Variant {
            uri: PLAYLIST.to_owned(),
            bandwidth: rates.max().unwrap_or(0),
            average_bandwidth: Some(rate(bytes, frames)),
            codecs: self.codecs.clone(),
            resolution: (self.rendition.width, self.rendition.height),
            fps: self.rendition.fps,
        }
    }
}

#[cfg(test)]
mod tests {
    use compositor_core::time::FrameRate;

    use super::*;

    #[test]
    fn a_recording_is_segments_and_their_playlists() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let rendition = RenditionSpec {
            width: 320,
            height: 180,
            fps: FrameRate::whole(30),
            bitrate: 500_000,
        };
        let mut recording = FolderRecording::new(dir.path().to_owned(), rendition, 60);
        let frame = Bytes::from_static(&[0, 0, 1, 0x65, 1, 2, 3]);
        for k in 0..75 {
            recording
                .video(k, k % 60 == 0, frame.clone())
                .expect("it is taken");
        }
        for n in 0..118 {
            recording
                .audio(n, Bytes::from_static(b"aac"))
                .expect("it is taken");
        }
        let length = recording.finish().expect("it is written");
        assert_eq!(length, Duration::from_millis(2_500));
        let text = |name| std::fs::read_to_string(dir.path().join(name)).expect("it is there");
        let playlist = text(PLAYLIST);
        assert!(playlist.contains("#EXTINF:2.000000,\n0.ts\n#EXTINF:0.500000,\n1.ts\n"));
        assert!(playlist.ends_with("#EXT-X-ENDLIST\n"));
        assert!(text(MULTIVARIANT).contains("RESOLUTION=320x180"));
        for name in ["0.ts", "1.ts"] {
            let segment = std::fs::read(dir.path().join(name)).expect("it is there");
            assert!(segment.len() >= 188 && segment.len().is_multiple_of(188));
        }
    }
}
