//! Why a spool cannot go on.

use std::io;
use std::path::{Path, PathBuf};

/// Why a spool cannot be used any further. What it holds stays.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It has reached its limit, or the disk is full.
    #[error("the spool is full with {bytes} bytes")]
    Full {
        /// What it would hold.
        bytes: u64,
    },
    /// No encoder makes such a unit.
    #[error("access unit or thumbnail of {bytes} bytes: at most {bytes_max} are taken")]
    UnitTooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Compositions have numbered units, channels have timed ones.
    #[error("a {given} unit does not fit into the recording of a {source_kind}")]
    Unfit {
        /// What was given.
        given: &'static str,
        /// What is recorded.
        source_kind: &'static str,
    },
    /// Another recording works on this folder.
    #[error("spool {} is in use", dir.display())]
    InUse {
        /// The folder.
        dir: PathBuf,
    },
    /// A recording must begin in a folder of its own.
    #[error("spool {} holds a recording already", dir.display())]
    Exists {
        /// The folder.
        dir: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// Says what was tried on which file.
pub(super) trait IoContext<T> {
    fn doing(self, action: &'static str, path: &Path) -> Result<T, SpoolError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn doing(self, action: &'static str, path: &Path) -> Result<T, SpoolError> {
        self.map_err(|source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                SpoolError::Full { bytes: 0 }
            }
            _ => SpoolError::Io {
                action,
                path: path.to_owned(),
                source,
            },
        })
    }
}
