//! Who is watching: playlist sessions that fetched lately. Pure.

use std::collections::HashMap;

use compositor_core::time::MonotonicTime;

use crate::limits::{VIEWER_WINDOW, VIEWERS_MAX};

/// The playlist sessions of one stream.
#[derive(Debug, Default)]
pub(crate) struct Viewers {
    last_fetch: HashMap<String, MonotonicTime>,
}

impl Viewers {
    /// A session fetched its playlist. Sessions beyond [`VIEWERS_MAX`] are served but not counted.
    pub(crate) fn fetched(&mut self, now: MonotonicTime, session: &str) {
        if let Some(last) = self.last_fetch.get_mut(session) {
            *last = now;
            return;
        }
        if self.last_fetch.len() >= VIEWERS_MAX {
            self.forget(now);
        }
        if self.last_fetch.len() < VIEWERS_MAX {
            self.last_fetch.insert(session.to_owned(), now);
        }
    }

    /// How many sessions fetched within [`VIEWER_WINDOW`].
    pub(crate) fn count(&mut self, now: MonotonicTime) -> usize {
        self.forget(now);
        self.last_fetch.len()
    }

    fn forget(&mut self, now: MonotonicTime) {
        self.last_fetch
            .retain(|_, last| now.since(*last) < VIEWER_WINDOW);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_session_counts_once_and_leaves_after_the_window() {
        let mut viewers = Viewers::default();
        let start = MonotonicTime(0);
        viewers.fetched(start, "a");
        viewers.fetched(start, "b");
        viewers.fetched(start.plus(Duration::from_secs(2)), "a");
        assert_eq!(
            viewers.count(start.plus(VIEWER_WINDOW - Duration::from_nanos(1))),
            2
        );
        assert_eq!(viewers.count(start.plus(VIEWER_WINDOW)), 1);
        assert_eq!(viewers.count(start.plus(VIEWER_WINDOW * 2)), 0);
    }

    #[test]
    fn viewers_are_bounded() {
        let mut viewers = Viewers::default();
        for session in 0..=VIEWERS_MAX {
            viewers.fetched(MonotonicTime(0), &session.to_string());
        }
        assert_eq!(viewers.count(MonotonicTime(0)), VIEWERS_MAX);
    }
}
