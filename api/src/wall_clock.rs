//! How the API spells the time.

use compositor_core::time::WallTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The ISO 8601 text of the API, in UTC, with milliseconds when there are any.
pub fn iso8601(time: WallTime) -> String {
    let millis = time.0.div_euclid(1000);
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000)
        .ok()
        .and_then(|t| t.format(&Rfc3339).ok())
        .unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

/// A time in ISO 8601, as requests have it.
pub fn parse_iso8601(text: &str) -> Option<WallTime> {
    let nanos = OffsetDateTime::parse(text, &Rfc3339)
        .ok()?
        .unix_timestamp_nanos();
    Some(WallTime(i64::try_from(nanos / 1000).ok()?))
}

/// The same in whole seconds, as envelopes of events have it.
pub fn iso8601_seconds(time: WallTime) -> String {
    iso8601(WallTime(time.0 - time.0.rem_euclid(1_000_000)))
}

/// The same with microseconds, always six digits.
pub fn iso8601_micros(time: WallTime) -> String {
    let seconds = iso8601_seconds(time);
    let micros = time.0.rem_euclid(1_000_000);
    format!("{}.{micros:06}Z", seconds.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_have_no_fraction() {
        let at = |micros| iso8601(WallTime(micros));
        assert_eq!(at(1_698_819_937_000_000), "2023-11-01T06:25:37Z");
        assert_eq!(at(1_698_819_937_120_999), "2023-11-01T06:25:37.12Z");
        let written = parse_iso8601("2023-11-01T07:25:37.12+01:00");
        assert_eq!(written, Some(WallTime(1_698_819_937_120_000)));
        assert_eq!(parse_iso8601("yesterday"), None);
        let seconds = iso8601_seconds(WallTime(1_698_819_937_999_999));
        assert_eq!(seconds, "2023-11-01T06:25:37Z");
    }
}
