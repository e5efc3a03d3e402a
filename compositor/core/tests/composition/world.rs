//! A composition, a clock that moves only when told to, and words for what comes out.

use std::time::Duration;

use compositor_core::composition::{
    Composition, DestinationKind, DestinationReport, Event, Input, Output, StartSpec,
};
use compositor_core::id::{CompositionId, DestinationId};
use compositor_core::time::{MonotonicTime, WallTime};

pub(crate) use compositor_core::composition::DestinationKind::{Channel, S3};

/// Any moment; not zero, so that forgetting to add it shows.
const WALL_AT_ZERO: WallTime = WallTime(1_700_000_000_000_000);

/// How long a process ran before the composition starts.
const START: MonotonicTime = MonotonicTime(5_000_000_000);

/// A composition in virtual time.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) composition: Composition,
    pub(crate) now: MonotonicTime,
    wall_at_zero: WallTime,
}

impl World {
    /// Starts a composition with destinations called `s3` and `channel`; its first outputs are taken.
    pub(crate) fn new(kinds: &[DestinationKind]) -> Self {
        Self::start(kinds).0
    }

    /// Starts a composition; returns its first outputs too.
    pub(crate) fn start(kinds: &[DestinationKind]) -> (Self, Vec<String>) {
        let destinations = kinds.iter().map(|kind| (id(*kind), *kind)).collect();
        let spec = StartSpec::new(CompositionId::new("c"), destinations, 1)
            .expect("the tests start what is allowed");
        let composition = Composition::new(spec, START, wall(WALL_AT_ZERO, START));
        let mut world = Self {
            composition,
            now: START,
            wall_at_zero: WALL_AT_ZERO,
        };
        let outputs = world.drain();
        (world, outputs)
    }

    /// A composition with these destinations, all of them ACTIVE, and somebody publishing.
    pub(crate) fn active(kinds: &[DestinationKind]) -> Self {
        let mut world = Self::new(kinds);
        world.publishers(1);
        for kind in kinds {
            world.report(*kind, DestinationReport::FirstOutput);
        }
        world
    }

    /// The process dies; another one takes over after `away`, having saved and loaded the composition.
    pub(crate) fn die_for(&mut self, away: Duration) -> Vec<String> {
        let saved = self.composition.save(self.now, self.wall());
        let left_at = self.wall();
        let wall_now = left_at.plus(away);
        self.now = MonotonicTime(1_000_000);
        self.wall_at_zero = WallTime(wall_now.0 - 1_000);
        self.composition = Composition::adopt(saved, left_at, self.now, wall_now);
        self.drain()
    }

    /// Lets `input` happen now.
    pub(crate) fn happen(&mut self, input: Input) -> Vec<String> {
        let wall = self.wall();
        self.composition.handle_input(self.now, wall, input);
        self.drain()
    }

    /// Lets news of a destination come in.
    pub(crate) fn report(
        &mut self,
        kind: DestinationKind,
        report: DestinationReport,
    ) -> Vec<String> {
        self.happen(Input::Destination {
            id: id(kind),
            report,
        })
    }

    /// From now on this many publish.
    pub(crate) fn publishers(&mut self, count: u32) -> Vec<String> {
        let since = self.now;
        self.happen(Input::PublishersChanged { count, since })
    }

    /// Waits without a timeout being reported.
    pub(crate) fn oversleep(&mut self, duration: Duration) {
        self.now = self.now.plus(duration);
    }

    /// Waits, and reports each timeout exactly when it is due.
    pub(crate) fn pass(&mut self, duration: Duration) -> Vec<String> {
        let end = self.now.plus(duration);
        let mut outputs = Vec::new();
        while let Some(due) = self.composition.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            outputs.extend(self.happen(Input::Timeout));
        }
        self.now = end;
        outputs
    }

    /// How long until the next timeout.
    pub(crate) fn until_timeout(&self) -> Option<Duration> {
        Some(self.composition.poll_timeout()?.since(self.now))
    }

    /// The public state in words; empty when forgotten.
    pub(crate) fn state(&self) -> String {
        let Some(public) = self.composition.public_state() else {
            return String::new();
        };
        let mut words = vec![public.state.to_string()];
        words.extend(
            public
                .destinations
                .iter()
                .map(|it| format!("{}:{}", it.id, it.state)),
        );
        words.join(" ")
    }

    /// Now on the wall clock.
    pub(crate) fn wall(&self) -> WallTime {
        wall(self.wall_at_zero, self.now)
    }

    fn drain(&mut self) -> Vec<String> {
        let mut outputs = Vec::new();
        while let Some(output) = self.composition.poll_output() {
            outputs.push(self.words(&output));
        }
        outputs
    }

    fn words(&self, output: &Output) -> String {
        match output {
            Output::StateChanged(public) => {
                assert_eq!(Some(public), self.composition.public_state().as_ref());
                self.state()
            }
            Output::Event(event) => event_words(event),
            Output::OpenDestination { id, attempt } => format!("open {id} #{attempt}"),
            Output::RetryDestination { id, attempt } => format!("retry {id} #{attempt}"),
            Output::BeginStop { cause } => format!("begin stop {cause:?}"),
            Output::CloseDestination { id, outcome } => format!("close {id} {outcome:?}"),
            Output::ReleaseWorker => "release worker".to_owned(),
            Output::Forget => "forget".to_owned(),
        }
    }
}

fn event_words(event: &Event) -> String {
    let mut words = vec![event.name()];
    words.extend(event.destination().map(DestinationId::as_str));
    words.extend(event.error_code());
    words.join(" ")
}

fn wall(at_zero: WallTime, now: MonotonicTime) -> WallTime {
    at_zero.plus(Duration::from_nanos(now.0))
}

/// The name of the destination of this kind.
pub(crate) fn id(kind: DestinationKind) -> DestinationId {
    match kind {
        Channel => DestinationId::new("channel"),
        S3 => DestinationId::new("s3"),
    }
}

/// Seconds.
pub(crate) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The smallest step of the clock.
pub(crate) const NANOSECOND: Duration = Duration::from_nanos(1);
