use super::*;
use crate::arn::ArnKind;

#[derive(Serialize)]
struct Detail {
    event_name: &'static str,
    a: u32,
}

#[test]
fn an_envelope_has_the_documented_members_in_their_order() {
    let arn = Arn::new("us-east-1", "123456789012", ArnKind::Channel, "abc");
    let detail = Detail {
        event_name: "Stream Start",
        a: 1,
    };
    let at = WallTime(1_698_819_937_120_999);
    let event = NewEvent::about(&arn, DetailType::StreamStateChange, at, &detail);
    let (head, rest) = event.envelope.split_once(r#""id":""#).unwrap();
    let (id, rest) = rest.split_once('"').unwrap();
    assert_eq!(head, r#"{"version":"0","#);
    assert_eq!(id.len(), 36);
    assert_eq!(
        rest,
        r#","detail-type":"IVS Stream State Change","source":"aws.ivs","account":"123456789012","time":"2023-11-01T06:25:37Z","region":"us-east-1","resources":["arn:aws:ivs:us-east-1:123456789012:channel/abc"],"detail":{"event_name":"Stream Start","a":1}}"#
    );
}

#[test]
fn an_event_about_an_account_names_no_resource() {
    let detail = Detail {
        event_name: "",
        a: 1,
    };
    let event = NewEvent::about_account(
        "123456789012",
        DetailType::LimitBreach,
        WallTime(0),
        &detail,
    );
    assert!(event.envelope.contains(r#""resources":[]"#));
    assert_eq!(event.resource, "");
}
