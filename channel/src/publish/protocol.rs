//! The client's side of one RTMP session, over rml_rtmp.

use bytes::{Bytes, BytesMut};
use rml_rtmp::sessions::{
    ClientSession, ClientSessionConfig, ClientSessionError, ClientSessionEvent,
    ClientSessionResult, PublishRequestType, StreamMetadata,
};
use rml_rtmp::time::RtmpTimestamp;

use crate::amf::{self, Value};
use crate::chunk::{Message, single_chunks};
use crate::limits::{ACKNOWLEDGEMENT_WINDOW, OUTGOING_CHUNK_BYTES};
use crate::publish::VideoParams;

const TYPE_ACKNOWLEDGEMENT: u8 = 3;
const TYPE_USER_CONTROL: u8 = 4;
const TYPE_COMMAND: u8 = 20;
const EVENT_PING: [u8; 2] = [0, 6];

/// FLV's numbers of the codecs.
const VIDEO_CODEC_AVC: u32 = 7;
const AUDIO_CODEC_AAC: u32 = 10;

/// What the server answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    /// The application is there.
    Connected,
    /// Media may be sent.
    Accepted,
    /// Not to this application or stream key; or not any more.
    Refused(String),
    /// What was sent has arrived.
    Acknowledged,
}

/// One session.
pub(super) struct ClientProtocol {
    session: ClientSession,
    output: BytesMut,
}

impl ClientProtocol {
    /// A session that wants to connect to `app`.
    pub(super) fn new(app: &str, tc_url: String) -> Result<Self, ClientSessionError> {
        let mut config = ClientSessionConfig::new();
        config.flash_version = "FMLE/3.0 (compatible; Proscenium)".to_owned();
        config.chunk_size = OUTGOING_CHUNK_BYTES;
        config.window_ack_size = ACKNOWLEDGEMENT_WINDOW;
        config.tc_url = Some(tc_url);
        let (session, greeting) = ClientSession::new(config)?;
        let mut this = Self {
            session,
            output: BytesMut::new(),
        };
        this.results(greeting);
        let fed = this.session.handle_input(&single_chunks())?;
        this.results(fed);
        let request = this.session.request_connection(app.to_owned())?;
        this.results(vec![request]);
        Ok(this)
    }

    /// What must be sent to the server.
    pub(super) fn take_output(&mut self) -> Bytes {
        self.output.split().freeze()
    }

    /// Handles one message. What a publisher need not know is left out.
    pub(super) fn handle(&mut self, message: &Message) -> Result<Vec<Answer>, ClientSessionError> {
        let payload = &message.payload;
        let wanted = match message.type_id {
            TYPE_ACKNOWLEDGEMENT => return Ok(vec![Answer::Acknowledged]),
            TYPE_USER_CONTROL => payload.len() >= 6 && payload.starts_with(&EVENT_PING),
            TYPE_COMMAND => matches!(
                amf::values(payload).as_deref(),
                Ok([Value::String(_), Value::Number, _, ..])
            ),
            _ => false,
        };
        if !wanted {
            return Ok(Vec::new());
        }
        let fed = self.session.handle_input(&message.to_single_chunk())?;
        Ok(self.results(fed))
    }

    /// Asks to publish under `name` (stream key and query).
    pub(super) fn request_publishing(&mut self, name: String) -> Result<(), ClientSessionError> {
        let request = self
            .session
            .request_publishing(name, PublishRequestType::Live)?;
        self.results(vec![request]);
        Ok(())
    }

    pub(super) fn metadata(&mut self, params: VideoParams) -> Result<(), ClientSessionError> {
        let VideoParams {
            width,
            height,
            fps,
            bitrate,
        } = params;
        let mut metadata = StreamMetadata::new();
        metadata.video_width = Some(width);
        metadata.video_height = Some(height);
        metadata.video_codec_id = Some(VIDEO_CODEC_AVC);
        metadata.video_frame_rate = Some(fps.seconds(1).recip() as f32);
        metadata.video_bitrate_kbps = Some(bitrate / 1000);
        metadata.audio_codec_id = Some(AUDIO_CODEC_AAC);
        metadata.audio_bitrate_kbps = Some(128);
        metadata.audio_sample_rate = Some(compositor_core::limits::AUDIO_SAMPLE_RATE);
        metadata.audio_channels = Some(2);
        metadata.audio_is_stereo = Some(true);
        metadata.encoder = Some("Proscenium".to_owned());
        let sent = self.session.publish_metadata(&metadata)?;
        self.results(vec![sent]);
        Ok(())
    }

    pub(super) fn video(&mut self, ms: u64, tag: Bytes) -> Result<(), ClientSessionError> {
        let sent = self.session.publish_video_data(tag, timestamp(ms), false)?;
        self.results(vec![sent]);
        Ok(())
    }

    pub(super) fn audio(&mut self, ms: u64, tag: Bytes) -> Result<(), ClientSessionError> {
        let sent = self.session.publish_audio_data(tag, timestamp(ms), false)?;
        self.results(vec![sent]);
        Ok(())
    }

    pub(super) fn goodbye(&mut self) -> Result<(), ClientSessionError> {
        let sent = self.session.stop_publishing()?;
        self.results(sent);
        Ok(())
    }

    fn results(&mut self, results: Vec<ClientSessionResult>) -> Vec<Answer> {
        let mut answers = Vec::new();
        for result in results {
            match result {
                ClientSessionResult::OutboundResponse(packet) => {
                    self.output.extend_from_slice(&packet.bytes);
                }
                ClientSessionResult::RaisedEvent(event) => answers.extend(answer(event)),
                ClientSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
        answers
    }
}

fn answer(event: ClientSessionEvent) -> Option<Answer> {
    match event {
        ClientSessionEvent::ConnectionRequestAccepted => Some(Answer::Connected),
        ClientSessionEvent::PublishRequestAccepted => Some(Answer::Accepted),
        ClientSessionEvent::ConnectionRequestRejected { description } => Some(Answer::Refused(
            format!("NetConnection.Connect.Rejected: {description}"),
        )),
        ClientSessionEvent::UnhandleableOnStatusCode { code }
            if code.starts_with("NetStream.Publish.") || code.starts_with("NetConnection.") =>
        {
            Some(Answer::Refused(code))
        }
        _ => None,
    }
}

/// RTMP time wraps at 32 bits.
fn timestamp(ms: u64) -> RtmpTimestamp {
    RtmpTimestamp::new(ms as u32)
}
