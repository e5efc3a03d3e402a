//! What recordings hold on disk because it is not in its bucket yet.

use std::fs::{self, DirEntry};
use std::path::Path;

use crate::recover::spools_in;
use crate::spool::{OBJECTS, OPEN, SpoolError};

/// All spools together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Backlog {
    /// Those that are not in their buckets as a whole.
    pub recordings: u64,
    /// Sealed and not in its bucket yet.
    pub objects: u64,
    /// Of both, and of segments that are still open.
    pub bytes: u64,
}

impl Backlog {
    /// Looks into every spool below `spool_root`. What goes meanwhile, or cannot be read, is left out.
    pub fn of(spool_root: &Path) -> Result<Self, SpoolError> {
        let mut all = Self::default();
        for spool in spools_in(spool_root)? {
            all.recordings += 1;
            let objects = files(&spool.join(OBJECTS));
            all.objects += objects.len() as u64;
            let files = objects.into_iter().chain(files(&spool.join(OPEN)));
            all.bytes += files
                .map(|file| file.metadata().map_or(0, |file| file.len()))
                .sum::<u64>();
        }
        Ok(all)
    }
}

fn files(folder: &Path) -> Vec<DirEntry> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_counted_and_no_spool_is_nothing() {
        let root = tempfile::tempdir().unwrap();
        let missing = Backlog::of(&root.path().join("spool")).unwrap();
        assert_eq!(missing, Backlog::default());
        for (file, bytes) in [
            ("a/objects/0.ts", 700),
            ("a/objects/1.ts", 50),
            ("b/open/0.units", 8),
        ] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![0; bytes]).unwrap();
        }
        for spool in ["a", "b"] {
            fs::write(root.path().join(spool).join("recording.json"), "{}").unwrap();
        }
        fs::write(root.path().join("no spool"), "").unwrap();
        let expected = Backlog {
            recordings: 2,
            objects: 2,
            bytes: 758,
        };
        assert_eq!(Backlog::of(root.path()).unwrap(), expected);
    }
}
