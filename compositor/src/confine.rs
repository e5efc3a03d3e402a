//! What a process gives up before it decodes what strangers sent.

use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};

/// GStreamer and the thread pool need a few dozen.
const FILES_MAX: u64 = 256;

/// Limits memory and files, and leaves no core dump.
pub(crate) fn limit_resources(memory_bytes_max: u64) {
    let limits = [
        (Resource::RLIMIT_AS, memory_bytes_max),
        (Resource::RLIMIT_NOFILE, FILES_MAX),
        (Resource::RLIMIT_CORE, 0),
    ];
    for (resource, limit) in limits {
        if let Err(error) = setrlimit(resource, limit, limit) {
            tracing::warn!(?resource, limit, error = %error, "cannot set a resource limit");
        }
    }
}

/// A network namespace of its own has no way out. Not every system lets us: the server gives no address either way.
pub(crate) fn give_up_network() {
    let alone = unshare(CloneFlags::CLONE_NEWNET)
        .or_else(|_| unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET));
    if let Err(error) = alone {
        tracing::debug!(error = %error, "no network namespace of its own");
    }
}
