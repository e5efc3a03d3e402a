//! What holds whatever happens in whatever order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use compositor_core::composition::{
    Composition, DestinationError, DestinationKind, DestinationReport as Report, Event, Input,
    Output, PublicCompositionState, PublicState, StartSpec,
};
use compositor_core::id::{CompositionId, DestinationId};
use compositor_core::time::{MonotonicTime, WallTime};
use proptest::prelude::{
    Just, Strategy, TestCaseError, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use super::world::{Channel, S3, id};

/// One step: time passes, then something happens, or the process dies.
#[derive(Clone, Debug)]
enum Step {
    Happen { wait: Duration, input: Input },
    WaitForTimeout,
    Die { away: Duration },
}

fn wait() -> impl Strategy<Value = Duration> {
    prop_oneof![
        4 => (0..3_000_u64).prop_map(Duration::from_millis),
        2 => (0..120_u64).prop_map(Duration::from_secs),
        1 => (0..100_000_u64).prop_map(Duration::from_secs),
    ]
}

fn report() -> impl Strategy<Value = Report> {
    prop_oneof![
        4 => Just(Report::FirstOutput),
        3 => Just(Report::ConnectFailed),
        3 => Just(Report::Interrupted),
        3 => Just(Report::Recovered),
        1 => Just(Report::Rejected(DestinationError::AccessDenied)),
        1 => Just(Report::Ended),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let destination = prop_oneof![
        10 => Just(id(S3)),
        10 => Just(id(Channel)),
        1 => Just(DestinationId::new("stranger")),
    ];
    prop_oneof![
        20 => (destination, report()).prop_map(|(id, report)| Input::Destination { id, report }),
        5 => (0..3_u32, any::<u64>())
            .prop_map(|(count, since)| Input::PublishersChanged {
                count,
                since: MonotonicTime(since % 1_000_000_000_000),
            }),
        1 => Just(Input::Stop),
        1 => Just(Input::ServerStopping),
        1 => Just(Input::StageDeleted),
        1 => Just(Input::WorkerFailed),
        2 => Just(Input::Timeout),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (wait(), input()).prop_map(|(wait, input)| Step::Happen { wait, input }),
        5 => Just(Step::WaitForTimeout),
        1 => wait().prop_map(|away| Step::Die { away }),
    ]
}

fn kinds() -> impl Strategy<Value = Vec<DestinationKind>> {
    prop_oneof![
        Just(vec![S3]),
        Just(vec![Channel]),
        Just(vec![Channel, S3]),
        Just(vec![S3, Channel])
    ]
}

/// Checks each output against all before it.
#[derive(Default)]
struct Observer {
    shown: Option<PublicState>,
    attempts: BTreeMap<DestinationId, u32>,
    closed: BTreeSet<DestinationId>,
    ended_events: BTreeSet<DestinationId>,
    started_events: BTreeSet<DestinationId>,
    session_events: Vec<Event>,
    released: bool,
    forgotten: bool,
}

impl Observer {
    fn see(&mut self, output: Output) -> Result<(), TestCaseError> {
        prop_assert!(!self.forgotten, "after it was forgotten: {output:?}");
        match output {
            Output::StateChanged(public) => {
                prop_assert!(self.shown.as_ref() != Some(&public), "nothing has changed");
                self.check_forward(&public)?;
                self.shown = Some(public);
            }
            Output::Event(event) => self.see_event(event)?,
            Output::OpenDestination { id, attempt } | Output::RetryDestination { id, attempt } => {
                prop_assert!(
                    !self.closed.contains(&id),
                    "{id} is opened after it was closed"
                );
                let last = self.attempts.insert(id, attempt).unwrap_or(0);
                prop_assert_eq!(attempt, last + 1);
            }
            Output::CloseDestination { id, .. } => {
                prop_assert!(self.attempts.contains_key(&id), "{id} was never opened");
                prop_assert!(self.closed.insert(id), "closed twice");
            }
            Output::BeginStop { .. } => prop_assert!(!self.released),
            Output::ReleaseWorker => {
                prop_assert!(!self.released, "released twice");
                self.released = true;
            }
            Output::Forget => {
                prop_assert!(self.released);
                self.forgotten = true;
            }
        }
        Ok(())
    }

    fn see_event(&mut self, event: Event) -> Result<(), TestCaseError> {
        match &event {
            Event::DestinationStart { id } => {
                prop_assert!(!self.ended_events.contains(id));
                prop_assert!(self.started_events.insert(id.clone()), "{id} starts twice");
            }
            Event::DestinationReconnecting { id } => {
                prop_assert!(self.started_events.contains(id), "{id} never started");
                prop_assert!(!self.ended_events.contains(id), "{id} has ended");
            }
            Event::DestinationEnd { id } | Event::DestinationFailure { id, .. } => {
                prop_assert!(self.ended_events.insert(id.clone()), "{id} ends twice");
            }
            Event::SessionStart => {
                prop_assert!(self.session_events.is_empty(), "{:?}", self.session_events);
                self.session_events.push(event);
            }
            Event::SessionEnd | Event::SessionFailure { .. } => {
                let over = |it: &Event| *it != Event::SessionStart;
                prop_assert!(
                    !self.session_events.iter().any(over),
                    "{:?}",
                    self.session_events
                );
                self.session_events.push(event);
            }
        }
        Ok(())
    }

    /// States only move forward; what has ended stays as it ended.
    fn check_forward(&self, public: &PublicState) -> Result<(), TestCaseError> {
        let Some(before) = &self.shown else {
            return Ok(());
        };
        prop_assert!(
            rank(before.state) <= rank(public.state),
            "{before:?} to {public:?}"
        );
        if before.state.is_terminal() {
            prop_assert_eq!(before, public);
        }
        prop_assert_eq!(before.start_time, public.start_time);
        for (old, new) in before.destinations.iter().zip(&public.destinations) {
            if old.state.is_terminal() {
                prop_assert_eq!(old, new);
            }
            prop_assert!(old.start_time.is_none() || old.start_time == new.start_time);
        }
        Ok(())
    }
}

fn rank(state: PublicCompositionState) -> u8 {
    match state {
        PublicCompositionState::Starting => 0,
        PublicCompositionState::Active => 1,
        PublicCompositionState::Stopping => 2,
        PublicCompositionState::Stopped | PublicCompositionState::Failed => 3,
    }
}

fn check_state(composition: &Composition, seen: &Observer) -> Result<(), TestCaseError> {
    let public = composition.public_state();
    prop_assert_eq!(public.is_none(), seen.forgotten);
    prop_assert_eq!(
        composition.poll_timeout().is_none(),
        seen.forgotten,
        "always one timer"
    );
    let Some(public) = public else { return Ok(()) };
    prop_assert_eq!(Some(&public), seen.shown.as_ref(), "the driver was told");
    prop_assert_eq!(public.state.is_terminal(), seen.released);
    prop_assert_eq!(public.state.is_terminal(), public.end_time.is_some());
    for destination in &public.destinations {
        let ended = destination.state.is_terminal();
        prop_assert_eq!(ended, seen.closed.contains(&destination.id));
        prop_assert_eq!(ended, seen.ended_events.contains(&destination.id));
        prop_assert_eq!(ended, destination.end_time.is_some());
        let started = seen.started_events.contains(&destination.id);
        prop_assert_eq!(started, destination.start_time.is_some());
        prop_assert!(ended || !public.state.is_terminal());
    }
    Ok(())
}

fn run(
    kinds: Vec<DestinationKind>,
    seed: u64,
    steps: Vec<Step>,
) -> Result<(Composition, Observer, MonotonicTime), TestCaseError> {
    let destinations = kinds.into_iter().map(|kind| (id(kind), kind)).collect();
    let spec = StartSpec::new(CompositionId::new("c"), destinations, seed)
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    let (mut now, mut wall) = (MonotonicTime(7), WallTime(1_700_000_000_000_000));
    let mut composition = Composition::new(spec, now, wall);
    let mut seen = Observer::default();
    drain(&mut composition, &mut seen)?;
    for step in steps {
        let (wait, input) = match step {
            Step::Happen { wait, input } => (wait, input),
            Step::WaitForTimeout => {
                let due = composition.poll_timeout();
                (
                    due.map_or(Duration::ZERO, |due| due.since(now)),
                    Input::Timeout,
                )
            }
            Step::Die { away } => {
                let saved = composition.save(now, wall);
                let left_at = wall;
                (now, wall) = (MonotonicTime(3), wall.plus(away));
                composition = Composition::adopt(saved, left_at, now, wall);
                drain(&mut composition, &mut seen)?;
                continue;
            }
        };
        (now, wall) = (now.plus(wait), wall.plus(wait));
        composition.handle_input(now, wall, input);
        drain(&mut composition, &mut seen)?;
        if let Some(due) = composition.poll_timeout() {
            prop_assert!(
                due.since(now) <= Duration::from_secs(24 * 3600),
                "{due:?} is too far"
            );
        }
    }
    Ok((composition, seen, now))
}

fn drain(composition: &mut Composition, seen: &mut Observer) -> Result<(), TestCaseError> {
    while let Some(output) = composition.poll_output() {
        seen.see(output)?;
    }
    check_state(composition, seen)
}

proptest! {
    #[test]
    fn whatever_happens_the_rules_hold(
        kinds in kinds(),
        seed in any::<u64>(),
        steps in proptest::collection::vec(step(), 0..80),
    ) {
        run(kinds, seed, steps)?;
    }

    #[test]
    fn whatever_happened_it_ends_by_itself_within_a_day_and_its_limits(
        kinds in kinds(),
        seed in any::<u64>(),
        steps in proptest::collection::vec(step(), 0..40),
    ) {
        let (mut composition, mut seen, start) = run(kinds, seed, steps)?;
        let wall = WallTime(1_800_000_000_000_000);
        let mut now = start;
        // A channel retries at most each 0.8 s for five minutes, all else happens once.
        for _ in 0..1_000 {
            let Some(due) = composition.poll_timeout() else { break };
            now = now.max(due);
            composition.handle_input(now, wall, Input::Timeout);
            drain(&mut composition, &mut seen)?;
        }
        prop_assert!(seen.forgotten, "after {:?}", now.since(start));
        prop_assert_eq!(seen.closed.len(), seen.attempts.len(), "every destination is closed");
        let longest = Duration::from_secs(24 * 3600 + 60 + 300);
        prop_assert!(now.since(start) <= longest, "after {:?}", now.since(start));
    }
}
