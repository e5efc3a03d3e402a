//! Byte for byte.

use std::path::Path;

use api::offline;

use super::Scenario;

/// Set to rewrite what is expected.
const BLESS: &str = "BLESS";

/// One thread, and more than any of the machines that this runs on has for it.
const THREADS: [usize; 2] = [1, 4];

#[track_caller]
fn check(scenario: &str, job: &str) {
    let scenario = Scenario::named(scenario);
    let [alone, shared] = THREADS.map(|threads| compose(&scenario, job, threads));
    assert_eq!(alone, shared, "threads make a difference");
    let expected = scenario.folder.join(format!("{job}.hashes.txt"));
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(&expected, alone.hashes).expect("it can be written");
        return;
    }
    let expected = std::fs::read_to_string(expected).expect("`make bless` was run");
    assert_eq!(
        alone.hashes, expected,
        "not what was blessed; if it is better, run `make bless` and say why"
    );
}

/// What a composition left in its folder.
#[derive(PartialEq, Debug)]
struct Composed {
    hashes: String,
    playlist: String,
    segments: Vec<Vec<u8>>,
}

fn compose(scenario: &Scenario, job: &str, threads: usize) -> Composed {
    let out = tempfile::tempdir().expect("a temporary folder");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let pool = pool.build().expect("threads start");
    let job = scenario.job(job);
    pool.install(|| offline::record(&scenario.folder, &job, out.path()))
        .expect("it is composed");
    let text = |name| std::fs::read_to_string(out.path().join(name)).expect("it is written");
    Composed {
        hashes: text("hashes.txt"),
        playlist: text("playlist.m3u8"),
        segments: segments(out.path()),
    }
}

fn segments(folder: &Path) -> Vec<Vec<u8>> {
    (0..)
        .map_while(|i| std::fs::read(folder.join(format!("{i}.ts"))).ok())
        .collect()
}

#[test]
fn joining_and_leaving_composes_to_the_same_bytes() {
    check("layout", "recorded");
}

#[test]
fn another_layout_and_size_composes_to_the_same_bytes() {
    check("layout", "pip");
}

#[test]
fn a_stage_without_one_participant_composes_to_the_same_bytes() {
    check("layout", "without-green");
}

#[test]
fn mute_and_camera_off_compose_to_the_same_bytes() {
    check("mute", "recorded");
}

#[test]
fn layer_switches_compose_to_the_same_bytes() {
    check("layers", "recorded");
}

#[test]
fn loss_composes_to_the_same_bytes() {
    check("loss", "recorded");
}
