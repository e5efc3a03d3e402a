//! What a worker is given: its job, the journal, and the stop time once it is known.

use std::convert::Infallible;

use compositor_core::sink::{JournalError, JournalReader};
use compositor_core::time::MediaTime;
use compositor_core::worker_protocol::{Job, ToWorker};
use tokio::io::AsyncWrite;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::wire::{self, WireError};

/// Whether the worker has something to work on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fed {
    /// It took everything there is so far, the last of it at this time.
    Everything(Instant),
    /// Something waits that it has not taken, or it was told that nothing more will come.
    Owing,
}

/// Why a worker is not fed any more.
#[derive(Debug)]
pub(super) enum FeedError {
    /// It takes nothing.
    Write(WireError),
    /// There is nothing to give.
    Journal(JournalError),
}

/// The worker's mouth.
pub(super) struct Feeder<W> {
    pub(super) socket: W,
    pub(super) fed: watch::Sender<Fed>,
}

impl<W: AsyncWrite + Unpin> Feeder<W> {
    /// Gives the job, then records for as long as they are taken, and the stop time once it is known.
    pub(super) async fn feed<R: JournalReader>(
        mut self,
        job: Job,
        mut reader: R,
        mut stopped: watch::Receiver<Option<MediaTime>>,
    ) -> Result<Infallible, FeedError> {
        self.give(&ToWorker::Job(job)).await?;
        let mut is_stop_told = false;
        loop {
            let message = tokio::select! {
                biased;
                Some(at) = stop_time(&mut stopped), if !is_stop_told => {
                    is_stop_told = true;
                    ToWorker::Stop { at }
                }
                batch = reader.next_batch() => match batch {
                    Ok(records) => ToWorker::Records(records),
                    Err(JournalError::Closed) => break,
                    Err(error) => return Err(FeedError::Journal(error)),
                },
            };
            self.give(&message).await?;
        }
        // What can be composed by now is all there will be; a stop time that was told before may lie beyond that.
        self.give(&ToWorker::Stop { at: MediaTime(0) }).await?;
        self.fed.send_replace(Fed::Owing);
        std::future::pending().await
    }

    async fn give(&mut self, message: &ToWorker) -> Result<(), FeedError> {
        self.fed.send_replace(Fed::Owing);
        wire::write(&mut self.socket, message)
            .await
            .map_err(FeedError::Write)?;
        self.fed.send_replace(Fed::Everything(Instant::now()));
        Ok(())
    }
}

/// Waits until the stop time is known; `None` when it never will be.
async fn stop_time(stopped: &mut watch::Receiver<Option<MediaTime>>) -> Option<MediaTime> {
    let known = stopped.wait_for(Option::is_some).await;
    known.ok().and_then(|at| *at)
}
