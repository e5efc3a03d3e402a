//! What a person would say of the golden compositions.

use compositor_core::access_unit::{Codec, MediaKind};
use compositor_core::id::TrackId;
use compositor_core::journal::RecordBody;
use compositor_core::roster::{Publisher, Track};

use super::Scenario;
use super::seen::{BLACK, BLUE, BLUE_HZ, GREEN, GREEN_HZ, RED, RED_HZ, Seen, is_near};

/// Chromium publishes tones with an amplitude of 0.2; the limiter may take some of it.
const LOUD: f64 = 0.1;

/// What codecs and neighbouring tones leave of a tone that is not there.
const QUIET: f64 = 0.01;

/// From the roster's word to the picture: the first keyframe may take this long, in seconds.
const SETTLED: f64 = 1.0;

#[test]
fn who_joins_gets_a_slot_and_who_leaves_gives_it_back() {
    let scenario = Scenario::named("layout");
    let seen = Seen::of(&scenario, "recorded");
    let blue_joined = scenario.when("blue", 0.0, |p| !p.tracks.is_empty());
    let (green_left, red_left) = (scenario.left("green"), scenario.left("red"));

    // Two columns; the third is alone in the second row, centred.
    let three = blue_joined + SETTLED;
    assert!(three < green_left, "there is a time with three");
    seen.check(three, (0.25, 0.25), RED);
    seen.check(three, (0.75, 0.25), GREEN);
    seen.check(three, (0.5, 0.75), BLUE);
    seen.check(three, (0.1, 0.75), BLACK);

    // Two side by side, in the middle of the height.
    let two = green_left + 0.5;
    seen.check(two, (0.25, 0.5), RED);
    seen.check(two, (0.75, 0.5), BLUE);
    seen.check(two, (0.25, 0.1), BLACK);

    let one = red_left + 0.5;
    for place in [(0.1, 0.1), (0.5, 0.5), (0.9, 0.1)] {
        seen.check(one, place, BLUE);
    }
}

#[test]
fn everybody_is_heard_while_there() {
    let scenario = Scenario::named("layout");
    let seen = Seen::of(&scenario, "recorded");
    let blue_joined = scenario.when("blue", 0.0, |p| !p.tracks.is_empty());
    let (green_left, red_left) = (scenario.left("green"), scenario.left("red"));
    let levels = |time| [RED_HZ, GREEN_HZ, BLUE_HZ].map(|hz| seen.tone(time, hz));
    let heard = |time| levels(time).map(|level| level > LOUD);
    assert_eq!(heard(blue_joined + SETTLED), [true, true, true]);
    assert_eq!(heard(green_left + 0.5), [true, false, true]);
    assert_eq!(heard(red_left + 0.5), [false, false, true]);
    let gone = levels(red_left + 0.5);
    assert!(gone[0] < QUIET && gone[1] < QUIET, "{gone:?}");
}

#[test]
fn who_is_left_out_is_neither_seen_nor_heard() {
    let scenario = Scenario::named("layout");
    let seen = Seen::of(&scenario, "without-green");
    let blue_joined = scenario.when("blue", 0.0, |p| !p.tracks.is_empty());
    let two = blue_joined + SETTLED;
    seen.check(two, (0.25, 0.5), RED);
    seen.check(two, (0.75, 0.5), BLUE);
    let tenths = ((seen.end() - two) * 10.0) as u32 - 1;
    for tenth in 0..tenths {
        let time = two + f64::from(tenth) / 10.0;
        assert!(
            seen.tone(time, GREEN_HZ) < QUIET,
            "green is heard at {time}"
        );
        for x in 0..16 {
            let place = (f64::from(x) / 16.0, 0.5);
            assert!(
                !is_near(seen.colour(time, place), GREEN),
                "green is seen at {time}"
            );
        }
    }
}

#[test]
fn another_size_and_layout_show_the_same_stage() {
    let scenario = Scenario::named("layout");
    let seen = Seen::of(&scenario, "pip");
    let blue_joined = scenario.when("blue", 0.0, |p| !p.tracks.is_empty());
    let three = blue_joined + SETTLED;
    // Without an attribute nobody is the picture in the picture: the three are a grid as before, in another size.
    seen.check(three, (0.25, 0.25), RED);
    seen.check(three, (0.5, 0.75), BLUE);
}

#[test]
fn a_muted_microphone_is_silent_and_the_other_goes_on() {
    let scenario = Scenario::named("mute");
    let seen = Seen::of(&scenario, "recorded");
    let audio_stopped = |stopped: bool| {
        move |p: &Publisher| p.tracks.iter().any(|t| is_sound(t) && t.stopped == stopped)
    };
    let muted = scenario.when("red", 0.0, audio_stopped(true));
    let unmuted = scenario.when("red", muted, audio_stopped(false));
    assert!(seen.tone(muted - 2.0, RED_HZ) > LOUD, "heard before");
    let tenths = ((unmuted - muted) * 10.0) as u32 - 3;
    for tenth in 0..tenths {
        let time = muted + f64::from(tenth) / 10.0;
        assert!(seen.tone(time, RED_HZ) < QUIET, "red is heard at {time}");
        assert!(
            seen.tone(time, GREEN_HZ) > LOUD,
            "green is not heard at {time}"
        );
    }
    assert!(seen.tone(unmuted + 0.5, RED_HZ) > LOUD, "heard again");
    seen.check_all((muted, unmuted), (0.25, 0.4), &[RED]);
}

/// The track of the first picture.
fn first_picture(scenario: &Scenario) -> TrackId {
    let track = scenario.records().find_map(|record| match record.body {
        RecordBody::AccessUnit(unit) if unit.codec.kind() == MediaKind::Video => Some(unit.track),
        _ => None,
    });
    track.expect("there are pictures")
}

fn is_sound(track: &Track) -> bool {
    track.codec == Codec::Opus
}

#[test]
fn a_camera_that_is_off_leaves_a_placeholder_and_comes_back() {
    let scenario = Scenario::named("mute");
    let seen = Seen::of(&scenario, "recorded");
    let camera_stopped = |stopped: bool| {
        move |p: &Publisher| {
            p.tracks
                .iter()
                .any(|t| !is_sound(t) && t.stopped == stopped)
        }
    };
    let off = scenario.when("green", 0.0, camera_stopped(true));
    let on = scenario.when("green", off, camera_stopped(false));
    let place = (0.55, 0.3);
    seen.check(off - 2.0, place, GREEN);
    let placeholder = seen.colour(off + 0.2, place);
    assert!(
        !is_near(placeholder, GREEN) && !is_near(placeholder, RED),
        "{placeholder:?}"
    );
    seen.check_all((off + 0.2, on - 0.1), place, &[placeholder]);
    seen.check(on + SETTLED, place, GREEN);
    seen.check_all((off, on), (0.25, 0.4), &[RED]);
    assert!(
        seen.tone((off + on) / 2.0, GREEN_HZ) > LOUD,
        "the sound goes on"
    );
}

#[test]
fn a_smaller_slot_gets_a_smaller_layer_and_nobody_sees_the_switch() {
    let scenario = Scenario::named("layers");
    let seen = Seen::of(&scenario, "recorded");
    let red = first_picture(&scenario);
    let chosen: Vec<_> = scenario
        .records()
        .filter_map(|record| match record.body {
            RecordBody::LayerChoice(choice) if choice.track == red => Some(choice.layer),
            _ => None,
        })
        .collect();
    assert!(chosen.len() >= 3, "{chosen:?}");
    assert_ne!(
        chosen[chosen.len() - 2],
        chosen[chosen.len() - 1],
        "a smaller one and back"
    );

    let green_joined = scenario.when("green", 0.0, |p| !p.tracks.is_empty());
    let green_left = scenario.left("green");
    let begun = green_joined - 1.5;
    // The centre left is within red's slot before, while and after green is there.
    seen.check_all((begun, seen.end() - 0.1), (0.25, 0.5), &[RED]);
    seen.check(green_left - 0.5, (0.75, 0.5), GREEN);
    seen.check(green_left + 0.5, (0.75, 0.5), RED);
}

#[test]
fn lost_packets_freeze_a_picture_but_never_smear_it() {
    let scenario = Scenario::named("loss");
    let seen = Seen::of(&scenario, "recorded");
    let torn = scenario.records().filter(
        |record| matches!(&record.body, RecordBody::AccessUnit(unit) if unit.discontinuity),
    );
    let torn: Vec<f64> = torn.map(|record| record.time.0 as f64 / 1e9).collect();
    assert!(torn.len() >= 4, "the journal tells of loss: {torn:?}");
    let both = scenario.when("green", 0.0, |p| !p.tracks.is_empty()) + SETTLED;
    let end = seen.end() - 0.1;
    seen.check_all((both.max(seen_from(&seen)), end), (0.25, 0.4), &[RED]);
    seen.check_all((both.max(seen_from(&seen)), end), (0.75, 0.4), &[GREEN]);
    // The bars move again in the last second.
    assert!(seen.changes((end - 1.0, end)) > 20);
    assert!(seen.tone(end - 0.5, RED_HZ) > LOUD && seen.tone(end - 0.5, GREEN_HZ) > LOUD);
}

/// The first keyframes may take so long after the composition's start.
fn seen_from(seen: &Seen) -> f64 {
    seen.start() + SETTLED
}
