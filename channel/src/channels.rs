//! The handle that the API holds: start, look, stop.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use compositor_core::id::ChannelId;
use compositor_core::time::WallTime;
use recorder::AdBreak;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;

use crate::ad_breaks::{AdBreakRefusal, AdBreakRequest};
use crate::directory::Directory;
use crate::event::{Report, StreamHealth};
use crate::hub::{CloseReason, Hub};
use crate::ingest;
use crate::limits::{EVENT_CHANNEL, connections_max};
use crate::origin::{self, Naming};
use crate::playback::PlaybackGate;
use crate::slate::SlateSource;
use crate::tap::StreamTap;

/// How the channels are reached.
#[derive(Clone, Debug)]
pub struct ChannelsConfig {
    /// Where RTMP publishers connect; port 0 takes a free one. On a loopback address every channel may be published to
    /// without TLS, elsewhere only those with `insecureIngest`.
    pub listen: SocketAddr,
    /// The region in playback names.
    pub region: String,
    /// Concurrent views that each account may have.
    pub viewers_max: usize,
    /// Live streams that each account may have; how many connections are taken follows from it.
    pub broadcasts_max: u32,
    /// Connections at each of the two RTMP listeners, if those for the streams are more.
    pub connections_max: usize,
}

/// Whom the channels ask.
#[derive(Clone)]
pub struct Owner {
    /// Whose stream key it is.
    pub directory: Arc<dyn Directory>,
    /// Who may play.
    pub gate: Arc<dyn PlaybackGate>,
    /// What is shown while a publisher is away.
    pub slates: Arc<dyn SlateSource>,
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owner(..)")
    }
}

/// A stream that is live, as GetStream shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LiveStream {
    /// The channel.
    pub channel: ChannelId,
    /// Its stream session.
    pub stream_id: String,
    /// When its first media came.
    pub start: WallTime,
    /// How well the ingest keeps up.
    pub health: StreamHealth,
    /// Playlist sessions that are watching.
    pub viewer_count: usize,
}

/// The channels could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen for RTMP on {listen}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// All channels of this server: their RTMP ingest, their stream sessions and their playback.
pub struct Channels {
    hub: Arc<Hub>,
    naming: Arc<Naming>,
    gate: Arc<dyn PlaybackGate>,
    local_addr: SocketAddr,
    own_addr: SocketAddr,
    stop: watch::Sender<bool>,
    ingest: Mutex<JoinHandle<()>>,
    helpers: Vec<JoinHandle<()>>,
}

impl fmt::Debug for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channels")
            .field("local_addr", &self.local_addr)
            .finish_non_exhaustive()
    }
}

/// How long [`Channels::shutdown`] waits for publishers to go.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

impl Channels {
    /// Listens for publishers. Events come in order on the receiver; while it is full, they wait in a bounded queue.
    pub async fn start(
        config: ChannelsConfig,
        owner: Owner,
    ) -> Result<(Self, mpsc::Receiver<Report>), StartError> {
        let Owner {
            directory,
            gate,
            slates,
        } = owner;
        let ChannelsConfig {
            listen,
            region,
            viewers_max,
            broadcasts_max,
            connections_max: allowed,
        } = config;
        let hub = Arc::new(Hub::new(slates, viewers_max));
        let places = connections_max(broadcasts_max).min(allowed);
        let ingest = ingest::listen((listen, places), Arc::clone(&hub), directory).await?;
        let (local_addr, own_addr) = (ingest.local_addr(), ingest.own_addr());
        let (stop, stopped) = watch::channel(false);
        let (events, receiver) = mpsc::channel(EVENT_CHANNEL);
        let (timers, reports) = (Arc::clone(&hub), Arc::clone(&hub));
        let helpers = vec![
            tokio::spawn(async move { timers.run_timers().await }),
            tokio::spawn(async move { reports.run_events(events).await }),
        ];
        let this = Self {
            hub,
            naming: Arc::new(Naming { region }),
            gate,
            local_addr,
            own_addr,
            stop,
            ingest: Mutex::new(tokio::spawn(ingest.run(stopped))),
            helpers,
        };
        Ok((this, receiver))
    }

    /// Where publishers connect.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where the compositions of this server connect: a listener of their own on loopback, where it does not matter whether
    /// their channel allows RTMP without TLS, and strangers take no place from them.
    pub fn own_addr(&self) -> SocketAddr {
        self.own_addr
    }

    /// The live stream of a channel; `None` is ChannelNotBroadcasting.
    pub fn stream(&self, channel: &ChannelId) -> Option<LiveStream> {
        self.hub.stream(channel)
    }

    /// Whether the channel has a stream session: it is live, or is about to be.
    pub fn has_session(&self, channel: &ChannelId) -> bool {
        self.hub.has_session(channel)
    }

    /// All live streams, in no order.
    pub fn streams(&self) -> Vec<LiveStream> {
        self.hub.streams()
    }

    /// Throws the publisher out and ends the stream session, of which there may be nothing to play yet. `false` when there
    /// is none. The publisher may come back, with a new one.
    pub fn stop_stream(&self, channel: &ChannelId) -> bool {
        self.hub.stop(channel, CloseReason::Stopped)
    }

    /// Puts `text` as an ID3 tag into the stream, where it is now; while its publisher is away, where it goes on. `false`
    /// when the channel is not live, or too much waits for its publisher.
    pub fn put_metadata(&self, channel: &ChannelId, text: &str) -> bool {
        self.hub.put_metadata(channel, text)
    }

    /// Plans an ad break in the stream: it is signalled in the playlist, nothing is replaced. The same request again
    /// answers the same.
    pub fn insert_ad_break(
        &self,
        channel: &ChannelId,
        request: AdBreakRequest,
    ) -> Result<AdBreak, AdBreakRefusal> {
        self.hub.insert_ad_break(channel, request)
    }

    /// Every stream that begins from now on, from its first keyframe, to be recorded. A tap that is not wanted is dropped.
    pub fn tap_streams(&self) -> mpsc::Receiver<StreamTap> {
        self.hub.tap_streams()
    }

    /// Cuts off the viewer sessions of a channel that carry this viewer id and at most this version: each at its next
    /// request. Returns how many. Those that begin later are refused by [`PlaybackGate::revoked_up_to`], which must know of
    /// the revocation before this is called.
    pub fn revoke_viewer(&self, channel_arn: &str, viewer_id: &str, version: i64) -> usize {
        let mut viewers = self.hub.viewers.lock();
        viewers.revoke(channel_arn, viewer_id, version)
    }

    /// Playback: multivariant playlists at `/api/video/v1/<region>.<account>.channel.<id>.m3u8`, and what they lead to. Where
    /// a request comes from is told by its extension [`ClientAddress`](crate::ClientAddress).
    pub fn routes(&self) -> Router {
        origin::router(
            Arc::clone(&self.hub),
            Arc::clone(&self.naming),
            Arc::clone(&self.gate),
        )
    }

    /// Ends all streams and stops listening. Playlists end; routes stay as long as somebody serves them. Events of the
    /// last sessions are still delivered while the receiver is read. To be called once.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        self.hub.stop_all(CloseReason::Shutdown);
        let mut ingest = self.ingest.lock().await;
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, &mut *ingest)
            .await
            .is_err()
        {
            tracing::warn!("publishers did not go in time");
            ingest.abort();
        }
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, self.hub.events_delivered())
            .await
            .is_err()
        {
            tracing::warn!("the last channel events were not read in time");
        }
        for helper in &self.helpers {
            helper.abort();
        }
    }
}

impl Drop for Channels {
    fn drop(&mut self) {
        self.ingest.get_mut().abort();
        for helper in &self.helpers {
            helper.abort();
        }
    }
}
