//! Events on their way to a driver that may be busy handing in units: the recording never waits for it.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use super::RecordingEvent;
use crate::limits::EVENTS_MAX;

/// Events that did not fit in the channel yet.
#[derive(Debug)]
pub(super) struct EventQueue {
    sender: mpsc::Sender<RecordingEvent>,
    waiting: VecDeque<RecordingEvent>,
}

impl EventQueue {
    pub(super) fn new(sender: mpsc::Sender<RecordingEvent>) -> Self {
        Self {
            sender,
            waiting: VecDeque::new(),
        }
    }

    /// Hands over an event, now or later. Beyond the limit the oldest is dropped, and logged.
    pub(super) fn push(&mut self, event: RecordingEvent) {
        self.waiting.push_back(event);
        self.deliver();
        if self.waiting.len() > EVENTS_MAX
            && let Some(dropped) = self.waiting.pop_front()
        {
            tracing::warn!(
                ?dropped,
                "the driver of a recording does not read its events"
            );
        }
    }

    /// Waits until the channel has room for what is waiting; for ever if nothing is.
    pub(super) async fn progress(&mut self) {
        if self.waiting.is_empty() || self.sender.is_closed() {
            return std::future::pending().await;
        }
        let Ok(permit) = self.sender.reserve().await else {
            return;
        };
        if let Some(event) = self.waiting.pop_front() {
            permit.send(event);
        }
    }

    /// Hands over everything that is waiting, at the end. Ends when the driver has gone.
    pub(super) async fn finish(mut self) {
        while let Some(event) = self.waiting.pop_front() {
            if self.sender.send(event).await.is_err() {
                return;
            }
        }
    }

    fn deliver(&mut self) {
        while let Ok(permit) = self.sender.try_reserve() {
            let Some(event) = self.waiting.pop_front() else {
                return;
            };
            permit.send(event);
        }
    }
}
