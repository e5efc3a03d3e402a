//! The server's side of one RTMP session, over rml_rtmp; only messages that it can take reach it.

use bytes::{Bytes, BytesMut};
use rml_rtmp::chunk_io::ChunkSerializer;
use rml_rtmp::messages::{MessagePayload, RtmpMessage};
use rml_rtmp::rml_amf0::Amf0Value;
use rml_rtmp::sessions::{
    ServerSession, ServerSessionConfig, ServerSessionError, ServerSessionEvent, ServerSessionResult,
};
use rml_rtmp::time::RtmpTimestamp;

use crate::amf::{self, AmfError, Value};
use crate::chunk::{Message, TYPE_AUDIO, TYPE_VIDEO, single_chunks};

use crate::ingest::description::Announced;
use crate::limits::{COMMANDS_MAX, ENCODER_CHARS_MAX, OUTGOING_CHUNK_BYTES};

const TYPE_USER_CONTROL: u8 = 4;
const TYPE_WINDOW_ACKNOWLEDGEMENT: u8 = 5;
const TYPE_DATA_AMF3: u8 = 15;
const TYPE_COMMAND_AMF3: u8 = 17;
const TYPE_DATA: u8 = 18;
const TYPE_COMMAND: u8 = 20;

/// User control event: answer with the same time.
const EVENT_PING: [u8; 2] = [0, 6];

/// A window that rml_rtmp can count to without overflow.
const WINDOW_MAX: u32 = 1 << 30;

/// The only application name.
const APP: &str = "app";

/// What a peer's message means to the connection.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Event {
    /// Publish under this name (stream key and query); to be accepted or refused.
    PublishRequested { request: u32, name: String },
    /// What the publisher says of its media.
    Metadata(Announced),
    /// A video tag.
    Video { timestamp: u32, body: Bytes },
    /// An audio tag.
    Audio { timestamp: u32, body: Bytes },
    /// The publisher said goodbye.
    Finished,
    /// The peer wanted something else than to publish to `app`; it was told so.
    Unwanted(&'static str),
}

/// What ends a session with an error.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProtocolError {
    #[error("the command cannot be read")]
    Amf(#[source] AmfError),
    #[error("the command does not begin with a name, a number and an object")]
    Command,
    #[error("more than {COMMANDS_MAX} commands")]
    Commands,
    #[error("the message does not fit the session")]
    Session(#[source] ServerSessionError),
}

/// One session.
pub(super) struct ServerProtocol {
    session: ServerSession,
    commands: usize,
    /// Message stream of the last publish request.
    requested_stream: u32,
    /// Message stream that is being published.
    publishing: Option<u32>,
    output: BytesMut,
}

impl ServerProtocol {
    pub(super) fn new() -> Result<Self, ProtocolError> {
        let mut config = ServerSessionConfig::new();
        config.chunk_size = OUTGOING_CHUNK_BYTES;
        let (session, greeting) = ServerSession::new(config).map_err(ProtocolError::Session)?;
        let mut this = Self {
            session,
            commands: 0,
            requested_stream: 0,
            publishing: None,
            output: BytesMut::new(),
        };
        this.results(greeting)?;
        let fed = this.session.handle_input(&single_chunks());
        this.results(fed.map_err(ProtocolError::Session)?)?;
        Ok(this)
    }

    /// What must be sent to the peer.
    pub(super) fn take_output(&mut self) -> Bytes {
        self.output.split().freeze()
    }

    /// Handles one message.
    pub(super) fn handle(&mut self, message: &Message) -> Result<Vec<Event>, ProtocolError> {
        let Message {
            type_id,
            stream_id,
            payload,
            ..
        } = message;
        match *type_id {
            TYPE_VIDEO | TYPE_AUDIO if self.publishing == Some(*stream_id) => {}
            TYPE_USER_CONTROL if payload.len() >= 6 && payload.starts_with(&EVENT_PING) => {}
            TYPE_WINDOW_ACKNOWLEDGEMENT if window(payload).is_some() => {}
            TYPE_DATA | TYPE_DATA_AMF3 if is_metadata(payload) => {}
            TYPE_COMMAND | TYPE_COMMAND_AMF3 => self.check_command(*type_id, message)?,
            _ => return Ok(Vec::new()),
        }
        let fed = self.session.handle_input(&message.to_single_chunk());
        self.results(fed.map_err(ProtocolError::Session)?)
    }

    /// Lets the publisher begin.
    pub(super) fn accept(&mut self, request: u32) -> Result<(), ProtocolError> {
        let accepted = self
            .session
            .accept_request(request)
            .map_err(ProtocolError::Session)?;
        self.publishing = Some(self.requested_stream);
        self.results(accepted).map(drop)
    }

    /// Tells the publisher why it may not begin. Nothing can be sent afterwards.
    ///
    /// rml_rtmp would answer with `_error`, which publishers do not understand as an answer to `publish`.
    pub(super) fn refuse(&mut self, code: &str, description: &str) {
        let text = |text: &str| Amf0Value::Utf8String(text.to_owned());
        let status = [
            ("level", "error"),
            ("code", code),
            ("description", description),
        ];
        let message = RtmpMessage::Amf0Command {
            command_name: "onStatus".to_owned(),
            transaction_id: 0.0,
            command_object: Amf0Value::Null,
            additional_arguments: vec![Amf0Value::Object(
                status
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), text(value)))
                    .collect(),
            )],
        };
        let time = RtmpTimestamp::new(0);
        let mut serializer = ChunkSerializer::new();
        let packet = serializer
            .set_max_chunk_size(OUTGOING_CHUNK_BYTES, time)
            .and_then(|_| {
                let payload =
                    MessagePayload::from_rtmp_message(message, time, self.requested_stream);
                let payload = payload.expect("a short status can be serialized");
                serializer.serialize(&payload, true, false)
            });
        self.output
            .extend_from_slice(&packet.expect("a short status can be serialized").bytes);
    }

    fn check_command(&mut self, type_id: u8, message: &Message) -> Result<(), ProtocolError> {
        self.commands += 1;
        if self.commands > COMMANDS_MAX {
            return Err(ProtocolError::Commands);
        }
        let payload = match message.payload.split_first() {
            // A leading zero announces AMF3, but what follows is AMF0.
            Some((0, rest)) if type_id == TYPE_COMMAND_AMF3 => rest,
            _ => &message.payload,
        };
        let values = amf::values(payload).map_err(ProtocolError::Amf)?;
        let [Value::String(name), Value::Number, _, ..] = values.as_slice() else {
            return Err(ProtocolError::Command);
        };
        if name == "publish" {
            self.requested_stream = message.stream_id;
        }
        Ok(())
    }

    fn results(&mut self, results: Vec<ServerSessionResult>) -> Result<Vec<Event>, ProtocolError> {
        let mut events = Vec::new();
        for result in results {
            match result {
                ServerSessionResult::OutboundResponse(packet) => {
                    self.output.extend_from_slice(&packet.bytes);
                }
                ServerSessionResult::RaisedEvent(event) => events.extend(self.raised(event)?),
                ServerSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
        Ok(events)
    }

    fn raised(&mut self, event: ServerSessionEvent) -> Result<Vec<Event>, ProtocolError> {
        let event = match event {
            ServerSessionEvent::ConnectionRequested {
                request_id,
                app_name,
            } => {
                return self.connect(request_id, &app_name);
            }
            ServerSessionEvent::ReleaseStreamRequested { request_id, .. } => {
                let accepted = self.session.accept_request(request_id);
                return self.results(accepted.map_err(ProtocolError::Session)?);
            }
            ServerSessionEvent::PublishStreamRequested {
                request_id,
                stream_key,
                ..
            } => Event::PublishRequested {
                request: request_id,
                name: stream_key,
            },
            ServerSessionEvent::StreamMetadataChanged { metadata, .. } => {
                Event::Metadata(Announced {
                    fps: metadata.video_frame_rate.map(f64::from),
                    encoder: metadata
                        .encoder
                        .map(|name| name.chars().take(ENCODER_CHARS_MAX).collect()),
                    video_kbps: metadata.video_bitrate_kbps,
                    audio_kbps: metadata.audio_bitrate_kbps,
                })
            }
            ServerSessionEvent::VideoDataReceived {
                timestamp, data, ..
            } => Event::Video {
                timestamp: timestamp.value,
                body: data,
            },
            ServerSessionEvent::AudioDataReceived {
                timestamp, data, ..
            } => Event::Audio {
                timestamp: timestamp.value,
                body: data,
            },
            ServerSessionEvent::PublishStreamFinished { .. } => Event::Finished,
            ServerSessionEvent::UnhandleableAmf0Command { command_name, .. }
                if command_name == "FCUnpublish" && self.publishing.is_some() =>
            {
                Event::Finished
            }
            ServerSessionEvent::PlayStreamRequested { request_id, .. } => {
                self.reject(request_id, "NetStream.Play.Failed", "playback is by HLS")?;
                Event::Unwanted("it wanted to play")
            }
            // releaseStream, FCPublish, _checkbw and their like need no answer.
            _ => return Ok(Vec::new()),
        };
        Ok(vec![event])
    }

    fn connect(&mut self, request: u32, app: &str) -> Result<Vec<Event>, ProtocolError> {
        if app == APP {
            let accepted = self
                .session
                .accept_request(request)
                .map_err(ProtocolError::Session)?;
            return self.results(accepted);
        }
        self.reject(
            request,
            "NetConnection.Connect.InvalidApp",
            "the application is `app`",
        )?;
        Ok(vec![Event::Unwanted("its application is not `app`")])
    }

    fn reject(&mut self, request: u32, code: &str, why: &str) -> Result<(), ProtocolError> {
        let rejected = self.session.reject_request(request, code, why);
        self.results(rejected.map_err(ProtocolError::Session)?)
            .map(drop)
    }
}

fn window(payload: &[u8]) -> Option<u32> {
    let window = u32::from_be_bytes(*payload.first_chunk::<4>()?);
    (1..=WINDOW_MAX).contains(&window).then_some(window)
}

/// `@setDataFrame`, `onMetaData` and an object: the only data message that matters.
fn is_metadata(payload: &[u8]) -> bool {
    let is = |value: &Value, name: &str| *value == Value::String(name.to_owned());
    matches!(
        amf::values(payload).as_deref(),
        Ok([set, on, Value::Other, ..]) if is(set, "@setDataFrame") && is(on, "onMetaData")
    )
}

#[cfg(test)]
mod tests {
    use rml_rtmp::messages::UserControlEventType;

    use super::*;

    fn command(name: &str, arguments: Vec<Amf0Value>, stream_id: u32) -> Message {
        let message = RtmpMessage::Amf0Command {
            command_name: name.to_owned(),
            transaction_id: 1.0,
            command_object: arguments.first().cloned().unwrap_or(Amf0Value::Null),
            additional_arguments: arguments.into_iter().skip(1).collect(),
        };
        of(message, stream_id)
    }

    fn of(message: RtmpMessage, stream_id: u32) -> Message {
        let time = RtmpTimestamp::new(0);
        let payload = MessagePayload::from_rtmp_message(message, time, stream_id).unwrap();
        Message {
            timestamp: 0,
            type_id: payload.type_id,
            stream_id,
            payload: payload.data,
        }
    }

    fn text(text: &str) -> Amf0Value {
        Amf0Value::Utf8String(text.to_owned())
    }

    fn connect(app: &str) -> Message {
        let app = [("app".to_owned(), text(app))];
        command("connect", vec![Amf0Value::Object(app.into())], 0)
    }

    #[test]
    fn obs_like_conversation_ends_in_a_publish_request_and_a_goodbye() {
        let mut protocol = ServerProtocol::new().unwrap();
        let quiet = [
            connect("app"),
            command("releaseStream", vec![Amf0Value::Null, text("key")], 0),
            command("FCPublish", vec![Amf0Value::Null, text("key")], 0),
            command("createStream", vec![Amf0Value::Null], 0),
            command("_checkbw", vec![Amf0Value::Null], 0),
        ];
        for message in &quiet {
            assert_eq!(protocol.handle(message).unwrap(), []);
        }
        let publish = vec![Amf0Value::Null, text("key?priority=3"), text("live")];
        let events = protocol.handle(&command("publish", publish, 1)).unwrap();
        let [Event::PublishRequested { request, name }] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!(name, "key?priority=3");
        protocol.accept(*request).unwrap();
        let body = Bytes::from_static(&[0x17, 1]);
        let video = of(RtmpMessage::VideoData { data: body.clone() }, 1);
        assert_eq!(
            protocol.handle(&video).unwrap(),
            [Event::Video { timestamp: 0, body }]
        );
        let other = Message {
            stream_id: 2,
            ..video
        };
        assert_eq!(protocol.handle(&other).unwrap(), []);
        let goodbye = command("FCUnpublish", vec![Amf0Value::Null, text("key")], 0);
        assert_eq!(protocol.handle(&goodbye).unwrap(), [Event::Finished]);
    }

    #[test]
    fn another_application_and_a_player_are_unwanted() {
        let mut protocol = ServerProtocol::new().unwrap();
        assert!(matches!(
            protocol.handle(&connect("live")).unwrap()[..],
            [Event::Unwanted(_)]
        ));
        let mut protocol = ServerProtocol::new().unwrap();
        protocol.handle(&connect("app")).unwrap();
        protocol
            .handle(&command("createStream", vec![Amf0Value::Null], 0))
            .unwrap();
        let play = command("play", vec![Amf0Value::Null, text("key")], 1);
        assert!(matches!(
            protocol.handle(&play).unwrap()[..],
            [Event::Unwanted(_)]
        ));
    }

    #[test]
    fn commands_are_counted() {
        let mut protocol = ServerProtocol::new().unwrap();
        let mut outcomes = (0..=COMMANDS_MAX).map(|_| protocol.handle(&command("x", vec![], 0)));
        assert!(
            outcomes
                .by_ref()
                .take(COMMANDS_MAX)
                .all(|outcome| outcome.is_ok())
        );
        assert!(matches!(
            outcomes.next(),
            Some(Err(ProtocolError::Commands))
        ));
    }

    #[test]
    fn no_order_of_well_formed_messages_panics() {
        let arguments = [
            vec![],
            vec![Amf0Value::Null],
            vec![Amf0Value::Null, Amf0Value::Number(f64::NAN)],
            vec![
                Amf0Value::Null,
                Amf0Value::Number(1.0),
                Amf0Value::Number(-1.0),
            ],
            vec![Amf0Value::Null, text("key"), text("live")],
            vec![Amf0Value::Null, text("key"), text("no mode")],
            vec![Amf0Value::Object([("app".to_owned(), text("app"))].into())],
            vec![Amf0Value::Object(
                [("app".to_owned(), Amf0Value::Boolean(true))].into(),
            )],
        ];
        let names = [
            "connect",
            "createStream",
            "publish",
            "play",
            "closeStream",
            "deleteStream",
            "_result",
        ];
        let mut messages: Vec<Message> = Vec::new();
        for (name, arguments) in names
            .iter()
            .flat_map(|n| arguments.iter().map(move |a| (n, a)))
        {
            messages.extend([0, 1].map(|stream| command(name, arguments.clone(), stream)));
        }
        let ping = RtmpMessage::UserControl {
            event_type: UserControlEventType::PingRequest,
            stream_id: None,
            buffer_length: None,
            timestamp: Some(RtmpTimestamp::new(9)),
        };
        messages.push(of(ping, 0));
        messages.push(of(RtmpMessage::WindowAcknowledgement { size: 1 }, 0));
        let data = |values| of(RtmpMessage::Amf0Data { values }, 1);
        messages.push(data(vec![text("@setDataFrame")]));
        messages.push(data(vec![text("@setDataFrame"), text("onMetaData")]));
        messages.push(data(vec![
            text("@setDataFrame"),
            text("onMetaData"),
            Amf0Value::Null,
        ]));
        let mut state = 0x1234_5678_9ABC_DEF1_u64;
        for _ in 0..400 {
            let mut protocol = ServerProtocol::new().unwrap();
            for _ in 0..40 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let message = &messages[(state % messages.len() as u64) as usize];
                let Ok(events) = protocol.handle(message) else {
                    break;
                };
                for event in events {
                    if let Event::PublishRequested { request, .. } = event {
                        let _unknown_stream: Result<_, _> = protocol.accept(request);
                    }
                }
            }
        }
    }
}
