//! One stream session: from an accepted publisher to the end, takeovers included. Pure; time is an argument.
//!
//! Give it one input, drain [`StreamSession::poll_event`]. It wants a tick a few times a second.

use std::collections::VecDeque;
use std::time::Duration;

use compositor_core::time::{MonotonicTime, WallTime};

use crate::event::{StreamEvent, StreamHealth, TakeoverFailure};
use crate::limits::{NO_DATA_TIMEOUT, TAKEOVERS_MAX};
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
    /// The publisher said goodbye, closed the connection or was thrown out: the end.
    PublisherEnded,
    /// The publisher's connection broke; one that may be continued by a takeover is waited for.
    PublisherLost,
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
    state: State,
    last_media: MonotonicTime,
    takeovers: u32,
    events: VecDeque<StreamEvent>,
}

#[derive(Debug)]
enum State {
    /// A publisher is accepted, media has yet to come.
    Created,
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
    pub(crate) fn new(stream_id: String, now: MonotonicTime) -> Self {
        let events = VecDeque::from([StreamEvent::SessionCreated]);
        Self {
            stream_id,
            state: State::Created,
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
            (State::Created, Input::Media(span)) => {
                self.last_media = now;
                self.events.push_back(StreamEvent::StreamStart);
                let mut meter = Meter::new(now);
                meter.add(now, span);
                State::Live(Flow {
                    started: wall,
                    meter,
                })
            }
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
            (State::Created, Input::PublisherLost) => self.end(&State::Created),
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

    /// When the first media came; `None` before and after the stream.
    pub(crate) fn live_since(&self) -> Option<WallTime> {
        match &self.state {
            State::Live(flow) | State::Starving(flow) => Some(flow.started),
            State::Created | State::Ended => None,
        }
    }

    pub(crate) fn health(&self) -> StreamHealth {
        match self.state {
            State::Live(_) => StreamHealth::Healthy,
            State::Starving(_) => StreamHealth::Starving,
            State::Created | State::Ended => StreamHealth::Unknown,
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
        if now >= self.last_media.plus(NO_DATA_TIMEOUT) {
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
            state @ (State::Created | State::Ended) => state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(40);

    struct World {
        session: StreamSession,
        now: MonotonicTime,
    }

    impl World {
        fn new() -> Self {
            let now = MonotonicTime(0);
            Self {
                session: StreamSession::new("st-x".into(), now),
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
    fn session_ends_after_exactly_thirty_seconds_without_data() {
        let mut world = World::new();
        world.input(Input::Media(FRAME));
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
