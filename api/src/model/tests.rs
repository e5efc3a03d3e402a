use serde_json::json;

use super::*;

fn refused(name: &str, body: Value) -> String {
    let operation = operation(name).expect("known");
    let error = operation.check(body).expect_err("must be refused");
    error.message().to_owned()
}

#[test]
fn both_services_are_read() {
    // 40 and 46 operations, three of them with the same names.
    assert_eq!(operation_names().count(), 83);
}

#[test]
fn a_message_names_member_value_and_rule() {
    for (name, body, message) in [
        ("GetStage", json!({}), "`arn`: missing, is required"),
        (
            "CreateStage",
            json!({"name": "a b"}),
            "`name`: 'a b' given, must match [a-zA-Z0-9-_]*",
        ),
        (
            "PutMetadata",
            json!({"channelArn": "arn:aws:ivs:us-east-1:1:channel/a", "metadata": ""}),
            "`metadata`: '' given, 0 characters long, must be at least 1",
        ),
        (
            "CreateEncoderConfiguration",
            json!({"video": {"framerate": 60.5}}),
            "`video.framerate`: 60.5 given, must be 1 to 60",
        ),
        (
            "BatchGetChannel",
            json!({"arns": []}),
            "`arns`: 0 given, at least 1 allowed",
        ),
        (
            "CreateChannel",
            json!({"type": "CHEAP"}),
            "`type`: 'CHEAP' given, must be one of BASIC, STANDARD, ADVANCED_SD, ADVANCED_HD",
        ),
        (
            "DisconnectParticipant",
            json!({"stageArn": "arn:aws:ivs:us-east-1:1:stage/a", "participantId": "a", "reason": "b\0"}),
            "`reason`: 'b\0' given, must not contain U+0000",
        ),
        (
            "CreateChannel",
            json!({"tags": {"a": 1}}),
            "`tags.a`: a number given, must be a string",
        ),
    ] {
        assert_eq!(refused(name, body), message);
    }
}

#[test]
fn a_pattern_covers_the_whole_value() {
    let arn = "arn:aws:ivs:us-east-1:1:stage/a";
    let get = operation("GetStage").expect("known");
    assert!(get.check(json!({ "arn": arn })).is_ok());
    for wrong in [format!("{arn}\n"), format!("x{arn}"), format!("{arn}/b")] {
        refused("GetStage", json!({ "arn": wrong }));
    }
}

#[test]
fn nulls_are_absent_and_unknown_members_stay() {
    let create = operation("CreateStage").expect("known");
    let checked = create.check(json!({"name": null, "colour": 1}));
    assert_eq!(checked.expect("valid"), json!({"colour": 1}));
}

#[test]
fn the_resources_of_a_request_are_its_arns() {
    let (channel, policy) = (
        "arn:aws:ivs:us-east-1:1:channel/a",
        "arn:aws:ivs:us-east-1:1:playback-restriction-policy/b",
    );
    let update = operation("UpdateChannel").expect("known");
    let body = json!({
        "arn": channel,
        "name": "c",
        "recordingConfigurationArn": "",
        "playbackRestrictionPolicyArn": policy,
    });
    assert_eq!(update.resources(&body), [channel, policy]);
    let create = operation("CreateStage").expect("known");
    let body = json!({"tags": {"like": channel}});
    assert!(create.resources(&body).is_empty());
}

#[test]
fn tags_follow_the_service_of_the_resource() {
    let body = || json!({"tags": {"a!": "b"}});
    assert!(check_tag_resource(ArnKind::Stage, body()).is_ok());
    assert!(check_tag_resource(ArnKind::Channel, body()).is_err());
    assert!(check_tag_keys(ArnKind::Stage, &[String::new()]).is_err());
}
