//! What a later run of the server needs to go on with a composition. It is written as often as the worker says from where
//! it could be succeeded, and is lost with the power: the journal and the spool alone are forced to the disk.

use std::io;
use std::path::{Path, PathBuf};

use compositor_core::id::{CompositionId, SessionId};
use compositor_core::time::{MediaTime, WallTime};
use compositor_core::worker_protocol::Resume;
use serde::{Deserialize, Serialize};

/// Where a composition stood.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Continuation {
    /// When it began, on the clock of the stage session.
    pub(super) start: MediaTime,
    /// Which session.
    pub(super) session: SessionId,
    /// When this was written.
    pub(super) written_at: WallTime,
    /// From where a worker goes on.
    pub(super) resume: Resume,
}

/// Writes the continuation of one composition.
#[derive(Debug)]
pub(super) struct ContinuationFile {
    path: PathBuf,
    start: MediaTime,
    session: SessionId,
    newest: Option<Resume>,
}

impl ContinuationFile {
    pub(super) fn new(
        folder: &Path,
        composition: &CompositionId,
        start: MediaTime,
        session: SessionId,
    ) -> Self {
        Self {
            path: folder.join(composition.as_str()),
            start,
            session,
            newest: None,
        }
    }

    /// A worker could be succeeded from here. The place before it is written down: what was made until then has reached the
    /// spools by now.
    pub(super) async fn take(&mut self, written_at: WallTime, resume: Resume) {
        let Some(before) = self.newest.replace(resume) else {
            return;
        };
        let continuation = Continuation {
            start: self.start,
            session: self.session.clone(),
            written_at,
            resume: before,
        };
        if let Err(error) = write(&self.path, &continuation).await {
            tracing::warn!(path = %self.path.display(), %error, "a composition could not go on after the death of the server");
        }
    }

    /// The composition has ended.
    pub(super) async fn remove(self) {
        // It may never have been written; the next start removes what is left.
        let _ = tokio::fs::remove_file(&self.path).await;
    }
}

async fn write(path: &Path, continuation: &Continuation) -> io::Result<()> {
    let mut content = postcard::to_allocvec(continuation).map_err(io::Error::other)?;
    content.extend_from_slice(&crc32c::crc32c(&content).to_le_bytes());
    let partial = path.with_extension("partial");
    tokio::fs::write(&partial, content).await?;
    tokio::fs::rename(&partial, path).await
}

/// What an earlier run wrote down of a composition; `None` when that is missing or damaged.
pub(super) async fn read(folder: &Path, composition: &CompositionId) -> Option<Continuation> {
    let content = tokio::fs::read(folder.join(composition.as_str()))
        .await
        .ok()?;
    let (value, checksum) = content
        .split_last_chunk::<4>()
        .map(|(value, sum)| (value, *sum))?;
    (crc32c::crc32c(value) == u32::from_le_bytes(checksum))
        .then(|| postcard::from_bytes(value).ok())?
}

/// Makes the folder, and removes from it what belongs to no composition that goes on.
pub(super) async fn tidy(folder: &Path, going_on: &[CompositionId]) -> io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    let mut entries = tokio::fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        let name = entry.file_name();
        if !going_on.iter().any(|id| name == id.as_str()) {
            tokio::fs::remove_file(entry.path()).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_place_before_the_newest_is_kept_and_damage_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let id = CompositionId::new("C");
        let session = SessionId::new("st-1");
        let mut file = ContinuationFile::new(folder.path(), &id, MediaTime(5), session.clone());
        let at = |n| Resume {
            next_k: vec![n],
            next_n: n,
            ..Resume::fresh(1)
        };
        for n in 1..=3 {
            assert_eq!(read(folder.path(), &id).await.is_some(), n > 2);
            file.take(WallTime(7), at(n)).await;
        }
        let found = read(folder.path(), &id).await.unwrap();
        let expected = Continuation {
            start: MediaTime(5),
            session,
            written_at: WallTime(7),
            resume: at(2),
        };
        assert_eq!(found, expected);
        let path = folder.path().join("C");
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            std::fs::write(&path, &damaged).unwrap();
            assert_eq!(read(folder.path(), &id).await, None);
            std::fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(read(folder.path(), &id).await, None);
        }
        tidy(folder.path(), &[]).await.unwrap();
        assert!(!path.exists());
    }
}
