//! Opus: one RTP payload is one packet (RFC 7587).

use super::{CodedFrame, Depacketized, Payload};

/// Hands the payload on; an empty one is padding.
pub fn push(payload: Payload, out: &mut Vec<Depacketized>) {
    if payload.data.is_empty() {
        return;
    }
    out.push(Depacketized::Frame(CodedFrame {
        rtp_ts: payload.rtp_ts,
        keyframe: true,
        size: None,
        data: payload.data,
    }));
}
