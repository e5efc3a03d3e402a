//! One stream session: from an accepted publisher to the end, takeovers included. Pure; time is an argument.
//!
//! Give it one input, drain [`StreamSession::poll_event`]. It wants a tick a few times a second.

use std::collections::VecDeque;
use std::time::Duration;

use compositor_core::time::{MonotonicTime, WallTime};

use crate::event::{StreamEvent, StreamHealth, TakeoverFailure};
use crate::limits::TAKEOVERS_MAX;
use crate::meter::Meter;

/// Less media than this part of the measured span is starvation (the service's threshold is unknown).
const STARVING_PERCENT: u32 = 80;

/// As much media as this part of the measured span ends a starvation.
const HEALTHY_PERCENT: u32 = 95;

/// What can happen to a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    /// Media came that plays for this long.
    Media(Duration),
    /// The first segment can be played.
    Playable,
    /// The publisher said goodbye, closed the connection or was thrown out: the end.
    PublisherEnded,
    /// The publisher's connection broke; another is waited for.
    PublisherLost,
    /// The publisher is back, by the rules of a slate.
    Resumed,
    /// Another publisher continues.
    TakenOver,
    /// Another publisher was refused.
    TakeoverRefused(TakeoverFailure),
    /// Time passed.
    Tick,
}

/// The state machine.
#[derive(Debug)]
pub(crate) struct StreamSession {
    stream_id: String,
    /// How long it lives without media.
    patience: Duration,
    state: State,
    last_media: MonotonicTime,
    takeovers: u32,
    events: VecDeque<StreamEvent>,
}

#[derive(Debug)]
enum State {
    /// A publisher is accepted; nothing can be played yet.
    Created(Option<Flow>),
    /// Media flows.
    Live(Flow),
    /// Media flows too slowly, or not at all.
    Starving(Flow),
    /// Over.
    Ended,
}

#[derive(Debug)]
struct Flow {
    started: WallTime,
    meter: Meter,
}

impl StreamSession {
    /// A publisher was accepted.
    pub(crate) fn new(stream_id: String, patience: Duration, now: MonotonicTime) -> Self {
        let events = VecDeque::from([StreamEvent::SessionCreated]);
        Self {
            stream_id,
            patience,
            state: State::Created(None),
            last_media: now,
            takeovers: 0,
            events,
        }
    }

    pub(crate) fn handle_input(&mut self, now: MonotonicTime, wall: WallTime, input: Input) {
        let state = std::mem::replace(&mut self.state, State::Ended);
        self.state = match (state, input) {
            (State::Ended, _) => State::Ended,
            (state, Input::PublisherEnded) => self.end(&state),
            (state, Input::TakeoverRefused(failure)) => {
                self.events
                    .push_back(StreamEvent::StreamTakeoverFailure(failure));
                state
            }
            (state, Input::TakenOver) => {
                self.takeovers += 1;
                self.last_media = now;
                self.events.push_back(StreamEvent::StreamTakeover);
                state
            }
            (state, Input::Resumed) => {
                self.last_media = now;
                state
            }
            (State::Created(flow), Input::Media(span)) => {
                self.last_media = now;
                let mut flow = flow.unwrap_or_else(|| Flow {
                    started: wall,
                    meter: Meter::new(now),
                });
                flow.meter.add(now, span);
                State::Created(Some(flow))
            }
            (State::Created(Some(flow)), Input::Playable) => {
                self.events.push_back(StreamEvent::StreamStart);
                State::Live(flow)
            }
            (state, Input::Playable) => state,
            (State::Live(mut flow), Input::Media(span)) => {
                self.last_media = now;
                flow.meter.add(now, span);
                State::Live(flow)
            }
            (State::Starving(mut flow), Input::Media(span)) => {
                self.last_media = now;
                flow.meter.add(now, span);
                State::Starving(flow)
            }
            (state @ State::Created(_), Input::PublisherLost) => self.end(&state),
            (State::Live(flow), Input::PublisherLost) => {
                self.events.push_back(StreamEvent::StarvationStart);
                State::Starving(flow)
            }
            (State::Starving(flow), Input::PublisherLost) => State::Starving(flow),
            (state, Input::Tick) => self.tick(now, state),
        };
    }

    /// Something that does not change the session, to be told in order with what does.
    pub(crate) fn report(&mut self, event: StreamEvent) {
        self.events.push_back(event);
    }

    /// The next event to report.
    pub(crate) fn poll_event(&mut self) -> Option<StreamEvent> {
        self.events.pop_front()
    }

    pub(crate) fn stream_id(&self) -> &str {
        &self.stream_id
    }

    pub(crate) fn ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Whether one more takeover is allowed.
    pub(crate) fn takeover_allowed(&self) -> bool {
        self.takeovers < TAKEOVERS_MAX
    }

    /// When media came last.
    pub(crate) fn last_media(&self) -> MonotonicTime {
        self.last_media
    }

    /// When the first media came; `None` before it can be played, and after the stream.
    pub(crate) fn live_since(&self) -> Option<WallTime> {
        match &self.state {
            State::Live(flow) | State::Starving(flow) => Some(flow.started),
            State::Created(_) | State::Ended => None,
        }
    }

    pub(crate) fn health(&self) -> StreamHealth {
        match self.state {
            State::Live(_) => StreamHealth::Healthy,
            State::Starving(_) => StreamHealth::Starving,
            State::Created(_) | State::Ended => StreamHealth::Unknown,
        }
    }

    fn end(&mut self, state: &State) -> State {
        if matches!(state, State::Live(_) | State::Starving(_)) {
            self.events.push_back(StreamEvent::StreamEnd);
        }
        self.events.push_back(StreamEvent::SessionEnded);
        State::Ended
    }

    fn tick(&mut self, now: MonotonicTime, state: State) -> State {
        if now >= self.last_media.plus(self.patience) {
            return self.end(&state);
        }
        match state {
            State::Live(mut flow) => match flow.meter.percent(now) {
                Some(percent) if percent < STARVING_PERCENT => {
                    self.events.push_back(StreamEvent::StarvationStart);
                    State::Starving(flow)
                }
                Some(_) | None => State::Live(flow),
            },
            State::Starving(mut flow) => match flow.meter.percent(now) {
                Some(percent) if percent >= HEALTHY_PERCENT => {
                    self.events.push_back(StreamEvent::StarvationEnd);
                    State::Live(flow)
                }
                Some(_) | None => State::Starving(flow),
            },
            state @ (State::Created(_) | State::Ended) => state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::NO_DATA_TIMEOUT;

    const FRAME: Duration = Duration::from_millis(40);

    struct World {
        session: StreamSession,
        now: MonotonicTime,
    }

    impl World {
        fn new() -> Self {
            let now = MonotonicTime(0);
            Self {
                session: StreamSession::new("st-x".into(), NO_DATA_TIMEOUT, now),
                now,
            }
        }

        fn input(&mut self, input: Input) {
            self.session.handle_input(self.now, wall(self.now), input);
        }

        fn pass(&mut self, by: Duration) {
            self.now = self.now.plus(by);
            self.input(Input::Tick);
        }

        fn play(&mut self, seconds: u64, every: Duration) {
            let end = self.now.plus(Duration::from_secs(seconds));
            while self.now < end {
                self.input(Input::Media(FRAME));
                if self.now >= MonotonicTime(2_000_000_000) {
                    self.input(Input::Playable);
                }
                self.pass(every);
            }
        }

        fn events(&mut self) -> Vec<StreamEvent> {
            std::iter::from_fn(|| self.session.poll_event()).collect()
        }
    }

    fn wall(now: MonotonicTime) -> WallTime {
        WallTime(1_000_000 + (now.0 / 1000) as i64)
    }

    #[test]
    fn whole_life_reports_each_step_once() {
        let mut world = World::new();
        assert_eq!(world.session.health(), StreamHealth::Unknown);
        world.play(8, FRAME);
        assert_eq!(world.session.health(), StreamHealth::Healthy);
        assert_eq!(world.session.live_since(), Some(WallTime(1_000_000)));
        world.input(Input::PublisherEnded);
        world.input(Input::PublisherEnded);
        assert_eq!(
            world.events(),
            [
                StreamEvent::SessionCreated,
                StreamEvent::StreamStart,
                StreamEvent::StreamEnd,
                StreamEvent::SessionEnded
            ]
        );
        assert!(world.session.ended());
    }

    #[test]
    fn publisher_without_media_never_starts_a_stream() {
        let mut world = World::new();
        world.input(Input::PublisherLost);
        assert_eq!(
            world.events(),
            [StreamEvent::SessionCreated, StreamEvent::SessionEnded]
        );
    }

    #[test]
    fn stream_starts_when_it_can_be_played() {
        let mut world = World::new();
        world.input(Input::Playable);
        world.input(Input::Media(FRAME));
        assert_eq!(world.session.live_since(), None);
        assert_eq!(world.events(), [StreamEvent::SessionCreated]);
        world.input(Input::Playable);
        assert_eq!(world.session.live_since(), Some(WallTime(1_000_000)));
        assert_eq!(world.events(), [StreamEvent::StreamStart]);
    }

    #[test]
    fn session_ends_after_exactly_thirty_seconds_without_data() {
        let mut world = World::new();
        world.input(Input::Media(FRAME));
        world.input(Input::Playable);
        world.pass(NO_DATA_TIMEOUT - Duration::from_nanos(1));
        assert!(!world.session.ended());
        world.pass(Duration::from_nanos(1));
        assert!(world.session.ended());
    }

    #[test]
    fn slow_ingest_starves_and_recovers() {
        let mut world = World::new();
        world.play(6, FRAME);
        world.play(6, FRAME * 2);
        assert_eq!(world.session.health(), StreamHealth::Starving);
        world.play(6, FRAME);
        assert_eq!(world.session.health(), StreamHealth::Healthy);
        assert_eq!(
            world.events()[2..],
            [StreamEvent::StarvationStart, StreamEvent::StarvationEnd]
        );
    }

    #[test]
    fn lost_publisher_is_waited_for_and_a_takeover_continues_the_stream() {
        let mut world = World::new();
        world.play(6, FRAME);
        world.input(Input::PublisherLost);
        assert_eq!(world.session.health(), StreamHealth::Starving);
        world.pass(Duration::from_secs(20));
        world.input(Input::TakenOver);
        world.play(8, FRAME);
        assert_eq!(
            world.events()[2..],
            [
                StreamEvent::StarvationStart,
                StreamEvent::StreamTakeover,
                StreamEvent::StarvationEnd
            ]
        );
        assert_eq!(world.session.live_since(), Some(WallTime(1_000_000)));
    }

    #[test]
    fn the_hundredth_takeover_is_the_last() {
        let mut world = World::new();
        for _ in 0..TAKEOVERS_MAX {
            assert!(world.session.takeover_allowed());
            world.input(Input::TakenOver);
        }
        assert!(!world.session.takeover_allowed());
    }
}
