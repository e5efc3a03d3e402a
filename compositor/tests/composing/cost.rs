//! What a composition costs. Figures, not facts: run by hand with `--ignored --nocapture`.

use compositor_core::access_unit::Codec;
use compositor_core::roster::RosterChange;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::support::journal::{MS, START, Script, encoder, job, publisher};
use crate::support::media::{code_pictures, code_sound, tone};
use crate::support::output::composed;

const SECONDS: u64 = 10;

/// A moving gradient under noise, as a camera sees it in poor light.
fn camera(i: u64, (width, height): (u32, u32)) -> Vec<u8> {
    let mut random = i as u32 | 1;
    let mut noise = move || {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        (random & 15) as u8
    };
    let luma = (0..width * height).map(|p| {
        let (x, y) = (u64::from(p % width), u64::from(p / width));
        ((x / 6 + y / 5 + i * 2) % 180) as u8 + 30
    });
    let mut picture: Vec<u8> = luma.collect();
    for value in &mut picture {
        *value += noise();
    }
    picture.resize((width * height * 3 / 2) as usize, 120);
    picture
}

fn cpu_ms() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("it is always known");
    usage.user_time().num_milliseconds() + usage.system_time().num_milliseconds()
}

#[test]
#[ignore = "a measurement"]
fn cpu_per_composed_second() {
    for (codec, count) in [
        (Codec::H264, 1),
        (Codec::H264, 4),
        (Codec::Vp8, 4),
        (Codec::H264, 12),
    ] {
        let frames = 60;
        let pictures = (0..frames).map(|i| camera(i, (1280, 720)));
        let two_seconds = code_pictures(codec, (1280, 720, 30), 60, pictures);
        let bytes: usize = two_seconds.iter().map(|unit| unit.data.len()).sum();
        let voice = code_sound(&tone((SECONDS as usize + 2) * 48_000, 440.0, 0.1, |_| true));
        let mut script = Script::default();
        let all = (0..count).map(|i| publisher(&format!("p{i}"), i, codec, &[(1280, 720)]));
        script.roster(0, RosterChange::Snapshot(all.collect()));
        for i in 0..count {
            let from = START - 300 * MS + u64::from(i) * 3 * MS;
            for round in 0..SECONDS / 2 + 1 {
                script.all((2 * i, codec), from + round * 2000 * MS, &two_seconds);
            }
            script.all((2 * i + 1, Codec::Opus), from, &voice);
        }
        let journal = script.journal(START + (SECONDS * 1000 + 600) * MS);
        let before = cpu_ms();
        let said = composed(job(vec![encoder(1280, 720)]), &journal, SECONDS * 1000);
        let used = cpu_ms() - before;
        assert!(said.ended);
        println!(
            "{count} x 720p30 {codec:?} at {} kb/s: {:.3} CPU s per composed second; {:?}",
            bytes * 8 / 2000,
            used as f64 / 1000.0 / SECONDS as f64,
            said.stats
        );
    }
}
