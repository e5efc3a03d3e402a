//! `proscenium doctor`: looks at everything that a start needs, and says what to do.

mod checks;
mod store;

use std::fmt;

use crate::config::Config;
use crate::platform::database;

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What was looked at.
    pub what: String,
    /// How it is.
    pub outcome: Outcome,
}

/// How a thing is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// As it should be.
    Fine {
        /// What was seen.
        seen: String,
    },
    /// Something that `serve` would stumble over.
    Wrong {
        /// What was seen.
        seen: String,
        /// What to do about it.
        remedy: String,
    },
}

impl Finding {
    fn fine(what: impl Into<String>, seen: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            outcome: Outcome::Fine { seen: seen.into() },
        }
    }

    fn wrong(what: impl Into<String>, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            outcome: Outcome::Wrong {
                seen: seen.into(),
                remedy: remedy.into(),
            },
        }
    }

    /// Whether it needs no action.
    pub fn is_fine(&self) -> bool {
        matches!(self.outcome, Outcome::Fine { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Fine { seen } => write!(f, "ok     {}: {seen}", self.what),
            Outcome::Wrong { seen, remedy } => {
                write!(f, "WRONG  {}: {seen}\n       do: {remedy}", self.what)
            }
        }
    }
}

/// Looks at everything, in the order in which `serve` would need it. `bucket` is tried in an external S3.
pub async fn examine(config: &Config, bucket: Option<&str>) -> Vec<Finding> {
    let mut findings = vec![checks::plugins(&compositor::plugins::missing())];
    findings.push(checks::data_folder(&config.data_dir));
    findings.push(checks::disk(&config.data_dir));
    findings.push(store::examine(&database(config)).await);
    findings.extend(checks::ports(config).await);
    findings.extend(config.tls.as_ref().map(checks::tls));
    findings.push(checks::s3(config, bucket).await);
    findings
}

/// Prints the findings; answers whether all is fine.
pub async fn run(config: &Config, bucket: Option<&str>) -> bool {
    let findings = examine(config, bucket).await;
    for finding in &findings {
        println!("{finding}");
    }
    let wrong = findings.iter().filter(|finding| !finding.is_fine()).count();
    match wrong {
        0 => println!("All is fine."),
        wrong => println!("{wrong} thing(s) to do."),
    }
    wrong == 0
}
