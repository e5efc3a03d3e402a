//! A recording process that is killed again and again: its successors lose nothing and double nothing.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::check::check_recording;
use crate::support::media::Media;
use crate::support::server::Server;
use crate::support::{clock, events_until, feed, is_finished, spec, store};
use compositor_core::time::FrameRate;
use recorder::{Recording, RecordingOutcome};

const FPS: FrameRate = FrameRate {
    num: 30_000,
    den: 1001,
};
const FRAMES: u32 = 900;
const KILLS: u32 = 20;

/// Folder of the media and the spool, for the child.
const CHILD_DIR: &str = "RECORDER_TEST_DIR";

/// How far the child may go before it waits to be killed.
const CHILD_FRAMES: &str = "RECORDER_TEST_FRAMES";

/// So many frames may a child go beyond the point at which it is killed.
const LEEWAY: u64 = 40;

/// Where the store is, for the child.
const CHILD_STORE: &str = "RECORDER_TEST_STORE";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_at_random_moments_loses_nothing_and_doubles_nothing() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let media = Media::make(dir.path(), FPS, FRAMES);
    let server = Server::start(&dir.path().join("buckets")).await;
    let mut starts = Vec::new();
    for kill in 0..KILLS {
        // Kills are spread over the recording, and by the scheduler over everything that a process does.
        let reached = u64::from(kill + 1) * u64::from(FRAMES) / u64::from(KILLS + 2);
        let mut child = spawn_child(dir.path(), &server.endpoint, reached + LEEWAY);
        let (from, child) = tokio::task::spawn_blocking(move || {
            let from = read_until(&mut child, reached);
            child.kill().expect("it is ours");
            child.wait().expect("it is ours");
            (from, child)
        })
        .await
        .expect("reads");
        drop(child);
        starts.push(from);
    }
    assert!(
        starts.is_sorted() && starts[0] == 0,
        "each continues where another died: {starts:?}"
    );
    assert!(
        starts[KILLS as usize - 1] > u64::from(FRAMES) / 2,
        "{starts:?}"
    );
    let mut child = spawn_child(dir.path(), &server.endpoint, u64::from(FRAMES));
    let status = tokio::task::spawn_blocking(move || {
        read_until(&mut child, u64::MAX);
        child.wait().expect("it is ours")
    });
    assert!(
        status.await.expect("waits").success(),
        "the last one finishes"
    );
    check_recording(&server, &media);
}

/// Not a test by itself: the process that records. It does nothing unless it was started for that.
#[tokio::test]
async fn recording_child() {
    let (Ok(dir), Ok(endpoint)) = (std::env::var(CHILD_DIR), std::env::var(CHILD_STORE)) else {
        return;
    };
    let dir = PathBuf::from(dir);
    let media = Media::read(&dir, FPS);
    let spool = dir.join("spool");
    let store = store(&endpoint).await;
    let (recording, mut events) = if spool.join("recording.json").exists() {
        Recording::resume(spool, store, clock())
            .await
            .expect("it continues")
    } else {
        Recording::start(spec(&media, &spool), store, clock())
            .await
            .expect("it begins")
    };
    let from = recording.next_video();
    println!("\nfrom {from}");
    let until = std::env::var(CHILD_FRAMES)
        .expect("is set")
        .parse()
        .expect("a number");
    for k in from..until {
        feed(&recording, &media, k..k + 1).await;
        println!("\nat {k}");
    }
    if until < u64::from(FRAMES) {
        return std::future::pending().await;
    }
    recording
        .finish(RecordingOutcome::Ended)
        .await
        .expect("is recording");
    events_until(&mut events, is_finished).await;
}

fn spawn_child(dir: &Path, endpoint: &str, frames: u64) -> Child {
    Command::new(std::env::current_exe().expect("this test runs from a file"))
        .args(["--exact", "sigkill::recording_child", "--nocapture"])
        .env(CHILD_DIR, dir)
        .env(CHILD_STORE, endpoint)
        .env(CHILD_FRAMES, frames.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("this test can be started")
}

/// Reads what the child tells until it has come to a frame, or ends. Returns the frame that it began with.
fn read_until(child: &mut Child, reached: u64) -> u64 {
    let mut from = 0;
    let stdout = child.stdout.take().expect("is piped");
    for line in BufReader::new(stdout).lines() {
        let line = line.expect("the child writes text");
        if let Some(k) = line.strip_prefix("from ") {
            from = k.parse().expect("a number");
        }
        if let Some(k) = line.strip_prefix("at ").and_then(|k| k.parse::<u64>().ok())
            && k >= reached
        {
            break;
        }
    }
    from
}
