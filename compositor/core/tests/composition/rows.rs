//! DESIGN.md 3.6, row by row.

use std::time::Duration;

use compositor_core::composition::{DestinationError, DestinationReport as Report, Input};
use compositor_core::time::MonotonicTime;

use super::world::{Channel, NANOSECOND, S3, World, s};

const STOP_WORDS: [&str; 2] = ["STOPPING s3:STOPPING", "begin stop"];

#[track_caller]
fn check_stopped_by(outputs: &[String], cause: &str) {
    assert_eq!(
        outputs,
        [
            STOP_WORDS[0].to_owned(),
            format!("{} {cause}", STOP_WORDS[1])
        ]
    );
}

#[test]
fn a_start_opens_every_destination_at_once() {
    let (world, outputs) = World::start(&[Channel, S3]);
    assert_eq!(
        outputs,
        [
            "STARTING channel:STARTING s3:STARTING",
            "open channel #1",
            "open s3 #1"
        ]
    );
    let public = world.composition.public_state().unwrap();
    assert_eq!(public.start_time, world.wall());
    assert_eq!(public.destinations[0].start_time, None);
}

#[test]
fn the_first_output_of_any_destination_makes_the_composition_active() {
    let mut world = World::new(&[Channel, S3]);
    assert_eq!(
        world.report(S3, Report::FirstOutput),
        [
            "ACTIVE channel:STARTING s3:ACTIVE",
            "Destination Start s3",
            "Session Start"
        ]
    );
    world.oversleep(s(2));
    assert_eq!(
        world.report(Channel, Report::FirstOutput),
        [
            "ACTIVE channel:ACTIVE s3:ACTIVE",
            "Destination Start channel"
        ]
    );
    let public = world.composition.public_state().unwrap();
    assert_eq!(public.destinations[0].start_time, Some(world.wall()));
    assert_eq!(public.destinations[1].start_time, Some(public.start_time));
}

#[test]
fn a_stop_drains_every_destination_to_the_stop_time() {
    let mut world = World::active(&[Channel, S3]);
    world.oversleep(s(10));
    assert_eq!(
        world.happen(Input::Stop),
        [
            "STOPPING channel:STOPPING s3:STOPPING",
            "begin stop Requested"
        ]
    );
    world.oversleep(s(1));
    assert_eq!(
        world.report(Channel, Report::Ended),
        [
            "STOPPING channel:STOPPED s3:STOPPING",
            "Destination End channel",
            "close channel Ended",
        ]
    );
    world.oversleep(s(1));
    assert_eq!(
        world.report(S3, Report::Ended),
        [
            "STOPPED channel:STOPPED s3:STOPPED",
            "Destination End s3",
            "Session End",
            "close s3 Ended",
            "release worker",
        ]
    );
    let public = world.composition.public_state().unwrap();
    assert_eq!(public.end_time, Some(world.wall()));
    assert_eq!(public.destinations[1].end_time, Some(world.wall()));
    assert!(public.destinations[0].end_time < public.end_time);
}

#[test]
fn a_stop_while_starting_waits_for_no_connection() {
    let mut world = World::new(&[Channel, S3]);
    assert_eq!(
        world.happen(Input::Stop),
        [
            "STOPPING channel:STOPPED s3:STOPPING",
            "Destination End channel",
            "begin stop Requested",
            "close channel Ended",
        ]
    );
    assert_eq!(
        world.report(S3, Report::Ended),
        [
            "STOPPED channel:STOPPED s3:STOPPED",
            "Destination End s3",
            "Session End",
            "close s3 Ended",
            "release worker",
        ]
    );
}

#[test]
fn a_stop_with_nothing_to_drain_ends_at_once() {
    let mut world = World::new(&[Channel]);
    assert_eq!(
        world.happen(Input::Stop),
        [
            "STOPPED channel:STOPPED",
            "Destination End channel",
            "Session End",
            "begin stop Requested",
            "close channel Ended",
            "release worker",
        ]
    );
}

#[test]
fn a_first_output_after_the_stop_still_counts_as_a_start() {
    let mut world = World::new(&[S3]);
    world.happen(Input::Stop);
    assert_eq!(
        world.report(S3, Report::FirstOutput),
        ["STOPPING s3:STOPPING", "Destination Start s3"]
    );
    world.report(S3, Report::Ended);
    let public = world.composition.public_state().unwrap();
    assert!(public.destinations[0].start_time.is_some());
}

#[test]
fn an_empty_stage_stops_the_composition_after_a_minute() {
    let mut world = World::new(&[S3]);
    world.report(S3, Report::FirstOutput);
    assert_eq!(world.pass(s(60) - NANOSECOND), [""; 0]);
    check_stopped_by(&world.pass(NANOSECOND), "Idle");
}

#[test]
fn an_empty_stage_stops_a_composition_that_is_still_starting() {
    let mut world = World::new(&[S3]);
    assert_eq!(world.pass(s(60) - NANOSECOND), [""; 0]);
    check_stopped_by(&world.pass(NANOSECOND), "Idle");
}

#[test]
fn a_participant_who_returns_within_the_minute_cancels_the_timer() {
    let mut world = World::active(&[S3]);
    assert_eq!(world.pass(s(500)), [""; 0]);
    world.publishers(0);
    assert_eq!(world.pass(s(60) - NANOSECOND), [""; 0]);
    assert_eq!(world.publishers(1), [""; 0]);
    assert_eq!(world.pass(s(500)), [""; 0]);
    world.publishers(0);
    assert_eq!(world.pass(s(60) - NANOSECOND), [""; 0]);
    check_stopped_by(&world.pass(NANOSECOND), "Idle");
}

#[test]
fn a_participant_who_returns_when_the_minute_is_over_is_too_late() {
    let mut world = World::active(&[S3]);
    world.publishers(0);
    world.oversleep(s(60));
    check_stopped_by(&world.publishers(1), "Idle");
}

#[test]
fn a_vanished_peer_counts_until_its_last_packet() {
    let mut world = World::active(&[S3]);
    let last_packet = world.now;
    world.pass(s(10));
    world.happen(Input::PublishersChanged {
        count: 0,
        since: last_packet,
    });
    assert_eq!(world.pass(s(50) - NANOSECOND), [""; 0]);
    check_stopped_by(&world.pass(NANOSECOND), "Idle");
}

#[test]
fn saying_again_that_nobody_publishes_does_not_prolong_the_minute() {
    let mut world = World::active(&[S3]);
    world.publishers(0);
    world.pass(s(30));
    world.publishers(0);
    assert_eq!(world.until_timeout(), Some(s(30)));
}

#[test]
fn a_time_in_the_future_does_not_prolong_the_minute() {
    let mut world = World::active(&[S3]);
    world.happen(Input::PublishersChanged {
        count: 0,
        since: MonotonicTime(u64::MAX),
    });
    assert_eq!(world.until_timeout(), Some(s(60)));
}

#[test]
fn a_day_is_the_greatest_age() {
    let mut world = World::active(&[S3]);
    assert_eq!(world.pass(s(24 * 3600) - NANOSECOND), [""; 0]);
    check_stopped_by(&world.pass(NANOSECOND), "LifetimeReached");
}

#[test]
fn a_server_that_stops_drains_as_if_asked_to() {
    let mut world = World::active(&[S3]);
    check_stopped_by(&world.happen(Input::ServerStopping), "ServerStopping");
    assert_eq!(world.happen(Input::Stop), [""; 0]);
    world.report(S3, Report::Ended);
    assert_eq!(world.state(), "STOPPED s3:STOPPED");
}

#[test]
fn a_server_that_stops_does_not_wait_for_a_minute() {
    let mut world = World::active(&[S3]);
    world.happen(Input::ServerStopping);
    assert_eq!(world.until_timeout(), Some(s(7)));
    world.pass(s(7));
    assert_eq!(world.state(), "STOPPED s3:FAILED");
}

#[test]
fn a_server_that_stops_shortens_a_stop_under_way_but_never_prolongs_it() {
    let mut world = World::active(&[S3]);
    world.happen(Input::Stop);
    world.pass(s(10));
    world.happen(Input::ServerStopping);
    assert_eq!(world.until_timeout(), Some(s(7)));
    let mut world = World::active(&[S3]);
    world.happen(Input::Stop);
    world.pass(s(59));
    world.happen(Input::ServerStopping);
    assert_eq!(world.until_timeout(), Some(s(1)));
}

#[test]
fn a_deleted_stage_drains_and_then_fails_the_composition() {
    let mut world = World::active(&[S3]);
    check_stopped_by(&world.happen(Input::StageDeleted), "StageDeleted");
    assert_eq!(
        world.report(S3, Report::Ended),
        [
            "FAILED s3:STOPPED",
            "Destination End s3",
            "Session Failure StageDeleted",
            "close s3 Ended",
            "release worker",
        ]
    );
}

#[test]
fn what_has_not_drained_after_a_minute_is_abandoned_to_the_ledger() {
    let mut world = World::active(&[Channel, S3]);
    world.happen(Input::Stop);
    world.report(Channel, Report::Ended);
    assert_eq!(world.pass(s(60) - NANOSECOND), [""; 0]);
    assert_eq!(
        world.pass(NANOSECOND),
        [
            "STOPPED channel:STOPPED s3:FAILED",
            "Destination Failure s3 InternalServerException",
            "Session End",
            "close s3 Abandoned",
            "release worker",
        ]
    );
}

#[test]
fn a_composition_stops_even_when_nothing_drained_in_time() {
    let mut world = World::active(&[Channel, S3]);
    world.happen(Input::Stop);
    world.pass(s(60));
    assert_eq!(world.state(), "STOPPED channel:FAILED s3:FAILED");
}

#[test]
fn a_composition_whose_destinations_are_all_refused_while_stopping_has_failed() {
    let mut world = World::active(&[S3]);
    world.happen(Input::Stop);
    world.report(S3, Report::Rejected(DestinationError::AccessDenied));
    assert_eq!(world.state(), "FAILED s3:FAILED");
}

#[test]
fn stopping_again_changes_nothing() {
    let mut world = World::active(&[S3]);
    world.happen(Input::Stop);
    let until = world.until_timeout();
    assert_eq!(world.happen(Input::Stop), [""; 0]);
    assert_eq!(world.until_timeout(), until);
    world.report(S3, Report::Ended);
    assert_eq!(world.happen(Input::Stop), [""; 0]);
    assert_eq!(world.state(), "STOPPED s3:STOPPED");
}

#[test]
fn an_ended_composition_is_forgotten_after_five_minutes() {
    let mut world = World::active(&[S3]);
    world.happen(Input::WorkerFailed);
    assert_eq!(world.pass(s(300) - NANOSECOND), [""; 0]);
    assert!(world.composition.public_state().is_some());
    assert_eq!(world.pass(NANOSECOND), ["forget"]);
    assert_eq!(world.composition.public_state(), None);
    assert_eq!(world.composition.poll_timeout(), None);
    assert_eq!(world.happen(Input::Stop), [""; 0]);
}

#[test]
fn a_worker_that_is_given_up_fails_the_composition() {
    let mut world = World::active(&[Channel, S3]);
    assert_eq!(
        world.happen(Input::WorkerFailed),
        [
            "FAILED channel:FAILED s3:FAILED",
            "Destination Failure channel InternalServerException",
            "Destination Failure s3 InternalServerException",
            "Session Failure InternalServerException",
            "close channel Failed(WorkerFailed)",
            "close s3 Failed(WorkerFailed)",
            "release worker",
        ]
    );
}

#[test]
fn a_worker_that_is_given_up_while_stopping_spares_what_has_ended() {
    let mut world = World::active(&[Channel, S3]);
    world.happen(Input::Stop);
    world.report(Channel, Report::Ended);
    world.happen(Input::WorkerFailed);
    assert_eq!(world.state(), "FAILED channel:STOPPED s3:FAILED");
}

#[test]
fn timers_that_were_overslept_run_in_their_order() {
    let mut world = World::active(&[Channel]);
    world.publishers(0);
    world.report(Channel, Report::Interrupted);
    world.oversleep(s(3600));
    assert_eq!(
        world.happen(Input::Timeout),
        [
            "STOPPED channel:STOPPED",
            "Destination End channel",
            "Session End",
            "retry channel #2",
            "begin stop Idle",
            "close channel Ended",
            "release worker",
        ]
    );
    assert_eq!(world.until_timeout(), Some(Duration::from_secs(300)));
}
