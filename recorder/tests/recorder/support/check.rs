//! Checks of a whole recording, by ffmpeg and by our own reading of the transport stream.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::PREFIX;
use super::media::Media;
use super::server::Server;

/// Fails unless the recording holds exactly this media: each picture once, each AAC frame once, every PTS on the grid, and
/// nothing that ffmpeg would warn of.
#[track_caller]
pub(crate) fn check_recording(server: &Server, media: &Media) {
    server.check_rules();
    let hls = server.path(&format!("{PREFIX}/media/hls"));
    let multivariant = hls.join("multivariant.m3u8");
    check_text(&hls, media);
    check_continuity(&hls, media);

    let warnings = output(
        "ffmpeg",
        &[
            "-v",
            "warning",
            "-i",
            text(&multivariant),
            "-f",
            "null",
            "-",
        ],
    );
    assert_eq!(
        warnings,
        (String::new(), String::new()),
        "ffmpeg decodes without a warning"
    );

    let pictures = framemd5(&multivariant);
    assert_eq!(pictures.len(), media.video.len());
    assert!(
        pictures == framemd5(&media.video_file),
        "every picture is there once, in order"
    );

    check_sound(&multivariant, media);
    check_times(&multivariant, media);
}

/// A checksum of each picture.
#[track_caller]
pub(crate) fn framemd5(path: &Path) -> Vec<String> {
    let args = [
        "-v",
        "error",
        "-i",
        text(path),
        "-map",
        "0:v",
        "-fps_mode",
        "passthrough",
    ];
    let (list, _) = output("ffmpeg", &[&args[..], &["-f", "framemd5", "-"]].concat());
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit(',').next().expect("a last column").to_owned())
        .collect()
}

fn check_sound(multivariant: &Path, media: &Media) {
    let copy = multivariant.with_extension("aac");
    let args = [
        "-v",
        "error",
        "-y",
        "-i",
        text(multivariant),
        "-map",
        "0:a",
        "-c",
        "copy",
    ];
    output(
        "ffmpeg",
        &[&args[..], &["-f", "adts", text(&copy)]].concat(),
    );
    let recorded = std::fs::read(&copy).expect("ffmpeg wrote it");
    let given = std::fs::read(&media.audio_file).expect("was made");
    assert!(recorded == given, "every AAC frame is there once, in order");
}

fn check_times(multivariant: &Path, media: &Media) {
    for (stream, step) in [("v:0", None), ("a:0", Some(1920))] {
        let args = [
            "-v",
            "error",
            "-select_streams",
            stream,
            "-show_entries",
            "packet=pts,dts",
        ];
        let (list, _) = output(
            "ffprobe",
            &[&args[..], &["-of", "csv=p=0", text(multivariant)]].concat(),
        );
        let times: Vec<Vec<u64>> = list
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| {
                line.split(',')
                    .filter_map(|time| time.parse().ok())
                    .collect()
            })
            .collect();
        let units = if step.is_none() {
            media.video.len()
        } else {
            media.audio.len()
        };
        assert_eq!(times.len(), units, "packets of {stream}");
        assert!(
            times.iter().all(|times| times[0] == times[1]),
            "PTS and DTS are one"
        );
        let grid = (0..times.len() as u64).map(|i| match step {
            None => media.fps.pts_90k(i),
            Some(step) => i * step,
        });
        assert!(
            times.iter().map(|times| times[0] - 90_000).eq(grid),
            "stream {stream} is on its grid"
        );
    }
}

/// The playlists say what they should.
fn check_text(hls: &Path, media: &Media) {
    let multivariant = std::fs::read_to_string(hls.join("multivariant.m3u8")).expect("is there");
    assert!(
        multivariant.contains("CODECS=\"avc1.42C0"),
        "{multivariant}"
    );
    assert!(multivariant.contains(",mp4a.40.2\",RESOLUTION=320x180,FRAME-RATE="));
    let variant = hls.join(multivariant.lines().last().expect("a variant"));
    let playlist = std::fs::read_to_string(&variant).expect("is there");
    assert!(playlist.contains("#EXT-X-PLAYLIST-TYPE:VOD\n"));
    assert!(playlist.ends_with("#EXT-X-ENDLIST\n"));
    assert!(!playlist.contains("PROGRAM-DATE-TIME"));
    let durations: Vec<u64> = playlist
        .lines()
        .filter_map(|line| line.strip_prefix("#EXTINF:")?.strip_suffix(','))
        .map(|seconds| seconds.replace('.', "").parse().expect("six decimals"))
        .collect();
    let segments = media.video.len().div_ceil(media.segment_frames as usize);
    assert_eq!(durations.len(), segments);
    let whole = media.fps.frame_time(media.video.len() as u64).as_nanos();
    assert_eq!(
        u128::from(durations.iter().sum::<u64>()),
        (whole + 500) / 1000
    );
    let named = playlist.lines().filter(|line| line.ends_with(".ts"));
    assert!(named.eq((0..segments).map(|i| format!("{i}.ts")).collect::<Vec<_>>()));
    let mut peak = 0;
    for (i, micros) in durations.iter().enumerate() {
        let bytes = variant
            .with_file_name(format!("{i}.ts"))
            .metadata()
            .expect("is there")
            .len();
        peak = peak.max(bytes * 8 * 1_000_000 / micros);
    }
    let bandwidth = multivariant
        .split("BANDWIDTH=")
        .nth(1)
        .and_then(|it| it.split(',').next());
    let bandwidth: u64 = bandwidth.expect("is there").parse().expect("a number");
    assert!(
        bandwidth.abs_diff(peak) <= peak / 1000,
        "{bandwidth} is the peak of {peak}"
    );
}

/// The continuity counters run on from segment to segment, and each segment begins with its tables.
fn check_continuity(hls: &Path, media: &Media) {
    let folder = hls.join(format!("180p{}-AAAABBBBCCCC", media.fps.frames_in(1)));
    let segments = media.video.len().div_ceil(media.segment_frames as usize);
    let mut counters: BTreeMap<u16, u8> = BTreeMap::new();
    let mut clock = None;
    for i in 0..segments {
        let segment = std::fs::read(folder.join(format!("{i}.ts"))).expect("is there");
        assert_eq!(segment.len() % 188, 0);
        for (at, packet) in segment.chunks(188).enumerate() {
            assert_eq!(packet[0], 0x47);
            let pid = u16::from_be_bytes([packet[1], packet[2]]) & 0x1FFF;
            match at {
                0 => assert_eq!(pid, 0),
                1 => assert_eq!(pid, 0x1000),
                2 => assert_eq!(
                    (pid, packet[5] & 0x50),
                    (0x100, 0x50),
                    "a keyframe and a clock"
                ),
                _ => {}
            }
            if packet[3] & 0x20 != 0 && packet[4] > 0 && packet[5] & 0x10 != 0 {
                let high = u32::from_be_bytes([packet[6], packet[7], packet[8], packet[9]]);
                let now = u64::from(high) << 1 | u64::from(packet[10] >> 7);
                let step = now - clock.replace(now).unwrap_or(now);
                assert!(
                    step <= 9000,
                    "a clock reference comes every 100 ms, not {step}"
                );
            }
            let counter = packet[3] & 0x0F;
            let has_payload = packet[3] & 0x10 != 0;
            if let Some(before) = counters.insert(pid, counter) {
                assert_eq!(
                    counter,
                    (before + u8::from(has_payload)) % 16,
                    "segment {i}, {at}"
                );
            }
        }
    }
}

/// Standard output and standard error of a program that succeeds.
#[track_caller]
pub(crate) fn output(program: &str, args: &[&str]) -> (String, String) {
    let output = Command::new(program)
        .args(args)
        .output()
        .expect("it is installed");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{program} {args:?}: {stderr}");
    (stdout, stderr)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths of the tests are plain")
}
