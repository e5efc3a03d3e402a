//! Options of the benches, as `--name value`.

use std::path::PathBuf;
use std::str::FromStr;

use crate::BenchError;

/// The value of `--name` on the command line, or `default`.
pub fn value<T: FromStr>(name: &str, default: T) -> Result<T, BenchError> {
    let flag = format!("--{name}");
    let mut arguments = std::env::args().skip_while(|argument| *argument != flag);
    let Some(flag) = arguments.next() else {
        return Ok(default);
    };
    let text = arguments
        .next()
        .ok_or_else(|| format!("{flag} needs a value"))?;
    text.parse()
        .map_err(|_| format!("{flag} {text}: not a value of this option").into())
}

/// The `proscenium` binary: given, or beside this program's folder.
pub fn proscenium() -> Result<PathBuf, BenchError> {
    let this = std::env::current_exe()?;
    let beside = this
        .ancestors()
        .nth(2)
        .map(|folder| folder.join("proscenium"));
    let path = value("proscenium", beside.unwrap_or_default())?;
    if path.is_file() {
        return Ok(path);
    }
    Err(format!("{} is not built: make build", path.display()).into())
}
