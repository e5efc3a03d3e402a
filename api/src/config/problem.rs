//! What is wrong with a configuration, all of it at once.

use std::fmt;

/// One value that cannot be used: where it stands, what it is, and the rule that it breaks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The flag, environment variable or TOML key, as the user wrote it.
    pub key: String,
    /// The value, or `(hidden)` for secrets.
    pub value: String,
    /// What would be accepted.
    pub rule: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.value.is_empty() {
            write!(f, "{}: {}", self.key, self.rule)
        } else {
            write!(f, "{} = {}: {}", self.key, self.value, self.rule)
        }
    }
}

/// Every problem of a configuration; never empty when it is returned as an error.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConfigProblems(Vec<Problem>);

impl ConfigProblems {
    /// The problems in the order in which they were found.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a problem of `key`; `value` may be empty when the problem is its absence.
    pub(crate) fn add(
        &mut self,
        key: impl Into<String>,
        value: impl Into<String>,
        rule: impl Into<String>,
    ) {
        self.0.push(Problem {
            key: key.into(),
            value: value.into(),
            rule: rule.into(),
        });
    }
}

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {} problem(s):", self.0.len())?;
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigProblems {}
