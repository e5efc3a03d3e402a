//! Logs on standard error; standard output belongs to the READY line.

use std::fmt;
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Crates whose `info` is one line per packet or per object.
const QUIET: &str = "s3s=warn,s3s_fs=error,rtc=warn,webrtc=warn,hyper=warn,sqlx=warn";

/// Starts logging. `filter` was checked by the configuration; directives in it win over the quiet defaults.
pub fn start_logging(filter: &str, format: LogFormat) {
    let filter = EnvFilter::new(format!("{QUIET},{filter}"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A second start happens in tests only and keeps the first.
    let _ = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}

/// Shows an error and all its causes: `error = %chain(&err)`.
pub fn chain<'a>(error: &'a (dyn std::error::Error + 'static)) -> Chain<'a> {
    Chain(error)
}

/// An error that displays as `what: cause: deeper cause`.
pub struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl fmt::Debug for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write {file}")]
    struct Outer {
        file: &'static str,
        #[source]
        source: std::io::Error,
    }

    #[test]
    fn a_chain_shows_every_cause_once() {
        let error = Outer {
            file: "a.ts",
            source: std::io::Error::other("disk full"),
        };
        assert_eq!(chain(&error).to_string(), "cannot write a.ts: disk full");
    }
}
