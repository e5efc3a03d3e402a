//! Proscenium Recording Spool Change: IVS has no such event.

use compositor_core::time::WallTime;
use serde::Serialize;

use crate::arn::Arn;
use crate::event::{DetailType, NewEvent};

/// What has become of the spool of a recording, in which waits what is not in its bucket yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpoolChange {
    /// It holds 80 % of what it may.
    Filling,
    /// It takes no more; the recording has failed.
    Full,
}

#[derive(Serialize)]
struct Detail<'a> {
    event_name: &'static str,
    id: &'a str,
    spool_bytes: u64,
    spool_bytes_max: u64,
}

/// The spool of the recording `id` of a composition (its destination) or a channel (its recording session) holds `bytes` of
/// `bytes_max`.
pub fn spool_event(
    resource: &Arn,
    id: &str,
    at: WallTime,
    change: SpoolChange,
    (bytes, bytes_max): (u64, u64),
) -> NewEvent {
    let detail = Detail {
        event_name: match change {
            SpoolChange::Filling => "Spool Filling",
            SpoolChange::Full => "Spool Full",
        },
        id,
        spool_bytes: bytes,
        spool_bytes_max: bytes_max,
    };
    NewEvent::about(resource, DetailType::RecordingSpoolChange, at, &detail)
}
