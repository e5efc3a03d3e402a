//! At the start of the server: recordings whose process died are finished.

use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use crate::recording::{
    RecordingError, RecordingEvent, RecordingOutcome, RecordingSpec, blocking, drain,
};
use crate::s3::ObjectStore;
use crate::spool::{Spool, SpoolError};

/// A recording that is being finished.
#[derive(Debug)]
pub struct Recovery {
    /// Which one.
    pub spec: RecordingSpec,
    /// How it ended: as was decided before its process died, or by now.
    pub outcome: RecordingOutcome,
    /// How it goes; ends with [`RecordingEvent::Finished`]. May be dropped: uploading goes on.
    pub events: mpsc::Receiver<RecordingEvent>,
}

/// Seals every spool in `spool_root` that no recording works on, and uploads in the background what is left, with a VOD
/// playlist and a closing document. A recording whose end was not decided before its process died ends as `outcome` says. One
/// damaged spool does not keep the others from being finished.
pub async fn recover(
    spool_root: &Path,
    store: &ObjectStore,
    outcome: impl Fn(&RecordingSpec) -> RecordingOutcome,
) -> Result<Vec<Result<Recovery, RecordingError>>, RecordingError> {
    let root = spool_root.to_owned();
    let mut recoveries = Vec::new();
    let spools = blocking(move || spools_in(&root)).await?;
    for dir in spools {
        match seal(dir, &outcome).await {
            Ok((spool, outcome)) => {
                let spec = spool.spec().clone();
                let events = drain(spool, store.clone());
                recoveries.push(Ok(Recovery {
                    spec,
                    outcome,
                    events,
                }));
            }
            Err(RecordingError::Spool(SpoolError::InUse { .. })) => {}
            Err(error) => recoveries.push(Err(error)),
        }
    }
    Ok(recoveries)
}

async fn seal(
    dir: PathBuf,
    outcome: impl Fn(&RecordingSpec) -> RecordingOutcome,
) -> Result<(Spool, RecordingOutcome), RecordingError> {
    let mut spool = blocking(move || Spool::resume(&dir)).await?;
    let outcome = match spool.outcome() {
        Some(decided) => decided.clone(),
        None => outcome(spool.spec()),
    };
    let closing = outcome.clone();
    let spool = blocking(move || {
        spool.close_abandoned(closing)?;
        Ok(spool)
    });
    Ok((spool.await?, outcome))
}

/// The spools below `root`, in the order of their names.
pub(crate) fn spools_in(root: &Path) -> Result<Vec<PathBuf>, SpoolError> {
    let unreadable = |source| SpoolError::Io {
        action: "read",
        path: root.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut spools = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if Spool::is_at(&path) {
            spools.push(path);
        }
    }
    spools.sort();
    Ok(spools)
}
