//! RFC 6184 payloads to Annex B.

use compositor_core::access_unit::Codec;
use compositor_core::bitstream::PictureSize;
use compositor_core::bitstream::h264::Sps;

use crate::source::{Bench, PPS, SPS_720P, annex_b, fu_a, hex, idr, later_slice, p_slice, stap_a};

fn bench() -> Bench {
    Bench::new(Codec::H264)
}

fn key_nals() -> Vec<Vec<u8>> {
    vec![hex(SPS_720P), hex(PPS), idr(3000)]
}

#[track_caller]
fn check_size(sps: &str, width: u16, height: u16) {
    let parsed = Sps::parse(&hex(sps)).map(|sps| sps.size);
    assert_eq!(parsed, Some(PictureSize { width, height }));
}

#[test]
fn picture_sizes_are_read_with_cropping_from_all_profiles() {
    check_size(SPS_720P, 1280, 720);
    check_size(
        "6742c01ed900a02ff97016a0c0c0d4a0000003002000000791e2c5c9",
        640,
        360,
    );
    check_size(
        "674d4028d900780227e5c05a808080a0000003002000000791e30649",
        1920,
        1080,
    );
    check_size(
        "67f400159196406c7f9fc05a83030320000003002000000791e2c5c9",
        426,
        240,
    );
    check_size(
        "677a001fbcb201b07bcde02d41818190000003001000000303c8f1832480",
        854,
        480,
    );
    check_size(
        "67640020acd940500bbf2e02d40404050000030001000003003c9f162d96",
        1280,
        720,
    );
}

#[test]
fn truncated_parameter_sets_are_refused() {
    let sps = hex(SPS_720P);
    for length in 0..9 {
        assert_eq!(Sps::parse(&sps[..length]), None, "{length}");
    }
}

#[test]
fn an_aggregate_and_fragments_become_one_keyframe() {
    let mut payloads = vec![stap_a(&[hex(SPS_720P), hex(PPS)])];
    payloads.extend(fu_a(&idr(3000), 1100));
    let frames = bench().picture(90, &payloads).frames();
    assert_eq!(frames.len(), 1);
    assert!(frames[0].keyframe);
    assert_eq!(frames[0].rtp_ts, 90);
    assert_eq!(
        frames[0].size,
        Some(PictureSize {
            width: 1280,
            height: 720
        })
    );
    assert_eq!(frames[0].data, annex_b(&key_nals()));
}

#[test]
fn single_units_become_one_picture_without_delimiter_and_filler() {
    let nals = [
        vec![0x09, 0xf0],
        p_slice(50),
        later_slice(40),
        vec![0x0c, 0xff, 0x80],
    ];
    let frames = bench().picture(1, &nals).frames();
    assert_eq!(frames.len(), 1);
    assert!(!frames[0].keyframe);
    assert_eq!(frames[0].size, None);
    assert_eq!(frames[0].data, annex_b(&nals[1..3]));
}

#[test]
fn remembered_parameter_sets_come_before_a_keyframe_without_its_own() {
    let mut bench = bench();
    assert_eq!(bench.picture(1, &key_nals()).frames().len(), 1);
    let frames = bench.picture(2, &[idr(100)]).frames();
    assert_eq!(
        frames[0].data,
        annex_b(&[hex(SPS_720P), hex(PPS), idr(100)])
    );
    let frames = bench.picture(3, &[hex(SPS_720P), idr(100)]).frames();
    assert_eq!(
        frames[0].data,
        annex_b(&[hex(SPS_720P), hex(PPS), idr(100)])
    );
    assert_eq!(
        frames[0].size,
        Some(PictureSize {
            width: 1280,
            height: 720
        })
    );
}

#[test]
fn parameter_sets_repeated_between_slices_come_once_and_first() {
    let slices = [idr(100), [&[0x65, 0x46, 0x80], &[9; 40][..]].concat()];
    let sets = stap_a(&[hex(SPS_720P), hex(PPS)]);
    let payloads = [
        sets.clone(),
        vec![6, 1, 2],
        sets.clone(),
        slices[0].clone(),
        sets,
        slices[1].clone(),
    ];
    let frames = bench().picture(1, &payloads).frames();
    let [first, second] = slices;
    let whole = [hex(SPS_720P), hex(PPS), vec![6, 1, 2], first, second];
    assert_eq!(frames[0].data, annex_b(&whole));
}

#[test]
fn parameter_sets_sent_by_themselves_are_remembered() {
    let mut bench = bench();
    assert_eq!(
        bench.picture(1, &[hex(SPS_720P), hex(PPS)]).frames(),
        vec![]
    );
    let frames = bench.picture(2, &[idr(100)]).frames();
    assert_eq!(
        frames[0].data,
        annex_b(&[hex(SPS_720P), hex(PPS), idr(100)])
    );
}

#[test]
fn a_keyframe_without_known_parameter_sets_is_broken() {
    bench().picture(1, &[idr(100)]).broken();
}

#[test]
fn a_picture_without_marker_ends_with_the_next_timestamp() {
    let mut bench = bench();
    bench
        .push(1, false, &p_slice(30))
        .push(2, true, &p_slice(40));
    let lengths: Vec<usize> = bench
        .frames()
        .iter()
        .map(|frame| frame.data.len())
        .collect();
    assert_eq!(lengths, vec![34, 44]);
}

#[test]
fn loss_inside_a_picture_breaks_it_and_not_the_next() {
    let mut bench = bench();
    let fragments = fu_a(&p_slice(3000), 1000);
    bench
        .push(1, false, &fragments[0])
        .lose()
        .push(1, true, &fragments[2])
        .broken();
    assert_eq!(bench.picture(2, &[p_slice(10)]).frames().len(), 1);
}

#[test]
fn a_picture_whose_beginning_was_lost_is_broken() {
    let fragments = fu_a(&p_slice(3000), 1000);
    bench().lose().push(1, true, &fragments[1]).broken();
    bench().lose().push(1, true, &later_slice(20)).broken();
}

#[test]
fn a_keyframe_whose_parameter_sets_may_be_lost_is_broken() {
    let mut bench = bench();
    assert_eq!(bench.picture(1, &key_nals()).frames().len(), 1);
    bench.lose().picture(2, &[idr(100)]).broken();
    assert_eq!(bench.picture(3, &[idr(100)]).frames().len(), 1);
    assert_eq!(bench.lose().picture(4, &key_nals()).frames().len(), 1);
}

#[test]
fn malformed_payloads_break_the_picture() {
    let fragments = fu_a(&p_slice(3000), 1000);
    let twice = [fragments[0].clone(), fragments[0].clone()];
    bench().picture(1, &twice).broken();
    bench()
        .picture(1, &[fragments[0].clone(), p_slice(9)])
        .broken();
    bench().picture(1, &[fragments[0].clone()]).broken();
    bench().picture(1, &[vec![0x78, 0, 9, 0x41]]).broken();
    bench().picture(1, &[vec![0x78, 0, 0]]).broken();
    bench().picture(1, &[vec![28]]).broken();
    bench().picture(1, &[vec![0x1a, 1, 2, 3]]).broken();
    bench().picture(1, &[vec![0]]).broken();
}

#[test]
fn padding_is_passed_over() {
    let mut bench = bench();
    bench
        .push(1, false, &[])
        .push(1, false, &p_slice(10))
        .push(1, false, &[]);
    assert_eq!(bench.push(1, true, &later_slice(10)).frames().len(), 1);
}
