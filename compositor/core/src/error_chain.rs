//! How an error is logged: itself, then each cause.

use std::error::Error;

/// The error's text and that of every `source` below it, joined by colons.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the segment {number} was not uploaded")]
    struct Outer {
        number: u32,
        #[source]
        source: std::fmt::Error,
    }

    #[test]
    fn every_cause_is_named_once() {
        let error = Outer {
            number: 3,
            source: std::fmt::Error,
        };
        let cause = std::fmt::Error.to_string();
        assert_eq!(
            error_chain(&error),
            format!("the segment 3 was not uploaded: {cause}")
        );
    }
}
