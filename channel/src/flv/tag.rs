//! Bodies of RTMP audio and video messages (Video File Format 10.1, E.4.2 and E.4.3).

use bytes::{BufMut, Bytes, BytesMut};

const VIDEO_CODEC_AVC: u8 = 7;
const AUDIO_FORMAT_AAC: u8 = 10;
const FRAME_TYPE_KEY: u8 = 1;
const FRAME_TYPE_INTER: u8 = 2;
const FRAME_TYPE_COMMAND: u8 = 5;

/// AAC, 44 kHz, 16 bit, stereo: the only header allowed for AAC, whatever its real rate.
const AAC_HEADER: u8 = 0xAF;

/// What a video message says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum VideoTag {
    /// The AVC configuration record.
    Config(Bytes),
    /// A picture as length-prefixed NAL units.
    Picture {
        keyframe: bool,
        /// PTS minus DTS in milliseconds.
        composition_ms: i32,
        nals: Bytes,
    },
    /// End of sequence, commands, empty messages.
    Nothing,
}

/// What an audio message says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum AudioTag {
    /// The AudioSpecificConfig.
    Config(Bytes),
    /// One raw AAC frame.
    Frame(Bytes),
    /// Empty messages.
    Nothing,
}

/// Why a tag is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum TagError {
    #[error("video codec {0} is not supported, only H.264 (7) is")]
    VideoCodec(u8),
    #[error("enhanced RTMP video is not supported, only H.264 in its classic form is")]
    EnhancedVideo,
    #[error("audio format {0} is not supported, only AAC (10) is")]
    AudioFormat(u8),
    #[error("a {0} message is too short for its header")]
    Short(&'static str),
}

impl VideoTag {
    pub(crate) fn parse(body: &Bytes) -> Result<Self, TagError> {
        let Some(&first) = body.first() else {
            return Ok(Self::Nothing);
        };
        if first & 0x80 != 0 {
            return Err(TagError::EnhancedVideo);
        }
        let frame_type = first >> 4;
        if frame_type == FRAME_TYPE_COMMAND {
            return Ok(Self::Nothing);
        }
        match first & 0x0F {
            VIDEO_CODEC_AVC => {}
            other => return Err(TagError::VideoCodec(other)),
        }
        let Some(header) = body.get(1..5) else {
            return Err(TagError::Short("video"));
        };
        let rest = body.slice(5..);
        Ok(match header[0] {
            0 => Self::Config(rest),
            1 if rest.is_empty() => Self::Nothing,
            1 => Self::Picture {
                keyframe: frame_type == FRAME_TYPE_KEY,
                composition_ms: i32::from_be_bytes([header[1], header[2], header[3], 0]) >> 8,
                nals: rest,
            },
            _ => Self::Nothing,
        })
    }

    /// The message that carries an AVC configuration record.
    pub(crate) fn config(record: &[u8]) -> Bytes {
        video(FRAME_TYPE_KEY, 0, record)
    }

    /// The message that carries a picture without reordering (PTS equals DTS).
    pub(crate) fn picture(keyframe: bool, nals: &[u8]) -> Bytes {
        video(
            if keyframe {
                FRAME_TYPE_KEY
            } else {
                FRAME_TYPE_INTER
            },
            1,
            nals,
        )
    }
}

fn video(frame_type: u8, packet_type: u8, payload: &[u8]) -> Bytes {
    let mut body = BytesMut::with_capacity(5 + payload.len());
    body.put_u8(frame_type << 4 | VIDEO_CODEC_AVC);
    body.put_u8(packet_type);
    body.put_bytes(0, 3);
    body.put_slice(payload);
    body.freeze()
}

impl AudioTag {
    pub(crate) fn parse(body: &Bytes) -> Result<Self, TagError> {
        let Some(&first) = body.first() else {
            return Ok(Self::Nothing);
        };
        match first >> 4 {
            AUDIO_FORMAT_AAC => {}
            other => return Err(TagError::AudioFormat(other)),
        }
        let Some(&packet_type) = body.get(1) else {
            return Err(TagError::Short("audio"));
        };
        let rest = body.slice(2..);
        Ok(match packet_type {
            0 => Self::Config(rest),
            1 if !rest.is_empty() => Self::Frame(rest),
            _ => Self::Nothing,
        })
    }

    /// The message that carries an AudioSpecificConfig.
    pub(crate) fn config(config: &[u8]) -> Bytes {
        audio(0, config)
    }

    /// The message that carries one raw AAC frame.
    pub(crate) fn frame(frame: &[u8]) -> Bytes {
        audio(1, frame)
    }
}

fn audio(packet_type: u8, payload: &[u8]) -> Bytes {
    let mut body = BytesMut::with_capacity(2 + payload.len());
    body.put_u8(AAC_HEADER);
    body.put_u8(packet_type);
    body.put_slice(payload);
    body.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_survive_the_round_trip() {
        let body = VideoTag::picture(true, &[0, 0, 0, 1, 0x65]);
        let expected = VideoTag::Picture {
            keyframe: true,
            composition_ms: 0,
            nals: Bytes::from_static(&[0, 0, 0, 1, 0x65]),
        };
        assert_eq!(VideoTag::parse(&body), Ok(expected));
        assert_eq!(
            AudioTag::parse(&AudioTag::frame(&[7, 8])),
            Ok(AudioTag::Frame(Bytes::from_static(&[7, 8])))
        );
    }

    #[test]
    fn composition_offset_is_signed() {
        let body = Bytes::from_static(&[0x27, 1, 0xFF, 0xFF, 0xD8, 9]);
        let Ok(VideoTag::Picture {
            composition_ms,
            keyframe,
            ..
        }) = VideoTag::parse(&body)
        else {
            panic!("a picture")
        };
        assert_eq!((composition_ms, keyframe), (-40, false));
    }

    #[test]
    fn other_codecs_are_named_in_the_error() {
        assert_eq!(
            VideoTag::parse(&Bytes::from_static(&[0x12, 0])),
            Err(TagError::VideoCodec(2))
        );
        let enhanced = Bytes::from_static(&[0x90, b'h', b'v', b'c', b'1']);
        assert_eq!(VideoTag::parse(&enhanced), Err(TagError::EnhancedVideo));
        assert_eq!(
            AudioTag::parse(&Bytes::from_static(&[0x2F, 0])),
            Err(TagError::AudioFormat(2))
        );
    }

    #[test]
    fn short_and_empty_messages_do_no_harm() {
        assert_eq!(VideoTag::parse(&Bytes::new()), Ok(VideoTag::Nothing));
        assert_eq!(
            VideoTag::parse(&Bytes::from_static(&[0x17])),
            Err(TagError::Short("video"))
        );
        assert_eq!(
            AudioTag::parse(&Bytes::from_static(&[0xAF])),
            Err(TagError::Short("audio"))
        );
        assert_eq!(
            AudioTag::parse(&Bytes::from_static(&[0xAF, 1])),
            Ok(AudioTag::Nothing)
        );
    }
}
