//! What recordings hold on disk because it is not in its bucket yet.

use std::fs::{self, DirEntry};
use std::io::ErrorKind;
use std::path::Path;

use prometheus::Registry;

use super::family::value;

/// Sealed objects wait here until the bucket has them.
const OBJECTS: &str = "objects";

/// All spools together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Spools {
    recordings: u64,
    objects: u64,
    bytes: u64,
}

impl Spools {
    /// Looks into every spool below `root`. What goes meanwhile, or cannot be read, is left out.
    pub(super) fn of(root: &Path) -> Self {
        let mut all = Self::default();
        for spool in entries(root) {
            if !spool.path().is_dir() {
                continue;
            }
            all.recordings += 1;
            for folder in entries(&spool.path()) {
                let is_objects = folder.file_name() == OBJECTS;
                for file in entries(&folder.path()) {
                    all.objects += u64::from(is_objects);
                    all.bytes += file.metadata().map_or(0, |file| file.len());
                }
            }
        }
        all
    }

    pub(super) fn register(self, registry: &Registry) -> prometheus::Result<()> {
        for (name, help, amount) in [
            (
                "proscenium_spools",
                "Recordings that are not in their buckets as a whole.",
                self.recordings,
            ),
            (
                "proscenium_spool_objects_waiting",
                "Sealed objects that their buckets do not have yet.",
                self.objects,
            ),
            (
                "proscenium_spool_bytes",
                "Media on disk that is not in its bucket yet, that of open segments included.",
                self.bytes,
            ),
        ] {
            value(registry, name, help, amount as f64)?;
        }
        Ok(())
    }
}

/// What is in a folder; nothing in what is no folder, or not there any more.
fn entries(folder: &Path) -> Vec<DirEntry> {
    match fs::read_dir(folder) {
        Ok(found) => found.filter_map(Result::ok).collect(),
        Err(error) => {
            if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) {
                tracing::warn!(folder = %folder.display(), %error, "a spool cannot be counted");
            }
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_counted_and_no_spool_is_nothing() {
        let root = tempfile::tempdir().unwrap();
        let missing = Spools::of(&root.path().join("spool"));
        assert_eq!(missing, Spools::default());
        for (file, bytes) in [
            ("a/objects/0.ts", 700),
            ("a/objects/1.ts", 50),
            ("b/open/0.units", 8),
        ] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![0; bytes]).unwrap();
        }
        fs::write(root.path().join("a/specification.json"), "{}").unwrap();
        fs::write(root.path().join("no spool"), "").unwrap();
        let expected = Spools {
            recordings: 2,
            objects: 2,
            bytes: 758,
        };
        assert_eq!(Spools::of(root.path()), expected);
    }
}
