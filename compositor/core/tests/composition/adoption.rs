//! A server that dies and comes back.

use compositor_core::composition::{DestinationReport as Report, Input};

use super::world::{Channel, NANOSECOND, S3, World, s};

#[test]
fn an_active_composition_is_opened_again_with_the_next_attempt() {
    let mut world = World::active(&[Channel, S3]);
    assert_eq!(
        world.die_for(s(3)),
        [
            "ACTIVE channel:RECONNECTING s3:RECONNECTING",
            "Destination Reconnecting channel",
            "Destination Reconnecting s3",
            "open channel #2",
            "open s3 #2",
        ]
    );
    world.report(S3, Report::FirstOutput);
    assert_eq!(
        world.report(Channel, Report::FirstOutput),
        ["ACTIVE channel:ACTIVE s3:ACTIVE"]
    );
}

#[test]
fn the_idle_timer_runs_while_the_server_is_away() {
    let mut world = World::active(&[S3]);
    world.die_for(s(20));
    assert_eq!(world.until_timeout(), Some(s(40)));
    world.publishers(1);
    assert_eq!(world.pass(s(600)), [""; 0]);
}

#[test]
fn a_minute_that_began_before_the_death_goes_on() {
    let mut world = World::active(&[S3]);
    world.publishers(0);
    world.pass(s(30));
    world.die_for(s(20));
    assert_eq!(world.until_timeout(), Some(s(10)));
}

#[test]
fn a_server_that_is_away_for_too_long_stops_what_it_finds() {
    let mut world = World::active(&[S3]);
    world.die_for(s(3600));
    assert_eq!(world.until_timeout(), Some(s(0)));
    assert_eq!(
        world.pass(s(0)),
        ["STOPPING s3:STOPPING", "begin stop Idle"]
    );
}

#[test]
fn a_stop_is_begun_again_and_keeps_its_limit() {
    let mut world = World::active(&[Channel, S3]);
    world.happen(Input::Stop);
    world.pass(s(10));
    assert_eq!(
        world.die_for(s(20)),
        [
            "STOPPING channel:STOPPED s3:STOPPING",
            "Destination End channel",
            "begin stop Requested",
            "close channel Ended",
            "open s3 #2",
        ]
    );
    assert_eq!(world.until_timeout(), Some(s(30)));
    world.report(S3, Report::Ended);
    assert_eq!(world.state(), "STOPPED channel:STOPPED s3:STOPPED");
}

#[test]
fn a_stopping_broadcast_alone_has_ended_with_the_server() {
    let mut world = World::active(&[Channel]);
    world.happen(Input::Stop);
    assert_eq!(
        world.die_for(s(1)),
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
fn a_composition_that_had_ended_is_only_forgotten() {
    let mut world = World::active(&[S3]);
    world.happen(Input::WorkerFailed);
    world.pass(s(100));
    assert_eq!(world.die_for(s(100)), [""; 0]);
    assert_eq!(world.pass(s(100) - NANOSECOND), [""; 0]);
    assert_eq!(world.pass(NANOSECOND), ["forget"]);
}

#[test]
fn a_day_includes_the_time_away() {
    let mut world = World::active(&[S3]);
    world.pass(s(23 * 3600));
    world.die_for(s(30));
    world.publishers(1);
    assert_eq!(world.until_timeout(), Some(s(3600 - 30)));
}

#[test]
fn a_retry_budget_goes_on_and_a_waiting_destination_is_tried_at_once() {
    let mut world = World::active(&[Channel]);
    world.report(Channel, Report::Interrupted);
    world.pass(s(1));
    world.report(Channel, Report::ConnectFailed);
    assert_eq!(world.die_for(s(9)), ["open channel #3"]);
    world.publishers(1);
    assert_eq!(world.until_timeout(), Some(s(290)));
}

#[test]
fn a_recording_that_cannot_be_opened_again_is_still_drained_at_the_stop() {
    let mut world = World::active(&[S3]);
    world.die_for(s(1));
    assert_eq!(world.report(S3, Report::ConnectFailed), [""; 0]);
    assert_eq!(
        world.happen(Input::Stop),
        [
            "STOPPING s3:STOPPING",
            "begin stop Requested",
            "retry s3 #3"
        ]
    );
}
