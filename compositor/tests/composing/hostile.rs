//! Media and messages that somebody changed on purpose. A composition may lose what they say, and nothing else.

use compositor::wire;
use compositor_core::access_unit::Codec;
use compositor_core::roster::RosterChange;
use compositor_core::worker_protocol::{FromWorker, ToWorker};
use fuzz::{Mutator, fuzz};
use nix::sys::resource::{UsageWho, getrusage};

use crate::support::journal::{MS, START, Script, encoder, job, publisher};
use crate::support::media::{BLUE, Coded, RED, code_pictures, code_sound, flat, tone};
use crate::support::output::{Said, composed, decode_video};

const SIZE: (u32, u32) = (320, 180);
const FROM: u64 = START - 300 * MS;
const COMPOSED_MS: u64 = 2000;
/// Decoders of changed pictures may ask for some; sizes of pictures are limited elsewhere.
const MEMORY_GROWTH_MAX_KB: i64 = 700 * 1024;
/// So many compositions of each codec in `make test`.
const ROUNDS: u64 = 6;

fn rounds() -> u64 {
    let more = std::env::var("FUZZ_ROUNDS").ok();
    ROUNDS * more.map_or(1, |more| more.parse().expect("a number"))
}

fn seed() -> u64 {
    let given = std::env::var("FUZZ_SEED").ok();
    given.map_or(0x5EED, |seed| seed.parse().expect("a number"))
}

fn pictures(codec: Codec) -> Vec<Coded> {
    let colours = (0..80).map(|n| flat(SIZE.0, SIZE.1, if n % 2 == 0 { RED } else { BLUE }));
    code_pictures(codec, (SIZE.0, SIZE.1, 30), 15, colours)
}

fn sound() -> Vec<Coded> {
    code_sound(&tone(3 * 48_000, 440.0, 0.3, |_| true))
}

/// One participant whose units of one kind are changed, beside one who is as he should be.
fn compose(codec: Codec, changed: &[Coded], whole: &(Vec<Coded>, Vec<Coded>)) -> Said {
    let mut script = Script::default();
    let is_sound = codec == Codec::Opus;
    let video = if is_sound { Codec::Vp8 } else { codec };
    let publishers = vec![
        publisher("changed", 0, video, &[]),
        publisher("whole", 1, Codec::Vp8, &[]),
    ];
    script.roster(0, RosterChange::Snapshot(publishers));
    let track = u32::from(is_sound);
    script.all((track, codec), FROM, changed);
    script.all((2, Codec::Vp8), FROM, &whole.0);
    script.all((3, Codec::Opus), FROM, &whole.1);
    let journal = script.journal(START + (COMPOSED_MS + 600) * MS);
    composed(job(vec![encoder(320, 180)]), &journal, COMPOSED_MS)
}

/// In their numbers nobody sees that anything was changed.
fn assert_whole(said: &Said, what: &str) {
    let numbers: Vec<u64> = said.video[0].iter().map(|unit| unit.k).collect();
    let frames: Vec<u64> = (0..COMPOSED_MS * 30 / 1000).collect();
    assert_eq!(numbers, frames, "{what}");
    let numbers: Vec<u64> = said.audio.iter().map(|(n, _)| *n).collect();
    let frames: Vec<u64> = (0..(COMPOSED_MS * 48).div_ceil(1024)).collect();
    assert!(
        frames.len() - numbers.len() <= 1 && frames.starts_with(&numbers),
        "{what}"
    );
    assert!(said.ended, "{what}");
}

fn memory_kb() -> i64 {
    getrusage(UsageWho::RUSAGE_SELF)
        .expect("it is told")
        .max_rss()
}

fn changed_units_lose_frames_and_never_the_composition(codec: Codec) {
    let units = if codec == Codec::Opus {
        sound()
    } else {
        pictures(codec)
    };
    let whole = (pictures(Codec::Vp8), sound());
    let others: Vec<Vec<u8>> = units.iter().map(|unit| unit.data.to_vec()).collect();
    assert_whole(&compose(codec, &units, &whole), "nothing changed");
    let before = memory_kb();
    for round in 0..rounds() {
        let seed = seed().wrapping_add(round);
        let mut mutator = Mutator::new(seed);
        let changed: Vec<Coded> = units
            .iter()
            .map(|unit| {
                let mut data = unit.data.to_vec();
                // Some stay whole, so that decoders come far.
                for _ in 0..mutator.below(4) {
                    mutator.change(&mut data, &others);
                }
                Coded {
                    data: data.into(),
                    ..unit.clone()
                }
            })
            .collect();
        let said = compose(codec, &changed, &whole);
        assert_whole(&said, &format!("{codec:?}, seed {seed}"));
    }
    let grown = memory_kb() - before;
    assert!(grown < MEMORY_GROWTH_MAX_KB, "{codec:?}: {grown} KB more");
}

#[test]
fn changed_h264_loses_frames_and_never_the_composition() {
    changed_units_lose_frames_and_never_the_composition(Codec::H264);
}

#[test]
fn changed_vp8_loses_frames_and_never_the_composition() {
    changed_units_lose_frames_and_never_the_composition(Codec::Vp8);
}

#[test]
fn changed_vp9_loses_frames_and_never_the_composition() {
    changed_units_lose_frames_and_never_the_composition(Codec::Vp9);
}

#[test]
fn changed_opus_loses_sound_and_never_the_composition() {
    changed_units_lose_frames_and_never_the_composition(Codec::Opus);
}

/// Sizes that a keyframe may claim and nobody has memory for.
#[test]
fn pictures_that_claim_to_be_huge_cost_no_memory() {
    let red = std::iter::repeat_n(flat(SIZE.0, SIZE.1, RED), 80);
    let red = code_pictures(Codec::Vp8, (SIZE.0, SIZE.1, 30), 15, red);
    let whole = (red, sound());
    let huge: Vec<Coded> = pictures(Codec::Vp8)
        .into_iter()
        .map(|unit| {
            let mut data = unit.data.to_vec();
            if unit.keyframe {
                // Width and height of 14 bits each (RFC 6386 section 9.1).
                data[6..10].copy_from_slice(&[0xFF, 0x3F, 0xFF, 0x3F]);
            }
            Coded {
                data: data.into(),
                ..unit
            }
        })
        .collect();
    let before = memory_kb();
    let said = compose(Codec::Vp8, &huge, &whole);
    assert_whole(&said, "huge");
    let grown = memory_kb() - before;
    assert!(grown < MEMORY_GROWTH_MAX_KB, "{grown} KB more");
    for frame in &decode_video(&said.video[0])[15..] {
        // In the lower one of two tiles.
        frame.assert_colour(160, 135, RED);
    }
}

/// What a worker that was taken over may say to the server.
fn messages(input: &[u8]) {
    let mut rest = input;
    while let Ok(Some(message)) = wire::read_blocking::<FromWorker>(&mut rest) {
        let mut again = Vec::new();
        wire::write_blocking(&mut again, &message).expect("what was read can be written");
        assert_eq!(
            wire::read_blocking(&mut again.as_slice()).expect("a message"),
            Some(message)
        );
    }
    let mut rest = input;
    while let Ok(Some(_)) = wire::read_blocking::<ToWorker>(&mut rest) {}
}

#[test]
fn messages_of_a_worker_are_read_or_refused() {
    fuzz("corpus/wire", 20_000, messages);
}
