//! What becomes of a recording, told in events.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use recorder::{RecordingEvent, RecordingOutcome, Rejection};
use tokio::sync::mpsc;

use super::open::Shared;
use super::{INTERNAL, Services};
use crate::event::SpoolChange;
use crate::event::recording::RecordingChange;

/// Hears a recording out that ends with `outcome`.
pub(super) async fn follow(
    services: Arc<Services>,
    shared: Arc<Shared>,
    mut events: mpsc::Receiver<RecordingEvent>,
    outcome: RecordingOutcome,
) {
    let id = shared.kept.lock().session.id.clone();
    while let Some(event) = events.recv().await {
        match event {
            RecordingEvent::FirstOutput => started(&services, &shared).await,
            RecordingEvent::Interrupted { error } => {
                tracing::warn!(recording = id, error, "uploads are interrupted");
            }
            RecordingEvent::Recovered => tracing::info!(recording = id, "uploads go on"),
            RecordingEvent::Hole {
                kind,
                expected,
                got,
            } => {
                tracing::error!(recording = id, ?kind, expected, got, "units are missing");
            }
            RecordingEvent::Rejected { reason, error } => {
                tracing::error!(recording = id, error, "recording rejected");
                return failed(&services, &shared, exception(reason)).await;
            }
            RecordingEvent::SpoolFilling { bytes } => {
                tracing::warn!(recording = id, bytes, "spool is filling");
                tell_spool(&services, &shared, SpoolChange::Filling, bytes).await;
            }
            RecordingEvent::SpoolFull { bytes } => {
                tracing::error!(recording = id, bytes, "spool is full");
                tell_spool(&services, &shared, SpoolChange::Full, bytes).await;
                return failed(&services, &shared, INTERNAL).await;
            }
            RecordingEvent::SpoolFailed { error } => {
                tracing::error!(recording = id, error, "spool failed");
                return failed(&services, &shared, INTERNAL).await;
            }
            RecordingEvent::Finished { objects, duration } => {
                tracing::info!(recording = id, objects, ?duration, "recording finished");
                let recorded = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
                // Thumbnails alone have no length of their own.
                if recorded > 0 {
                    shared.position_ms.store(recorded, Ordering::Relaxed);
                }
                if outcome != RecordingOutcome::Ended {
                    return failed(&services, &shared, INTERNAL).await;
                }
                let duration_ms = shared.position_ms.load(Ordering::Relaxed);
                return ended(&services, &shared, RecordingChange::End { duration_ms }).await;
            }
        }
    }
}

fn exception(reason: Rejection) -> &'static str {
    match reason {
        Rejection::AccessDenied => "AccessDeniedException",
        Rejection::BucketNotFound => "ResourceNotFoundException",
        Rejection::KeyTaken => INTERNAL,
    }
}

async fn started(services: &Services, shared: &Shared) {
    let is_first = {
        let mut kept = shared.kept.lock();
        !std::mem::replace(&mut kept.is_started, true)
    };
    if is_first {
        services.tell_start(shared).await;
    }
}

async fn tell_spool(services: &Services, shared: &Shared, change: SpoolChange, bytes: u64) {
    let session = shared.kept.lock().session.clone();
    services.tell_spool(&session, change, bytes).await;
}

/// Tells of a recording of which nothing is left.
pub(super) async fn tell_lost(services: &Services, shared: &Shared) {
    failed(services, shared, INTERNAL).await;
}

async fn failed(services: &Services, shared: &Shared, reason: &'static str) {
    let is_started = shared.kept.lock().is_started;
    let duration_ms = shared.position_ms.load(Ordering::Relaxed);
    let change = if is_started {
        RecordingChange::EndFailure {
            reason,
            duration_ms,
        }
    } else {
        RecordingChange::StartFailure { reason }
    };
    ended(services, shared, change).await;
}

async fn ended(services: &Services, shared: &Shared, change: RecordingChange) {
    let session = shared.kept.lock().session.clone();
    services.tell_end(&session, change).await;
}
