//! Accepts RTMP connections, not more than are allowed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::channels::StartError;
use crate::directory::Directory;
use crate::hub::Hub;
use crate::ingest::connection::{ACCEPT_RETRY, Shared, serve};
use crate::limits::CONNECTIONS_MAX;

/// How long connections may take to close when the server stops.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

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

    /// Accepts until `stop` says so, then lets connections that were told to close do so, and ends the others.
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
        let closed = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(CLOSE_TIMEOUT, closed).await.is_err() {
            connections.shutdown().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use compositor_core::id::ChannelId;
    use compositor_core::time::FrameRate;

    use super::*;
    use crate::directory::{ChannelGrant, ChannelType, DirectoryError};
    use crate::publish::{Publisher, PublisherEvent, VideoParams};

    /// The channel allows RTMP without TLS if its key says so; a broken directory is told by its key too.
    struct ByKey;

    #[async_trait]
    impl Directory for ByKey {
        async fn channel_of(&self, key: &str) -> Result<Option<ChannelGrant>, DirectoryError> {
            if key == "broken" {
                return Err(DirectoryError("the store is away".into()));
            }
            Ok(Some(ChannelGrant {
                channel: ChannelId::new(key),
                arn: String::new(),
                name: String::new(),
                insecure_ingest: key == "insecure",
                channel_type: ChannelType::Basic,
            }))
        }
    }

    /// The status code of a refusal, `None` when publishing is accepted.
    async fn refusal(loopback: bool, key: &str) -> Option<String> {
        let hub = Arc::new(Hub::new());
        let any = "127.0.0.1:0".parse().unwrap();
        let mut ingest = listen(any, Arc::clone(&hub), Arc::new(ByKey))
            .await
            .unwrap();
        ingest.shared = Arc::new(Shared {
            hub,
            directory: Arc::new(ByKey),
            loopback,
        });
        let url = format!("rtmp://{}/app/{key}", ingest.local_addr());
        let (_stop, stopped) = watch::channel(false);
        let server = tokio::spawn(ingest.run(stopped));
        let (sender, mut events) = tokio::sync::mpsc::channel(4);
        let fps = FrameRate::whole(30);
        let params = VideoParams {
            width: 16,
            height: 16,
            fps,
            bitrate: 1000,
        };
        let publisher = Publisher::start(&url, params, sender).unwrap();
        let keyframe = [&[0, 0, 0, 1][..], &crate::flv::sps::tests::SPS_1280X720]
            .concat()
            .into_iter()
            .chain([0, 0, 0, 1, 0x68, 0xEB, 0, 0, 0, 1, 0x65, 1]);
        publisher.video(0, true, keyframe.collect());
        let event = tokio::time::timeout(Duration::from_secs(20), events.recv()).await;
        server.abort();
        match event.unwrap().unwrap() {
            PublisherEvent::FirstKeyframeWritten => None,
            PublisherEvent::Refused { code } => Some(code),
            PublisherEvent::Interrupted { error } => panic!("{error}"),
        }
    }

    #[tokio::test]
    async fn rtmp_without_tls_is_for_loopback_and_channels_that_allow_it() {
        assert_eq!(refusal(true, "secure").await, None);
        assert_eq!(refusal(false, "insecure").await, None);
        let denied = Some("NetStream.Publish.Denied".to_owned());
        assert_eq!(refusal(false, "secure").await, denied);
    }

    #[tokio::test]
    async fn directory_that_fails_is_not_a_wrong_key() {
        assert_eq!(
            refusal(true, "broken").await,
            Some("NetStream.Publish.Failed".to_owned())
        );
    }
}
