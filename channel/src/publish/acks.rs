//! Whether the server still takes what is sent. A socket that stays open says nothing: a server that hangs leaves its kernel
//! to take megabytes. What tells is that it has acknowledged, and stops doing so. Pure.

use tokio::time::Instant;

use crate::limits::PUBLISH_STALL_MAX;

/// So many acknowledgements show how often a server sends them; those that send none are not judged by them.
const SPANS: usize = 4;

/// The acknowledgements of one server.
#[derive(Debug, Default)]
pub(super) struct Acknowledgements {
    /// Bytes sent on this connection since the last one.
    unacknowledged: u64,
    /// Bytes sent between the last ones, the newest before `next`; also those of earlier connections.
    spans: [u64; SPANS],
    next: usize,
    /// Whether one came on this connection.
    came: bool,
    /// Since when another one should have come.
    overdue_since: Option<Instant>,
}

impl Acknowledgements {
    /// There is a new connection. If none came on the one before, the server may be another now, that sends none.
    pub(super) fn connected(&mut self) {
        let is_overdue = self.overdue_since.is_some();
        let spans = if is_overdue && !self.came {
            [0; SPANS]
        } else {
            self.spans
        };
        *self = Self {
            spans,
            next: self.next,
            ..Self::default()
        };
    }

    /// So many bytes were sent.
    pub(super) fn sent(&mut self, now: Instant, bytes: usize) {
        self.unacknowledged += bytes as u64;
        let longest = self.spans.iter().max().copied().unwrap_or(0);
        let is_known = self.spans.iter().all(|span| *span > 0);
        if is_known && self.unacknowledged > 2 * longest {
            self.overdue_since.get_or_insert(now);
        }
    }

    /// One came. Servers disagree about the number in it, so that does not count.
    pub(super) fn came(&mut self) {
        self.spans[self.next] = self.unacknowledged.max(1);
        self.next = (self.next + 1) % SPANS;
        self.unacknowledged = 0;
        self.overdue_since = None;
        self.came = true;
    }

    /// When the server counts as hung unless one comes before.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.overdue_since.map(|since| since + PUBLISH_STALL_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regular(now: Instant) -> Acknowledgements {
        let mut acks = Acknowledgements::default();
        for span in [5000, 1000, 1200, 1100, 1000] {
            acks.sent(now, span);
            acks.came();
        }
        acks
    }

    #[test]
    fn a_server_that_stops_acknowledging_has_a_deadline_and_an_acknowledgement_lifts_it() {
        let now = Instant::now();
        let mut acks = regular(now);
        acks.sent(now, 2400);
        assert_eq!(acks.deadline(), None, "twice the longest of the last four");
        acks.sent(now, 1);
        acks.sent(now + PUBLISH_STALL_MAX / 2, 9000);
        assert_eq!(acks.deadline(), Some(now + PUBLISH_STALL_MAX));
        acks.came();
        assert_eq!(acks.deadline(), None);
    }

    #[test]
    fn what_a_server_does_is_remembered_until_it_does_something_else() {
        let now = Instant::now();
        let mut acks = regular(now);
        acks.connected();
        acks.sent(now, 9000);
        assert!(acks.deadline().is_some(), "it hangs at once");
        acks.connected();
        assert_eq!(acks.deadline(), None);
        acks.sent(now, 9000);
        assert_eq!(acks.deadline(), None, "it sends none any more");
    }

    #[test]
    fn a_server_that_sends_none_or_a_few_is_not_judged_by_them() {
        let now = Instant::now();
        let mut acks = Acknowledgements::default();
        for _ in 1..SPANS {
            acks.sent(now, 100);
            acks.came();
        }
        acks.sent(now, 100_000_000);
        assert_eq!(acks.deadline(), None);
    }
}
