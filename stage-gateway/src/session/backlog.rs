//! What a session has to remember and the listener has not taken yet.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use crate::history::HistoryEvent;
use crate::limits::HISTORY_BACKLOG_MAX;

/// The events of one session on their way to the listener, oldest first. Without a listener nothing is kept.
#[derive(Debug)]
pub(super) struct Backlog {
    listener: Option<mpsc::Sender<HistoryEvent>>,
    waiting: VecDeque<HistoryEvent>,
}

impl Backlog {
    /// Nothing has happened yet.
    pub(super) fn new(listener: Option<mpsc::Sender<HistoryEvent>>) -> Self {
        Self {
            listener,
            waiting: VecDeque::new(),
        }
    }

    /// Keeps an event and hands over what the listener takes at once; `is_full` closes and opens the door.
    pub(super) fn push(&mut self, event: HistoryEvent, is_full: &AtomicBool) {
        let Some(listener) = &self.listener else {
            return;
        };
        self.waiting.push_back(event);
        while let Some(next) = self.waiting.pop_front() {
            if let Err(mpsc::error::TrySendError::Full(next)) = listener.try_send(next) {
                self.waiting.push_front(next);
                break;
            }
        }
        self.tell(is_full);
    }

    /// Waits until the listener takes the oldest event; for ever when nothing waits. Cancel-safe: an event is taken out
    /// only once there is room for it.
    pub(super) async fn hand_over(&mut self, is_full: &AtomicBool) {
        let listener = match &self.listener {
            Some(listener) if !self.waiting.is_empty() => listener,
            _ => return std::future::pending().await,
        };
        match listener.reserve().await {
            Ok(room) => {
                if let Some(next) = self.waiting.pop_front() {
                    room.send(next);
                }
            }
            // The listener is gone, and with it the reason to keep anything.
            Err(_) => self.waiting.clear(),
        }
        self.tell(is_full);
    }

    /// Hands over everything.
    pub(super) async fn drain(mut self, is_full: &AtomicBool) {
        while !self.waiting.is_empty() {
            self.hand_over(is_full).await;
        }
    }

    fn tell(&self, is_full: &AtomicBool) {
        let full = self.listener.is_some() && self.waiting.len() >= HISTORY_BACKLOG_MAX;
        is_full.store(full, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use compositor_core::id::{ParticipantId, SessionId, StageId};
    use compositor_core::time::WallTime;

    use super::*;
    use crate::history::HistoryKind;

    fn event(number: usize) -> HistoryEvent {
        HistoryEvent {
            stage: StageId::new("s"),
            session: SessionId::new("st-0123456789abc"),
            at: WallTime(0),
            kind: HistoryKind::Left(ParticipantId::new(number.to_string())),
        }
    }

    #[tokio::test]
    async fn a_slow_listener_gets_everything_in_order_and_the_door_closes_meanwhile() {
        let (listener, mut heard) = mpsc::channel(2);
        let (is_full, total) = (AtomicBool::new(false), HISTORY_BACKLOG_MAX + 2);
        let mut backlog = Backlog::new(Some(listener));
        for number in 0..total {
            assert!(!is_full.load(Ordering::Relaxed), "closed before {number}");
            backlog.push(event(number), &is_full);
        }
        assert!(is_full.load(Ordering::Relaxed));
        assert_eq!(heard.recv().await, Some(event(0)));
        backlog.hand_over(&is_full).await;
        assert!(!is_full.load(Ordering::Relaxed));
        let draining = async { backlog.drain(&is_full).await };
        let hearing = async {
            for number in 1..total {
                assert_eq!(heard.recv().await, Some(event(number)));
            }
        };
        tokio::join!(draining, hearing);
    }

    #[tokio::test]
    async fn nothing_is_kept_for_nobody() {
        let is_full = AtomicBool::new(false);
        let mut backlog = Backlog::new(None);
        backlog.push(event(0), &is_full);
        assert!(backlog.waiting.is_empty());
        let (listener, heard) = mpsc::channel(1);
        let mut backlog = Backlog::new(Some(listener));
        backlog.push(event(0), &is_full);
        backlog.push(event(1), &is_full);
        drop(heard);
        backlog.drain(&is_full).await;
    }
}
