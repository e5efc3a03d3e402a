//! What is composed of a journal: pictures in their slots, sound in time, frames on the grid.

use compositor_core::access_unit::Codec;
use compositor_core::id::TrackId;
use compositor_core::roster::RosterChange;

use crate::support::journal::{MS, START, Script, encoder, job, publisher};
use crate::support::media::{BLACK, GREEN, RED, WHITE, code_pictures, code_sound, flat, tone};
use crate::support::output::{composed, decode_audio, decode_video, onset};

const SMALL: (u32, u32, u32) = (320, 180, 30);

fn flat_pictures(
    codec: Codec,
    colour: [u8; 3],
    frames: usize,
) -> Vec<crate::support::media::Coded> {
    let pictures = std::iter::repeat_n(flat(SMALL.0, SMALL.1, colour), frames);
    code_pictures(codec, SMALL, 30, pictures)
}

#[test]
fn two_participants_fill_their_slots_on_an_exact_grid() {
    let mut script = Script::default();
    let red = publisher("red", 0, Codec::H264, &[(320, 180)]);
    let green = publisher("green", 1, Codec::Vp8, &[(320, 180)]);
    script.roster(START - 500 * MS, RosterChange::Snapshot(vec![red, green]));
    script.all(
        (0, Codec::H264),
        START - 400 * MS,
        &flat_pictures(Codec::H264, RED, 90),
    );
    script.all(
        (2, Codec::Vp8),
        START - 390 * MS,
        &flat_pictures(Codec::Vp8, GREEN, 90),
    );
    let journal = script.journal(START + 2_600 * MS);
    let said = composed(job(vec![encoder(640, 360)]), &journal, 2000);
    assert!(said.ended);

    let units = &said.video[0];
    assert_eq!(
        units.iter().map(|u| u.k).collect::<Vec<_>>(),
        (0..60).collect::<Vec<_>>()
    );
    assert!(units.iter().all(|u| u.keyframe == (u.k % 60 == 0)));
    let numbers: Vec<u64> = said.audio.iter().map(|(n, _)| *n).collect();
    // Every frame that starts before 2 s: 93.75 frames.
    assert_eq!(numbers, (0..94).collect::<Vec<_>>());

    let shown = decode_video(units);
    assert_eq!(shown.len(), 60);
    for frame in &shown {
        assert_eq!((frame.width, frame.height), (640, 360));
        // Of two equally large arrangements, the one with fewer columns.
        frame.assert_colour(320, 90, RED);
        frame.assert_colour(320, 270, GREEN);
        frame.assert_colour(80, 180, BLACK);
    }
    assert_eq!(said.wishes, [(TrackId(0), 180), (TrackId(2), 180)]);
    assert_eq!(said.stats.units_late, 0);
    assert_eq!(said.stats.units_damaged, 0);
    let decoded = said.stats.units_decoded;
    assert_eq!(said.stats.pixels_decoded, decoded * 320 * 180);
    let participants = said.stats.participants.iter();
    let names: Vec<&str> = participants.map(|p| p.participant.as_str()).collect();
    assert_eq!(names, ["red", "green"]);
}

#[test]
fn flash_and_beep_stay_together() {
    // Each second: white and a tone for 100 ms.
    let pictures = (0..150).map(|i| {
        let colour = if i % 30 < 3 { WHITE } else { BLACK };
        flat(SMALL.0, SMALL.1, colour)
    });
    let pictures = code_pictures(Codec::H264, SMALL, 30, pictures);
    let sound = code_sound(&tone(5 * 48_000, 1000.0, 0.5, |i| i % 48_000 < 4_800));
    let mut script = Script::default();
    script.roster(
        0,
        RosterChange::Snapshot(vec![publisher("p", 0, Codec::H264, &[])]),
    );
    // The first flash is 1/3 s after the start of the composition.
    let from = START - 666_666_667;
    script.all((0, Codec::H264), from, &pictures);
    script.all((1, Codec::Opus), from, &sound);
    let journal = script.journal(START + 4_600 * MS);
    let said = composed(job(vec![encoder(320, 180)]), &journal, 4000);
    let shown = decode_video(&said.video[0]);
    let heard = decode_audio(&said.audio);
    assert_eq!(heard.len(), said.audio.len() * 1024);
    let mut worst = 0.0_f64;
    for second in 0..4 {
        let flash = shown
            .iter()
            .position(|f| f.pts >= second * 1_000_000_000 && f.colour(160, 90)[0] > 128)
            .expect("a flash each second");
        let flash_ms = flash as f64 * 1000.0 / 30.0;
        let beep = onset(&heard, second as usize * 48_000, 0.1).expect("a beep each second");
        let beep_ms = beep as f64 / 48.0;
        println!("flash {flash_ms:.2} ms, beep {beep_ms:.2} ms");
        assert!((flash_ms - (second as f64 * 1000.0 + 333.333)).abs() < 0.01);
        worst = worst.max((flash_ms - beep_ms).abs());
    }
    println!("worst skew {worst:.2} ms");
    assert!(worst < 10.0, "{worst} ms");
    let said_us = said.stats.participants[0].skew_us.expect("both are there");
    assert!(said_us.abs() < 10_000, "{said_us} us");
}
