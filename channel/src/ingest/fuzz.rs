//! A publisher's bytes after the handshake, up to the samples that they become.

use ::fuzz::fuzz;
use bytes::Bytes;

use super::media::MediaReader;
use super::protocol::{Event, ServerProtocol};
use crate::amf;
use crate::chunk::ChunkReader;
use crate::flv::avc::{AvcConfig, nals};

/// How a socket may cut what was sent.
const READ_BYTES: usize = 1000;

/// The end of the connection, for whatever reason, is `None`.
fn publish(input: &[u8]) -> Option<()> {
    let mut chunks = ChunkReader::new();
    let mut protocol = ServerProtocol::new().ok()?;
    let mut media = MediaReader::default();
    for part in input.chunks(READ_BYTES) {
        chunks.extend(part);
        while let Some(message) = chunks.next_message().ok()? {
            let _ = amf::values(&message.payload);
            for event in protocol.handle(&message).ok()? {
                match event {
                    Event::PublishRequested { request, .. } => protocol.accept(request).ok()?,
                    Event::Metadata(_) => media.announce(Some(30.0)),
                    Event::Video { timestamp, body } => drop(media.video(timestamp, &body).ok()?),
                    Event::Audio { timestamp, body } => drop(media.audio(timestamp, &body).ok()?),
                    Event::Finished => return None,
                    Event::Unwanted(_) => protocol.refuse("NetStream.Publish.BadName", "no"),
                }
            }
            let _ = protocol.take_output();
        }
    }
    Some(())
}

fn picture(input: &[u8]) {
    let bytes = Bytes::copy_from_slice(input);
    if let Ok(config) = AvcConfig::parse(&bytes) {
        let again = AvcConfig::parse(&config.record()).expect("what was read can be written");
        assert_eq!(again.record(), config.record());
        let _ = config.annexb(true, &bytes);
    }
    let _ = AvcConfig::of_keyframe(&bytes);
    let taken: usize = nals(&bytes).map(|nal| nal.len()).sum();
    assert!(taken <= input.len());
}

#[test]
fn what_a_publisher_sends_is_refused_or_becomes_samples() {
    fuzz("corpus/rtmp", 5_000, |input| {
        // A refusal is an answer, too.
        let _ = publish(input);
    });
}

#[test]
fn amf_is_refused_or_read() {
    fuzz("corpus/amf", 50_000, |input| drop(amf::values(input)));
}

#[test]
fn configurations_and_pictures_are_refused_or_read() {
    fuzz("corpus/avc", 50_000, picture);
}
