//! Synthetic journals and a look at what is composed of them.

use std::path::{Path, PathBuf};

pub(crate) mod journal;
pub(crate) mod media;
pub(crate) mod output;

/// One of the examples, which Cargo builds beside the tests.
pub(crate) fn program(example: &str) -> PathBuf {
    let test = std::env::current_exe().expect("it runs");
    let target = test
        .parent()
        .and_then(Path::parent)
        .expect("tests are in target/<profile>/deps");
    target.join("examples").join(example)
}
