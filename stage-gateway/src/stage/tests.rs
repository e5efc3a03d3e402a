//! The stage in virtual time.

use compositor_core::access_unit::Codec;

use super::*;

fn at(ms: u64) -> MonotonicTime {
    MonotonicTime(ms * 1_000_000)
}

fn identity(name: &str) -> Identity {
    Identity {
        participant: ParticipantId::new(name),
        user_id: String::new(),
        attributes: BTreeMap::new(),
    }
}

fn track(id: u32, codec: Codec) -> Track {
    Track {
        id: TrackId(id),
        codec,
        stopped: false,
        layers: Vec::new(),
    }
}

fn drain(stage: &mut Stage) -> Vec<StageOutput> {
    std::iter::from_fn(|| stage.poll_output()).collect()
}

fn counts(outputs: &[StageOutput]) -> Vec<(usize, MonotonicTime)> {
    outputs
        .iter()
        .filter_map(|output| match output {
            StageOutput::PublishersChanged { count, at } => Some((*count, *at)),
            _ => None,
        })
        .collect()
}

fn layer(index: u8, height: u16, active: bool) -> LayerState {
    LayerState {
        layer: Layer(index),
        size: Some((height * 16 / 9, height)),
        active,
    }
}

/// Ann publishes video by peer 1, Bob by peer 2.
fn two() -> Stage {
    let mut stage = Stage::default();
    stage.connect(at(0), &identity("ann"), PeerId(1));
    stage.start_track(&ParticipantId::new("ann"), PeerId(1), track(10, Codec::Vp8));
    stage.connect(at(0), &identity("bob"), PeerId(2));
    drain(&mut stage);
    stage
}

#[test]
fn a_lost_publisher_keeps_its_slot_until_the_grace_window_ends() {
    let mut stage = two();
    let ann = ParticipantId::new("ann");
    let lost = Departure::Lost {
        last_packet: at(900),
    };
    stage.disconnect(at(1_000), &ann, PeerId(1), lost);
    assert_eq!(counts(&drain(&mut stage)), [(1, at(900))]);
    assert!(!stage.publishers()[0].connected);
    assert_eq!(stage.publishers()[0].tracks.len(), 1);
    assert_eq!(stage.poll_timeout(), Some(at(5_900)));
    stage.handle_timeout(MonotonicTime(at(5_900).0 - 1));
    assert_eq!(drain(&mut stage), []);
    stage.handle_timeout(at(5_900));
    assert_eq!(
        drain(&mut stage),
        [StageOutput::Roster(RosterChange::Removed(ann))]
    );
}

#[test]
fn a_publisher_that_returns_keeps_its_arrival_and_its_picture_until_the_new_one() {
    let mut stage = two();
    let ann = ParticipantId::new("ann");
    let lost = Departure::Lost {
        last_packet: at(900),
    };
    stage.disconnect(at(1_000), &ann, PeerId(1), lost);
    stage.connect(at(3_000), &identity("ann"), PeerId(3));
    assert_eq!(counts(&drain(&mut stage)), [(1, at(900)), (2, at(3_000))]);
    assert_eq!(stage.publishers()[0].arrival, 0);
    assert_eq!(stage.publishers()[0].tracks[0].id, TrackId(10));
    stage.start_track(&ann, PeerId(3), track(11, Codec::H264));
    assert_eq!(stage.publishers()[0].tracks.len(), 1);
    assert_eq!(stage.publishers()[0].tracks[0].id, TrackId(11));
    stage.handle_timeout(at(5_000));
    assert_eq!(stage.publishers()[0].tracks.len(), 1);
    assert_eq!(stage.poll_timeout(), None);
}

#[test]
fn old_tracks_without_successor_go_after_a_while() {
    let mut stage = two();
    let ann = ParticipantId::new("ann");
    stage.disconnect(
        at(10),
        &ann,
        PeerId(1),
        Departure::Lost {
            last_packet: at(10),
        },
    );
    stage.connect(at(20), &identity("ann"), PeerId(3));
    stage.handle_timeout(stage.poll_timeout().unwrap());
    assert_eq!(stage.publishers()[0].tracks, []);
}

#[test]
fn arrival_survives_a_long_absence() {
    let mut stage = two();
    let ann = ParticipantId::new("ann");
    stage.disconnect(at(10), &ann, PeerId(1), Departure::Ended);
    assert_eq!(stage.publishers().len(), 1);
    stage.connect(at(90_000), &identity("ann"), PeerId(3));
    assert_eq!(stage.publishers()[0].participant, ann);
    assert_eq!(stage.publishers()[1].arrival, 1);
}

#[test]
fn a_newer_connection_replaces_the_older_without_anybody_leaving() {
    let mut stage = two();
    let ann = ParticipantId::new("ann");
    stage.connect(at(50), &identity("ann"), PeerId(3));
    let outputs = drain(&mut stage);
    assert_eq!(outputs[0], StageOutput::Replaced(PeerId(1)));
    assert_eq!(counts(&outputs), []);
    stage.disconnect(
        at(60),
        &ann,
        PeerId(1),
        Departure::Lost {
            last_packet: at(60),
        },
    );
    assert_eq!(drain(&mut stage), []);
    assert!(stage.publishers()[0].connected);
}

#[test]
fn a_vanished_peer_found_late_goes_at_once() {
    let mut stage = two();
    let ann = ParticipantId::new("ann");
    let lost = Departure::Lost {
        last_packet: at(1_000),
    };
    stage.disconnect(at(9_000), &ann, PeerId(1), lost);
    assert_eq!(stage.publishers().len(), 1);
    assert_eq!(counts(&drain(&mut stage)), [(1, at(1_000))]);
}

#[test]
fn a_wish_is_answered_by_the_smallest_tall_enough_layer_as_layers_come_and_go() {
    let mut stage = two();
    let composition = CompositionId::new("c");
    stage.wish(&composition, TrackId(10), 300);
    assert_eq!(drain(&mut stage), []);
    stage.set_layers(TrackId(10), vec![layer(0, 180, true), layer(1, 360, true)]);
    let choice = |layer| LayerChoice {
        composition: composition.clone(),
        track: TrackId(10),
        layer,
    };
    let outputs = drain(&mut stage);
    assert!(outputs.contains(&StageOutput::LayerChoice(choice(Layer(1)))));
    assert!(outputs.contains(&StageOutput::RequestKeyframe(TrackId(10), Layer(1))));
    stage.set_layers(TrackId(10), vec![layer(0, 180, true), layer(1, 360, false)]);
    assert_eq!(
        drain(&mut stage)[0],
        StageOutput::LayerChoice(choice(Layer(0)))
    );
    stage.wish(&composition, TrackId(10), 100);
    assert_eq!(drain(&mut stage), []);
    assert_eq!(stage.choices(&composition), [choice(Layer(0))]);
    stage.forget_composition(&composition);
    assert_eq!(stage.choices(&composition), []);
}

#[test]
fn stopped_and_resumed_tracks_are_told_once() {
    let mut stage = two();
    stage.set_stopped(TrackId(10), true);
    stage.set_stopped(TrackId(10), true);
    assert_eq!(drain(&mut stage).len(), 1);
    assert!(stage.publishers()[0].tracks[0].stopped);
    stage.set_stopped(TrackId(10), false);
    assert_eq!(drain(&mut stage).len(), 1);
}
