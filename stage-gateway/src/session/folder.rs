//! Where a stage's sessions are kept: a folder for each, and in it the journal.

use std::io;
use std::path::{Path, PathBuf};

use compositor_core::id::SessionId;
use compositor_core::journal::Gap;
use compositor_core::time::{FrameRate, MediaTime};

use crate::clock;
use crate::journal::{Journal, JournalConfig};
use crate::kept::{KeptJournals, folders};

const SESSION_ID_CHARS: usize = 13;
const SESSION_ID_ALPHABET: &[u8; 62] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The stage clock resumes on a boundary of this frame grid, which all usual rates divide within a millisecond.
const RESUME_GRID: FrameRate = FrameRate::whole(30);

/// A session's journal, opened.
pub(super) struct Opened {
    /// Which session.
    pub(super) session: SessionId,
    /// Its journal.
    pub(super) journal: Journal,
    /// Where it continues, when an earlier run of the server left it behind.
    pub(super) resumed: Option<Resumed>,
}

/// Where a session continues.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resumed {
    /// The stage clock.
    pub(super) time: MediaTime,
    /// What was lost.
    pub(super) gap: Gap,
}

/// Opens the session left behind in `stage_dir`, or makes a new one. Folders without records are removed. Where journals
/// are kept, none is continued: those left behind make room.
pub(super) fn open(stage_dir: &Path, kept: &KeptJournals) -> io::Result<Opened> {
    let config = JournalConfig {
        keep: kept.keep,
        ..JournalConfig::default()
    };
    for left_behind in sessions(stage_dir)? {
        if kept.keeps() {
            kept.retire(&left_behind)?;
            continue;
        }
        let (journal, recovered) = Journal::open(&left_behind, config)?;
        let name = left_behind
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if let Some(recovered) = recovered {
            let resumed_at = clock::wall_now();
            let lost_us = resumed_at
                .0
                .saturating_sub(recovered.written_at.0)
                .max(0)
                .unsigned_abs();
            let resumed = Resumed {
                time: next_frame(recovered.time),
                gap: Gap {
                    resumed_at,
                    lost_us,
                },
            };
            let session = SessionId::new(name);
            return Ok(Opened {
                session,
                journal,
                resumed: Some(resumed),
            });
        }
        drop(journal);
        std::fs::remove_dir_all(&left_behind)?;
    }
    let session = fresh_id();
    let (journal, _) = Journal::open(&stage_dir.join(session.as_str()), config)?;
    Ok(Opened {
        session,
        journal,
        resumed: None,
    })
}

fn sessions(stage_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let is_session = |folder: &PathBuf| {
        let name = folder.file_name();
        name.is_some_and(|name| name.to_string_lossy().starts_with("st-"))
    };
    Ok(folders(stage_dir)?.into_iter().filter(is_session).collect())
}

fn fresh_id() -> SessionId {
    let random: [u8; SESSION_ID_CHARS] = rand::random();
    let chars = random
        .map(|byte| char::from(SESSION_ID_ALPHABET[usize::from(byte) % SESSION_ID_ALPHABET.len()]));
    SessionId::new(format!("st-{}", String::from_iter(chars)))
}

fn next_frame(time: MediaTime) -> MediaTime {
    let frame = RESUME_GRID.pts_90k(1);
    let ticks = (u128::from(time.0) * 90_000).div_ceil(1_000_000_000) as u64;
    let ticks = ticks.next_multiple_of(frame);
    MediaTime((u128::from(ticks) * 1_000_000_000 / 90_000) as u64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_clock_resumes_on_the_next_frame() {
        assert_eq!(next_frame(MediaTime(0)), MediaTime(0));
        assert_eq!(next_frame(MediaTime(1)), MediaTime(33_333_333));
        assert_eq!(next_frame(MediaTime(33_333_334)), MediaTime(66_666_666));
        assert_eq!(
            next_frame(MediaTime(1_000_000_000)),
            MediaTime(1_000_000_000)
        );
    }

    #[test]
    fn a_new_session_has_its_own_folder_and_an_empty_one_is_not_resumed() {
        let dir = tempfile::tempdir().unwrap();
        let kept = KeptJournals {
            dir: dir.path().join("kept"),
            keep: Duration::ZERO,
        };
        let first = open(dir.path(), &kept).unwrap();
        assert!(first.resumed.is_none());
        assert_eq!(first.session.as_str().len(), 3 + SESSION_ID_CHARS);
        let id = first.session.clone();
        drop(first);
        let second = open(dir.path(), &kept).unwrap();
        assert!(second.resumed.is_none());
        assert_ne!(second.session, id);
        assert_eq!(sessions(dir.path()).unwrap().len(), 1);
    }
}
