//! The spool of one recording: a folder that holds everything that is not in the bucket yet, and survives SIGKILL at any
//! moment. Blocking; the recording's task calls it from a blocking thread.
//!
//! ```text
//! recording.json       the specification; the folder is a spool once this is there
//! lock                 held while a process works on it
//! ledger.jsonl         what became of each object
//! open/<i>.units       access units of a segment that is not sealed, appended as they arrive
//! objects/             sealed segments, thumbnails, documents, until they are uploaded
//! ```
//!
//! A segment is sealed in this order: file, ledger, then its units go. So it is there once or can be made again, with the
//! same bytes. Everything in it has a checksum, but for the latest thumbnail: the next one replaces it anyway.

mod checked;
mod content;
mod cutting;
mod error;
mod ledger;
mod open;
mod seal;
mod texts;
mod timed;
mod units;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;
use std::fs::File;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use compositor_core::access_unit::MediaKind;
use compositor_core::time::WallTime;

use crate::key_layout::ObjectName;
use crate::limits::UNIT_BYTES_MAX;
use crate::metadata::{self, Closing};
use crate::mux::{AudioConfig, Continuity};
use crate::recording::{RecordingOutcome, RecordingSpec};
use crate::segmenter::Placement;

use cutting::Cutting;
use error::IoContext;
use ledger::{Detail, Entry, Extent, Ledger};
use units::UnitFile;

pub(crate) use content::Content;
pub use error::SpoolError;
pub(crate) use open::{OBJECTS, OPEN};
pub(crate) use units::{Unit, UnitKind};

/// What has changed in a spool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum News {
    /// An object is ready to be uploaded; a predecessor may have done so.
    Added {
        object: ObjectName,
        bytes: u64,
        unconfirmed: bool,
    },
    /// A predecessor has uploaded this object.
    Restored(ObjectName),
    /// There is a newer latest thumbnail.
    LatestThumbnail,
    /// The closing document is ready to be uploaded.
    Closed {
        object: ObjectName,
        bytes: u64,
        unconfirmed: bool,
    },
    /// The first access unit is on disk.
    FirstUnit,
    /// Access units are missing.
    Hole {
        kind: MediaKind,
        expected: u64,
        got: u64,
    },
}

/// An object that is in the spool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Kept {
    bytes: u64,
    /// `None` for the latest thumbnail.
    crc32c: Option<u32>,
}

/// A segment whose content is settled.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Segment {
    extent: Extent,
    bytes: u64,
}

/// The spool of one recording; see the module.
#[derive(Debug)]
pub(crate) struct Spool {
    spec: RecordingSpec,
    started_at: WallTime,
    ledger: Ledger,
    cutting: Cutting,
    open: BTreeMap<u64, UnitFile>,
    segments: Vec<Segment>,
    continuity: Continuity,
    codecs: Option<String>,
    objects: BTreeMap<ObjectName, Kept>,
    object_bytes: u64,
    thumbnails: u64,
    next_thumbnail_frame: u64,
    closing: Option<(RecordingOutcome, WallTime)>,
    has_units: bool,
    has_closing_document: bool,
    /// How many pictures of open segments may not be on the disk itself.
    unforced_pictures: u32,
    /// Whether this process began it, and so has put into the bucket all that is there.
    is_own: bool,
    news: Vec<News>,
    _lock: File,
}

impl Spool {
    /// What is recorded.
    pub(crate) fn spec(&self) -> &RecordingSpec {
        &self.spec
    }

    /// The H.264 frame that is expected next.
    pub(crate) fn next_video(&self) -> u64 {
        self.cutting.next_video()
    }

    /// The AAC frame that is expected next.
    pub(crate) fn next_audio(&self) -> u64 {
        self.cutting.next_audio()
    }

    /// What has changed since the last call.
    pub(crate) fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Appends H.264 frame `k`, and seals the segment that it completes.
    pub(crate) fn video(&mut self, k: u64, keyframe: bool, data: Bytes) -> Result<(), SpoolError> {
        let kind = if keyframe {
            UnitKind::Keyframe
        } else {
            UnitKind::Video
        };
        self.check_size(data.len(), UNIT_BYTES_MAX)?;
        let placement = self.cutting.grid()?.video(k);
        self.append(
            MediaKind::Video,
            placement,
            &Unit {
                kind,
                number: k,
                later: 0,
                data,
            },
        )
    }

    /// Appends raw AAC frame `n`, and seals the segment that it completes.
    pub(crate) fn audio(&mut self, n: u64, data: Bytes) -> Result<(), SpoolError> {
        self.check_size(data.len(), AudioConfig::FRAME_BYTES_MAX)?;
        let placement = self.cutting.grid()?.audio(n);
        self.append(
            MediaKind::Audio,
            placement,
            &Unit {
                kind: UnitKind::Audio,
                number: n,
                later: 0,
                data,
            },
        )
    }

    /// Stores the picture of frame `k`, unless it was stored before.
    pub(crate) fn thumbnail(&mut self, k: u64, jpeg: &[u8]) -> Result<(), SpoolError> {
        self.check_size(jpeg.len(), UNIT_BYTES_MAX)?;
        if k < self.next_thumbnail_frame {
            return Ok(());
        }
        self.next_thumbnail_frame = k + 1;
        if self.spec.thumbnails.sequential {
            let object = ObjectName::Thumbnail(self.thumbnails);
            self.thumbnails += 1;
            self.add_object(object, jpeg, Detail::Thumbnail { k })?;
        }
        if self.spec.thumbnails.latest {
            let object = ObjectName::LatestThumbnail;
            self.write_object(object, jpeg)?;
            let bytes = jpeg.len() as u64;
            let crc32c = None;
            self.keep(object, Kept { bytes, crc32c });
            self.news.push(News::LatestThumbnail);
        }
        Ok(())
    }

    /// Seals what is open and writes the closing document. Nothing can be appended afterwards.
    pub(crate) fn close(
        &mut self,
        outcome: RecordingOutcome,
        ended_at: WallTime,
    ) -> Result<(), SpoolError> {
        if self.closing.is_none() {
            // First of all: what is sealed from here on cannot be continued.
            let entry = Entry::Closed {
                outcome: outcome.clone(),
                ended_at,
            };
            self.write_ledger(&entry)?;
            self.closing = Some((outcome, ended_at));
        }
        self.complete_closing()
    }

    /// As [`Self::close`], for a recording whose process died: it ended when its last frame ended.
    pub(crate) fn close_abandoned(&mut self, outcome: RecordingOutcome) -> Result<(), SpoolError> {
        let frames = self.cutting.next_video();
        let composed = self.spec.rendition.fps.frame_time(frames);
        let ended_at = match self.cutting {
            Cutting::Grid(_) => self.started_at.plus(composed),
            Cutting::Timed(_) => self.last_on_air()?,
        };
        self.close(outcome, ended_at)
    }

    /// A PUT of the object is about to be sent.
    pub(crate) fn uploading(&mut self, object: ObjectName) -> Result<(), SpoolError> {
        self.write_ledger(&Entry::Uploading { object })
    }

    /// The object is in the bucket.
    pub(crate) fn uploaded(&mut self, object: ObjectName) -> Result<(), SpoolError> {
        self.write_ledger(&Entry::Done { object })?;
        self.sync_ledger()?;
        if let Some(kept) = self.objects.remove(&object) {
            self.object_bytes -= kept.bytes;
        }
        let path = self.object_path(object);
        std::fs::remove_file(&path).doing("remove", &path)
    }

    /// Brings open segments to the disk itself.
    pub(crate) fn sync(&mut self) -> Result<(), SpoolError> {
        self.unforced_pictures = 0;
        for file in self.open.values() {
            file.sync().doing("sync", &self.spec.spool_dir)?;
        }
        let folder = self.spec.spool_dir.join(OPEN);
        sync_folder(&folder).doing("sync", &folder)
    }

    /// The content of an object that is in the spool must have this checksum.
    pub(crate) fn checksum(&self, object: ObjectName) -> Option<u32> {
        self.objects.get(&object)?.crc32c
    }

    /// Removes the folder: everything is in the bucket. What makes it a spool goes first, so that nobody takes what is left
    /// for the beginning of a recording if the process dies meanwhile.
    pub(crate) fn remove(&self) -> Result<(), SpoolError> {
        let dir = &self.spec.spool_dir;
        let specification = dir.join(open::SPECIFICATION);
        std::fs::remove_file(&specification).doing("remove", &specification)?;
        sync_folder(dir).doing("sync", dir)?;
        std::fs::remove_dir_all(dir).doing("remove", dir)
    }

    /// Whether nothing more will be recorded.
    pub(crate) fn is_closed(&self) -> bool {
        self.closing.is_some()
    }

    /// How it ends, once that is decided.
    pub(crate) fn outcome(&self) -> Option<&RecordingOutcome> {
        self.closing.as_ref().map(|(outcome, _)| outcome)
    }

    /// Bytes on disk.
    pub(crate) fn bytes(&self) -> u64 {
        let open: u64 = self.open.values().map(UnitFile::bytes).sum();
        open + self.object_bytes
    }

    /// Where an object is until it is uploaded.
    pub(crate) fn object_path(&self, object: ObjectName) -> PathBuf {
        let objects = self.spec.spool_dir.join(OBJECTS);
        match object {
            ObjectName::Started => objects.join("started.json"),
            ObjectName::Segment(i) => objects.join(format!("{i}.ts")),
            ObjectName::Thumbnail(j) => objects.join(format!("{j}.jpg")),
            ObjectName::Ended => objects.join("ended.json"),
            ObjectName::Failed => objects.join("failed.json"),
            ObjectName::LatestThumbnail => objects.join("latest.jpg"),
            ObjectName::Playlist => objects.join("playlist.m3u8"),
            ObjectName::ByteRangePlaylist => objects.join("byte-range-playlist.m3u8"),
            ObjectName::Multivariant => objects.join("multivariant.m3u8"),
            ObjectName::ByteRangeMultivariant => objects.join("byte-range-multivariant.m3u8"),
        }
    }

    fn append(
        &mut self,
        kind: MediaKind,
        placement: Placement,
        unit: &Unit,
    ) -> Result<(), SpoolError> {
        let stretch = match placement {
            Placement::Repeated => return Ok(()),
            Placement::Segment(stretch) => stretch,
            Placement::AfterHole { segment, expected } => {
                self.news.push(News::Hole {
                    kind,
                    expected,
                    got: unit.number,
                });
                segment
            }
        };
        self.append_to(stretch, unit)?;
        self.seal_complete()
    }

    /// Appends to the file of a segment that is not sealed.
    fn append_to(&mut self, stretch: u64, unit: &Unit) -> Result<(), SpoolError> {
        let bytes = self.bytes() + unit.record_bytes();
        if bytes > self.spec.spool_bytes_max {
            return Err(SpoolError::Full { bytes });
        }
        let path = self.units_path(stretch);
        let file = match self.open.entry(stretch) {
            Place::Occupied(file) => file.into_mut(),
            Place::Vacant(place) => {
                let (file, _) = UnitFile::open(&path).doing("open", &path)?;
                place.insert(file)
            }
        };
        file.append(unit).doing("append to", &path)?;
        self.unforced_pictures += u32::from(unit.kind.is_picture());
        // A worker that catches up makes more than a second of media in a second.
        if self.unforced_pictures > self.spec.rendition.fps.frames_in(3) / 4 {
            self.sync()?;
        }
        if !self.has_units {
            self.has_units = true;
            self.news.push(News::FirstUnit);
        }
        Ok(())
    }

    fn check_size(&self, bytes: usize, bytes_max: usize) -> Result<(), SpoolError> {
        if bytes > bytes_max {
            Err(SpoolError::UnitTooLarge { bytes, bytes_max })
        } else {
            Ok(())
        }
    }

    /// Does what closing asks for, as far as it is not done yet.
    fn complete_closing(&mut self) -> Result<(), SpoolError> {
        let Some((outcome, ended_at)) = self.closing.clone() else {
            return Ok(());
        };
        self.seal_rest()?;
        let object = match outcome {
            RecordingOutcome::Ended => ObjectName::Ended,
            RecordingOutcome::Failed { .. } => ObjectName::Failed,
        };
        if self.has_closing_document {
            return Ok(());
        }
        let duration_ms = u64::try_from(self.duration().as_millis()).unwrap_or(u64::MAX);
        let closing = Closing {
            ended_at,
            outcome,
            duration_ms,
        };
        let document = metadata::closed(&self.spec, self.started_at, &closing);
        self.add_object(object, document.as_bytes(), Detail::None)
    }

    /// Writes an object that will be uploaded once, and enters it in the ledger.
    fn add_object(
        &mut self,
        object: ObjectName,
        content: &[u8],
        detail: Detail,
    ) -> Result<(), SpoolError> {
        let (bytes, crc32c) = (content.len() as u64, crc32c::crc32c(content));
        self.write_object(object, content)?;
        self.write_ledger(&Entry::Pending {
            object,
            bytes,
            crc32c,
            detail,
        })?;
        self.sync_ledger()?;
        let crc32c = Some(crc32c);
        self.announce(object, Kept { bytes, crc32c }, !self.is_own);
        Ok(())
    }

    /// An object is in the spool and shall be uploaded.
    fn announce(&mut self, object: ObjectName, kept: Kept, unconfirmed: bool) {
        self.keep(object, kept);
        let bytes = kept.bytes;
        let is_closing = matches!(object, ObjectName::Ended | ObjectName::Failed);
        self.has_closing_document |= is_closing;
        self.news.push(if is_closing {
            News::Closed {
                object,
                bytes,
                unconfirmed,
            }
        } else {
            News::Added {
                object,
                bytes,
                unconfirmed,
            }
        });
    }

    /// Counts an object that is in the spool.
    fn keep(&mut self, object: ObjectName, kept: Kept) {
        let before = self.objects.insert(object, kept);
        self.object_bytes =
            self.object_bytes + kept.bytes - before.map_or(0, |before| before.bytes);
    }

    /// Writes the file of an object: under another name first, so that it is never there in part.
    fn write_object(&self, object: ObjectName, content: &[u8]) -> Result<(), SpoolError> {
        let bytes = self.bytes() + content.len() as u64;
        // A sealed segment replaces its units, so it fits where they fitted; without its closing document a recording that
        // filled its spool could never be finished.
        let always_fits = matches!(
            object,
            ObjectName::Segment(_) | ObjectName::Ended | ObjectName::Failed
        );
        if bytes > self.spec.spool_bytes_max && !always_fits {
            return Err(SpoolError::Full { bytes });
        }
        let path = self.object_path(object);
        write_whole(&path, content).doing("write", &path)
    }

    fn write_ledger(&mut self, entry: &Entry) -> Result<(), SpoolError> {
        self.ledger
            .append(entry)
            .doing("append to the ledger of", &self.spec.spool_dir)
    }

    fn sync_ledger(&self) -> Result<(), SpoolError> {
        self.ledger.sync().doing("sync", &self.spec.spool_dir)
    }

    fn units_path(&self, stretch: u64) -> PathBuf {
        self.spec
            .spool_dir
            .join(OPEN)
            .join(format!("{stretch}.units"))
    }
}

/// Writes a file that is there whole or not at all, also after loss of power.
fn write_whole(path: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let partial = path.with_extension("partial");
    let mut file = File::create(&partial)?;
    file.write_all(content)?;
    file.sync_data()?;
    std::fs::rename(&partial, path)?;
    match path.parent() {
        Some(folder) => sync_folder(folder),
        None => Ok(()),
    }
}

/// Brings the names in a folder to the disk itself.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}
