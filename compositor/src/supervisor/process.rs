//! The worker as a process.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use tokio::net::UnixStream;
use tokio::process::{Child, Command};

/// How to start a worker.
#[derive(Clone, Debug)]
pub struct WorkerProgram {
    /// The `proscenium` binary.
    pub executable: PathBuf,
    /// Its arguments: `compose`, or `thumbnail`.
    pub args: Vec<OsString>,
    /// All of its environment; nothing is inherited.
    pub environment: Vec<(OsString, OsString)>,
}

impl WorkerProgram {
    /// A new worker with `stdout`, and our end of its socket. It dies with the handle.
    pub(crate) fn spawn(&self, stdout: Stdio) -> io::Result<(Child, UnixStream)> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let child = Command::new(&self.executable)
            .args(&self.args)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(stdout)
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()?;
        Ok((child, UnixStream::from_std(ours)?))
    }
}

/// Starts a worker without a job: it loads its plugins, which GStreamer remembers in its registry, and exits. The first
/// composition then starts at once.
pub async fn warm_up(program: &WorkerProgram) -> io::Result<ExitStatus> {
    let (mut child, socket) = program.spawn(Stdio::null())?;
    drop(socket);
    child.wait().await
}

/// Ends a worker that is over either way, so that nothing of it is left; how it exited, for the log.
pub(super) async fn end(mut child: Child) -> String {
    // Already exited, or told to.
    let _ = child.start_kill();
    match child.wait().await {
        Ok(status) => status.to_string(),
        Err(error) => format!("exit status unknown: {error}"),
    }
}
