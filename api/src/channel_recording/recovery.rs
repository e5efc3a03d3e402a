//! What a killed server left of its recordings.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use compositor_core::error_chain::error_chain;
use parking_lot::Mutex;
use recorder::{RecordingOutcome, RecordingSpec, Source};

use super::follow::{follow, tell_lost};
use super::open::Shared;
use super::{INTERNAL, Services};
use crate::store::ChannelRecording;

/// Seals and uploads every spool that an earlier run left, of compositions too, and tells of the end of channels'
/// recordings. One that was between streams has ended; all others have failed.
pub(super) async fn recover(services: Arc<Services>, left: Vec<ChannelRecording>) {
    let mut kept: HashMap<String, ChannelRecording> = left
        .into_iter()
        .map(|kept| (kept.session.id.clone(), kept))
        .collect();
    let outcome = |spec: &RecordingSpec| {
        let is_between_streams = matches!(spec.source, Source::Channel(_))
            && kept
                .get(spec.source.id())
                .is_some_and(|kept| kept.is_started && !kept.is_streaming);
        if is_between_streams {
            RecordingOutcome::Ended
        } else {
            RecordingOutcome::Failed {
                message: Some(INTERNAL.to_owned()),
            }
        }
    };
    let recoveries = recorder::recover(&services.spool_root, &services.objects, outcome).await;
    let recoveries = recoveries.unwrap_or_else(|error| {
        tracing::error!(error = %error_chain(&error), "the spools cannot be read");
        Vec::new()
    });
    for recovery in recoveries {
        let recovery = match recovery {
            Ok(recovery) => recovery,
            Err(error) => {
                tracing::error!(error = %error_chain(&error), "a spool cannot be finished");
                continue;
            }
        };
        let id = recovery.spec.source.id();
        tracing::info!(id, "recording is finished from its spool");
        if let Some(kept) = kept.remove(id) {
            let shared = Arc::new(shared(kept));
            let following = follow(
                Arc::clone(&services),
                shared,
                recovery.events,
                recovery.outcome,
            );
            services.spawn(following);
        }
    }
    // The process died before there was a spool, or its spool cannot be read.
    for kept in kept.into_values() {
        tell_lost(&services, &shared(kept)).await;
    }
}

fn shared(kept: ChannelRecording) -> Shared {
    Shared {
        kept: Mutex::new(kept),
        position_ms: AtomicU64::new(0),
    }
}
