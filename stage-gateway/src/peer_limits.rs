//! How long peer connections may take.

use std::time::Duration;

/// From the answer to ICE and DTLS being up. A person may have to allow the camera before, not after.
pub(crate) const CONNECT_WAIT: Duration = Duration::from_secs(30);

/// How often DTLS is looked at; its closing raises no event.
pub(crate) const DTLS_POLL: Duration = Duration::from_millis(200);

/// How long a subscribe offer waits for the publisher's first packets.
pub(crate) const TRACK_WAIT: Duration = Duration::from_secs(3);
