//! The degradation ladder is journaled: who composes the same journal takes the same steps at the same frames.

use compositor_core::access_unit::Codec;
use compositor_core::id::{CompositionId, TrackId};
use compositor_core::journal::{Degradation, RecordBody};
use compositor_core::roster::RosterChange;

use crate::support::journal::{MS, START, Script, encoder, job, publisher};
use crate::support::media::{code_pictures, code_sound, flat, tone};
use crate::support::output::{Said, Shown, composed, decode_video, headers};

const SIZE: (u32, u32, u32) = (320, 180, 30);
const STOP_MS: u64 = 5000;
const FRAMES: u64 = 150;

/// One participant whose brightness tells the frame.
fn script() -> Script {
    let brightness = |i: u64| (40 + i * 8 % 180) as u8;
    let pictures = (0..220).map(|i| flat(SIZE.0, SIZE.1, [brightness(i), 128, 128]));
    let mut script = Script::default();
    let one = publisher("one", 0, Codec::H264, &[(320, 180)]);
    script.roster(0, RosterChange::Snapshot(vec![one]));
    let from = START - 1500 * MS;
    let pictures = code_pictures(Codec::H264, SIZE, 75, pictures);
    script.all((0, Codec::H264), from, &pictures);
    let sound = code_sound(&tone(7 * 48_000, 440.0, 0.3, |_| true));
    script.all((1, Codec::Opus), from, &sound);
    script
}

fn compose(script: Script) -> Said {
    let journal = script.journal(START + (STOP_MS + 600) * MS);
    let said = composed(job(vec![encoder(640, 360)]), &journal, STOP_MS);
    assert!(said.ended);
    let numbers: Vec<u64> = said.video[0].iter().map(|unit| unit.k).collect();
    assert_eq!(numbers, (0..FRAMES).collect::<Vec<_>>());
    said
}

/// Composes with steps, each from a frame on.
fn run(steps: &[(u64, u8)]) -> Said {
    let mut script = script();
    steps.iter().for_each(|step| script.step(*step));
    compose(script)
}

/// Whether each frame shows something else than the one before.
fn changes(shown: &[Shown]) -> Vec<bool> {
    let light: Vec<u8> = shown
        .iter()
        .map(|frame| frame.colour(320, 180)[0])
        .collect();
    let pairs = light.windows(2).map(|pair| pair[0].abs_diff(pair[1]) > 3);
    std::iter::once(true).chain(pairs).collect()
}

#[test]
fn each_step_begins_at_its_record_and_numbers_go_on() {
    let said = run(&[(20, 4), (60, 5), (100, 0)]);
    let shown = decode_video(&said.video[0]);
    for (k, is_changed) in (0_u64..).zip(changes(&shown)) {
        let every = match k {
            0..20 | 100.. => 1,
            20..60 => 2,
            60..100 => 4,
        };
        assert_eq!(is_changed, k % every == 0, "frame {k}");
    }
    assert_eq!((said.stats.step, said.stats.steps_taken), (0, 3));
    // 20 of 40 and 30 of 40.
    assert_eq!(said.stats.frames_repeated, 50);
    assert_eq!(said.audio.len(), run(&[]).audio.len());
}

#[test]
fn layers_as_tall_as_half_the_slot_are_wished_for_from_the_third_step_on() {
    assert_eq!(run(&[]).wishes, [(TrackId(0), 360)]);
    let wished = run(&[(20, 3), (100, 0)]).wishes;
    assert_eq!(
        wished,
        [(TrackId(0), 360), (TrackId(0), 180), (TrackId(0), 360)]
    );
}

#[test]
fn the_same_steps_give_the_same_bytes_and_those_of_others_change_nothing() {
    let steps = [(7, 1), (33, 2), (63, 4), (90, 5), (120, 3), (140, 0)];
    assert_eq!(run(&steps), run(&steps));
    let other = Degradation {
        composition: CompositionId::new("another"),
        step: 4,
    };
    let mut script = script();
    script.at(START + 700 * MS, RecordBody::Degradation(other));
    let (mut undisturbed, mut disturbed) = (run(&[]), compose(script));
    // It names records, of which there is one more.
    (undisturbed.checkpoint, disturbed.checkpoint) = (None, None);
    assert_eq!(undisturbed, disturbed);
}

#[test]
fn the_cheap_encoder_begins_at_an_idr_picture_and_keeps_sps_and_pps() {
    let (usual, stepped) = (run(&[]), run(&[(20, 2), (70, 0)]));
    let keyframes = |said: &Said| -> Vec<u64> {
        let units = said.video[0].iter().filter(|unit| unit.keyframe);
        units.map(|unit| unit.k).collect()
    };
    assert_eq!(keyframes(&stepped), [0, 60, 120]);
    assert_eq!(keyframes(&usual), keyframes(&stepped));
    let first = headers(&usual.video[0][0]);
    assert_eq!(first.len(), 2);
    for unit in stepped.video[0].iter().filter(|unit| unit.keyframe) {
        assert_eq!(headers(unit), first, "frame {}", unit.k);
    }
    // Slots of the same size are copied on every step: until the encoder changes, nothing does.
    let pairs = usual.video[0].iter().zip(&stepped.video[0]);
    let same: Vec<u64> = pairs.filter(|(a, b)| a == b).map(|(a, _)| a.k).collect();
    assert_eq!(same[..60], (0..60).collect::<Vec<_>>());
    assert!(!same.contains(&60));
}
