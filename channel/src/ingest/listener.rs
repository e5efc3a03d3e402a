//! Accepts RTMP connections, not more than are allowed.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::channels::StartError;
use crate::directory::Directory;
use crate::hub::Hub;
use crate::ingest::connection::{ACCEPT_RETRY, Shared, serve};
use crate::limits::CONNECTIONS_MAX;

/// A bound listener that does not accept yet.
pub(crate) struct Ingest {
    listener: TcpListener,
    local_addr: SocketAddr,
    shared: Arc<Shared>,
}

/// Binds the listener.
pub(crate) async fn listen(
    listen: SocketAddr,
    hub: Arc<Hub>,
    directory: Arc<dyn Directory>,
) -> Result<Ingest, StartError> {
    let fail = |source| StartError::Listen { listen, source };
    let listener = TcpListener::bind(listen).await.map_err(fail)?;
    let local_addr = listener.local_addr().map_err(fail)?;
    let loopback = local_addr.ip().is_loopback();
    Ok(Ingest {
        listener,
        local_addr,
        shared: Arc::new(Shared {
            hub,
            directory,
            loopback,
        }),
    })
}

impl Ingest {
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Accepts until `stop` says so, then waits until every connection is gone. Dropping the future ends them all.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        let mut next_id = 0;
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => break,
                Some(ended) = connections.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "an RTMP connection's task failed");
                    }
                    continue;
                }
            };
            let (socket, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "an RTMP connection cannot be accepted");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    continue;
                }
            };
            let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                tracing::warn!(%peer, max = CONNECTIONS_MAX, "too many RTMP connections");
                continue;
            };
            next_id += 1;
            let (id, shared) = (next_id, Arc::clone(&self.shared));
            connections.spawn(async move {
                serve(socket, peer, id, shared).await;
                drop(slot);
            });
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }
}
