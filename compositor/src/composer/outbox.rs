//! What a composer says, in order, while a frame may still be with its encoder.

use bytes::Bytes;
use compositor_core::worker_protocol::{FromWorker, VideoUnit};

use crate::codec::h264::CodedPicture;

/// A frame that is drawn but not encoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenFrame {
    /// Of which encoder.
    pub(super) encoder: usize,
    pub(super) k: u64,
}

/// Messages that wait to be sent. What comes after an open frame waits until it is encoded, so the order is always the same.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    messages: Vec<FromWorker>,
    /// The open frame, and how many messages go before it.
    open: Option<(OpenFrame, usize)>,
}

impl Outbox {
    pub(super) fn push(&mut self, message: FromWorker) {
        self.messages.push(message);
    }

    /// Keeps the place of a frame. The one before it must have been closed.
    pub(super) fn open(&mut self, frame: OpenFrame) {
        debug_assert!(self.open.is_none(), "one frame is with its encoder");
        self.open = Some((frame, self.messages.len()));
    }

    pub(super) fn open_frame(&self) -> Option<OpenFrame> {
        self.open.map(|(frame, _)| frame)
    }

    /// Puts what the open frame became where its place was kept.
    pub(super) fn close(&mut self, coded: CodedPicture, thumbnail: Option<Bytes>) {
        let Some((OpenFrame { encoder, k }, at)) = self.open.take() else {
            return;
        };
        let encoder = encoder as u8;
        let video = FromWorker::Video(VideoUnit {
            encoder,
            k,
            keyframe: coded.keyframe,
            data: coded.data,
        });
        let thumbnail = thumbnail.map(|jpeg| FromWorker::Thumbnail { encoder, k, jpeg });
        self.messages
            .splice(at..at, [video].into_iter().chain(thumbnail));
    }

    /// Moves what may be sent to `out`.
    pub(super) fn send(&mut self, out: &mut Vec<FromWorker>) {
        match &mut self.open {
            None => out.append(&mut self.messages),
            Some((_, before)) => out.extend(self.messages.drain(..std::mem::take(before))),
        }
    }
}
