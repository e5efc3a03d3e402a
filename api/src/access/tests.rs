use std::sync::Arc;

use super::*;
use crate::arn::ArnKind;

fn principal(statements: &[(&[&str], &[&str])]) -> Principal {
    let patterns = |texts: &[&str]| texts.iter().copied().map(Pattern::new).collect();
    let statements = statements.iter().map(|(actions, resources)| Statement {
        actions: patterns(actions),
        resources: patterns(resources),
    });
    Principal {
        access_key: "KEY".to_owned(),
        account: "1".to_owned(),
        policy: Arc::new(Policy {
            statements: statements.collect(),
        }),
    }
}

#[test]
fn a_star_is_any_text_and_a_question_mark_one_character() {
    for (pattern, text, fits) in [
        ("*", "", true),
        ("ivs:Get*", "ivs:GetStage", true),
        ("ivs:Get*", "ivs:ListStages", false),
        ("*Stage", "ivs:GetStage", true),
        ("*Stage", "ivs:GetStageSession", false),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("stage/?", "stage/x", true),
        ("stage/?", "stage/xy", false),
        ("", "x", false),
    ] {
        assert_eq!(
            Pattern::new(pattern).matches(text),
            fits,
            "{pattern} {text}"
        );
    }
    let slow = Pattern::new("a*".repeat(50) + "b");
    assert!(!slow.matches(&"a".repeat(5000)));
}

#[test]
fn every_resource_of_the_request_must_be_allowed() {
    let who = principal(&[(&["ivs:StartComposition"], &["*:stage/*", "*:channel/mine"])]);
    let stage = "arn:aws:ivs:us-east-1:1:stage/a";
    let (mine, other) = (
        "arn:aws:ivs:us-east-1:1:channel/mine",
        "arn:aws:ivs:us-east-1:1:channel/other",
    );
    let check = |named: &[&str]| authorize("us-east-1", &who, "StartComposition", named);
    assert!(check(&[stage, mine]).is_ok());
    let refused = check(&[stage, other]).expect_err("the channel is not allowed");
    assert_eq!(
        refused.message(),
        "access key KEY of account 1 is not authorized to perform ivs:StartComposition on resource \
         arn:aws:ivs:us-east-1:1:channel/other"
    );
}

#[test]
fn a_request_without_resource_acts_on_the_whole_type() {
    let who = principal(&[(&["ivs:*"], &["arn:aws:ivs:us-east-1:1:stage/*"])]);
    let check = |operation| authorize("us-east-1", &who, operation, &[]).is_ok();
    assert!(check("CreateStage"));
    assert!(check("ListStages"));
    assert!(!check("ListChannels"));
    assert!(!check("RevokeConnectionToken"));
}

#[test]
fn naming_another_resource_opens_no_type() {
    let arn = |resource: &str| format!("arn:aws:ivs:us-east-1:1:{resource}");
    let all_but = |kind: &str| {
        let all = ["stage", "channel", "recording-configuration"];
        let rest = all.into_iter().filter(|other| *other != kind);
        let rest: Vec<String> = rest.map(|other| arn(&format!("{other}/*"))).collect();
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        principal(&[(&["ivs:*"], &rest)])
    };
    for (operation, named, kind) in [
        ("ListCompositions", "stage/a", "composition"),
        (
            "ListIngestConfigurations",
            "stage/a",
            "ingest-configuration",
        ),
        (
            "CreateIngestConfiguration",
            "stage/a",
            "ingest-configuration",
        ),
        ("ListChannels", "recording-configuration/a", "channel"),
        ("CreateChannel", "recording-configuration/a", "channel"),
        ("CreateStreamKey", "channel/a", "stream-key"),
        ("ListStreamKeys", "channel/a", "stream-key"),
    ] {
        let named = arn(named);
        let refused = authorize("us-east-1", &all_but(kind), operation, &[&named]);
        let refused = refused.expect_err(operation);
        let whole_type = arn(&format!("{kind}/*"));
        assert!(refused.message().ends_with(&whole_type), "{refused}");
        let who = principal(&[(&["ivs:*"], &[&named, &whole_type])]);
        assert!(authorize("us-east-1", &who, operation, &[&named]).is_ok());
    }
}

#[test]
fn what_belongs_to_a_named_resource_needs_no_more() {
    let stage = "arn:aws:ivs:us-east-1:1:stage/a";
    let channel = "arn:aws:ivs:us-east-1:1:channel/a";
    let who = principal(&[(&["ivs:*"], &[stage, channel])]);
    for (operation, named) in [
        ("CreateParticipantToken", stage),
        ("ListParticipants", stage),
        ("ListParticipantEvents", stage),
        ("ListParticipantReplicas", stage),
        ("ListStageSessions", stage),
        ("ListStreamSessions", channel),
        ("ListTagsForResource", stage),
    ] {
        assert!(
            authorize("us-east-1", &who, operation, &[named]).is_ok(),
            "{operation}"
        );
    }
}

#[test]
fn every_operation_that_may_name_no_resource_has_a_type() {
    let without: Vec<&str> = crate::model::operation_names()
        .filter(|name| new_resource_kind(name).is_none())
        .collect();
    assert_eq!(
        without,
        [
            "BatchStartViewerSessionRevocation",
            "InsertAdBreak",
            "ListTagsForResource",
            "PutMetadata",
            "RevokeConnectionToken",
            "StartViewerSessionRevocation",
            "TagResource",
            "UntagResource",
        ]
    );
    assert_eq!(
        new_resource_kind("ListStreamKeys"),
        Some(ArnKind::StreamKey)
    );
    assert_eq!(new_resource_kind("ListStageSessions"), Some(ArnKind::Stage));
}
