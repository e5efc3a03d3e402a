//! Sessions, participants and their events: what the gateway remembers, as clients and listeners to events read it.

use std::collections::BTreeMap;

use compositor_core::id::{ParticipantId, SessionId, StageId};
use compositor_core::time::WallTime;
use serde_json::{Value, json};
use stage_gateway::history::{
    Attempt, ClientAttributes, FailureCode, HistoryEvent, HistoryKind, Visitor,
};

use crate::world::{ACCOUNT, OTHER_KEY, START_SECONDS, World, id, text};

const SESSION: &str = "st-0123456789abc";

/// Something that happened so many seconds after the start of the world.
pub(crate) fn happened(
    stage: &str,
    session: &str,
    seconds: i64,
    kind: HistoryKind,
) -> HistoryEvent {
    HistoryEvent {
        stage: StageId::new(id(stage)),
        session: SessionId::new(session),
        at: WallTime((START_SECONDS + seconds) * 1_000_000),
        kind,
    }
}

fn who(name: &str) -> ParticipantId {
    ParticipantId::new(name)
}

fn visitor(name: &str) -> Visitor {
    Visitor {
        participant: who(name),
        user_id: format!("user-{name}"),
        attributes: BTreeMap::from([("role".to_owned(), "host".to_owned())]),
        client: ClientAttributes {
            browser_name: "Chrome".to_owned(),
            browser_version: "141.0.0.0".to_owned(),
            os_name: "Linux".to_owned(),
            os_version: String::new(),
        },
    }
}

fn refusal(name: &str, attempt: Attempt, code: FailureCode) -> HistoryKind {
    HistoryKind::Failed {
        visitor: visitor(name),
        attempt,
        code,
    }
}

/// Writes down a session's events, each a second after the one before.
async fn record(world: &World, stage: &str, session: &str, kinds: Vec<HistoryKind>) {
    let events: Vec<HistoryEvent> = (0..)
        .zip(kinds)
        .map(|(second, kind)| happened(stage, session, second, kind))
        .collect();
    world
        .state
        .store
        .record_stage_history(&events)
        .await
        .unwrap();
}

/// Ann publishes, Bob receives her, Cy may not publish; then Bob leaves.
async fn told(world: &World) -> String {
    let stage = world.stage().await;
    let subscription = || (who("bob"), who("ann"));
    let (participant, publisher) = subscription();
    let started = HistoryKind::SubscribeStarted {
        participant,
        publisher,
    };
    let (participant, publisher) = subscription();
    let stopped = HistoryKind::SubscribeStopped {
        participant,
        publisher,
    };
    let kinds = vec![
        HistoryKind::SessionStarted,
        HistoryKind::Joined(visitor("ann")),
        HistoryKind::PublishStarted(who("ann")),
        HistoryKind::Joined(visitor("bob")),
        started,
        refusal(
            "cy",
            Attempt::Publish,
            FailureCode::InsufficientCapabilities,
        ),
        refusal(
            "cy",
            Attempt::Subscribe(who("dan")),
            FailureCode::PublisherNotFound,
        ),
        stopped,
        HistoryKind::Left(who("bob")),
    ];
    record(world, &stage, SESSION, kinds).await;
    stage
}

async fn events_of(world: &World, stage: &str, participant: &str) -> Vec<String> {
    let request = json!({"stageArn": stage, "sessionId": SESSION, "participantId": participant});
    let listed = world.call("ListParticipantEvents", request).await.ok();
    let events = listed["events"].as_array().unwrap();
    events.iter().map(|event| text(&event["name"])).collect()
}

/// The details of all events of the account.
async fn details(world: &World) -> Vec<Value> {
    let events = world
        .state
        .store
        .events_after(ACCOUNT, 0, 100)
        .await
        .unwrap();
    let read = |envelope: &str| serde_json::from_str::<Value>(envelope).unwrap()["detail"].clone();
    events.iter().map(|event| read(&event.envelope)).collect()
}

#[tokio::test]
async fn a_session_and_its_participants_are_read_back() {
    let world = World::new().await;
    let stage = told(&world).await;
    let of_session = json!({"stageArn": stage, "sessionId": SESSION});
    let session = json!({"sessionId": SESSION, "startTime": "2026-11-20T12:00:00Z"});
    let got = world.call("GetStageSession", of_session.clone()).await.ok();
    assert_eq!(got, json!({"stageSession": session}));
    let listed = world
        .call("ListStageSessions", json!({"stageArn": stage}))
        .await
        .ok();
    assert_eq!(listed, json!({"stageSessions": [session]}));
    let ann = json!({"stageArn": stage, "sessionId": SESSION, "participantId": "ann"});
    let got = world.call("GetParticipant", ann).await.ok();
    let expected = json!({
        "participantId": "ann", "userId": "user-ann", "state": "CONNECTED", "firstJoinTime": "2026-11-20T12:00:01Z",
        "published": true, "recordingState": "DISABLED", "replicationType": "NONE", "attributes": {"role": "host"},
        "protocol": "WHIP", "ispName": "", "osName": "Linux", "osVersion": "", "browserName": "Chrome",
        "browserVersion": "141.0.0.0", "sdkVersion": "",
    });
    assert_eq!(got["participant"], expected);
    let listed = world.call("ListParticipants", of_session).await.ok();
    let seen: Vec<(String, String, bool)> = listed["participants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let published = one["published"].as_bool().unwrap();
            (text(&one["participantId"]), text(&one["state"]), published)
        })
        .collect();
    let (ann, bob, cy) = ("ann".to_owned(), "bob".to_owned(), "cy".to_owned());
    let (here, gone) = ("CONNECTED".to_owned(), "DISCONNECTED".to_owned());
    assert_eq!(
        seen,
        [
            (ann, here, true),
            (bob, gone.clone(), false),
            (cy, gone, false)
        ]
    );
}

#[tokio::test]
async fn events_come_newest_first_with_their_peers_and_reasons() {
    let world = World::new().await;
    let stage = told(&world).await;
    assert_eq!(
        events_of(&world, &stage, "ann").await,
        ["PUBLISH_STARTED", "JOINED"]
    );
    let bob = ["LEFT", "SUBSCRIBE_STOPPED", "SUBSCRIBE_STARTED", "JOINED"];
    assert_eq!(events_of(&world, &stage, "bob").await, bob);
    let request = json!({"stageArn": stage, "sessionId": SESSION, "participantId": "cy"});
    let listed = world.call("ListParticipantEvents", request).await.ok();
    assert_eq!(
        listed["events"],
        json!([
            {"name": "SUBSCRIBE_ERROR", "participantId": "cy", "eventTime": "2026-11-20T12:00:06Z",
             "remoteParticipantId": "dan", "errorCode": "PUBLISHER_NOT_FOUND"},
            {"name": "PUBLISH_ERROR", "participantId": "cy", "eventTime": "2026-11-20T12:00:05Z",
             "errorCode": "INSUFFICIENT_CAPABILITIES"},
        ])
    );
}

#[tokio::test]
async fn publishing_is_told_as_stage_updates_in_the_same_transaction() {
    let world = World::new().await;
    let stage = told(&world).await;
    let base = |name: &str, participant: &str| {
        json!({"session_id": SESSION, "event_name": name, "user_id": format!("user-{participant}"),
               "participant_id": participant, "replica": false})
    };
    let mut published = base("Participant Published", "ann");
    published["event_time"] = json!("2026-11-20T12:00:02Z");
    published["event_time_precise"] = json!("2026-11-20T12:00:02.000000Z");
    let mut error = base("Participant Publish Error", "cy");
    error["event_time"] = json!("2026-11-20T12:00:05.000000Z");
    error["error_code"] = json!("INSUFFICIENT_CAPABILITIES");
    assert_eq!(details(&world).await, [published, error]);
    let stop = HistoryKind::PublishStopped(who("ann"));
    let stopped = happened(&stage, SESSION, 9, stop);
    // Told twice, as after a restart in the middle, it happens once.
    let twice = [stopped.clone(), stopped];
    world
        .state
        .store
        .record_stage_history(&twice)
        .await
        .unwrap();
    let details = details(&world).await;
    assert_eq!(details.len(), 3);
    assert_eq!(details[2]["event_name"], "Participant Unpublished");
}

#[tokio::test]
async fn participants_are_filtered_by_one_filter() {
    let world = World::new().await;
    let stage = told(&world).await;
    for (member, value, expected) in [
        ("filterByUserId", json!("user-bob"), vec!["bob"]),
        ("filterByUserId", json!("nobody"), vec![]),
        ("filterByPublished", json!(true), vec!["ann"]),
        ("filterByPublished", json!(false), vec!["bob", "cy"]),
        ("filterByState", json!("CONNECTED"), vec!["ann"]),
        ("filterByState", json!("DISCONNECTED"), vec!["bob", "cy"]),
        ("filterByRecordingState", json!("ACTIVE"), vec![]),
    ] {
        let mut request = json!({"stageArn": stage, "sessionId": SESSION});
        request[member] = value;
        let listed = world.call("ListParticipants", request).await.ok();
        let participants = listed["participants"].as_array().unwrap();
        let names: Vec<String> = participants
            .iter()
            .map(|one| text(&one["participantId"]))
            .collect();
        assert_eq!(names, expected, "{member}");
    }
    let both = json!({"stageArn": stage, "sessionId": SESSION, "filterByState": "CONNECTED", "filterByPublished": true});
    let refused = world.call("ListParticipants", both).await;
    refused.err(
        400,
        "ValidationException",
        "`filterByPublished`, `filterByState`: 2 filters given",
    );
}

#[tokio::test]
async fn lists_are_paged_and_tokens_hold_for_their_list_only() {
    let world = World::new().await;
    let stage = world.stage().await;
    for session in ["st-aaaaaaaaaaaaa", "st-bbbbbbbbbbbbb", "st-ccccccccccccc"] {
        let kinds = vec![HistoryKind::SessionStarted, HistoryKind::SessionEnded];
        record(&world, &stage, session, kinds).await;
    }
    let request = json!({"stageArn": stage, "maxResults": 2});
    let first = world.call("ListStageSessions", request).await.ok();
    assert_eq!(first["stageSessions"][0]["sessionId"], "st-ccccccccccccc");
    assert_eq!(first["stageSessions"][1]["endTime"], "2026-11-20T12:00:01Z");
    let token = text(&first["nextToken"]);
    let request = json!({"stageArn": stage, "maxResults": 2, "nextToken": token});
    let second = world.call("ListStageSessions", request).await.ok();
    assert_eq!(second["stageSessions"][0]["sessionId"], "st-aaaaaaaaaaaaa");
    assert_eq!(second["stageSessions"].as_array().unwrap().len(), 1);
    assert_eq!(second.get("nextToken"), None);
    let told = told(&world).await;
    let elsewhere = json!({"stageArn": told, "nextToken": token});
    let refused = world.call("ListStageSessions", elsewhere).await;
    refused.err(400, "ValidationException", "nextToken");
    let mut request =
        json!({"stageArn": told, "sessionId": SESSION, "participantId": "bob", "maxResults": 3});
    let first = world
        .call("ListParticipantEvents", request.clone())
        .await
        .ok();
    request["nextToken"] = first["nextToken"].clone();
    let second = world.call("ListParticipantEvents", request).await.ok();
    assert_eq!(second["events"][0]["name"], "JOINED");
    let mut request = json!({"stageArn": told, "sessionId": SESSION, "maxResults": 2, "filterByState": "DISCONNECTED"});
    let page = world.call("ListParticipants", request.clone()).await.ok();
    assert_eq!(page.get("nextToken"), None);
    request["maxResults"] = json!(1);
    let page = world.call("ListParticipants", request).await.ok();
    let other = json!({"stageArn": told, "sessionId": SESSION, "nextToken": page["nextToken"]});
    let refused = world.call("ListParticipants", other).await;
    refused.err(400, "ValidationException", "nextToken");
}

#[tokio::test]
async fn what_is_not_there_or_not_ones_own_is_not_found() {
    let world = World::new().await;
    let stage = told(&world).await;
    let of_session = json!({"stageArn": stage, "sessionId": SESSION});
    let missing = json!({"stageArn": stage, "sessionId": "st-zzzzzzzzzzzzz"});
    let refused = world.call("GetStageSession", missing.clone()).await;
    refused.err(404, "ResourceNotFoundException", "st-zzzzzzzzzzzzz");
    let nobody = json!({"stageArn": stage, "sessionId": SESSION, "participantId": "nobody"});
    let refused = world.call("GetParticipant", nobody.clone()).await;
    refused.err(404, "ResourceNotFoundException", "'nobody'");
    let listed = world.call("ListParticipants", missing).await.ok();
    assert_eq!(listed, json!({"participants": []}));
    let listed = world.call("ListParticipantEvents", nobody).await.ok();
    assert_eq!(listed, json!({"events": []}));
    for operation in ["GetStageSession", "ListStageSessions", "ListParticipants"] {
        let mut request = of_session.clone();
        if operation == "ListStageSessions" {
            request = json!({"stageArn": stage});
        }
        let answer = world.call_as(OTHER_KEY, operation, request).await;
        let body = answer.body.to_string();
        assert!(
            !body.contains("startTime") && !body.contains("user-ann"),
            "{operation}: {body}"
        );
    }
}

#[tokio::test]
async fn what_a_killed_server_left_open_ends_when_it_was_last_seen() {
    let world = World::new().await;
    let stage = told(&world).await;
    let receives = HistoryKind::SubscribeStarted {
        participant: who("ann"),
        publisher: who("eve"),
    };
    let store = &world.state.store;
    let event = happened(&stage, SESSION, 9, receives);
    store.record_stage_history(&[event]).await.unwrap();
    let seen = WallTime((START_SECONDS + 100) * 1_000_000);
    store.touch_stage_sessions(seen).await.unwrap();
    assert_eq!(store.end_open_stage_sessions().await.unwrap(), 1);
    assert_eq!(store.end_open_stage_sessions().await.unwrap(), 0);
    let request = json!({"stageArn": stage, "sessionId": SESSION});
    let got = world.call("GetStageSession", request.clone()).await.ok();
    assert_eq!(got["stageSession"]["endTime"], "2026-11-20T12:01:40Z");
    let connected = json!({"stageArn": stage, "sessionId": SESSION, "filterByState": "CONNECTED"});
    let listed = world.call("ListParticipants", connected).await.ok();
    assert_eq!(listed, json!({"participants": []}));
    let ann = [
        "LEFT",
        "PUBLISH_STOPPED",
        "SUBSCRIBE_STOPPED",
        "SUBSCRIBE_STARTED",
        "PUBLISH_STARTED",
        "JOINED",
    ];
    assert_eq!(events_of(&world, &stage, "ann").await, ann);
    let got = world.call("GetStage", json!({"arn": stage})).await.ok();
    assert_eq!(got["stage"].get("activeSessionId"), None);
    // The gateway goes on with the same session.
    record(&world, &stage, SESSION, vec![HistoryKind::SessionStarted]).await;
    let got = world.call("GetStageSession", request).await.ok();
    assert_eq!(got["stageSession"].get("endTime"), None);
    assert_eq!(got["stageSession"]["startTime"], "2026-11-20T12:00:00Z");
}

#[tokio::test]
async fn a_stage_has_one_session_at_a_time_and_old_ones_are_forgotten() {
    let world = World::new().await;
    let stage = told(&world).await;
    record(
        &world,
        &stage,
        "st-nextnextnextn",
        vec![HistoryKind::SessionStarted],
    )
    .await;
    let got = world.call("GetStage", json!({"arn": stage})).await.ok();
    assert_eq!(got["stage"]["activeSessionId"], "st-nextnextnextn");
    let request = json!({"stageArn": stage, "sessionId": SESSION});
    let got = world.call("GetStageSession", request.clone()).await.ok();
    assert_eq!(got["stageSession"]["endTime"], "2026-11-20T12:00:00Z");
    let store = &world.state.store;
    let later = WallTime((START_SECONDS + 1) * 1_000_000);
    store.forget_stage_sessions(later).await.unwrap();
    let refused = world.call("GetStageSession", request.clone()).await;
    refused.err(404, "ResourceNotFoundException", SESSION);
    assert_eq!(events_of(&world, &stage, "ann").await, Vec::<String>::new());
    let listed = world
        .call("ListStageSessions", json!({"stageArn": stage}))
        .await
        .ok();
    assert_eq!(listed["stageSessions"].as_array().unwrap().len(), 1);
    // Of a stage that is gone nothing more is written down; what is there stays.
    world.call("DeleteStage", json!({"arn": stage})).await.ok();
    record(
        &world,
        &stage,
        "st-lastlastlastl",
        vec![HistoryKind::SessionStarted],
    )
    .await;
    let listed = world
        .call("ListStageSessions", json!({"stageArn": stage}))
        .await
        .ok();
    assert_eq!(listed["stageSessions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn of_a_participant_that_tries_for_ever_the_newest_events_are_kept() {
    const KEPT: usize = 10_000;
    let world = World::new().await;
    let stage = world.stage().await;
    let refused = || refusal("cy", Attempt::Join, FailureCode::QuotaExceeded);
    let kinds = [
        HistoryKind::SessionStarted,
        HistoryKind::Joined(visitor("cy")),
    ];
    let kinds = kinds.into_iter().chain((0..KEPT).map(|_| refused()));
    record(&world, &stage, SESSION, kinds.collect()).await;
    let mut request =
        json!({"stageArn": stage, "sessionId": SESSION, "participantId": "cy", "maxResults": 100});
    let mut kept = 0;
    loop {
        let page = world
            .call("ListParticipantEvents", request.clone())
            .await
            .ok();
        let events = page["events"].as_array().unwrap();
        assert!(events.iter().all(|event| event["name"] == "JOIN_ERROR"));
        kept += events.len();
        match page.get("nextToken") {
            Some(token) => request["nextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(kept, KEPT);
}

#[tokio::test]
async fn who_never_published_has_no_protocol() {
    let world = World::new().await;
    let stage = told(&world).await;
    let got = async |participant: &str| {
        let request =
            json!({"stageArn": stage, "sessionId": SESSION, "participantId": participant});
        world.call("GetParticipant", request).await.ok()["participant"]["protocol"].clone()
    };
    assert_eq!(got("ann").await, "WHIP");
    assert_eq!(got("bob").await, "UNKNOWN", "he only received");
    assert_eq!(got("cy").await, "UNKNOWN", "he was refused");
}

#[tokio::test]
async fn who_is_replicated_is_a_source() {
    let world = World::new().await;
    let (stage, destination) = (told(&world).await, world.stage().await);
    world.backend.script(|script| {
        script.sessions.insert(id(&stage), SESSION.to_owned());
        script.publishing.insert((id(&stage), "ann".to_owned()));
    });
    let types = async || {
        let of_session = json!({"stageArn": stage, "sessionId": SESSION});
        let listed = world.call("ListParticipants", of_session).await.ok();
        let listed = listed["participants"].as_array().unwrap().clone();
        let types = listed
            .into_iter()
            .map(|found| text(&found["replicationType"]));
        types.collect::<Vec<String>>()
    };
    assert_eq!(types().await, ["NONE", "NONE", "NONE"]);
    let request = json!({"sourceStageArn": stage, "destinationStageArn": destination, "participantId": "ann"});
    let started = world.call("StartParticipantReplication", request.clone());
    started.await.ok();
    assert_eq!(types().await, ["SOURCE", "NONE", "NONE"]);
    let ann = json!({"stageArn": stage, "sessionId": SESSION, "participantId": "ann"});
    let got = world.call("GetParticipant", ann).await.ok();
    assert_eq!(got["participant"]["replicationType"], "SOURCE");
    let stopped = world.call("StopParticipantReplication", request);
    stopped.await.ok();
    assert_eq!(types().await, ["NONE", "NONE", "NONE"]);
}
