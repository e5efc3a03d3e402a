//! RFC 7741 payloads to frames.

use compositor_core::access_unit::Codec;
use compositor_core::bitstream::PictureSize;

use crate::source::{Bench, VP8_DELTA, VP8_KEY, filled, hex, vp8_payloads};

fn bench() -> Bench {
    Bench::new(Codec::Vp8)
}

#[test]
fn a_keyframe_is_put_together_and_its_size_read() {
    let frame = filled(&hex(VP8_KEY), 3000);
    let frames = bench().picture(7, &vp8_payloads(&frame, 5, 1100)).frames();
    assert_eq!(frames.len(), 1);
    assert!(frames[0].keyframe);
    assert_eq!(
        frames[0].size,
        Some(PictureSize {
            width: 322,
            height: 242
        })
    );
    assert_eq!(frames[0].data, frame);
}

#[test]
fn later_frames_are_no_keyframes() {
    let frame = filled(&hex(VP8_DELTA), 300);
    let frames = bench().picture(7, &vp8_payloads(&frame, 6, 1100)).frames();
    assert_eq!((frames[0].keyframe, frames[0].size), (false, None));
}

#[test]
fn every_form_of_the_descriptor_is_passed_over() {
    let frame = hex(VP8_DELTA);
    let descriptors: [&[u8]; 7] = [
        &[0x10],
        &[0x90, 0x00],
        &[0x90, 0x80, 0x11],
        &[0x90, 0x80, 0x91, 0x22],
        &[0x90, 0xc0, 0x11, 0x33],
        &[0x90, 0xe0, 0x91, 0x22, 0x33, 0x44],
        &[0x90, 0x10, 0x44],
    ];
    for descriptor in descriptors {
        let frames = bench()
            .push(1, true, &[descriptor, &frame[..]].concat())
            .frames();
        assert_eq!(frames[0].data, frame, "{descriptor:?}");
    }
}

#[test]
fn later_partitions_do_not_begin_a_frame() {
    let payload = [&[0x11], &hex(VP8_DELTA)[..]].concat();
    bench().push(1, true, &payload).broken();
}

#[test]
fn loss_inside_a_frame_breaks_it_and_not_the_next() {
    let payloads = vp8_payloads(&filled(&hex(VP8_DELTA), 3000), 1, 1000);
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
fn a_frame_whose_marker_was_lost_is_broken_and_not_the_next() {
    let payloads = vp8_payloads(&filled(&hex(VP8_DELTA), 3000), 1, 1000);
    let mut bench = bench();
    bench
        .push(1, false, &payloads[0])
        .push(1, false, &payloads[1])
        .lose();
    bench.picture(2, &payloads);
    assert_eq!(bench.out.len(), 2);
    bench.out.remove(0);
    assert_eq!(bench.frames().len(), 1);
}

#[test]
fn malformed_frames_are_broken() {
    bench().push(1, true, &[0x90]).broken();
    bench().push(1, true, &[0x90, 0x80]).broken();
    bench().push(1, true, &[0x90, 0x80, 0x80, 0x00]).broken();
    bench()
        .push(
            1,
            true,
            &[0x10, 0x90, 0x69, 0x00, 0x9d, 0x01, 0x2b, 2, 2, 2, 2],
        )
        .broken();
    bench()
        .push(
            1,
            true,
            &[0x10, 0x90, 0x69, 0x00, 0x9d, 0x01, 0x2a, 0, 0, 2, 2],
        )
        .broken();
    bench().push(1, true, &[0x10, 0x90, 0x69]).broken();
}
