//! Accepts RTMP connections, not more than are allowed.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::channels::StartError;
use crate::directory::Directory;
use crate::hub::Hub;
use crate::ingest::connection::{ACCEPT_RETRY, Arrival, Shared, serve};
use crate::ingest::newcomers::{Newcomer, Newcomers};
use crate::limits::NEWCOMERS_MAX;

/// How long connections may take to close when the server stops.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Bound listeners that do not accept yet.
pub(crate) struct Ingest {
    public: Door,
    /// For this server's own broadcasts.
    own: Door,
}

struct Door {
    listener: TcpListener,
    local_addr: SocketAddr,
    shared: Arc<Shared>,
    /// Each door has its own, so that a crowd at one does not close the other.
    places: Arc<Semaphore>,
    newcomers: Newcomers,
}

/// Binds the listeners, each of which takes `places` connections.
pub(crate) async fn listen(
    (listen, places): (SocketAddr, usize),
    hub: Arc<Hub>,
    directory: Arc<dyn Directory>,
) -> Result<Ingest, StartError> {
    let own = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Ok(Ingest {
        public: Door::open((listen, places), &hub, &directory).await?,
        own: Door::open((own, places), &hub, &directory).await?,
    })
}

impl Door {
    async fn open(
        (listen, places): (SocketAddr, usize),
        hub: &Arc<Hub>,
        directory: &Arc<dyn Directory>,
    ) -> Result<Self, StartError> {
        let fail = |source| StartError::Listen { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(fail)?;
        let local_addr = listener.local_addr().map_err(fail)?;
        let shared = Arc::new(Shared {
            hub: Arc::clone(hub),
            directory: Arc::clone(directory),
            loopback: local_addr.ip().is_loopback(),
        });
        Ok(Self {
            listener,
            local_addr,
            shared,
            places: Arc::new(Semaphore::new(places)),
            newcomers: Newcomers::default(),
        })
    }

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr, &Self)> {
        let (socket, peer) = self.listener.accept().await?;
        Ok((socket, peer, self))
    }

    /// What a connection holds as long as it lasts, and until it may publish.
    fn admit(&self, peer: SocketAddr) -> Option<(OwnedSemaphorePermit, Newcomer)> {
        let Some(newcomer) = self.newcomers.enter(peer.ip()) else {
            tracing::warn!(%peer, max = NEWCOMERS_MAX, "too many RTMP connections from there that do not publish");
            return None;
        };
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::warn!(%peer, "too many RTMP connections");
            return None;
        };
        Some((place, newcomer))
    }
}

impl Ingest {
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.public.local_addr
    }

    /// Where broadcasts of this server itself connect.
    pub(crate) fn own_addr(&self) -> SocketAddr {
        self.own.local_addr
    }

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr, &Door)> {
        tokio::select! {
            accepted = self.public.accept() => accepted,
            accepted = self.own.accept() => accepted,
        }
    }

    /// Accepts until `stop` says so, then lets connections that were told to close do so, and ends the others.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut connections = JoinSet::new();
        let mut next_id = 0;
        loop {
            let accepted = tokio::select! {
                accepted = self.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => break,
                Some(ended) = connections.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "an RTMP connection's task failed");
                    }
                    continue;
                }
            };
            let (socket, peer, door) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "an RTMP connection cannot be accepted");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    continue;
                }
            };
            let Some((place, newcomer)) = door.admit(peer) else {
                continue;
            };
            next_id += 1;
            let arrival = Arrival {
                socket,
                peer,
                id: next_id,
                newcomer,
            };
            let shared = Arc::clone(&door.shared);
            connections.spawn(async move {
                serve(arrival, shared).await;
                drop(place);
            });
        }
        drop(self);
        let closed = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(CLOSE_TIMEOUT, closed).await.is_err() {
            connections.shutdown().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use compositor_core::id::ChannelId;
    use compositor_core::time::FrameRate;

    use super::*;
    use crate::directory::{ChannelGrant, ChannelType, DirectoryError, IngestTerms};
    use crate::playback::PlaybackTerms;
    use crate::publish::{Publisher, PublisherEvent, VideoParams};
    use crate::slate::tests::NoSlate;

    /// The channel allows RTMP without TLS if its key says so; a broken directory is told by its key too, and a channel
    /// that is found only once.
    #[derive(Default)]
    struct ByKey {
        asked: AtomicBool,
    }

    #[async_trait]
    impl Directory for ByKey {
        async fn channel_of(&self, key: &str) -> Result<Option<ChannelGrant>, DirectoryError> {
            if key == "broken" {
                return Err(DirectoryError("the store is away".into()));
            }
            if self.asked.swap(true, Ordering::Relaxed) && key == "deleted" {
                return Ok(None);
            }
            Ok(Some(ChannelGrant {
                channel: ChannelId::new(key),
                arn: String::new(),
                name: String::new(),
                insecure_ingest: key == "insecure",
                channel_type: ChannelType::Basic,
                ingest: IngestTerms::default(),
                playback: PlaybackTerms::Open,
            }))
        }
    }

    /// Where a publisher knocks.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum At {
        Loopback,
        /// As far as the listener knows.
        Network,
        /// The server's own door besides the one to the network.
        Own,
    }

    /// The status code of a refusal, `None` when publishing is accepted.
    async fn refusal(at: At, key: &str) -> Option<String> {
        let listen_at = match at {
            At::Loopback => "127.0.0.1:0",
            At::Network | At::Own => "0.0.0.0:0",
        };
        let listen_at = listen_at.parse().unwrap();
        let ingest = listen(
            (listen_at, 1),
            Arc::new(Hub::new(Arc::new(NoSlate), 1)),
            Arc::new(ByKey::default()),
        )
        .await;
        let ingest = ingest.expect("it listens");
        let port = match at {
            At::Own => ingest.own_addr().port(),
            At::Loopback | At::Network => ingest.local_addr().port(),
        };
        let url = format!("rtmp://127.0.0.1:{port}/app/{key}");
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
        assert_eq!(refusal(At::Loopback, "secure").await, None);
        assert_eq!(refusal(At::Network, "insecure").await, None);
        let denied = Some("NetStream.Publish.Denied".to_owned());
        assert_eq!(refusal(At::Network, "secure").await, denied);
    }

    #[tokio::test]
    async fn a_crowd_at_the_public_door_leaves_the_own_one_open() {
        let hub = Arc::new(Hub::new(Arc::new(NoSlate), 1));
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let ingest = listen((loopback, 1), hub, Arc::new(ByKey::default())).await;
        let ingest = ingest.expect("it listens");
        let _taken = ingest.public.admit(loopback).expect("there is a place");
        assert!(ingest.public.admit(loopback).is_none());
        assert!(ingest.own.admit(loopback).is_some());
        assert_ne!(ingest.own_addr(), ingest.local_addr());
    }

    #[tokio::test]
    async fn own_broadcasts_need_no_tls() {
        assert_eq!(refusal(At::Own, "secure").await, None);
    }

    #[tokio::test]
    async fn channel_that_is_deleted_while_its_publisher_comes_in_takes_nobody() {
        let denied = Some("NetStream.Publish.Denied".to_owned());
        assert_eq!(refusal(At::Loopback, "deleted").await, denied);
    }

    #[tokio::test]
    async fn directory_that_fails_is_not_a_wrong_key() {
        assert_eq!(
            refusal(At::Loopback, "broken").await,
            Some("NetStream.Publish.Failed".to_owned())
        );
    }
}
