//! People come and go, mute, change size and lose packets: the output neither stalls nor tears.

use bytes::Bytes;
use compositor_core::access_unit::Codec;
use compositor_core::id::{Layer, ParticipantId, TrackId};
use compositor_core::layout::{
    LayoutSpec, PipBehavior, PipPosition, PipSpec, VideoAspectRatio, VideoFillMode,
};
use compositor_core::roster::RosterChange;
use compositor_core::time::{FrameRate, MediaTime};

use crate::support::journal::{MS, START, Script, encoder, grid, job, publisher};
use crate::support::media::{
    BLACK, BLUE, Coded, Colour, GREEN, RED, YELLOW, code_pictures, code_sound, flat, tone,
};
use crate::support::output::{Said, composed, decode_audio, decode_video, envelope, is_near};

const FROM: u64 = START - 300 * MS;

fn pictures(codec: Codec, size: (u32, u32), frames: usize, colour: Colour) -> Vec<Coded> {
    let pictures = std::iter::repeat_n(flat(size.0, size.1, colour), frames);
    code_pictures(codec, (size.0, size.1, 30), 30, pictures)
}

/// Composes 640 x 360 for `ms` milliseconds and checks the grid.
fn run(script: Script, ms: u64) -> Said {
    let journal = script.journal(START + (ms + 600) * MS);
    let said = composed(job(vec![encoder(640, 360)]), &journal, ms);
    check_grid(&said, ms);
    said
}

#[track_caller]
fn check_grid(said: &Said, ms: u64) {
    assert!(said.ended);
    let numbers: Vec<u64> = said.video[0].iter().map(|unit| unit.k).collect();
    assert_eq!(numbers, (0..(ms * 30).div_ceil(1000)).collect::<Vec<_>>());
    let numbers: Vec<u64> = said.audio.iter().map(|(n, _)| *n).collect();
    assert_eq!(numbers, (0..(ms * 48).div_ceil(1024)).collect::<Vec<_>>());
}

/// Colours at one place, frame by frame, as runs of equal colours: (name, frames).
fn runs(
    said: &Said,
    (x, y): (usize, usize),
    names: &[(&'static str, Colour)],
) -> Vec<(&'static str, usize)> {
    let mut runs: Vec<(&'static str, usize)> = Vec::new();
    for frame in decode_video(&said.video[0]) {
        let colour = frame.colour(x, y);
        let name = names
            .iter()
            .find(|(_, known)| is_near(colour, *known))
            .map_or("other", |(name, _)| name);
        match runs.last_mut() {
            Some((last, count)) if *last == name => *count += 1,
            _ => runs.push((name, 1)),
        }
    }
    runs
}

const NAMES: [(&str, Colour); 5] = [
    ("red", RED),
    ("green", GREEN),
    ("blue", BLUE),
    ("yellow", YELLOW),
    ("black", BLACK),
];

#[test]
fn an_empty_stage_is_black_and_silent() {
    let mut script = Script::default();
    script.roster(0, RosterChange::Snapshot(vec![]));
    let said = run(script, 1000);
    assert_eq!(runs(&said, (320, 180), &NAMES), [("black", 30)]);
    assert!(decode_audio(&said.audio).iter().all(|s| s[0].abs() < 1e-4));
}

#[test]
fn who_joins_is_seen_from_that_frame_and_who_leaves_no_more() {
    let mut script = Script::default();
    let red = publisher("red", 0, Codec::H264, &[]);
    let green = publisher("green", 1, Codec::Vp8, &[]);
    script.roster(0, RosterChange::Snapshot(vec![red]));
    script.all(
        (0, Codec::H264),
        FROM,
        &pictures(Codec::H264, (320, 180), 90, RED),
    );
    // Frame 20 is the first not before 660 ms.
    script.roster(START + 660 * MS, RosterChange::Updated(green));
    script.all(
        (2, Codec::Vp8),
        START + 655 * MS,
        &pictures(Codec::Vp8, (320, 180), 60, GREEN),
    );
    let gone = RosterChange::Removed(ParticipantId::new("red"));
    script.roster(START + 1330 * MS, gone);
    let said = run(script, 2000);
    assert_eq!(
        runs(&said, (320, 270), &NAMES),
        [("red", 20), ("green", 40)]
    );
    assert_eq!(runs(&said, (320, 90), &NAMES), [("red", 40), ("green", 20)]);
}

#[test]
fn a_camera_that_is_off_shows_a_placeholder_or_leaves_the_picture() {
    for omit in [false, true] {
        let mut script = Script::default();
        let mut red = publisher("red", 0, Codec::H264, &[]);
        script.roster(0, RosterChange::Snapshot(vec![red.clone()]));
        let units = pictures(Codec::H264, (320, 180), 90, RED);
        let off = START + 500 * MS;
        let keep = |_, unit: compositor_core::access_unit::AccessUnit| {
            let away = unit.pts.0 >= off && unit.pts.0 < off + 500 * MS;
            (!away).then_some(unit)
        };
        script.units((0, 0, Codec::H264), FROM, &units, keep);
        red.tracks[0].stopped = true;
        script.roster(off, RosterChange::Updated(red.clone()));
        red.tracks[0].stopped = false;
        script.roster(off + 500 * MS, RosterChange::Updated(red));
        let mut job = job(vec![encoder(640, 360)]);
        let mut spec = grid();
        spec.omit_stopped_video = omit;
        job.layout = LayoutSpec::Grid(spec);
        let said = composed(job, &script.journal(START + 2_600 * MS), 2000);
        check_grid(&said, 2000);
        // Beside the initial letter.
        let runs = runs(&said, (60, 180), &NAMES);
        let off_as = if omit { "black" } else { "other" };
        assert_eq!(runs[..2], [("red", 15), (off_as, 15)]);
        // Stray units after the camera is on again continue where the decoder stood.
        assert_eq!(runs[2..], [("red", 30)]);
    }
}

#[test]
fn who_is_away_for_a_moment_is_shown_as_last_seen_and_heard_no_more() {
    let mut script = Script::default();
    let mut red = publisher("red", 0, Codec::H264, &[]);
    script.roster(0, RosterChange::Snapshot(vec![red.clone()]));
    let gone_at = START + 500 * MS;
    let back_at = START + 1500 * MS;
    let keep = |_, unit: compositor_core::access_unit::AccessUnit| {
        (unit.pts.0 < gone_at || unit.pts.0 >= back_at).then_some(unit)
    };
    script.units(
        (0, 0, Codec::H264),
        FROM,
        &pictures(Codec::H264, (320, 180), 90, RED),
        keep,
    );
    let sound = code_sound(&tone(3 * 48_000, 440.0, 0.5, |_| true));
    script.units((1, 0, Codec::Opus), FROM, &sound, keep);
    red.connected = false;
    script.roster(gone_at, RosterChange::Updated(red.clone()));
    red.connected = true;
    script.roster(back_at, RosterChange::Updated(red));
    let said = run(script, 2000);
    assert_eq!(runs(&said, (320, 180), &NAMES), [("red", 60)]);
    let loud = envelope(&decode_audio(&said.audio));
    assert!(loud[50..480].iter().all(|v| *v > 0.2));
    assert!(loud[540..1460].iter().all(|v| *v < 0.001));
    assert!(loud[1560..1950].iter().all(|v| *v > 0.2));
}

#[test]
fn layers_are_switched_at_a_keyframe_without_a_gap() {
    let mut script = Script::default();
    let layers = [(160, 90), (640, 360)];
    script.roster(
        0,
        RosterChange::Snapshot(vec![publisher("p", 0, Codec::Vp8, &layers)]),
    );
    let keep_all = |_, unit| Some(unit);
    script.units(
        (0, 1, Codec::Vp8),
        FROM,
        &pictures(Codec::Vp8, (640, 360), 90, BLUE),
        keep_all,
    );
    script.units(
        (0, 0, Codec::Vp8),
        FROM,
        &pictures(Codec::Vp8, (160, 90), 90, YELLOW),
        keep_all,
    );
    // Keyframes are at 700 and 1700 ms of the composition.
    script.choose(START + 400 * MS, 0, 1);
    script.choose(START + 1100 * MS, 0, 0);
    let said = run(script, 2000);
    assert_eq!(
        runs(&said, (320, 180), &NAMES),
        [("yellow", 21), ("blue", 30), ("yellow", 9)]
    );
    let asked = &said.keyframe_requests;
    assert!(asked.contains(&(TrackId(0), Layer(1))), "{asked:?}");
    assert_eq!(said.stats.units_damaged, 0);
    assert_eq!(said.stats.units_decoded, 69);
}

#[test]
fn a_picture_may_change_its_size_and_shape() {
    for codec in [Codec::H264, Codec::Vp8, Codec::Vp9] {
        let mut script = Script::default();
        script.roster(
            0,
            RosterChange::Snapshot(vec![publisher("p", 0, codec, &[])]),
        );
        let wide = pictures(codec, (320, 180), 39, RED);
        let tall = pictures(codec, (184, 320), 51, GREEN);
        script.all((0, codec), FROM, &wide);
        script.all((0, codec), FROM + 1300 * MS, &tall);
        let said = run(script, 2000);
        assert_eq!(
            runs(&said, (320, 180), &NAMES),
            [("red", 30), ("green", 30)],
            "{codec:?}"
        );
        assert_eq!(said.stats.units_damaged, 0, "{codec:?}");
    }
}

#[test]
fn damage_keeps_the_last_picture_and_asks_for_a_keyframe() {
    for codec in [Codec::H264, Codec::Vp8, Codec::Vp9] {
        let mut script = Script::default();
        script.roster(
            0,
            RosterChange::Snapshot(vec![publisher("p", 0, codec, &[])]),
        );
        let units = pictures(codec, (320, 180), 90, RED);
        let keep = |index, mut unit: compositor_core::access_unit::AccessUnit| {
            match index {
                // Garbage in place of a picture.
                20 => unit.data = Bytes::from(vec![0x5a; 300]),
                // A keyframe that is cut off.
                30 => unit.data = unit.data.slice(..unit.data.len() / 2),
                // Lost for good.
                70 => unit.discontinuity = true,
                _ => {}
            }
            Some(unit)
        };
        script.units((0, 0, codec), FROM, &units, keep);
        let said = run(script, 2000);
        let runs = runs(&said, (320, 180), &NAMES);
        assert_eq!(runs, [("red", 60)], "{codec:?}");
        let asked = &said.keyframe_requests;
        assert!(!asked.is_empty() && asked.len() < 10, "{codec:?} {asked:?}");
        assert!(said.stats.units_damaged >= 1, "{codec:?}");
    }
}

#[test]
fn no_picture_within_a_second_asks_for_one() {
    let mut script = Script::default();
    script.roster(
        0,
        RosterChange::Snapshot(vec![publisher("p", 0, Codec::H264, &[])]),
    );
    // Deltas only: the keyframe was lost.
    let units = pictures(Codec::H264, (320, 180), 90, RED);
    script.units((0, 0, Codec::H264), FROM, &units, |_, unit| {
        (!unit.keyframe).then_some(unit)
    });
    let said = run(script, 2000);
    assert_eq!(runs(&said, (60, 180), &NAMES), [("other", 60)]);
    assert!(!said.keyframe_requests.is_empty());
}

#[test]
fn publishers_above_1080p_are_heard_only() {
    let mut script = Script::default();
    let big = publisher("big", 0, Codec::Vp8, &[(3840, 2160)]);
    script.roster(0, RosterChange::Snapshot(vec![big]));
    script.all(
        (0, Codec::Vp8),
        FROM,
        &pictures(Codec::Vp8, (320, 180), 60, RED),
    );
    let sound = code_sound(&tone(2 * 48_000, 440.0, 0.5, |_| true));
    script.all((1, Codec::Opus), FROM, &sound);
    let said = run(script, 1000);
    assert_eq!(runs(&said, (60, 180), &NAMES), [("other", 30)]);
    assert!(
        envelope(&decode_audio(&said.audio))[50..900]
            .iter()
            .all(|v| *v > 0.2)
    );
    assert_eq!(said.wishes, []);
}

#[test]
fn a_lost_packet_is_concealed_and_a_longer_loss_is_silent_without_clicks() {
    let mut script = Script::default();
    script.roster(
        0,
        RosterChange::Snapshot(vec![publisher("p", 0, Codec::Vp8, &[])]),
    );
    let sound = code_sound(&tone(3 * 48_000, 300.0, 0.5, |_| true));
    let keep = |index, mut unit: compositor_core::access_unit::AccessUnit| {
        unit.discontinuity = matches!(index, 41 | 80);
        let lost = index == 40 || (70..80).contains(&index);
        (!lost).then_some(unit)
    };
    script.units((1, 0, Codec::Opus), FROM, &sound, keep);
    let said = run(script, 2000);
    let heard = decode_audio(&said.audio);
    let loud = envelope(&heard);
    // Packet 40 would have been heard from 500 ms on.
    assert!(
        loud[480..560].iter().all(|v| *v > 0.15),
        "{:?}",
        &loud[480..560]
    );
    // Packets 70 to 79: from 1100 to 1300 ms.
    assert!(loud[1115..1290].iter().all(|v| *v < 0.01));
    let steepest = heard[2000..]
        .windows(2)
        .map(|pair| (pair[1][0] - pair[0][0]).abs())
        .fold(0.0, f32::max);
    // A sine of 300 Hz at this level has steps of up to 0.02.
    assert!(steepest < 0.04, "{steepest}");
}

#[test]
fn several_encoders_show_the_same_and_thumbnails_are_numbered() {
    let mut script = Script::default();
    script.roster(
        0,
        RosterChange::Snapshot(vec![publisher("p", 0, Codec::Vp8, &[])]),
    );
    script.all(
        (0, Codec::Vp8),
        FROM,
        &pictures(Codec::Vp8, (320, 180), 90, RED),
    );
    let mut small = encoder(320, 180);
    small.fps = FrameRate {
        num: 15_000,
        den: 1001,
    };
    small.thumbnail_every = Some(10);
    let mut large = encoder(640, 360);
    large.keyframe_every = vec![20, 45];
    let journal = script.journal(START + 2_600 * MS);
    let said = composed(job(vec![large, small]), &journal, 2000);
    check_grid(&said, 2000);
    assert_eq!(said.video[1].len(), 30);
    let keyframes = said.video[0].iter().filter(|u| u.keyframe);
    assert_eq!(keyframes.map(|u| u.k).collect::<Vec<_>>(), [0, 20, 40, 45]);
    for frame in decode_video(&said.video[1]) {
        frame.assert_colour(160, 90, RED);
    }
    let thumbnails: Vec<_> = said.thumbnails.iter().map(|(e, k, _)| (*e, *k)).collect();
    assert_eq!(thumbnails, [(1, 0), (1, 10), (1, 20)]);
    assert_eq!(said.wishes, [(TrackId(0), 360)]);
}

#[test]
fn what_lies_over_a_moving_picture_stays_there() {
    let mut script = Script::default();
    let base = publisher("base", 0, Codec::Vp8, &[(320, 180)]);
    let mut over = publisher("over", 1, Codec::H264, &[(320, 184)]);
    over.attributes.insert("pip".into(), "true".into());
    script.roster(0, RosterChange::Snapshot(vec![base, over]));
    let moving = (0..90_u8).map(|i| flat(320, 180, [40 + i * 2, 128, 128]));
    let moving = code_pictures(Codec::Vp8, (320, 180, 30), 30, moving);
    script.all((0, Codec::Vp8), FROM, &moving);
    // One picture, then nothing new: it is not drawn for its own sake.
    let still = pictures(Codec::H264, (320, 184), 1, RED);
    script.all((2, Codec::H264), FROM, &still);
    let mut job = job(vec![encoder(640, 360)]);
    job.layout = LayoutSpec::Pip(PipSpec {
        featured_participant_attribute: String::new(),
        grid_gap: 0,
        omit_stopped_video: false,
        participant_order_attribute: String::new(),
        pip_behavior: PipBehavior::Static,
        pip_offset: 20,
        pip_participant_attribute: "pip".into(),
        pip_position: PipPosition::BottomRight,
        pip_width: Some(200),
        pip_height: Some(200),
        video_fill_mode: VideoFillMode::Contain,
    });
    let said = composed(job, &script.journal(START + 1_600 * MS), 1000);
    check_grid(&said, 1000);
    for (k, frame) in decode_video(&said.video[0]).iter().enumerate() {
        frame.assert_colour(520, 240, RED);
        // Above and below it, its slot is black.
        frame.assert_colour(520, 150, BLACK);
        frame.assert_colour(520, 332, BLACK);
        frame.assert_colour(100, 100, [40 + (k as u8 + 9) * 2, 128, 128]);
    }
}

#[test]
fn canvases_of_any_even_size_are_encoded() {
    for (width, height) in [(854, 480), (426, 240), (202, 358), (1080, 1920)] {
        let mut script = Script::default();
        script.roster(
            0,
            RosterChange::Snapshot(vec![publisher("p", 0, Codec::Vp8, &[])]),
        );
        let units = pictures(Codec::Vp8, (320, 180), 20, RED);
        script.all((0, Codec::Vp8), FROM, &units);
        let mut job = job(vec![encoder(width, height)]);
        let mut spec = grid();
        spec.video_aspect_ratio = VideoAspectRatio::Auto;
        job.layout = LayoutSpec::Grid(spec);
        let said = composed(job, &script.journal(START + 800 * MS), 200);
        let frames = decode_video(&said.video[0]);
        assert_eq!(frames.len(), 6);
        let (width, height) = (usize::from(width), usize::from(height));
        for frame in frames {
            assert_eq!((frame.width, frame.height), (width, height));
            for (x, y) in [(1, 1), (width - 2, height - 2), (1, height - 2)] {
                frame.assert_colour(x, y, RED);
            }
        }
    }
}

#[test]
fn a_stop_before_the_start_ends_at_once() {
    let mut script = Script::default();
    script.roster(0, RosterChange::Snapshot(vec![]));
    gstreamer::init().expect("GStreamer starts");
    let composer = compositor::composer::Composer::new(job(vec![encoder(320, 180)]));
    let mut composer = composer.expect("codecs are installed");
    let mut out = Vec::new();
    for record in script.journal(START + 1000 * MS) {
        composer.record(record, &mut out).expect("it composes");
    }
    composer.stop(MediaTime(0), &mut out).expect("it stops");
    let mut said = Said::default();
    said.take(out);
    assert!(said.ended);
    assert_eq!(said.video[0].len(), 24);
    // 797 ms were mixed; what the encoder kept back is not lost.
    assert_eq!(said.audio.len(), 37);
}
