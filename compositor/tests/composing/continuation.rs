//! A worker may die at any instant: its successor continues with the very next frame.

use compositor::composer::Composer;
use compositor_core::access_unit::Codec;
use compositor_core::journal::{Record, RecordBody};
use compositor_core::roster::RosterChange;
use compositor_core::time::MediaTime;
use compositor_core::worker_protocol::{FromWorker, Job, Resume, VideoUnit};

use crate::support::journal::{MS, START, Script, encoder, job, publisher};
use crate::support::media::{code_pictures, code_sound, flat, tone};
use crate::support::output::{Said, composed, decode_audio, decode_video, headers};

const SIZE: (u32, u32, u32) = (320, 180, 30);
const STOP_MS: u64 = 5000;

/// Two participants whose brightness tells the frame, with a tone each; one leaves and returns meanwhile.
fn script() -> Vec<Record> {
    degraded(&[])
}

/// The same, with steps on the degradation ladder, each from a frame on.
fn degraded(steps: &[(u64, u8)]) -> Vec<Record> {
    let pictures = |codec, step: u64| {
        let brightness = move |i: u64| (30 + i * step % 190) as u8;
        let pictures = (0..220).map(move |i| flat(SIZE.0, SIZE.1, [brightness(i), 128, 128]));
        code_pictures(codec, SIZE, 75, pictures)
    };
    let mut script = Script::default();
    let one = publisher("one", 0, Codec::H264, &[(320, 180)]);
    let two = publisher("two", 1, Codec::Vp8, &[(320, 180), (320, 180)]);
    script.roster(0, RosterChange::Snapshot(vec![one, two.clone()]));
    let mut away = two.clone();
    away.connected = false;
    script.roster(START + 2000 * MS, RosterChange::Updated(away));
    script.roster(START + 2500 * MS, RosterChange::Updated(two));
    let from = START - 1500 * MS;
    script.all((0, Codec::H264), from, &pictures(Codec::H264, 7));
    script.units(
        (2, 0, Codec::Vp8),
        from,
        &pictures(Codec::Vp8, 3),
        |_, unit| Some(unit),
    );
    let voice = |hertz| code_sound(&tone(7 * 48_000, hertz, 0.3, |_| true));
    script.all((1, Codec::Opus), from, &voice(440.0));
    script.all((3, Codec::Opus), from + 7 * MS, &voice(660.0));
    steps.iter().for_each(|step| script.step(*step));
    script.journal(START + (STOP_MS + 600) * MS)
}

/// Composes until `count` messages were said, then dies.
fn until_death(job: Job, journal: &[Record], count: usize) -> Said {
    let mut composer = Composer::new(job).expect("codecs are installed");
    let mut out = Vec::new();
    let stop = MediaTime(START + STOP_MS * MS);
    composer.stop(stop, &mut out).expect("it stops");
    for record in journal {
        composer
            .record(record.clone(), &mut out)
            .expect("it composes");
        if out.len() >= count {
            break;
        }
    }
    out.truncate(count);
    let mut said = Said::default();
    said.take(out);
    said
}

fn successor(job: &Job, said: &Said, journal: &[Record]) -> Job {
    let resume = Resume {
        checkpoint: said.checkpoint.clone(),
        next_k: vec![said.video.first().map_or(0, |units| units.len() as u64)],
        next_n: said.audio.len() as u64,
        ..Resume::fresh(1)
    };
    assert!(journal.len() > 100);
    Job {
        resume: Some(resume),
        ..job.clone()
    }
}

fn read_from(said: &Said) -> usize {
    said.checkpoint
        .as_ref()
        .map_or(0, |checkpoint| checkpoint.read_from.0 as usize)
}

fn brightness(units: &[VideoUnit]) -> Vec<[u8; 2]> {
    let of = |frame: &crate::support::output::Shown| {
        [frame.colour(320, 90)[0], frame.colour(320, 270)[0]]
    };
    decode_video(units).iter().map(of).collect()
}

#[test]
fn the_same_journal_gives_the_same_bytes() {
    let journal = script();
    let once = composed(job(vec![encoder(640, 360)]), &journal, STOP_MS);
    let twice = composed(job(vec![encoder(640, 360)]), &journal, STOP_MS);
    assert!(once.ended);
    assert_eq!(once.video, twice.video);
    assert_eq!(once.audio, twice.audio);
    assert!(once.checkpoint == twice.checkpoint);
}

#[test]
fn a_successor_continues_with_the_next_frame_wherever_the_worker_died() {
    let journal = script();
    let job = job(vec![encoder(640, 360)]);
    let whole = composed(job.clone(), &journal, STOP_MS);
    let expected_light = brightness(&whole.video[0]);
    let expected_sound = decode_audio(&whole.audio);
    assert_eq!(expected_light.len(), 150);
    let mut worst = 0.0_f32;
    for deaths in [
        vec![3],
        vec![40],
        vec![111, 150],
        vec![205, 60, 33],
        vec![301],
        vec![380],
    ] {
        let mut job = job.clone();
        let mut all = Said::default();
        let mut from = 0;
        for count in deaths.into_iter().chain([usize::MAX]) {
            let life = until_death(job.clone(), &journal[from..], count);
            let mut messages: Vec<FromWorker> = Vec::new();
            messages.extend(life.video.concat().into_iter().map(FromWorker::Video));
            messages.extend(life.audio.iter().map(|(n, data)| FromWorker::Audio {
                n: *n,
                data: data.clone(),
            }));
            messages.extend(life.checkpoint.clone().map(FromWorker::Checkpoint));
            let first = life.video.first().and_then(|units| units.first());
            assert!(first.is_none_or(|unit| unit.keyframe));
            all.take(messages);
            job = successor(&job, &all, &journal);
            from = read_from(&all);
            all.ended |= life.ended;
        }
        assert!(all.ended);
        let numbers: Vec<u64> = all.video[0].iter().map(|unit| unit.k).collect();
        assert_eq!(numbers, (0..150).collect::<Vec<_>>());
        let numbers: Vec<u64> = all.audio.iter().map(|(n, _)| *n).collect();
        assert_eq!(numbers, (0..whole.audio.len() as u64).collect::<Vec<_>>());
        let first = headers(&all.video[0][0]);
        assert_eq!(first.len(), 2);
        for unit in all.video[0].iter().filter(|unit| unit.keyframe) {
            assert_eq!(headers(unit), first, "frame {}", unit.k);
        }
        for (k, (found, expected)) in brightness(&all.video[0])
            .into_iter()
            .zip(&expected_light)
            .enumerate()
        {
            assert!(
                found[0].abs_diff(expected[0]) < 6 && found[1].abs_diff(expected[1]) < 6,
                "frame {k}: {found:?}, expected {expected:?}"
            );
        }
        let sound = decode_audio(&all.audio);
        let pairs = sound.iter().zip(&expected_sound);
        let off = pairs.map(|(a, b)| (a[0] - b[0]).abs()).fold(0.0, f32::max);
        worst = worst.max(off);
    }
    println!("largest difference of the sound: {worst}");
    assert!(worst < 0.05, "{worst}");
}

#[test]
fn a_successor_stays_on_the_step_of_its_predecessor() {
    let steps = [(40, 4), (110, 0)];
    let journal = degraded(&steps);
    let job = job(vec![encoder(640, 360)]);
    let whole = composed(job.clone(), &journal, STOP_MS);
    let expected = brightness(&whole.video[0]);
    for count in [150, 190, 231] {
        let mut all = until_death(job.clone(), &journal, count);
        let heir = successor(&job, &all, &journal);
        let first = heir.resume.as_ref().map_or(0, |resume| resume.next_k[0]);
        assert!((40..110).contains(&first), "{first}");
        let life = until_death(heir, &journal[read_from(&all)..], usize::MAX);
        assert!(life.ended && life.stats.step == 0);
        all.video[0].extend(life.video[0].iter().cloned());
        assert_eq!(all.video[0].len(), 150);
        // It has nothing to repeat before the first frame that it draws.
        let same = first.next_multiple_of(4) as usize;
        for (k, (found, expected)) in brightness(&all.video[0])
            .into_iter()
            .zip(&expected)
            .enumerate()
        {
            let is_same = found[0].abs_diff(expected[0]) < 6 && found[1].abs_diff(expected[1]) < 6;
            assert!(
                is_same || (first as usize..same).contains(&k),
                "frame {k}: {found:?}, expected {expected:?}"
            );
        }
    }
}

#[test]
fn a_checkpoint_lets_go_of_what_is_not_needed() {
    let journal = script();
    let whole = composed(job(vec![encoder(640, 360)]), &journal, STOP_MS);
    let checkpoint = whole.checkpoint.expect("one each second");
    let read_from = &journal[checkpoint.read_from.0 as usize];
    // Keyframes come every 2.5 s.
    let back = journal[checkpoint.state_at.0 as usize]
        .time
        .since(read_from.time);
    assert!(back.as_millis() < 3000, "{back:?}");
    assert!(matches!(read_from.body, RecordBody::AccessUnit(_)));
}
