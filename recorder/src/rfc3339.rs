//! Wall time as RFC 3339 text in UTC.

use compositor_core::time::WallTime;
use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

const SECONDS: &[FormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const MILLIS: &[FormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// To the second, as the metadata documents have it.
pub(crate) fn rfc3339(time: WallTime) -> String {
    format(time, SECONDS)
}

/// To the millisecond, as playlists have it.
pub(crate) fn rfc3339_millis(time: WallTime) -> String {
    format(time, MILLIS)
}

fn format(time: WallTime, form: &[FormatItem<'_>]) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.0) * 1000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(form)
        .expect("a form of digits can print every time")
}
