//! One attempt to publish: connect, be accepted, send until something ends it.

use bytes::Bytes;
use compositor_core::limits::AAC_AUDIO_SPECIFIC_CONFIG;
use rml_rtmp::handshake::{Handshake, HandshakeError, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::ClientSessionError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::chunk::{ChunkError, ChunkReader};
use crate::flv::avc::{AvcConfig, avcc_of_annexb};
use crate::flv::tag::{AudioTag, VideoTag};
use crate::limits::{PUBLISH_ACCEPT_TIMEOUT, REFUSAL_LINGER, WRITE_TIMEOUT};
use crate::publish::protocol::{Answer, ClientProtocol};
use crate::publish::queue::Item;
use crate::publish::url::PublishUrl;
use crate::publish::{PublisherEvent, Shared, VideoParams};

const READ_BYTES: usize = 4096;

/// Why a broadcast was interrupted.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Nobody answers there.
    #[error("cannot connect to {address}")]
    Connect {
        /// Host and port.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The connection failed.
    #[error("the RTMP connection failed")]
    Socket(#[source] std::io::Error),
    /// The server closed the connection.
    #[error("the RTMP server closed the connection")]
    PeerClosed,
    /// The server did not accept or refuse in time.
    #[error("the RTMP server did not answer within {PUBLISH_ACCEPT_TIMEOUT:?}")]
    NoAnswer,
    /// The server ended the broadcast.
    #[error("the RTMP server ended the broadcast: {code}")]
    Ended {
        /// Its status code.
        code: String,
    },
    /// The server does not speak RTMP as it should.
    #[error("the RTMP server broke the protocol")]
    Protocol(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// How an attempt ended.
pub(super) enum End {
    /// Everything was sent and goodbye was said.
    Finished,
    /// It may be tried again.
    Interrupted(PublishError),
    /// The server does not want this publisher.
    Refused(String),
}

impl From<PublishError> for End {
    fn from(error: PublishError) -> Self {
        Self::Interrupted(error)
    }
}

impl From<HandshakeError> for End {
    fn from(error: HandshakeError) -> Self {
        PublishError::Protocol(Box::new(error)).into()
    }
}

impl From<ClientSessionError> for End {
    fn from(error: ClientSessionError) -> Self {
        PublishError::Protocol(Box::new(error)).into()
    }
}

impl From<ChunkError> for End {
    fn from(error: ChunkError) -> Self {
        PublishError::Protocol(Box::new(error)).into()
    }
}

/// What an attempt needs.
pub(super) struct Attempt<'a> {
    pub(super) url: &'a PublishUrl,
    pub(super) params: VideoParams,
    pub(super) events: &'a mpsc::Sender<PublisherEvent>,
    pub(super) shared: &'a Shared,
}

impl Attempt<'_> {
    /// Publishes until the end.
    pub(super) async fn run(self) -> End {
        let negotiated = timeout(PUBLISH_ACCEPT_TIMEOUT, self.negotiate()).await;
        let result = match negotiated.unwrap_or(Err(PublishError::NoAnswer.into())) {
            Ok(mut link) => self.send(&mut link).await,
            Err(end) => Err(end),
        };
        match result {
            Ok(()) => End::Finished,
            Err(end) => end,
        }
    }

    async fn negotiate(&self) -> Result<Link, End> {
        let mut link = Link::connect(self.url).await?;
        loop {
            for answer in link.answers()? {
                match answer {
                    Answer::Connected => link.protocol.request_publishing(self.url.name())?,
                    Answer::Accepted => {
                        link.protocol.metadata(self.params)?;
                        let config = AudioTag::config(&AAC_AUDIO_SPECIFIC_CONFIG);
                        link.protocol.audio(0, config)?;
                        link.flush().await?;
                        return Ok(link);
                    }
                    Answer::Refused(code) => return Err(End::Refused(code)),
                }
            }
            link.flush().await?;
            link.read().await?;
        }
    }

    async fn send(&self, link: &mut Link) -> Result<(), End> {
        self.shared.queue.lock().connected();
        let mut config = None;
        let mut told = false;
        loop {
            let (next, dropped, finishing) = {
                let mut queue = self.shared.queue.lock();
                (queue.pop(), queue.take_dropped(), queue.is_finishing())
            };
            if dropped > 0 && told {
                tracing::warn!(
                    dropped,
                    "pictures were dropped, the RTMP server is too slow"
                );
            }
            if let Some(item) = next {
                put(&mut link.protocol, &mut config, item)?;
                link.flush().await?;
                if config.is_some() && !told {
                    told = true;
                    let event = PublisherEvent::FirstKeyframeWritten;
                    // Nobody may be listening any more.
                    let _closed: Result<_, _> = self.events.send(event).await;
                }
                continue;
            }
            if finishing {
                return link.goodbye().await;
            }
            tokio::select! {
                () = self.shared.changed.notified() => {}
                read = link.read() => {
                    read?;
                    for answer in link.answers()? {
                        if let Answer::Refused(code) = answer {
                            return Err(PublishError::Ended { code }.into());
                        }
                    }
                    link.flush().await?;
                }
            }
        }
    }
}

/// Puts one item into the session's output; `config` is the configuration that the server knows.
fn put(
    protocol: &mut ClientProtocol,
    config: &mut Option<AvcConfig>,
    item: Item,
) -> Result<(), ClientSessionError> {
    match item {
        Item::Audio { ms, data } => protocol.audio(ms, AudioTag::frame(&data)),
        Item::Video { ms, keyframe, data } => {
            if keyframe {
                match AvcConfig::of_keyframe(&data) {
                    Ok(current) if config.as_ref() != Some(&current) => {
                        protocol.video(ms, VideoTag::config(&current.record()))?;
                        *config = Some(current);
                    }
                    Ok(_) => {}
                    Err(error) => tracing::error!(%error, "a keyframe has no usable SPS and PPS"),
                }
            }
            if config.is_none() {
                return Ok(());
            }
            protocol.video(ms, VideoTag::picture(keyframe, &avcc_of_annexb(&data)))
        }
    }
}

/// The socket and the session on it.
struct Link {
    socket: TcpStream,
    chunks: ChunkReader,
    protocol: ClientProtocol,
    buffer: Box<[u8]>,
}

impl Link {
    async fn connect(url: &PublishUrl) -> Result<Self, End> {
        let socket = TcpStream::connect(&url.address).await.map_err(|source| {
            let address = url.address.clone();
            PublishError::Connect { address, source }
        })?;
        // Pictures are written whole; waiting for more would only delay them.
        socket.set_nodelay(true).map_err(PublishError::Socket)?;
        let protocol = ClientProtocol::new(&url.app, url.tc_url())?;
        let buffer = vec![0; READ_BYTES].into_boxed_slice();
        let mut link = Self {
            socket,
            chunks: ChunkReader::new(),
            protocol,
            buffer,
        };
        link.handshake().await?;
        Ok(link)
    }

    async fn handshake(&mut self) -> Result<(), End> {
        let mut handshake = Handshake::new(PeerType::Client);
        let hello = handshake.generate_outbound_p0_and_p1()?;
        self.write(hello.into()).await?;
        loop {
            let read = self
                .socket
                .read(&mut self.buffer)
                .await
                .map_err(PublishError::Socket)?;
            if read == 0 {
                return Err(PublishError::PeerClosed.into());
            }
            match handshake.process_bytes(&self.buffer[..read])? {
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

    /// Cancel-safe: what was read is kept.
    async fn read(&mut self) -> Result<(), End> {
        let read = self
            .socket
            .read(&mut self.buffer)
            .await
            .map_err(PublishError::Socket)?;
        if read == 0 {
            return Err(PublishError::PeerClosed.into());
        }
        self.chunks.extend(&self.buffer[..read]);
        Ok(())
    }

    fn answers(&mut self) -> Result<Vec<Answer>, End> {
        let mut answers = Vec::new();
        while let Some(message) = self.chunks.next_message()? {
            answers.extend(self.protocol.handle(&message)?);
        }
        Ok(answers)
    }

    async fn flush(&mut self) -> Result<(), End> {
        let output = self.protocol.take_output();
        self.write(output).await
    }

    async fn write(&mut self, output: Bytes) -> Result<(), End> {
        let written = timeout(WRITE_TIMEOUT, self.socket.write_all(&output)).await;
        let written = written.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        Ok(written.map_err(PublishError::Socket)?)
    }

    /// Says goodbye and waits until the server has closed too, so that nothing sent is lost.
    async fn goodbye(&mut self) -> Result<(), End> {
        self.protocol.goodbye()?;
        self.flush().await?;
        let drained = async {
            self.socket.shutdown().await?;
            while self.socket.read(&mut self.buffer).await? > 0 {}
            Ok::<(), std::io::Error>(())
        };
        let _server_may_be_gone: Result<_, _> = timeout(REFUSAL_LINGER, drained).await;
        Ok(())
    }
}
