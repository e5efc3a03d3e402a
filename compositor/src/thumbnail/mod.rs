//! A keyframe as a JPEG, made in a process of its own: what a publisher sent to a channel is not decoded in the server.
//!
//! A process makes one picture and exits, so that no stream sees another's decoder, nothing is kept while nobody wants
//! thumbnails, and whatever goes wrong costs one picture.

mod worker;

use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::supervisor::WorkerProgram;
use crate::wire::{self, WireError};

pub use worker::run;

/// Processes at the same time; thumbnails can wait, live streams cannot.
const PROCESSES_MAX: usize = 2;

/// From starting a process to its picture; a loaded machine needs a second.
const TIME_MAX: Duration = Duration::from_secs(10);

/// Longest wait for a process to be allowed to start.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// What the process is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ThumbnailRequest {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// An H.264 access unit in Annex B form with its parameter sets.
    pub keyframe: Bytes,
}

/// Starts the processes.
#[derive(Clone, Debug)]
pub struct Thumbnailer {
    program: WorkerProgram,
    free: Arc<Semaphore>,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum ThumbnailError {
    /// Others were before it for too long.
    #[error("no process became free to make a thumbnail within {WAIT_MAX:?}")]
    Busy,
    /// It cannot be started.
    #[error("the process that makes thumbnails cannot be spawned")]
    Spawn(#[source] io::Error),
    /// It died, or said nonsense.
    #[error("the process that makes thumbnails failed")]
    Wire(#[from] WireError),
    /// It was killed.
    #[error("a thumbnail took longer than {TIME_MAX:?}")]
    TooSlow,
    /// It closed its socket without an answer.
    #[error("the process that makes thumbnails died")]
    Died,
    /// There is no picture in it.
    #[error("the keyframe cannot be decoded")]
    Undecodable,
}

impl Thumbnailer {
    /// Processes of `program`, which runs [`run`].
    pub fn new(program: WorkerProgram) -> Self {
        Self {
            program,
            free: Arc::new(Semaphore::new(PROCESSES_MAX)),
        }
    }

    /// Makes one picture.
    pub async fn jpeg(&self, request: &ThumbnailRequest) -> Result<Bytes, ThumbnailError> {
        let waiting = timeout(WAIT_MAX, self.free.acquire());
        let Ok(Ok(_permit)) = waiting.await else {
            return Err(ThumbnailError::Busy);
        };
        let (mut child, mut socket) = self
            .program
            .spawn(Stdio::null())
            .map_err(ThumbnailError::Spawn)?;
        let exchange = async {
            wire::write(&mut socket, request).await?;
            wire::Reader::default().read(&mut socket).await
        };
        // Dropping the child kills it.
        let answer: Option<Option<Bytes>> = match timeout(TIME_MAX, exchange).await {
            Ok(answer) => answer?,
            Err(_) => return Err(ThumbnailError::TooSlow),
        };
        let picture = answer.ok_or(ThumbnailError::Died)?;
        drop(socket);
        // It has nothing left to do; a leftover would be killed.
        let _ = timeout(TIME_MAX, child.wait()).await;
        picture.ok_or(ThumbnailError::Undecodable)
    }
}
