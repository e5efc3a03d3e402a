//! "IVS Stage Update": participants publish, stop publishing, or cannot.

use compositor_core::time::WallTime;
use serde::Serialize;

use super::{DetailType, NewEvent};
use crate::arn::Arn;
use crate::wall_clock::{iso8601_micros, iso8601_seconds};

/// Whom an event is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Subject {
    /// On which stage.
    pub(crate) stage: Arn,
    /// In which session.
    pub(crate) session: String,
    /// Who.
    pub(crate) participant: String,
    /// Empty for none.
    pub(crate) user_id: String,
}

#[derive(Serialize)]
struct Detail<'a> {
    session_id: &'a str,
    event_name: &'static str,
    event_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_time_precise: Option<String>,
    user_id: &'a str,
    participant_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
    replica: bool,
}

/// The participant publishes since `at`.
pub(crate) fn published(subject: &Subject, at: WallTime) -> NewEvent {
    precise(subject, "Participant Published", at)
}

/// The participant does not publish since `at`.
pub(crate) fn unpublished(subject: &Subject, at: WallTime) -> NewEvent {
    precise(subject, "Participant Unpublished", at)
}

/// Publishing was refused or ended at `at`, because of `code`.
pub(crate) fn publish_error(subject: &Subject, at: WallTime, code: &str) -> NewEvent {
    let detail = Detail {
        error_code: Some(code),
        event_time: iso8601_micros(at),
        event_time_precise: None,
        ..detail(subject, "Participant Publish Error", at)
    };
    NewEvent::about(&subject.stage, DetailType::StageUpdate, at, &detail)
}

fn precise(subject: &Subject, event_name: &'static str, at: WallTime) -> NewEvent {
    let detail = detail(subject, event_name, at);
    NewEvent::about(&subject.stage, DetailType::StageUpdate, at, &detail)
}

fn detail<'a>(subject: &'a Subject, event_name: &'static str, at: WallTime) -> Detail<'a> {
    Detail {
        session_id: &subject.session,
        event_name,
        event_time: iso8601_seconds(at),
        event_time_precise: Some(iso8601_micros(at)),
        user_id: &subject.user_id,
        participant_id: &subject.participant,
        error_code: None,
        replica: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arn::ArnKind;

    #[test]
    fn details_have_the_documented_members_in_their_order() {
        let subject = Subject {
            stage: Arn::new("us-east-1", "123456789012", ArnKind::Stage, "abc"),
            session: "st-0123456789abc".to_owned(),
            participant: "p".to_owned(),
            user_id: "u".to_owned(),
        };
        let at = WallTime(1_698_819_937_000_012);
        let detail = |event: NewEvent| {
            let (_, detail) = event.envelope.split_once(r#""detail":"#).unwrap();
            assert!(
                event
                    .envelope
                    .contains(r#""resources":["arn:aws:ivs:us-east-1:123456789012:stage/abc"]"#)
            );
            detail.to_owned()
        };
        assert_eq!(
            detail(published(&subject, at)),
            r#"{"session_id":"st-0123456789abc","event_name":"Participant Published","event_time":"2023-11-01T06:25:37Z","event_time_precise":"2023-11-01T06:25:37.000012Z","user_id":"u","participant_id":"p","replica":false}}"#
        );
        assert_eq!(
            detail(publish_error(&subject, at, "BITRATE_EXCEEDED")),
            r#"{"session_id":"st-0123456789abc","event_name":"Participant Publish Error","event_time":"2023-11-01T06:25:37.000012Z","user_id":"u","participant_id":"p","error_code":"BITRATE_EXCEEDED","replica":false}}"#
        );
        assert!(detail(unpublished(&subject, at)).contains("Participant Unpublished"));
    }
}
