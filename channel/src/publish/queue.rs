//! What waits to be sent: bounded, interleaved by timestamp, always beginning with a keyframe. Pure.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::limits::{INTERLEAVE_WAIT_MAX, PUBLISH_QUEUE_BYTES_MAX, PUBLISH_QUEUE_SPAN_MAX};

/// Something to send; `ms` counts from the zero of the composition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Item {
    Video {
        ms: u64,
        keyframe: bool,
        data: Bytes,
    },
    Audio {
        ms: u64,
        data: Bytes,
    },
}

/// The queue of one publisher.
#[derive(Debug)]
pub(super) struct PublishQueue {
    video: VecDeque<(u64, bool, Bytes)>,
    audio: VecDeque<(u64, Bytes)>,
    bytes: usize,
    connected: bool,
    /// Nothing can be decoded before the next keyframe.
    awaits_keyframe: bool,
    /// Nothing was sent on this connection yet.
    unsent: bool,
    finishing: bool,
    /// Timestamp of what was sent last; nothing earlier can come on either track.
    last_sent: u64,
    dropped: u64,
}

impl Default for PublishQueue {
    fn default() -> Self {
        Self {
            video: VecDeque::new(),
            audio: VecDeque::new(),
            bytes: 0,
            connected: false,
            awaits_keyframe: true,
            unsent: true,
            finishing: false,
            last_sent: 0,
            dropped: 0,
        }
    }
}

impl PublishQueue {
    pub(super) fn push_video(&mut self, ms: u64, keyframe: bool, data: Bytes) {
        if self.finishing {
            return;
        }
        if keyframe && (!self.connected || self.awaits_keyframe) {
            self.forget_video(self.video.len());
            self.forget_audio_before(ms);
            self.awaits_keyframe = false;
        }
        if self.awaits_keyframe {
            self.dropped += 1;
            return;
        }
        self.bytes += data.len();
        self.video.push_back((ms, keyframe, data));
        let span = self
            .video
            .front()
            .map_or(0, |(oldest, _, _)| ms.saturating_sub(*oldest));
        if self.bytes > PUBLISH_QUEUE_BYTES_MAX || span > millis(PUBLISH_QUEUE_SPAN_MAX) {
            self.overflow();
        }
    }

    pub(super) fn push_audio(&mut self, ms: u64, data: Bytes) {
        if self.finishing {
            return;
        }
        if self.awaits_keyframe {
            self.forget_audio_before(ms.saturating_sub(millis(INTERLEAVE_WAIT_MAX)));
        }
        self.bytes += data.len();
        self.audio.push_back((ms, data));
        let span = self
            .audio
            .front()
            .map_or(0, |(oldest, _)| ms.saturating_sub(*oldest));
        if self.bytes > PUBLISH_QUEUE_BYTES_MAX || span > millis(PUBLISH_QUEUE_SPAN_MAX) {
            self.overflow();
        }
    }

    /// The next thing to send. Waits for the other track as long as that may still have something earlier.
    pub(super) fn pop(&mut self) -> Option<Item> {
        if self.unsent && self.video.is_empty() {
            return None;
        }
        let video = self.video.front().map(|(ms, _, _)| *ms);
        let audio = self.audio.front().map(|(ms, _)| *ms);
        let takes_video = match (video, audio) {
            (None, None) => return None,
            (Some(video), Some(audio)) => self.unsent || video <= audio,
            (Some(first), None) => {
                let newest = self.video.back().map_or(first, |(ms, _, _)| *ms);
                if !self.unsent && self.waits(first, newest) {
                    return None;
                }
                true
            }
            (None, Some(first)) => {
                let newest = self.audio.back().map_or(first, |(ms, _)| *ms);
                if self.waits(first, newest) {
                    return None;
                }
                false
            }
        };
        self.unsent = false;
        if takes_video {
            let (ms, keyframe, data) = self.video.pop_front()?;
            self.bytes -= data.len();
            self.last_sent = ms;
            Some(Item::Video { ms, keyframe, data })
        } else {
            let (ms, data) = self.audio.pop_front()?;
            self.bytes -= data.len();
            self.last_sent = ms;
            Some(Item::Audio { ms, data })
        }
    }

    /// Publishing is accepted: things may be sent.
    pub(super) fn connected(&mut self) {
        self.connected = true;
        self.unsent = true;
    }

    /// What is left is kept from its last keyframe on.
    pub(super) fn disconnected(&mut self) {
        if !self.connected {
            return;
        }
        self.connected = false;
        self.unsent = true;
        let keyframe = self.video.iter().rposition(|(_, keyframe, _)| *keyframe);
        self.forget_video(keyframe.unwrap_or(self.video.len()));
        match self.video.front() {
            Some((ms, _, _)) => self.forget_audio_before(*ms),
            None => self.awaits_keyframe = true,
        }
    }

    pub(super) fn finish(&mut self) {
        self.finishing = true;
    }

    pub(super) fn is_finishing(&self) -> bool {
        self.finishing
    }

    /// Pictures dropped since the last call.
    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn waits(&self, first: u64, newest: u64) -> bool {
        !self.finishing && first > self.last_sent && newest - first < millis(INTERLEAVE_WAIT_MAX)
    }

    fn overflow(&mut self) {
        self.forget_video(self.video.len());
        self.forget_audio_before(u64::MAX);
        self.awaits_keyframe = true;
    }

    fn forget_video(&mut self, count: usize) {
        self.dropped += count as u64;
        self.bytes -= self
            .video
            .drain(..count)
            .map(|(_, _, data)| data.len())
            .sum::<usize>();
    }

    fn forget_audio_before(&mut self, ms: u64) {
        while let Some((_, data)) = self.audio.pop_front_if(|(at, _)| *at < ms) {
            self.bytes -= data.len();
        }
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(queue: &mut PublishQueue, ms: u64, keyframe: bool) {
        queue.push_video(ms, keyframe, Bytes::from_static(&[1]));
    }

    fn sound(queue: &mut PublishQueue, ms: u64) {
        queue.push_audio(ms, Bytes::from_static(&[2]));
    }

    /// What can be sent: `V` or `A` and the time.
    fn sent(queue: &mut PublishQueue) -> Vec<(char, u64)> {
        std::iter::from_fn(|| queue.pop())
            .map(|item| match item {
                Item::Video { ms, .. } => ('V', ms),
                Item::Audio { ms, .. } => ('A', ms),
            })
            .collect()
    }

    fn connected() -> PublishQueue {
        let mut queue = PublishQueue::default();
        queue.connected();
        queue
    }

    #[test]
    fn tracks_are_interleaved_by_time_and_the_later_one_is_waited_for() {
        let mut queue = connected();
        picture(&mut queue, 0, true);
        picture(&mut queue, 40, false);
        assert_eq!(
            sent(&mut queue),
            [('V', 0)],
            "the first keyframe waits for nobody"
        );
        for ms in [0, 21, 43] {
            sound(&mut queue, ms);
        }
        assert_eq!(sent(&mut queue), [('A', 0), ('A', 21), ('V', 40)]);
        picture(&mut queue, 80, false);
        assert_eq!(sent(&mut queue), [('A', 43)]);
        for ms in (120..=600).step_by(40) {
            picture(&mut queue, ms, false);
        }
        assert_eq!(
            sent(&mut queue),
            [('V', 80)],
            "a silent track is not waited for for ever"
        );
    }

    #[test]
    fn only_the_last_group_of_pictures_waits_for_a_connection() {
        let mut queue = PublishQueue::default();
        for ms in (0..5000).step_by(40) {
            sound(&mut queue, ms);
            picture(&mut queue, ms, ms.is_multiple_of(2000));
        }
        queue.connected();
        let sent = sent(&mut queue);
        assert_eq!(sent[..2], [('V', 4000), ('A', 4000)]);
        assert_eq!(sent.last(), Some(&('A', 4960)));
    }

    #[test]
    fn slow_peer_loses_pictures_up_to_the_next_keyframe() {
        let mut queue = connected();
        for ms in (0..=8040).step_by(40) {
            picture(&mut queue, ms, ms == 0);
        }
        picture(&mut queue, 8080, false);
        assert_eq!(queue.take_dropped(), 8040 / 40 + 2);
        assert_eq!(sent(&mut queue), []);
        picture(&mut queue, 8120, true);
        sound(&mut queue, 8120);
        assert_eq!(sent(&mut queue), [('V', 8120), ('A', 8120)]);
    }

    #[test]
    fn queue_is_bounded_in_bytes() {
        let mut queue = connected();
        picture(&mut queue, 0, true);
        queue.push_video(40, false, Bytes::from(vec![0; PUBLISH_QUEUE_BYTES_MAX]));
        assert_eq!((queue.bytes, queue.video.len()), (0, 0));
    }

    #[test]
    fn after_a_break_sending_begins_with_a_keyframe() {
        let mut queue = connected();
        picture(&mut queue, 0, true);
        sound(&mut queue, 0);
        assert_eq!(sent(&mut queue), [('V', 0), ('A', 0)]);
        picture(&mut queue, 40, false);
        queue.disconnected();
        queue.connected();
        picture(&mut queue, 80, false);
        sound(&mut queue, 80);
        assert_eq!(sent(&mut queue), []);
        picture(&mut queue, 120, true);
        sound(&mut queue, 120);
        assert_eq!(sent(&mut queue), [('V', 120), ('A', 120)]);
    }

    #[test]
    fn finishing_sends_all_that_is_there_and_takes_no_more() {
        let mut queue = connected();
        picture(&mut queue, 0, true);
        picture(&mut queue, 40, false);
        queue.finish();
        picture(&mut queue, 80, false);
        assert_eq!(sent(&mut queue), [('V', 0), ('V', 40)]);
    }
}
