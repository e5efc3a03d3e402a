//! Who is watching: viewer sessions, how many of them play at this moment, and which are cut off. Pure.

use std::collections::HashMap;
use std::time::Duration;

use compositor_core::time::MonotonicTime;

use crate::limits::{
    SESSION_IDLE, SESSION_LIFE, SESSION_UNUSED, SESSIONS_MAX, VIEWER_BREACH_QUIET, VIEWER_SWEEP,
    VIEWER_WINDOW,
};
use crate::playback::{Pass, Refusal};

/// Which stream is watched, and who owns it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Watched {
    pub(crate) stream_id: String,
    pub(crate) channel_arn: String,
    pub(crate) account: String,
}

/// What happens when somebody wants to be one viewer more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Room {
    /// They may.
    Free,
    /// They may not; `begins` when the world should be told.
    None { begins: bool },
}

/// All viewer sessions. Those of open streams are made by their first fetch of a media playlist, all others when
/// somebody was let in.
#[derive(Debug)]
pub(crate) struct Viewers {
    /// Views of one account at once.
    limit: usize,
    /// Sessions at once, whether they play or not.
    sessions_max: usize,
    sessions: HashMap<String, Session>,
    /// Views by stream.
    views: HashMap<String, StreamViews>,
    /// When each account was last refused a view.
    refused: HashMap<String, MonotonicTime>,
    swept: MonotonicTime,
}

#[derive(Debug)]
struct StreamViews {
    account: String,
    count: usize,
}

#[derive(Debug)]
struct Session {
    watched: Watched,
    /// `None` on an open stream.
    pass: Option<Pass>,
    revoked: bool,
    since: MonotonicTime,
    last_fetch: MonotonicTime,
    /// When it last fetched the media playlist of a live stream.
    last_view: Option<MonotonicTime>,
    /// Whether it is one of the views.
    counted: bool,
}

impl Viewers {
    /// With a limit of views per account.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            sessions_max: SESSIONS_MAX.max(limit.saturating_mul(2)),
            sessions: HashMap::new(),
            views: HashMap::new(),
            refused: HashMap::new(),
            swept: MonotonicTime(0),
        }
    }

    /// How many views an account may have.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether `account` may have one viewer more.
    pub(crate) fn room(&mut self, now: MonotonicTime, account: &str) -> Room {
        self.sweep(now);
        if self.views_of_account(account) < self.limit {
            return Room::Free;
        }
        let before = self.refused.insert(account.to_owned(), now);
        let begins = before.is_none_or(|before| now.since(before) >= VIEWER_BREACH_QUIET);
        Room::None { begins }
    }

    /// Somebody was let in.
    pub(crate) fn open(
        &mut self,
        now: MonotonicTime,
        id: String,
        (watched, pass): (Watched, Option<Pass>),
    ) -> Result<(), Refusal> {
        self.sweep(now);
        if self.sessions.len() >= self.sessions_max {
            return Err(Refusal::TooManySessions);
        }
        let session = Session {
            watched,
            pass,
            revoked: false,
            since: now,
            last_fetch: now,
            last_view: None,
            counted: false,
        };
        self.sessions.insert(id, session);
        Ok(())
    }

    /// What was opened is not to be used after all.
    pub(crate) fn close(&mut self, id: &str) {
        if let Some(session) = self.sessions.remove(id)
            && session.counted
        {
            uncount(&mut self.views, &session.watched.stream_id);
        }
    }

    /// Whether a session may fetch something of a stream; notes that it did.
    pub(crate) fn enter(
        &mut self,
        now: MonotonicTime,
        (stream_id, id): (&str, &str),
        origin: Option<&str>,
    ) -> Result<&Pass, Refusal> {
        self.sweep(now);
        let session = self.sessions.get_mut(id).ok_or(Refusal::NoSession)?;
        if session.watched.stream_id != stream_id {
            return Err(Refusal::NoSession);
        }
        if session.revoked {
            return Err(Refusal::Revoked);
        }
        let pass = session.pass.as_ref().ok_or(Refusal::NoSession)?;
        pass.check_later_origin(origin)?;
        session.last_fetch = now;
        Ok(pass)
    }

    /// Whether what a session was let in for still fits the picture of its stream.
    pub(crate) fn check_resolution(&self, id: &str, size: (u32, u32)) -> Result<(), Refusal> {
        let pass = self.sessions.get(id).and_then(|known| known.pass.as_ref());
        pass.map_or(Ok(()), |pass| pass.check_resolution(size))
    }

    /// A session fetched the media playlist of a live stream; makes it a view if there is room.
    pub(crate) fn view(&mut self, now: MonotonicTime, id: &str) -> Room {
        let Some(session) = self.sessions.get(id) else {
            return Room::Free;
        };
        if !session.counted {
            let account = session.watched.account.clone();
            match self.room(now, &account) {
                Room::Free => {}
                full @ Room::None { .. } => return full,
            }
        }
        let Some(session) = self.sessions.get_mut(id) else {
            return Room::Free;
        };
        session.last_fetch = now;
        session.last_view = Some(now);
        if !std::mem::replace(&mut session.counted, true) {
            let Watched {
                stream_id, account, ..
            } = session.watched.clone();
            let views = self.views.entry(stream_id);
            views.or_insert(StreamViews { account, count: 0 }).count += 1;
        }
        Room::Free
    }

    /// Whether a session of that name is known.
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.sessions.contains_key(id)
    }

    /// Views of a stream.
    pub(crate) fn count(&mut self, now: MonotonicTime, stream_id: &str) -> usize {
        self.sweep(now);
        self.views.get(stream_id).map_or(0, |views| views.count)
    }

    /// Cuts off the sessions of a viewer up to a version; returns how many.
    pub(crate) fn revoke(&mut self, channel_arn: &str, viewer_id: &str, version: i64) -> usize {
        let mut cut = 0;
        for session in self.sessions.values_mut() {
            let viewer = session.pass.as_ref().and_then(|pass| pass.viewer.as_ref());
            let is_meant = session.watched.channel_arn == channel_arn
                && viewer.is_some_and(|viewer| viewer.id == viewer_id && viewer.version <= version);
            if is_meant && !session.revoked {
                session.revoked = true;
                cut += 1;
            }
        }
        cut
    }

    fn views_of_account(&self, account: &str) -> usize {
        let streams = self.views.values();
        streams
            .filter(|views| views.account == account)
            .map(|views| views.count)
            .sum()
    }

    /// Lets go of who is gone; at most once in [`VIEWER_SWEEP`], since it looks at everybody.
    fn sweep(&mut self, now: MonotonicTime) {
        if now.since(self.swept) < VIEWER_SWEEP {
            return;
        }
        self.swept = now;
        let views = &mut self.views;
        self.sessions.retain(|_, session| {
            let watching = session
                .last_view
                .is_some_and(|last| now.since(last) < VIEWER_WINDOW);
            if session.counted && !watching {
                session.counted = false;
                uncount(views, &session.watched.stream_id);
            }
            let stays = session.lives_on(now);
            if !stays && session.counted {
                uncount(views, &session.watched.stream_id);
            }
            stays
        });
        self.refused
            .retain(|_, last| now.since(*last) < VIEWER_BREACH_QUIET);
    }
}

impl Session {
    fn lives_on(&self, now: MonotonicTime) -> bool {
        let idle_max: Duration = match (&self.pass, self.last_view) {
            // The next fetch makes a new one.
            (None, _) => VIEWER_WINDOW,
            (Some(_), None) => SESSION_UNUSED,
            (Some(_), Some(_)) => SESSION_IDLE,
        };
        now.since(self.last_fetch) < idle_max && now.since(self.since) < SESSION_LIFE
    }
}

fn uncount(views: &mut HashMap<String, StreamViews>, stream_id: &str) {
    if let Some(stream) = views.get_mut(stream_id) {
        stream.count -= 1;
        if stream.count == 0 {
            views.remove(stream_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::playback::Viewer;

    const ARN: &str = "arn:aws:ivs:us-east-1:123456789012:channel/A";
    const START: MonotonicTime = MonotonicTime(3_600_000_000_000);

    fn watched(stream: &str, account: &str) -> Watched {
        Watched {
            stream_id: stream.to_owned(),
            channel_arn: ARN.to_owned(),
            account: account.to_owned(),
        }
    }

    fn pass_of(viewer: &str, version: i64) -> Pass {
        let id = viewer.to_owned();
        Pass {
            viewer: Some(Viewer { id, version }),
            ..Pass::default()
        }
    }

    fn opened(viewers: &mut Viewers, id: &str, pass: Option<Pass>) {
        let of = (watched("st-1", "1"), pass);
        viewers.open(START, id.to_owned(), of).unwrap();
    }

    fn after(span: Duration) -> MonotonicTime {
        START.plus(span)
    }

    #[test]
    fn a_session_counts_once_and_leaves_after_the_window() {
        let mut viewers = Viewers::new(10);
        for id in ["a", "b", "c"] {
            opened(&mut viewers, id, None);
        }
        assert_eq!(
            viewers.count(START, "st-1"),
            0,
            "who only begins does not watch"
        );
        viewers.view(START, "a");
        viewers.view(START, "b");
        viewers.view(after(Duration::from_secs(2)), "a");
        assert_eq!(viewers.count(after(Duration::from_secs(3)), "st-1"), 2);
        assert_eq!(viewers.count(after(VIEWER_WINDOW), "st-1"), 1);
        assert_eq!(viewers.count(after(VIEWER_WINDOW * 2), "st-1"), 0);
        assert!(!viewers.knows("a"));
    }

    #[test]
    fn session_is_for_its_stream_until_it_idles_or_gets_too_old() {
        let mut viewers = Viewers::new(10);
        opened(&mut viewers, "a", Some(Pass::default()));
        opened(&mut viewers, "unused", Some(Pass::default()));
        assert!(viewers.enter(START, ("st-1", "a"), None).is_ok());
        let other = viewers.enter(START, ("st-2", "a"), None);
        assert_eq!(other, Err(Refusal::NoSession));
        viewers.view(START, "a");
        let later = after(SESSION_UNUSED);
        let unused = viewers.enter(later, ("st-1", "unused"), None);
        assert_eq!(unused, Err(Refusal::NoSession));
        assert!(viewers.enter(later, ("st-1", "a"), None).is_ok());
        let idle = later.plus(SESSION_IDLE);
        assert_eq!(
            viewers.enter(idle, ("st-1", "a"), None),
            Err(Refusal::NoSession)
        );
        opened(&mut viewers, "old", Some(Pass::default()));
        let mut now = START;
        while now.since(START) < SESSION_LIFE {
            viewers.view(now, "old");
            assert!(viewers.enter(now, ("st-1", "old"), None).is_ok());
            now = now.plus(SESSION_IDLE / 2);
        }
        assert_eq!(
            viewers.enter(now, ("st-1", "old"), None),
            Err(Refusal::NoSession)
        );
        assert_eq!(viewers.count(now, "st-1"), 0);
    }

    #[test]
    fn session_of_an_open_stream_opens_no_protected_one() {
        let mut viewers = Viewers::new(10);
        opened(&mut viewers, "a", None);
        assert_eq!(
            viewers.enter(START, ("st-1", "a"), None),
            Err(Refusal::NoSession)
        );
    }

    #[test]
    fn revoked_viewer_is_cut_off_up_to_the_version() {
        let mut viewers = Viewers::new(10);
        opened(&mut viewers, "v0", Some(pass_of("v", 0)));
        opened(&mut viewers, "v1", Some(pass_of("v", 1)));
        opened(&mut viewers, "v2", Some(pass_of("v", 2)));
        opened(&mut viewers, "w", Some(pass_of("w", 0)));
        opened(&mut viewers, "nameless", Some(Pass::default()));
        assert_eq!(viewers.revoke("arn:other", "v", 9), 0);
        assert_eq!(viewers.revoke(ARN, "v", 1), 2);
        assert_eq!(viewers.revoke(ARN, "v", 1), 0);
        for (id, cut) in [
            ("v0", true),
            ("v1", true),
            ("v2", false),
            ("w", false),
            ("nameless", false),
        ] {
            let entered = viewers.enter(START, ("st-1", id), None);
            assert_eq!(entered == Err(Refusal::Revoked), cut, "{id}");
        }
    }

    #[test]
    fn account_has_room_for_its_limit_and_a_breach_is_told_once() {
        let mut viewers = Viewers::new(2);
        for id in ["a", "b", "c"] {
            opened(&mut viewers, id, None);
        }
        assert_eq!(viewers.view(START, "a"), Room::Free);
        assert_eq!(viewers.view(START, "b"), Room::Free);
        assert_eq!(viewers.view(START, "c"), Room::None { begins: true });
        assert_eq!(viewers.room(START, "1"), Room::None { begins: false });
        assert_eq!(
            viewers.view(START, "b"),
            Room::Free,
            "who watches goes on watching"
        );
        assert_eq!(viewers.room(START, "2"), Room::Free, "another account");
        viewers.close("a");
        assert_eq!(viewers.view(START, "c"), Room::Free);
        let later = after(VIEWER_BREACH_QUIET);
        assert_eq!(viewers.room(later, "1"), Room::Free, "all have left");
    }

    #[test]
    fn sessions_are_bounded() {
        let mut viewers = Viewers::new(1);
        for id in 0..SESSIONS_MAX {
            opened(&mut viewers, &id.to_string(), Some(Pass::default()));
        }
        let more = viewers.open(START, "more".to_owned(), (watched("st-1", "1"), None));
        assert_eq!(more, Err(Refusal::TooManySessions));
        let later = after(SESSION_UNUSED);
        let of = (watched("st-1", "1"), None);
        assert_eq!(viewers.open(later, "more".to_owned(), of), Ok(()));
        assert_eq!(viewers.sessions.len(), 1);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Open(u8, bool),
        View(u8),
        Enter(u8),
        Close(u8),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..6_u8, any::<bool>()).prop_map(|(id, open)| Step::Open(id, open)),
            (0..6_u8).prop_map(Step::View),
            (0..6_u8).prop_map(Step::Enter),
            (0..6_u8).prop_map(Step::Close),
            (0..700_u64).prop_map(Step::Wait),
        ];
        proptest::collection::vec(step, 0..60)
    }

    proptest! {
        #[test]
        fn counts_agree_with_the_sessions_whatever_happens(steps in steps()) {
            let mut viewers = Viewers::new(3);
            let mut now = START;
            for step in steps {
                match step {
                    Step::Open(id, open) if !viewers.knows(&id.to_string()) => {
                        let stream = if id % 2 == 0 { "st-1" } else { "st-2" };
                        let of = (watched(stream, "1"), (!open).then(Pass::default));
                        viewers.open(now, id.to_string(), of).unwrap();
                    }
                    Step::Open(..) => {}
                    Step::View(id) => { viewers.view(now, &id.to_string()); }
                    Step::Enter(id) => { let _ = viewers.enter(now, ("st-1", &id.to_string()), None); }
                    Step::Close(id) => viewers.close(&id.to_string()),
                    Step::Wait(seconds) => now = now.plus(Duration::from_secs(seconds)),
                }
                let counted = viewers.sessions.values().filter(|session| session.counted).count();
                let views: usize = viewers.views.values().map(|views| views.count).sum();
                prop_assert_eq!(counted, views);
                prop_assert!(views <= 3);
            }
        }
    }
}
