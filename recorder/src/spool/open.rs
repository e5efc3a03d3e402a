//! Beginning a spool, and taking over one whose process died.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::Path;

use compositor_core::time::WallTime;
use serde::{Deserialize, Serialize};

use super::cutting::Cutting;
use super::error::IoContext;
use super::ledger::{self, Detail, Entry, Ledger, ObjectState, SealedSegment};
use super::units::{UnitFile, UnitKind};
use super::{Kept, News, Segment, Spool, SpoolError, checked, sync_folder, write_whole};
use crate::key_layout::ObjectName;
use crate::metadata;
use crate::mux::Continuity;
use crate::recording::{RecordingSpec, Source};

/// The folder of segments that are still written.
pub(crate) const OPEN: &str = "open";

/// The folder of sealed objects, until their bucket has them.
pub(crate) const OBJECTS: &str = "objects";

/// The file that makes a folder a spool.
pub(super) const SPECIFICATION: &str = "recording.json";

/// `recording.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Specification {
    spec: RecordingSpec,
    started_at: WallTime,
}

impl Spool {
    /// Begins a spool in a folder that holds none.
    pub(crate) fn begin(spec: RecordingSpec, started_at: WallTime) -> Result<Self, SpoolError> {
        let dir = spec.spool_dir.clone();
        for folder in [OPEN, OBJECTS] {
            let path = dir.join(folder);
            std::fs::create_dir_all(&path).doing("create", &path)?;
        }
        let lock = lock(&dir)?;
        let path = dir.join(SPECIFICATION);
        if path.exists() {
            return Err(SpoolError::Exists { dir });
        }
        let specification = Specification { spec, started_at };
        let text = checked::write(&specification).doing("write", &path)?;
        write_whole(&path, &text).doing("write", &path)?;
        // The folder of all spools may be as new.
        for above in dir.ancestors().skip(1).take(2) {
            sync_folder(above).doing("sync", above)?;
        }
        let (mut spool, _) = Self::empty(specification, lock)?;
        // The name of the ledger.
        sync_folder(&dir).doing("sync", &dir)?;
        spool.is_own = true;
        spool.add_started()?;
        Ok(spool)
    }

    /// Takes over the spool of a process that died. Its news begin with what the ledger says.
    pub(crate) fn resume(dir: &Path) -> Result<Self, SpoolError> {
        let path = dir.join(SPECIFICATION);
        let text = std::fs::read(&path).doing("read", &path)?;
        let lock = lock(dir)?;
        let mut specification: Specification = checked::read(&text).doing("understand", &path)?;
        specification.spec.spool_dir = dir.to_owned();
        let (mut spool, entries) = Self::empty(specification, lock)?;
        spool.replay(&entries)?;
        spool.reopen_units()?;
        spool.check_segments()?;
        if !entries
            .iter()
            .any(|entry| matches!(entry, Entry::Pending { .. }))
        {
            spool.add_started()?;
        }
        spool.seal_complete()?;
        spool.complete_closing()?;
        Ok(spool)
    }

    /// Whether a folder holds a spool.
    pub(crate) fn is_at(dir: &Path) -> bool {
        dir.join(SPECIFICATION).is_file()
    }

    fn empty(specification: Specification, lock: File) -> Result<(Self, Vec<Entry>), SpoolError> {
        let Specification { spec, started_at } = specification;
        let path = spec.spool_dir.join("ledger.jsonl");
        let (ledger, entries) = Ledger::open(&path).doing("open", &path)?;
        let spool = Self {
            cutting: Cutting::new(&spec),
            spec,
            started_at,
            ledger,
            open: BTreeMap::new(),
            segments: Vec::new(),
            continuity: Continuity::default(),
            codecs: None,
            objects: BTreeMap::new(),
            object_bytes: 0,
            thumbnails: 0,
            next_thumbnail_frame: 0,
            closing: None,
            has_units: false,
            has_closing_document: false,
            unforced_pictures: 0,
            is_own: false,
            news: Vec::new(),
            _lock: lock,
        };
        Ok((spool, entries))
    }

    fn add_started(&mut self) -> Result<(), SpoolError> {
        if matches!(&self.spec.source, Source::Channel(source) if !source.has_rendition) {
            // There is no unit to wait for.
            self.has_units = true;
            self.news.push(News::FirstUnit);
        }
        let document = metadata::started(&self.spec, self.started_at);
        self.add_object(ObjectName::Started, document.as_bytes(), Detail::None)
    }

    fn replay(&mut self, entries: &[Entry]) -> Result<(), SpoolError> {
        let states = ledger::states(entries);
        // A queue must know everything that is stored before it acts.
        let stored = states
            .iter()
            .filter(|(_, state)| **state == ObjectState::Done);
        self.news
            .extend(stored.map(|(&object, _)| News::Restored(object)));
        for entry in entries {
            match entry {
                Entry::Pending {
                    object,
                    bytes,
                    crc32c,
                    detail,
                } => {
                    let (bytes, crc32c) = (*bytes, Some(*crc32c));
                    self.replay_pending(*object, bytes, detail);
                    self.replay_state(*object, Kept { bytes, crc32c }, states[object])?;
                }
                Entry::Closed { outcome, ended_at } => {
                    self.closing = Some((outcome.clone(), *ended_at));
                }
                Entry::Uploading { .. } | Entry::Done { .. } => {}
            }
        }
        let latest = self.object_path(ObjectName::LatestThumbnail);
        if let Ok(found) = latest.metadata() {
            let (bytes, crc32c) = (found.len(), None);
            self.keep(ObjectName::LatestThumbnail, Kept { bytes, crc32c });
            self.news.push(News::LatestThumbnail);
        }
        Ok(())
    }

    fn replay_pending(&mut self, object: ObjectName, bytes: u64, detail: &Detail) {
        match detail {
            Detail::None => {}
            Detail::Thumbnail { k } => {
                self.next_thumbnail_frame = k + 1;
                if let ObjectName::Thumbnail(j) = object {
                    self.thumbnails = j + 1;
                }
            }
            Detail::Segment(sealed) => {
                let SealedSegment {
                    stretch,
                    next_video,
                    next_audio,
                    ..
                } = *sealed;
                let extent = sealed.extent.clone();
                self.segments.push(Segment { extent, bytes });
                self.cutting.resume(next_video, next_audio);
                self.cutting.sealed(stretch);
                self.continuity = sealed.continuity;
                self.codecs = self.codecs.take().or_else(|| sealed.codecs.clone());
                self.has_units = true;
            }
        }
    }

    fn replay_state(
        &mut self,
        object: ObjectName,
        kept: Kept,
        state: ObjectState,
    ) -> Result<(), SpoolError> {
        let path = self.object_path(object);
        if state == ObjectState::Done {
            self.has_closing_document |= matches!(object, ObjectName::Ended | ObjectName::Failed);
            // The process may have died between the two.
            return match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(error).doing("remove", &path)
                }
                _ => Ok(()),
            };
        }
        // PENDING too: after loss of power the ledger may lack its last lines.
        self.announce(object, kept, true);
        Ok(())
    }

    fn reopen_units(&mut self) -> Result<(), SpoolError> {
        let folder = self.spec.spool_dir.join(OPEN);
        let mut stretches: Vec<u64> = std::fs::read_dir(&folder)
            .doing("read", &folder)?
            .filter_map(|found| found.ok()?.path().file_stem()?.to_str()?.parse().ok())
            .collect();
        stretches.sort_unstable();
        for stretch in stretches {
            let path = self.units_path(stretch);
            if stretch < self.cutting.next_segment() {
                // The process died between sealing and removing.
                std::fs::remove_file(&path).doing("remove", &path)?;
                continue;
            }
            let (file, units) = UnitFile::open(&path).doing("open", &path)?;
            self.open.insert(stretch, file);
            for unit in units {
                match unit.kind {
                    UnitKind::Video | UnitKind::Keyframe => {
                        self.cutting.resume(unit.number + 1, 0);
                    }
                    UnitKind::Audio => self.cutting.resume(0, unit.number + 1),
                    UnitKind::Metadata | UnitKind::Start | UnitKind::DateRange => {}
                }
                self.has_units = true;
            }
        }
        if self.has_units {
            self.news.push(News::FirstUnit);
        }
        Ok(())
    }

    /// The ledger may not know the newest segment, which can be made again from its units. If they are gone, or it does not
    /// know more, it has lost lines that were on the disk.
    fn check_segments(&self) -> Result<(), SpoolError> {
        let folder = self.spec.spool_dir.join(OBJECTS);
        let known = self.segments.len() as u64;
        let can_be_made = self.open.contains_key(&self.cutting.next_segment());
        for entry in std::fs::read_dir(&folder).doing("read", &folder)? {
            let path = entry.doing("read", &folder)?.path();
            let segment = path.extension().filter(|it| *it == "ts");
            let number = segment.and_then(|_| path.file_stem()?.to_str()?.parse::<u64>().ok());
            if number.is_some_and(|i| i > known || i == known && !can_be_made) {
                let lost = checked::damaged("its ledger does not know it, and its units are gone");
                return Err(lost).doing("continue with", &path);
            }
        }
        Ok(())
    }
}

fn lock(dir: &Path) -> Result<File, SpoolError> {
    let path = dir.join("lock");
    let file = File::create(&path).doing("create", &path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SpoolError::InUse {
            dir: dir.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(error).doing("lock", &path),
    }
}
