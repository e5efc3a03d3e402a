//! RFC 9628 payloads to superframes.

use compositor_core::access_unit::Codec;
use compositor_core::bitstream::PictureSize;

use crate::source::{Bench, VP9_DELTA, VP9_KEY, filled, hex, vp9_payloads};

const SIZE: Option<PictureSize> = Some(PictureSize {
    width: 642,
    height: 362,
});

fn bench() -> Bench {
    Bench::new(Codec::Vp9)
}

#[test]
fn a_keyframe_is_put_together_and_its_size_read() {
    let frame = filled(&hex(VP9_KEY), 3000);
    let frames = bench()
        .picture(7, &vp9_payloads(&frame, true, 1100))
        .frames();
    assert_eq!(frames.len(), 1);
    assert_eq!((frames[0].keyframe, frames[0].size), (true, SIZE));
    assert_eq!(frames[0].data, frame);
}

#[test]
fn later_frames_are_no_keyframes() {
    let frame = filled(&hex(VP9_DELTA), 300);
    let frames = bench()
        .picture(7, &vp9_payloads(&frame, false, 1100))
        .frames();
    assert_eq!((frames[0].keyframe, frames[0].size), (false, None));
}

#[test]
fn every_form_of_the_descriptor_is_passed_over() {
    let frame = hex(VP9_KEY);
    let descriptors: [&[u8]; 8] = [
        &[0x0c],
        &[0x8c, 0x11],
        &[0x8c, 0x91, 0x22],
        // Non-flexible with layer indices: TID, SID and D, then TL0PICIDX.
        &[0xac, 0x91, 0x22, 0x00, 0x55],
        // Flexible with layer indices.
        &[0xbc, 0x91, 0x22, 0x00],
        // Flexible keyframe with a scalability structure: one layer with its size, no picture group.
        &[0x9e, 0x11, 0x10, 0x02, 0x82, 0x01, 0x6a],
        // Non-flexible with a picture group of two, one of them with two references.
        &[0x8e, 0x11, 0x08, 0x02, 0x00, 0x08, 0x01, 0x02],
        // Sizes and a picture group.
        &[0x8e, 0x11, 0x18, 0x02, 0x82, 0x01, 0x6a, 0x01, 0x04, 0x01],
    ];
    for descriptor in descriptors {
        let frames = bench()
            .push(1, true, &[descriptor, &frame[..]].concat())
            .frames();
        assert_eq!(frames[0].data, frame, "{descriptor:?}");
        assert_eq!(
            (frames[0].keyframe, frames[0].size),
            (true, SIZE),
            "{descriptor:?}"
        );
    }
}

#[test]
fn reference_indices_of_flexible_mode_are_passed_over() {
    let frame = hex(VP9_DELTA);
    for references in [&[0x02][..], &[0x03, 0x04], &[0x03, 0x05, 0x06]] {
        let payload = [&[0xdc, 0x11], references, &frame[..]].concat();
        let frames = bench().push(1, true, &payload).frames();
        assert_eq!(
            (&frames[0].data[..], frames[0].keyframe),
            (&frame[..], false)
        );
    }
    let four = [&[0xdc, 0x11, 0x03, 0x05, 0x07, 0x08], &frame[..]].concat();
    bench().push(1, true, &four).broken();
}

#[test]
fn spatial_layers_become_one_superframe_of_the_highest_size() {
    let (base, upper) = (filled(&hex(VP9_KEY), 100), filled(&hex(VP9_DELTA), 1000));
    // Two layers: 321x181 and 642x362.
    let structure = [0x30, 0x01, 0x41, 0x00, 0xb5, 0x02, 0x82, 0x01, 0x6a];
    let base_payload = [&[0xae, 0x11, 0x00, 0x05], &structure[..], &base].concat();
    let upper_payload = [&[0xac, 0x11, 0x03, 0x05], &upper[..]].concat();
    let frames = bench().picture(1, &[base_payload, upper_payload]).frames();
    assert_eq!((frames[0].keyframe, frames[0].size), (true, SIZE));
    let index = [0xd9, 100, 0, 0, 0, 0xe8, 3, 0, 0, 0xd9];
    assert_eq!(frames[0].data, [&base[..], &upper, &index].concat());
}

#[test]
fn an_upper_layer_does_not_begin_a_picture() {
    let payload = [&[0xac, 0x11, 0x02, 0x05], &hex(VP9_KEY)[..]].concat();
    bench().push(1, true, &payload).broken();
}

#[test]
fn loss_inside_a_picture_breaks_it_and_not_the_next() {
    let payloads = vp9_payloads(&filled(&hex(VP9_DELTA), 3000), false, 1000);
    let mut bench = bench();
    bench
        .push(1, false, &payloads[0])
        .lose()
        .push(1, true, &payloads[2])
        .broken();
    bench.lose().push(2, true, &payloads[2]).broken();
    assert_eq!(bench.picture(3, &payloads).frames().len(), 1);
}

#[test]
fn malformed_payloads_are_broken() {
    for payload in [
        &[0x8c][..],
        &[0x8c, 0x91],
        &[0x8e, 0x11, 0x18, 0x02],
        &[0x0c],
        &[0x0c, 0x00],
    ] {
        bench().push(1, true, payload).broken();
    }
    bench()
        .push(1, true, &[0x0c, 0x82, 0x49, 0x83, 0x43, 0x20, 0x28, 0x10])
        .broken();
}
