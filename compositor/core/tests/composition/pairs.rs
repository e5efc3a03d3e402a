//! Every state met by every input, as text: `tests/snapshots/composition_pairs.txt`.
//!
//! A line per pair: the input, what comes out, and when the next timer runs out. Inputs without any effect are listed in the last
//! line of a state.

use std::fmt::Write as _;

use compositor_core::composition::{
    DestinationError, DestinationKind, DestinationReport as Report, Input,
};
use compositor_core::id::DestinationId;

use super::world::{Channel, NANOSECOND, S3, World, id, s};

fn reports() -> [(&'static str, Report); 6] {
    [
        ("first output", Report::FirstOutput),
        ("connect failed", Report::ConnectFailed),
        ("interrupted", Report::Interrupted),
        ("recovered", Report::Recovered),
        ("rejected", Report::Rejected(DestinationError::AccessDenied)),
        ("ended", Report::Ended),
    ]
}

/// All inputs; reports are those of `kind`.
fn inputs(world: &World, kind: DestinationKind) -> Vec<(&'static str, Input)> {
    let since = world.now;
    let mut inputs = vec![
        (
            "nobody publishes",
            Input::PublishersChanged { count: 0, since },
        ),
        (
            "somebody publishes",
            Input::PublishersChanged { count: 1, since },
        ),
        ("stop", Input::Stop),
        ("server stopping", Input::ServerStopping),
        ("stage deleted", Input::StageDeleted),
        ("worker failed", Input::WorkerFailed),
        ("timeout too early", Input::Timeout),
    ];
    let news = |id, report| Input::Destination { id, report };
    inputs.extend(reports().map(|(name, report)| (name, news(id(kind), report))));
    let stranger = DestinationId::new("stranger");
    inputs.push(("rejected stranger", news(stranger, reports()[4].1)));
    inputs
}

/// The states of a destination, reached by the shortest way, with another destination that is ACTIVE.
fn destination_states(kind: DestinationKind) -> Vec<(&'static str, World)> {
    let other = match kind {
        Channel => S3,
        S3 => Channel,
    };
    let mut starting = World::new(&[kind, other]);
    starting.publishers(1);
    starting.report(other, Report::FirstOutput);
    let then = |world: &World, inputs: &[Input]| {
        let mut world = world.clone();
        for input in inputs {
            world.happen(input.clone());
        }
        world
    };
    let news = |report| Input::Destination {
        id: id(kind),
        report,
    };
    let active = then(&starting, &[news(Report::FirstOutput)]);
    let interrupted = then(&active, &[news(Report::Interrupted)]);
    let mut reconnecting = interrupted.clone();
    reconnecting.pass(s(1));
    vec![
        ("STARTING, connecting", starting.clone()),
        (
            "STARTING, waiting",
            then(&starting, &[news(Report::ConnectFailed)]),
        ),
        ("ACTIVE", active.clone()),
        ("RECONNECTING, connecting", reconnecting.clone()),
        (
            "RECONNECTING, waiting",
            then(&reconnecting, &[news(Report::ConnectFailed)]),
        ),
        ("STOPPING without output", then(&starting, &[Input::Stop])),
        ("STOPPING", then(&active, &[Input::Stop])),
        (
            "STOPPED",
            then(&active, &[Input::Stop, news(Report::Ended)]),
        ),
        (
            "FAILED",
            then(
                &active,
                &[news(Report::Rejected(DestinationError::Internal))],
            ),
        ),
    ]
}

/// The states of a composition that the states of a destination above do not reach.
fn composition_states() -> Vec<(&'static str, World)> {
    let starting = World::new(&[S3]);
    let mut stopping_on_deletion = World::active(&[S3]);
    stopping_on_deletion.happen(Input::StageDeleted);
    let mut stopped = World::active(&[S3]);
    stopped.happen(Input::Stop);
    stopped.report(S3, Report::Ended);
    let mut failed = World::active(&[S3]);
    failed.happen(Input::WorkerFailed);
    let mut forgotten = failed.clone();
    forgotten.pass(s(300));
    vec![
        ("STARTING and nobody publishes", starting),
        (
            "STOPPING because the stage was deleted",
            stopping_on_deletion,
        ),
        ("STOPPED", stopped),
        ("FAILED", failed),
        ("forgotten", forgotten),
    ]
}

fn write_state(sheet: &mut String, world: &World, kind: DestinationKind) {
    writeln!(sheet, "  = {}{}", world.state(), timer(world)).expect("a string takes everything");
    let mut ignored = Vec::new();
    for (name, input) in inputs(world, kind) {
        let mut world = world.clone();
        let before = world.composition.save(world.now, world.wall());
        let outputs = world.happen(input);
        if world.composition.save(world.now, world.wall()) == before {
            assert_eq!(outputs, [""; 0], "{name}");
            ignored.push(name);
        } else {
            writeln!(sheet, "  {name} -> {}{}", outputs.join("; "), timer(&world))
                .expect("a string takes everything");
        }
    }
    if let Some(wait) = world.until_timeout() {
        let mut world = world.clone();
        assert_eq!(world.pass(wait.saturating_sub(NANOSECOND)), [""; 0]);
        let outputs = world.pass(NANOSECOND);
        writeln!(
            sheet,
            "  next timer -> {}{}",
            outputs.join("; "),
            timer(&world)
        )
        .expect("a string takes everything");
    }
    writeln!(sheet, "  ignored: {}", ignored.join(", ")).expect("a string takes everything");
}

fn timer(world: &World) -> String {
    world
        .until_timeout()
        .map_or_else(String::new, |wait| format!(" (timer {wait:?})"))
}

#[test]
fn every_state_meets_every_input_as_written_down() {
    let mut sheet = String::new();
    for kind in [S3, Channel] {
        for (name, world) in destination_states(kind) {
            writeln!(sheet, "{kind:?} {name}").expect("a string takes everything");
            write_state(&mut sheet, &world, kind);
        }
    }
    for (name, world) in composition_states() {
        writeln!(sheet, "composition {name}").expect("a string takes everything");
        write_state(&mut sheet, &world, S3);
    }
    let expected = include_str!("../snapshots/composition_pairs.txt");
    if sheet != expected {
        for (line, (found, wanted)) in sheet.lines().zip(expected.lines()).enumerate() {
            assert_eq!(found, wanted, "line {}; all of it:\n{sheet}", line + 1);
        }
        panic!("the number of lines differs; all of it:\n{sheet}");
    }
}
