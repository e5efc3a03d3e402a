//! `sk_...?priority=7`: a stream key with its query, taken apart.

use crate::limits::STREAM_KEY_CHARS_MAX;

/// Largest priority of a takeover (IVS: 1 to 2147483647).
const PRIORITY_MAX: u32 = 2_147_483_647;

/// What a publisher asked for. The key is a secret: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StreamKey {
    pub(crate) key: String,
    pub(crate) priority: Option<u32>,
}

impl std::fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamKey")
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

/// Why a stream key cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum StreamKeyError {
    #[error("the stream key is empty")]
    Empty,
    #[error("the stream key has {0} characters, at most {STREAM_KEY_CHARS_MAX} are allowed")]
    TooLong(usize),
    #[error("the priority of the stream key is not a number from 1 to {PRIORITY_MAX}")]
    Priority,
}

impl StreamKey {
    /// Splits the name that a publisher sent. Unknown parameters are ignored.
    pub(crate) fn parse(name: &str) -> Result<Self, StreamKeyError> {
        if name.len() > STREAM_KEY_CHARS_MAX {
            return Err(StreamKeyError::TooLong(name.len()));
        }
        let (key, query) = name.split_once('?').unwrap_or((name, ""));
        if key.is_empty() {
            return Err(StreamKeyError::Empty);
        }
        let priority = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("priority="))
            .map(parse_priority)
            .transpose()?;
        Ok(Self {
            key: key.to_owned(),
            priority,
        })
    }
}

fn parse_priority(text: &str) -> Result<u32, StreamKeyError> {
    match text.parse::<u32>() {
        Ok(priority @ 1..=PRIORITY_MAX) => Ok(priority),
        _ => Err(StreamKeyError::Priority),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_without_query_has_no_priority() {
        let parsed = StreamKey::parse("sk_us-east-1_abc").unwrap();
        assert_eq!(
            parsed,
            StreamKey {
                key: "sk_us-east-1_abc".into(),
                priority: None
            }
        );
    }

    #[test]
    fn priority_is_found_among_other_parameters() {
        let parsed = StreamKey::parse("sk?x=1&priority=2147483647&y").unwrap();
        assert_eq!(parsed.priority, Some(PRIORITY_MAX));
        assert_eq!(parsed.key, "sk");
    }

    #[test]
    fn priority_outside_its_range_is_refused() {
        for bad in [
            "sk?priority=0",
            "sk?priority=2147483648",
            "sk?priority=",
            "sk?priority=-1",
        ] {
            assert_eq!(
                StreamKey::parse(bad),
                Err(StreamKeyError::Priority),
                "{bad}"
            );
        }
    }

    #[test]
    fn empty_and_endless_keys_are_refused() {
        assert_eq!(StreamKey::parse("?priority=1"), Err(StreamKeyError::Empty));
        assert_eq!(
            StreamKey::parse(&"k".repeat(513)),
            Err(StreamKeyError::TooLong(513))
        );
    }

    #[test]
    fn debug_form_hides_the_key() {
        let shown = format!("{:?}", StreamKey::parse("secret?priority=3").unwrap());
        assert!(!shown.contains("secret"), "{shown}");
    }
}
