//! Journals that are kept for a while although nobody reads them any more, so that they can be composed again.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::journal::segment;

/// Where journals of stage sessions that are over go, and how long they stay: `<dir>/<stage>/<session>/`.
///
/// A running session keeps its own in its own folder. What is kept is never continued.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptJournals {
    /// The folder; on the file system of the running journals.
    pub dir: PathBuf,
    /// Zero: nothing is kept.
    pub keep: Duration,
}

impl KeptJournals {
    /// Whether anything is kept.
    pub fn keeps(&self) -> bool {
        !self.keep.is_zero()
    }

    /// Takes the journals of a stage that has no running session out of the way, and its folder. Blocking.
    pub(crate) fn retire_stage(&self, stage_dir: &Path) -> io::Result<()> {
        if self.keeps() {
            for session in folders(stage_dir)? {
                self.retire(&session)?;
            }
        }
        unless_gone(std::fs::remove_dir_all(stage_dir))
    }

    /// Takes the journal of a session that is over out of the way: it is kept when there is anything in it. Blocking.
    pub(crate) fn retire(&self, session_dir: &Path) -> io::Result<()> {
        let is_empty = match segment::list(session_dir) {
            Ok(segments) => segments.is_empty(),
            // Somebody else did.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let place = self.place_of(session_dir).filter(|_| self.keeps());
        let Some(place) = place.filter(|_| !is_empty) else {
            return unless_gone(std::fs::remove_dir_all(session_dir));
        };
        if let Some(stage) = place.parent() {
            std::fs::create_dir_all(stage)?;
        }
        unless_gone(std::fs::rename(session_dir, place))
    }

    /// Removes what has not been written for longer than it is kept. Blocking.
    pub(crate) fn sweep(&self, now: SystemTime) -> io::Result<()> {
        for stage in folders(&self.dir)? {
            for session in folders(&stage)? {
                self.sweep_session(&session, now)?;
            }
            // Succeeds when it is empty.
            std::fs::remove_dir(&stage).ok();
        }
        Ok(())
    }

    fn sweep_session(&self, session: &Path, now: SystemTime) -> io::Result<()> {
        let mut left = false;
        for first in segment::list(session)? {
            let path = segment::path(session, first);
            let written = std::fs::metadata(&path)?.modified()?;
            // A clock that was set back makes nothing old.
            let age = now.duration_since(written).unwrap_or_default();
            if age < self.keep {
                left = true;
            } else {
                std::fs::remove_file(&path)?;
            }
        }
        if left {
            return Ok(());
        }
        tracing::info!(session = %session.display(), "a kept journal is too old and removed");
        std::fs::remove_dir_all(session)
    }

    /// By the names of its stage and of itself.
    fn place_of(&self, session_dir: &Path) -> Option<PathBuf> {
        let stage = session_dir.parent()?.file_name()?;
        Some(self.dir.join(stage).join(session_dir.file_name()?))
    }
}

/// The folders in `dir`; none when it is not there.
pub(crate) fn folders(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn unless_gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use compositor_core::journal::JournalSeq;
    use tempfile::TempDir;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// A data folder with one session of stage `S`, which holds these segment files.
    fn world(keep: Duration, segments: &[u64]) -> (TempDir, KeptJournals, PathBuf) {
        let data = tempfile::tempdir().unwrap();
        let session = data.path().join("journal/S/st-1");
        std::fs::create_dir_all(&session).unwrap();
        for first in segments {
            std::fs::write(segment::path(&session, JournalSeq(*first)), "").unwrap();
        }
        std::fs::write(session.join("job-C.json"), "{}").unwrap();
        let dir = data.path().join("kept-journals");
        let kept = KeptJournals { dir, keep };
        (data, kept, session)
    }

    #[test]
    fn a_journal_is_kept_with_its_job_and_removed_when_it_is_old() {
        let (_data, kept, session) = world(HOUR, &[0, 7]);
        kept.retire_stage(session.parent().unwrap()).unwrap();
        assert!(!session.exists());
        let place = kept.dir.join("S/st-1");
        assert!(place.join("job-C.json").exists());
        kept.sweep(SystemTime::now()).unwrap();
        assert_eq!(segment::list(&place).unwrap().len(), 2);
        kept.sweep(SystemTime::now() + 2 * HOUR).unwrap();
        assert_eq!(std::fs::read_dir(&kept.dir).unwrap().count(), 0);
    }

    #[test]
    fn the_old_part_of_a_long_session_goes_alone() {
        let (_data, kept, session) = world(HOUR, &[0, 7]);
        let old = std::fs::File::options()
            .write(true)
            .open(segment::path(&session, JournalSeq(0)))
            .unwrap();
        old.set_modified(SystemTime::now() - 2 * HOUR).unwrap();
        kept.retire(&session).unwrap();
        kept.sweep(SystemTime::now()).unwrap();
        let place = kept.dir.join("S/st-1");
        assert_eq!(segment::list(&place).unwrap(), [JournalSeq(7)]);
    }

    #[test]
    fn a_session_that_nobody_composed_leaves_nothing() {
        let (_data, kept, session) = world(HOUR, &[]);
        kept.retire(&session).unwrap();
        kept.retire(&session).unwrap();
        assert!(!session.exists() && !kept.dir.exists());
    }

    #[test]
    fn without_keeping_everything_goes_at_once() {
        let (_data, kept, session) = world(Duration::ZERO, &[0]);
        kept.retire_stage(session.parent().unwrap()).unwrap();
        assert!(!session.exists() && !kept.dir.exists());
    }
}
