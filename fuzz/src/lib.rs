//! Feeds a function a corpus and seeded mutations of it, on stable Rust, the same each time.
//!
//! A corpus is a folder of files beside the code that it feeds; what once failed is added to it and stays. `FUZZ_ROUNDS`
//! multiplies how many mutations are tried, `FUZZ_SEED` tries others: `make soak-fuzz` sets both.

mod mutate;

use std::any::Any;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

pub use mutate::{INPUT_BYTES_MAX, Mutator};

/// An input that takes longer than this, on a machine that does something else, too, is one that never ends.
const INPUT_LIMIT: Duration = Duration::from_secs(20);

/// The seed unless `FUZZ_SEED` says another one.
const SEED: u64 = 0x5EED;

/// Feeds `body` every file of `corpus`, then `mutations` of them. The folder is relative to that of the crate, where cargo
/// runs tests. Panics when `body` does, or does not return, and says where the input was written.
pub fn fuzz(corpus: impl AsRef<Path>, mutations: u32, body: impl Fn(&[u8]) + Send + 'static) {
    let corpus = corpus.as_ref();
    let inputs = read(corpus);
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let mutations = u64::from(mutations) * number("FUZZ_ROUNDS").unwrap_or(1);
    let seed = number("FUZZ_SEED").unwrap_or(SEED);
    let current = Arc::new(Mutex::new(Vec::new()));
    let (done, progress) = sync_channel(1);
    let feeder = Feeder {
        body,
        current: Arc::clone(&current),
        done,
    };
    let feeding = thread::spawn(move || feeder.feed(&inputs, mutations, seed));
    loop {
        let failure = match progress.recv_timeout(INPUT_LIMIT) {
            Ok(Ok(())) => continue,
            Ok(Err(panic)) => format!("panicked: {panic}"),
            Err(RecvTimeoutError::Timeout) => format!("did not return within {INPUT_LIMIT:?}"),
            // All were fed.
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let input = current.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = keep(corpus, &input);
        panic!(
            "fuzzing {} with seed {seed}: it {failure}. The input of {} bytes is in {}: {}",
            corpus.display(),
            input.len(),
            kept.display(),
            input.escape_ascii()
        );
    }
    feeding.join().expect("it ended");
}

/// Hands inputs to a body, one by one.
struct Feeder<B> {
    body: B,
    /// What is being fed.
    current: Arc<Mutex<Vec<u8>>>,
    /// Told after each.
    done: SyncSender<Result<(), String>>,
}

impl<B: Fn(&[u8])> Feeder<B> {
    fn feed(&self, inputs: &[Vec<u8>], mutations: u64, seed: u64) {
        let mut mutator = Mutator::new(seed);
        let mutated = (0..mutations).map(|_| mutator.mutate(inputs));
        for input in inputs.iter().cloned().chain(mutated) {
            self.current
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone_from(&input);
            let came = catch_unwind(AssertUnwindSafe(|| (self.body)(&input)));
            let came = came.map_err(|panic| text(&*panic));
            let failed = came.is_err();
            if self.done.send(came).is_err() || failed {
                return;
            }
        }
    }
}

/// What a panic said.
fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

/// The files of a corpus, in the order of their names.
fn read(corpus: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(corpus)
        .unwrap_or_else(|error| panic!("no corpus in {}: {error}", corpus.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no corpus in {}", corpus.display());
    files
        .iter()
        .map(|file| fs::read(file).expect("it can be read"))
        .collect()
}

/// Where whoever looks into it finds the input.
fn keep(corpus: &Path, input: &[u8]) -> PathBuf {
    let name = corpus.file_name().unwrap_or_default().to_string_lossy();
    let file = std::env::temp_dir().join(format!("fuzz-{name}-{}", std::process::id()));
    // Its text is in the message, too.
    let _ = fs::write(&file, input);
    file
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const CORPUS: &str = "src";

    #[test]
    fn every_file_and_as_many_mutations_are_fed_the_same_each_time() {
        let run = || {
            let (fed, sum) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let (counted, summed) = (Arc::clone(&fed), Arc::clone(&sum));
            fuzz(CORPUS, 100, move |input| {
                counted.fetch_add(1, Ordering::Relaxed);
                let bytes: usize = input.iter().map(|byte| usize::from(*byte)).sum();
                summed.fetch_add(bytes, Ordering::Relaxed);
            });
            (fed.load(Ordering::Relaxed), sum.load(Ordering::Relaxed))
        };
        let (fed, sum) = run();
        let rounds = std::env::var("FUZZ_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap());
        assert_eq!(fed, 2 + 100 * rounds);
        assert_eq!(run(), (fed, sum));
    }

    #[test]
    fn a_panic_is_told_with_its_input() {
        let failed = catch_unwind(|| {
            fuzz(CORPUS, 1000, |input| assert!(input.is_ascii()));
        });
        let told = text(&*failed.expect_err("some input has another byte"));
        assert!(
            told.contains("with seed") && told.contains("panicked"),
            "{told}"
        );
    }
}
