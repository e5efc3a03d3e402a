//! One RTMP connection: handshake, publish request, then media until somebody ends it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compositor_core::id::ChannelId;
use compositor_core::time::FrameRate;
use rml_rtmp::handshake::{Handshake, HandshakeError, HandshakeProcessResult, PeerType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::chunk::{ChunkError, ChunkReader};
use crate::directory::{ChannelGrant, Directory, DirectoryError};
use crate::hub::{CloseReason, Hub, Publisher, Refusal};
use crate::ingest::description::{Announced, IngestDescription};
use crate::ingest::media::{Media, MediaError, MediaReader};
use crate::ingest::newcomers::Newcomer;
use crate::ingest::protocol::{Event, ProtocolError, ServerProtocol};
use crate::limits::{HANDSHAKE_TIMEOUT, NO_DATA_TIMEOUT, REFUSAL_LINGER, WRITE_TIMEOUT};
use crate::origin::MediaFormat;
use crate::slate::SlateFormat;
use crate::stream_key::{StreamKey, StreamKeyError};

const READ_BYTES: usize = 16 * 1024;

/// Frames per second of a slate for a publisher that does not announce its own.
const SLATE_FPS: f64 = 30.0;

/// What all connections share.
pub(super) struct Shared {
    pub(super) hub: Arc<Hub>,
    pub(super) directory: Arc<dyn Directory>,
    /// Whether the listener is on loopback, where nobody needs TLS.
    pub(super) loopback: bool,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("the publisher said goodbye")]
    Goodbye,
    #[error("the peer closed the connection")]
    PeerClosed,
    #[error("the peer only probed, or wanted something else: {0}")]
    Unwanted(&'static str),
    #[error("closed by the server: {0:?}")]
    Closed(CloseReason),
    #[error("no accepted publish request within {HANDSHAKE_TIMEOUT:?}")]
    TooSlow,
    #[error("no keyframe within {NO_DATA_TIMEOUT:?}")]
    NoKeyframe,
    #[error("the handshake is not RTMP")]
    Handshake(#[source] HandshakeError),
    #[error("the chunk stream is broken")]
    Chunk(#[source] ChunkError),
    #[error("the session is broken")]
    Protocol(#[source] ProtocolError),
    #[error("the media cannot be used")]
    Media(#[source] MediaError),
    #[error("publishing is refused")]
    Refused(#[source] Denial),
    #[error("the socket failed")]
    Socket(#[source] std::io::Error),
}

/// Why a publish request is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Denial {
    #[error("the stream key cannot be read")]
    Key(#[source] StreamKeyError),
    #[error("no channel has this stream key")]
    Unknown,
    #[error("the channel does not allow RTMP without TLS")]
    Insecure,
    #[error("the channel cannot be looked up")]
    Directory(#[source] DirectoryError),
    #[error("the channel cannot take this publisher")]
    Hub(#[source] Refusal),
}

impl Denial {
    /// What the publisher is told. Its key may belong to nobody, so it learns no more than it must.
    fn status(&self) -> (&'static str, &'static str) {
        match self {
            Self::Hub(Refusal::Busy | Refusal::TakeoverLimit) => {
                ("NetStream.Publish.BadName", "The stream key is in use")
            }
            Self::Hub(Refusal::MediaMismatch) => (
                "NetStream.Publish.Denied",
                "A takeover must bring the same media",
            ),
            Self::Directory(_) | Self::Hub(Refusal::Overloaded | Refusal::Over) => {
                ("NetStream.Publish.Failed", "Try again later")
            }
            Self::Hub(Refusal::Broadcasts | Refusal::Limit) => {
                ("NetStream.Publish.Denied", "A limit is exceeded")
            }
            Self::Insecure => ("NetStream.Publish.Denied", "Publish with RTMPS"),
            Self::Key(_) | Self::Unknown => {
                ("NetStream.Publish.Denied", "The stream key is not valid")
            }
        }
    }
}

/// A connection that was accepted.
pub(super) struct Arrival {
    pub(super) socket: TcpStream,
    pub(super) peer: SocketAddr,
    /// Unique in this process.
    pub(super) id: u64,
    pub(super) newcomer: Newcomer,
}

/// Serves one connection to its end.
pub(super) async fn serve(arrival: Arrival, shared: Arc<Shared>) {
    let Arrival {
        socket,
        peer,
        id,
        newcomer,
    } = arrival;
    let mut connection = match Connection::new(socket, id, shared) {
        Ok(connection) => connection,
        Err(error) => {
            tracing::error!(%peer, error = chain(&error), "no RTMP session can be made");
            return;
        }
    };
    let negotiated = timeout(HANDSHAKE_TIMEOUT, connection.negotiate()).await;
    let mut session = match negotiated.unwrap_or(Err(End::TooSlow)) {
        Ok(session) => session,
        Err(end) => {
            connection.farewell(&end).await;
            if let Some(channel) = &connection.admitted {
                connection.shared.hub.leave(channel, id, true);
            }
            tracing::info!(%peer, end = chain(&end), "RTMP connection not accepted");
            return;
        }
    };
    drop(newcomer);
    let channel = session.grant.channel.clone();
    tracing::info!(%peer, %channel, priority = session.publisher.priority, "publisher accepted");
    let end = match connection.publish(&mut session).await {
        Err(end) => end,
        Ok(never) => match never {},
    };
    connection.farewell(&end).await;
    let lost = matches!(end, End::PeerClosed | End::Socket(_));
    connection.shared.hub.leave(&channel, id, !lost);
    match end {
        End::Media(_) | End::Chunk(_) | End::Protocol(_) | End::Refused(_) => {
            tracing::warn!(%peer, %channel, end = chain(&end), "publisher thrown out");
        }
        _ => tracing::info!(%peer, %channel, end = chain(&end), "publisher gone"),
    }
}

/// An accepted publisher.
struct Session {
    grant: ChannelGrant,
    publisher: Publisher,
    close: watch::Receiver<Option<CloseReason>>,
    reader: MediaReader,
    announced: Announced,
    begun: bool,
}

struct Connection {
    socket: TcpStream,
    id: u64,
    shared: Arc<Shared>,
    chunks: ChunkReader,
    protocol: ServerProtocol,
    buffer: Box<[u8]>,
    /// The channel that counts on this connection.
    admitted: Option<ChannelId>,
}

impl Connection {
    fn new(socket: TcpStream, id: u64, shared: Arc<Shared>) -> Result<Self, ProtocolError> {
        let protocol = ServerProtocol::new()?;
        let buffer = vec![0; READ_BYTES].into_boxed_slice();
        Ok(Self {
            socket,
            id,
            shared,
            chunks: ChunkReader::new(),
            protocol,
            buffer,
            admitted: None,
        })
    }

    /// From the first byte to an accepted publish request.
    async fn negotiate(&mut self) -> Result<Session, End> {
        self.handshake().await?;
        loop {
            for event in self.events()? {
                match event {
                    Event::PublishRequested { request, name } => {
                        self.flush().await?;
                        let session = self.authorize(&name).await.map_err(End::Refused)?;
                        self.protocol.accept(request).map_err(End::Protocol)?;
                        self.flush().await?;
                        return Ok(session);
                    }
                    Event::Unwanted(what) => return Err(End::Unwanted(what)),
                    Event::Finished => return Err(End::Goodbye),
                    Event::Metadata(_) | Event::Video { .. } | Event::Audio { .. } => {}
                }
            }
            self.flush().await?;
            self.read().await?;
        }
    }

    async fn handshake(&mut self) -> Result<(), End> {
        let mut handshake = Handshake::new(PeerType::Server);
        loop {
            let read = self
                .socket
                .read(&mut self.buffer)
                .await
                .map_err(End::Socket)?;
            if read == 0 {
                return Err(End::PeerClosed);
            }
            match handshake
                .process_bytes(&self.buffer[..read])
                .map_err(End::Handshake)?
            {
                HandshakeProcessResult::InProgress { response_bytes } => {
                    self.write(response_bytes.into()).await?;
                }
                HandshakeProcessResult::Completed {
                    response_bytes,
                    remaining_bytes,
                } => {
                    self.write(response_bytes.into()).await?;
                    self.chunks.extend(&remaining_bytes);
                    return self.flush().await;
                }
            }
        }
    }

    async fn authorize(&mut self, name: &str) -> Result<Session, Denial> {
        let StreamKey { key, priority } = StreamKey::parse(name).map_err(Denial::Key)?;
        let known = self
            .shared
            .directory
            .channel_of(&key)
            .await
            .map_err(Denial::Directory)?;
        let grant = known.ok_or(Denial::Unknown)?;
        if !self.shared.loopback && !grant.insecure_ingest {
            return Err(Denial::Insecure);
        }
        let (close, closed) = watch::channel(None);
        let publisher = Publisher {
            connection: self.id,
            priority,
            close,
        };
        self.shared
            .hub
            .admit(&grant, publisher.clone())
            .map_err(Denial::Hub)?;
        self.admitted = Some(grant.channel.clone());
        // A channel that was deleted in between had no session yet that could have been stopped.
        let known = self.shared.directory.channel_of(&key).await;
        known.map_err(Denial::Directory)?.ok_or(Denial::Unknown)?;
        let reader = MediaReader::default();
        Ok(Session {
            grant,
            publisher,
            close: closed,
            reader,
            announced: Announced::default(),
            begun: false,
        })
    }

    /// Takes media until the end.
    async fn publish(&mut self, session: &mut Session) -> Result<Infallible, End> {
        let keyframe_deadline = Instant::now() + NO_DATA_TIMEOUT;
        loop {
            for event in self.events()? {
                self.take(session, event)?;
            }
            self.flush().await?;
            tokio::select! {
                read = self.read() => read?,
                closed = session.close.changed() => {
                    let reason = *session.close.borrow();
                    closed.ok().and(reason).map_or(Ok(()), |reason| Err(End::Closed(reason)))?;
                }
                () = sleep_until(keyframe_deadline), if !session.begun => {
                    return Err(End::NoKeyframe);
                }
            }
        }
    }

    fn take(&self, session: &mut Session, event: Event) -> Result<(), End> {
        let media = match event {
            Event::Video { timestamp, body } => session.reader.video(timestamp, &body),
            Event::Audio { timestamp, body } => session.reader.audio(timestamp, &body),
            Event::Metadata(announced) => {
                tracing::debug!(?announced, channel = %session.grant.channel, "metadata");
                session.reader.announce(announced.fps);
                session.announced = announced;
                return Ok(());
            }
            Event::Finished => return Err(End::Goodbye),
            Event::Unwanted(what) => return Err(End::Unwanted(what)),
            Event::PublishRequested { .. } => return Err(End::Unwanted("it publishes twice")),
        };
        let Media {
            begins,
            samples,
            span,
        } = media.map_err(End::Media)?;
        let hub = &self.shared.hub;
        if let Some(format) = begins {
            hub.begin(&session.grant, session.publisher.clone(), format)
                .map_err(|refusal| End::Refused(Denial::Hub(refusal)))?;
            self.begun(session, &format);
        }
        if session.begun && !samples.is_empty() {
            hub.media(&session.grant.channel, self.id, (span, &samples));
        }
        Ok(())
    }

    /// The hub takes this connection's media from now on.
    fn begun(&self, session: &mut Session, format: &MediaFormat) {
        session.begun = true;
        let hub = &self.shared.hub;
        let channel = &session.grant.channel;
        let description = IngestDescription::new(format, &session.announced);
        let is_new = hub.describe_ingest(channel, self.id, Arc::new(description));
        if is_new && session.grant.ingest.slate.is_some() {
            let (width, height) = format.size();
            let fps = FrameRate::from_api(format.fps.unwrap_or(SLATE_FPS).clamp(1.0, 60.0));
            let format = SlateFormat { width, height, fps };
            let (hub, channel) = (Arc::clone(hub), channel.clone());
            tokio::spawn(async move { hub.prepare_slate(channel, format).await });
        }
    }

    /// What the messages that are complete by now mean.
    fn events(&mut self) -> Result<Vec<Event>, End> {
        let mut events = Vec::new();
        while let Some(message) = self.chunks.next_message().map_err(End::Chunk)? {
            events.extend(self.protocol.handle(&message).map_err(End::Protocol)?);
            if matches!(events.last(), Some(Event::PublishRequested { .. })) {
                break;
            }
        }
        Ok(events)
    }

    /// Cancel-safe: what was read is kept.
    async fn read(&mut self) -> Result<(), End> {
        let read = self
            .socket
            .read(&mut self.buffer)
            .await
            .map_err(End::Socket)?;
        if read == 0 {
            return Err(End::PeerClosed);
        }
        self.chunks.extend(&self.buffer[..read]);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), End> {
        let output = self.protocol.take_output();
        self.write(output).await
    }

    async fn write(&mut self, output: Bytes) -> Result<(), End> {
        let written = timeout(WRITE_TIMEOUT, self.socket.write_all(&output)).await;
        written
            .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
            .map_err(End::Socket)
    }

    /// Tells the peer why, if it may know, and lets it read that before the connection goes.
    async fn farewell(&mut self, end: &End) {
        if let End::Refused(denial) = end {
            let (code, description) = denial.status();
            self.protocol.refuse(code, description);
        }
        if !matches!(end, End::Refused(_) | End::Unwanted(_)) || self.flush().await.is_err() {
            return;
        }
        // The peer sees the end of the stream, not a reset that could overtake the answer.
        let drained = async {
            self.socket.shutdown().await?;
            while self.socket.read(&mut self.buffer).await? > 0 {}
            Ok::<(), std::io::Error>(())
        };
        let _peer_may_be_gone: Result<_, _> = timeout(REFUSAL_LINGER, drained).await;
    }
}

/// An error with its causes, for logs.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += ": ";
        text += &error.to_string();
        cause = error.source();
    }
    text
}

/// How often a failing `accept` is tried again.
pub(super) const ACCEPT_RETRY: Duration = Duration::from_millis(100);
