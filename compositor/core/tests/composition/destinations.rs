//! DESIGN.md 3.6: destinations that are interrupted, refused or never reached.

use compositor_core::composition::{DestinationError, DestinationReport as Report, Input};

use super::world::{Channel, NANOSECOND, S3, World, s};

#[test]
fn a_destination_that_cannot_connect_stays_starting_until_its_budget_is_spent() {
    let mut world = World::new(&[Channel]);
    world.publishers(1);
    let start = world.now;
    let mut attempts = 1;
    while world.now.since(start) < s(300) - NANOSECOND {
        assert_eq!(world.report(Channel, Report::ConnectFailed), [""; 0]);
        assert_eq!(world.state(), "STARTING channel:STARTING");
        let wait = world.until_timeout().unwrap();
        assert!(wait <= s(30), "waits {wait:?}");
        if world.now.plus(wait) >= start.plus(s(300)) {
            break;
        }
        attempts += 1;
        assert_eq!(world.pass(wait), [format!("retry channel #{attempts}")]);
    }
    assert!(
        (14..=17).contains(&attempts),
        "{attempts} attempts in five minutes"
    );
    assert_eq!(
        world.pass(s(30)),
        [
            "FAILED channel:FAILED",
            "Destination Failure channel InternalServerException",
            "Session Failure DestinationFailure",
            "close channel Failed(RetryBudgetSpent)",
            "release worker",
        ]
    );
    let ended = world.composition.public_state().unwrap().end_time.unwrap();
    assert_eq!(
        world.wall().since(ended),
        world.now.since(start.plus(s(300)))
    );
}

#[test]
fn an_attempt_that_hangs_ends_with_the_budget() {
    let mut world = World::new(&[Channel, S3]);
    world.publishers(1);
    world.report(S3, Report::FirstOutput);
    assert_eq!(world.pass(s(300) - NANOSECOND), [""; 0]);
    assert_eq!(
        world.pass(NANOSECOND),
        [
            "ACTIVE channel:FAILED s3:ACTIVE",
            "Destination Failure channel InternalServerException",
            "close channel Failed(RetryBudgetSpent)",
        ]
    );
}

#[test]
fn an_interrupted_broadcast_reconnects_with_rising_attempts() {
    let mut world = World::active(&[Channel]);
    assert_eq!(
        world.report(Channel, Report::Interrupted),
        [
            "ACTIVE channel:RECONNECTING",
            "Destination Reconnecting channel"
        ]
    );
    assert_eq!(world.pass(s(1)), ["retry channel #2"]);
    assert_eq!(world.report(Channel, Report::ConnectFailed), [""; 0]);
    assert_eq!(world.pass(s(2)), ["retry channel #3"]);
    assert_eq!(
        world.report(Channel, Report::Recovered),
        ["ACTIVE channel:ACTIVE"]
    );
    assert_eq!(world.pass(s(3600)), [""; 0]);
    world.report(Channel, Report::Interrupted);
    // The back-off starts anew, the attempt number does not.
    assert_eq!(world.pass(s(1)), ["retry channel #4"]);
}

#[test]
fn a_broadcast_fails_five_minutes_after_the_interruption() {
    let mut world = World::active(&[Channel, S3]);
    world.pass(s(1000));
    let interrupted = world.now;
    world.report(Channel, Report::Interrupted);
    loop {
        let wait = world.until_timeout().unwrap();
        if world.now.plus(wait) >= interrupted.plus(s(300)) {
            break;
        }
        world.pass(wait);
        world.report(Channel, Report::ConnectFailed);
    }
    let rest = interrupted.plus(s(300)).since(world.now);
    assert_eq!(world.pass(rest - NANOSECOND), [""; 0]);
    assert_eq!(
        world.pass(NANOSECOND),
        [
            "ACTIVE channel:FAILED s3:ACTIVE",
            "Destination Failure channel InternalServerException",
            "close channel Failed(RetryBudgetSpent)",
        ]
    );
    assert_eq!(world.pass(s(3600)), [""; 0]);
}

#[test]
fn an_interrupted_upload_has_no_budget_and_is_not_opened_again() {
    let mut world = World::active(&[S3]);
    assert_eq!(
        world.report(S3, Report::Interrupted),
        ["ACTIVE s3:RECONNECTING", "Destination Reconnecting s3"]
    );
    assert_eq!(world.pass(s(20 * 3600)), [""; 0]);
    assert_eq!(world.report(S3, Report::Interrupted), [""; 0]);
    assert_eq!(world.report(S3, Report::Recovered), ["ACTIVE s3:ACTIVE"]);
}

#[test]
fn a_full_spool_fails_the_recording() {
    let mut world = World::active(&[S3, Channel]);
    world.report(S3, Report::Interrupted);
    assert_eq!(
        world.report(S3, Report::Rejected(DestinationError::SpoolFull)),
        [
            "ACTIVE s3:FAILED channel:ACTIVE",
            "Destination Failure s3 InternalServerException",
            "close s3 Failed(SpoolFull)",
        ]
    );
}

#[test]
fn a_missing_bucket_or_a_refusal_fails_the_destination_at_once() {
    for (error, code) in [
        (DestinationError::AccessDenied, "AccessDeniedException"),
        (
            DestinationError::BucketNotFound,
            "ResourceNotFoundException",
        ),
        (DestinationError::StreamExists, "ConflictException"),
        (DestinationError::Internal, "InternalServerException"),
    ] {
        let mut world = World::new(&[S3]);
        assert_eq!(
            world.report(S3, Report::Rejected(error)),
            [
                "FAILED s3:FAILED".to_owned(),
                format!("Destination Failure s3 {code}"),
                "Session Failure DestinationFailure".to_owned(),
                format!("close s3 Failed({error:?})"),
                "release worker".to_owned(),
            ]
        );
    }
}

#[test]
fn one_destination_that_fails_leaves_the_composition_active_and_the_last_does_not() {
    let mut world = World::active(&[Channel, S3]);
    world.report(S3, Report::Rejected(DestinationError::AccessDenied));
    assert_eq!(world.state(), "ACTIVE channel:ACTIVE s3:FAILED");
    assert_eq!(
        world.report(Channel, Report::Rejected(DestinationError::StreamExists)),
        [
            "FAILED channel:FAILED s3:FAILED",
            "Destination Failure channel ConflictException",
            "Session Failure DestinationFailure",
            "close channel Failed(StreamExists)",
            "release worker",
        ]
    );
}

#[test]
fn one_destination_that_fails_while_starting_leaves_the_other_to_start() {
    let mut world = World::new(&[Channel, S3]);
    world.report(Channel, Report::Rejected(DestinationError::StreamExists));
    assert_eq!(world.state(), "STARTING channel:FAILED s3:STARTING");
    world.report(S3, Report::FirstOutput);
    assert_eq!(world.state(), "ACTIVE channel:FAILED s3:ACTIVE");
}

#[test]
fn an_interrupted_upload_is_drained_when_it_recovers_in_time() {
    let mut world = World::active(&[S3]);
    world.report(S3, Report::Interrupted);
    world.happen(Input::Stop);
    world.pass(s(59));
    assert_eq!(world.report(S3, Report::Recovered), [""; 0]);
    world.report(S3, Report::Ended);
    assert_eq!(world.state(), "STOPPED s3:STOPPED");
}
