//! One attempt to publish: connect, be accepted, send until something ends it.

use std::collections::VecDeque;

use bytes::Buf;
use compositor_core::limits::AAC_AUDIO_SPECIFIC_CONFIG;
use rml_rtmp::handshake::{Handshake, HandshakeError, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::ClientSessionError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use crate::chunk::{ChunkError, ChunkReader};
use crate::flv::avc::{AvcConfig, avcc_of_annexb};
use crate::flv::tag::{AudioTag, VideoTag};
use crate::limits::{PUBLISH_ACCEPT_TIMEOUT, PUBLISH_STALL_MAX, REFUSAL_LINGER};
use crate::publish::acks::Acknowledgements;
use crate::publish::protocol::{Answer, ClientProtocol};
use crate::publish::queue::Item;
use crate::publish::url::PublishUrl;
use crate::publish::{PublisherEvent, Shared, VideoParams};

const READ_BYTES: usize = 4096;

/// Answers that wait to be heard; a session has two.
const ANSWERS_MAX: usize = 8;

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
    /// The connection stands, but the server takes nothing any more.
    #[error("the RTMP server acknowledged nothing for {PUBLISH_STALL_MAX:?}")]
    Stalled,
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
    pub(super) async fn run(self, acks: &mut Acknowledgements) -> End {
        acks.connected();
        let negotiated = timeout(PUBLISH_ACCEPT_TIMEOUT, self.negotiate(acks)).await;
        let result = match negotiated.unwrap_or(Err(PublishError::NoAnswer.into())) {
            Ok(mut link) => self.send(&mut link).await,
            Err(end) => Err(end),
        };
        match result {
            Ok(()) => End::Finished,
            Err(end) => end,
        }
    }

    async fn negotiate<'a>(&self, acks: &'a mut Acknowledgements) -> Result<Link<'a>, End> {
        let mut link = Link::connect(self.url, acks).await?;
        loop {
            while let Some(answer) = link.next_answer() {
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
                    Answer::Acknowledged => {}
                }
            }
            link.flush().await?;
            link.read().await?;
        }
    }

    async fn send(&self, link: &mut Link<'_>) -> Result<(), End> {
        self.shared.queue.lock().connected();
        let mut config = None;
        let mut told = false;
        loop {
            while let Some(answer) = link.next_answer() {
                if let Answer::Refused(code) = answer {
                    return Err(PublishError::Ended { code }.into());
                }
            }
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
struct Link<'a> {
    socket: TcpStream,
    chunks: ChunkReader,
    protocol: ClientProtocol,
    answers: VecDeque<Answer>,
    acks: &'a mut Acknowledgements,
    buffer: Box<[u8]>,
}

impl<'a> Link<'a> {
    async fn connect(url: &PublishUrl, acks: &'a mut Acknowledgements) -> Result<Self, End> {
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
            answers: VecDeque::new(),
            acks,
            buffer,
        };
        link.handshake().await?;
        Ok(link)
    }

    async fn handshake(&mut self) -> Result<(), End> {
        let mut handshake = Handshake::new(PeerType::Client);
        let hello = handshake.generate_outbound_p0_and_p1()?;
        self.write_all(&hello).await?;
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
                    self.write_all(&response_bytes).await?;
                }
                HandshakeProcessResult::Completed {
                    response_bytes,
                    remaining_bytes,
                } => {
                    self.write_all(&response_bytes).await?;
                    self.chunks.extend(&remaining_bytes);
                    self.understand()?;
                    return self.flush().await;
                }
            }
        }
    }

    /// What the server said that nobody has heard yet.
    fn next_answer(&mut self) -> Option<Answer> {
        self.answers.pop_front()
    }

    /// Waits for something from the server, or for the moment at which it counts as hung. Cancel-safe: what was read is kept.
    async fn read(&mut self) -> Result<(), End> {
        let deadline = self.acks.deadline();
        tokio::select! {
            biased;
            read = self.socket.read(&mut self.buffer) => {
                let read = read.map_err(PublishError::Socket)?;
                self.take(read)
            }
            () = until(deadline) => Err(PublishError::Stalled.into()),
        }
    }

    fn take(&mut self, read: usize) -> Result<(), End> {
        if read == 0 {
            return Err(PublishError::PeerClosed.into());
        }
        self.chunks.extend(&self.buffer[..read]);
        self.understand()
    }

    fn understand(&mut self) -> Result<(), End> {
        while let Some(message) = self.chunks.next_message()? {
            for answer in self.protocol.handle(&message)? {
                match answer {
                    Answer::Acknowledged => self.acks.came(),
                    answer if self.answers.len() < ANSWERS_MAX => self.answers.push_back(answer),
                    // The first ones have said it.
                    _ => {}
                }
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), End> {
        let mut output = self.protocol.take_output();
        while !output.is_empty() {
            let stalled = Instant::now() + PUBLISH_STALL_MAX;
            let deadline = self.acks.deadline().map_or(stalled, |at| at.min(stalled));
            let (mut reader, mut writer) = self.socket.split();
            // A server that waits until it is heard must not be waited for.
            tokio::select! {
                biased;
                read = reader.read(&mut self.buffer) => {
                    let read = read.map_err(PublishError::Socket)?;
                    self.take(read)?;
                }
                written = writer.write(&output) => {
                    let written = written.map_err(PublishError::Socket)?;
                    output.advance(written);
                    self.acks.sent(Instant::now(), written);
                }
                () = sleep_until(deadline) => return Err(PublishError::Stalled.into()),
            }
        }
        Ok(())
    }

    /// For the handshake, which comes before all messages; [`PUBLISH_ACCEPT_TIMEOUT`] ends it.
    async fn write_all(&mut self, bytes: &[u8]) -> Result<(), End> {
        let written = self.socket.write_all(bytes).await;
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

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
