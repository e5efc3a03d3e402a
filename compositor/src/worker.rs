//! The child's main loop: the socket to the server is its standard input, and all it has.

use crate::codec::CodecError;
use crate::wire::WireError;
use compositor_core::journal::RecordError;

/// Why a worker ends before its composition does.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// GStreamer does not start.
    #[error("GStreamer does not start")]
    Gstreamer(#[source] gstreamer::glib::Error),
    /// The first message is not a job, or a second job came.
    #[error("exactly one job is expected, as the first message")]
    Job,
    /// The socket is broken or carries nonsense.
    #[error("the socket to the server failed")]
    Wire(#[from] WireError),
    /// The journal is damaged.
    #[error("a journal record is damaged")]
    Record(#[from] RecordError),
    /// The checkpoint of the predecessor does not parse.
    #[error("the checkpoint of the predecessor does not parse")]
    Checkpoint(#[source] postcard::Error),
    /// An encoder or decoder cannot be built, or an encoder failed.
    #[error("a codec failed")]
    Codec(#[from] CodecError),
}

/// Runs the worker of one composition until it has ended or the server is gone.
pub fn run() -> Result<(), WorkerError> {
    gstreamer::init().map_err(WorkerError::Gstreamer)?;
    Ok(())
}
