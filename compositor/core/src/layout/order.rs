//! Who is shown, and in which order.

use super::Candidate;

/// The candidates that are shown, in order: first those whose attribute `order_attribute` is a signed 64-bit integer,
/// ascending, then all others; ties by arrival.
pub(super) fn shown<'c, 'p>(
    candidates: &'c [Candidate<'p>],
    omit_stopped_video: bool,
    order_attribute: &str,
) -> Vec<&'c Candidate<'p>> {
    let mut shown: Vec<_> = candidates
        .iter()
        .filter(|candidate| candidate.has_video || !omit_stopped_video)
        .collect();
    if !order_attribute.is_empty() {
        shown.sort_by_key(|candidate| {
            let number = candidate
                .attributes
                .get(order_attribute)
                .and_then(|v| v.parse().ok());
            (number.is_none(), number.unwrap_or(0_i64))
        });
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::id::ParticipantId;

    #[track_caller]
    fn check(attribute: &str, values: &[(&str, Option<&str>)], expected: &str) {
        let people: Vec<_> = values
            .iter()
            .map(|(id, value)| {
                let attributes: BTreeMap<_, _> = value
                    .iter()
                    .map(|value| ("order".to_owned(), (*value).to_owned()))
                    .collect();
                (ParticipantId::new(*id), attributes)
            })
            .collect();
        let candidates: Vec<_> = people
            .iter()
            .map(|(participant, attributes)| Candidate {
                participant,
                attributes,
                has_video: true,
                video_size: None,
            })
            .collect();
        let order: Vec<_> = shown(&candidates, false, attribute)
            .iter()
            .map(|c| c.participant.as_str())
            .collect();
        assert_eq!(order.join(" "), expected);
    }

    #[test]
    fn integers_come_first_and_count_as_numbers() {
        let values = [
            ("a", Some("10")),
            ("b", Some("9")),
            ("c", Some("-3")),
            ("d", Some("9")),
        ];
        check("order", &values, "c b d a");
    }

    #[test]
    fn what_is_no_integer_comes_last_by_arrival() {
        let values = [
            ("a", None),
            ("b", Some("1.5")),
            ("c", Some("abc")),
            ("d", Some("")),
            ("e", Some("9223372036854775808")),
            ("f", Some("9223372036854775807")),
            ("g", Some("-9223372036854775808")),
        ];
        check("order", &values, "g f a b c d e");
    }

    #[test]
    fn without_an_attribute_arrival_decides() {
        check("", &[("a", Some("2")), ("b", Some("1"))], "a b");
    }
}
