//! What a process gives up before it decodes what strangers sent: its network, the files of others, and every system call
//! that decoding does not need.
//!
//! Three layers that do not need each other: a network namespace, Landlock, seccomp. All of them work for unprivileged
//! users; what a kernel or a container does not let us do is logged, and the others hold.

mod calls;
mod files;

use std::path::Path;

use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};

/// GStreamer and the thread pool need a few dozen.
const FILES_MAX: u64 = 256;

/// What a process goes on to need.
#[derive(Clone, Copy, Debug)]
pub struct Needs<'a> {
    /// Address space.
    pub memory_bytes_max: u64,
    /// Files, and folders with all that is in them, to read.
    pub read: &'a [&'a Path],
    /// Folders to write into.
    pub write: &'a [&'a Path],
}

/// Starts GStreamer and gives up everything but `needs`, for good. Only what threads do that are started later is confined, so
/// call it before any is started.
pub fn confine(needs: &Needs<'_>) -> Result<(), gstreamer::glib::Error> {
    give_up_network();
    // May start a process that looks for plugins, and writes what it found.
    gstreamer::init()?;
    limit_resources(needs.memory_bytes_max);
    files::give_up(needs);
    calls::give_up(!needs.write.is_empty());
    Ok(())
}

/// A network namespace of its own has no way out. Not every system lets us: then seccomp refuses sockets.
fn give_up_network() {
    let alone = unshare(CloneFlags::CLONE_NEWNET)
        .or_else(|_| unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET));
    if let Err(error) = alone {
        tracing::debug!(error = %error, "no network namespace of its own");
    }
}

/// Limits memory and files, and leaves no core dump.
fn limit_resources(memory_bytes_max: u64) {
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
