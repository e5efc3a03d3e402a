//! What browsers may send within their codecs: each unit is one picture, the last one it shows.

use bytes::{BufMut, Bytes, BytesMut};
use compositor_core::access_unit::Codec;
use compositor_core::roster::RosterChange;

use crate::support::journal::{MS, START, Script, encoder, job, publisher};
use crate::support::media::{
    BLUE, Coded, Colour, RED, YELLOW, code_pictures, coded, convert, flat,
};
use crate::support::output::{Said, composed, decode_video};

const FROM: u64 = START - 300 * MS;
const FRAMES: usize = 45;
const FRAME_NANOS: u64 = 1_000_000_000 / 30;

/// One participant, alone on a canvas of 320 x 180 for a second.
fn shown(codec: Codec, units: &[Coded]) -> Said {
    let mut script = Script::default();
    let publisher = publisher("p", 0, codec, &[]);
    script.roster(0, RosterChange::Snapshot(vec![publisher]));
    script.all((0, codec), FROM, units);
    let journal = script.journal(START + 1600 * MS);
    let said = composed(job(vec![encoder(320, 180)]), &journal, 1000);
    assert_eq!(said.stats.units_damaged, 0, "{codec:?}");
    said
}

#[track_caller]
fn assert_filled(said: &Said, colour: Colour) {
    let frames = decode_video(&said.video[0]);
    assert_eq!(frames.len(), 30);
    for frame in frames {
        for (x, y) in [(3, 3), (160, 90), (316, 176)] {
            frame.assert_colour(x, y, colour);
        }
    }
}

fn keyframes(size: (u32, u32), colour: Colour) -> Vec<Coded> {
    let pictures = std::iter::repeat_n(flat(size.0, size.1, colour), FRAMES);
    code_pictures(Codec::Vp9, (size.0, size.1, 30), 1, pictures)
}

/// VP9 bitstream specification, Annex B, with sizes of four bytes.
fn superframe(frames: &[Bytes]) -> Bytes {
    let marker = 0b1101_1000 | (frames.len() as u8 - 1);
    let mut whole = BytesMut::new();
    for frame in frames {
        whole.put_slice(frame);
    }
    whole.put_u8(marker);
    for frame in frames {
        whole.put_u32_le(frame.len() as u32);
    }
    whole.put_u8(marker);
    whole.freeze()
}

#[test]
fn of_spatial_layers_the_largest_is_shown() {
    // Encoders mark every layer as shown.
    let small = keyframes((160, 90), YELLOW);
    let large = keyframes((320, 180), BLUE);
    let units: Vec<Coded> = std::iter::zip(small, large)
        .map(|(small, large)| Coded {
            data: superframe(&[small.data, large.data.clone()]),
            ..large
        })
        .collect();
    let said = shown(Codec::Vp9, &units);
    assert_filled(&said, BLUE);
}

#[test]
fn a_frame_may_only_say_that_an_earlier_one_is_shown() {
    let mut units = keyframes((320, 180), RED);
    for unit in &mut units[1..] {
        // Frame marker 2, profile 0, show_existing_frame, slot 0: the keyframe is in all slots.
        unit.data = Bytes::from_static(&[0b1000_1000]);
        unit.keyframe = false;
    }
    assert_filled(&shown(Codec::Vp9, &units), RED);
}

#[test]
fn pictures_may_have_odd_sides() {
    // In GStreamer's layout: rows are padded to multiples of four, there are as many as the chroma needs.
    let (width, height) = (641_u32, 361_u32);
    let plane =
        |width: u32, height: u32, value| vec![value; (width.next_multiple_of(4) * height) as usize];
    let [y, u, v] = BLUE;
    let picture = [
        plane(width, height + 1, y),
        plane(width.div_ceil(2), height.div_ceil(2), u),
        plane(width.div_ceil(2), height.div_ceil(2), v),
    ]
    .concat();
    for (codec, encoder) in [(Codec::Vp8, "vp8enc"), (Codec::Vp9, "vp9enc")] {
        let caps = format!("video/x-raw,format=I420,width={width},height={height},framerate=30/1");
        let pictures = (0..FRAMES as u64).map(|i| (picture.clone(), i * FRAME_NANOS));
        let elements = format!(
            "{encoder} deadline=1 cpu-used=8 threads=1 keyframe-max-dist=30 lag-in-frames=0"
        );
        let samples = convert(&caps, &elements, pictures.collect());
        let units = coded(&samples, FRAME_NANOS);
        assert_filled(&shown(codec, &units), BLUE);
    }
}
