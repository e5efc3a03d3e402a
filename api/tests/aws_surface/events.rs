//! What is told of compositions, and `GET /events`.

use std::time::Duration;

use api::arn::{Arn, ArnKind};
use api::event::{DetailType, NewEvent, composition_event, feed, killed_composition_events};
use api::store::StoredComposition;
use axum::body::Body;
use axum::response::Response;
use compositor_core::composition::{DestinationError, Event, SessionError};
use compositor_core::time::WallTime;
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::parts::Parts;
use crate::world::{
    ACCOUNT, OTHER_ACCOUNT, READER_KEY, START_SECONDS, Signing, World, signed, text,
};

const NOW: WallTime = WallTime(START_SECONDS * 1_000_000);

async fn started(world: &World) -> StoredComposition {
    let parts = Parts::new(world).await;
    parts.start(world, json!([parts.s3()])).await.ok();
    world
        .state
        .store
        .unfinished_compositions()
        .await
        .unwrap()
        .remove(0)
}

async fn details(world: &World) -> Vec<(i64, Value)> {
    let events = world
        .state
        .store
        .events_after(ACCOUNT, 0, 100)
        .await
        .unwrap();
    let detail = |text: &str| serde_json::from_str::<Value>(text).unwrap()["detail"].clone();
    events
        .iter()
        .map(|event| (event.number, detail(&event.envelope)))
        .collect()
}

#[tokio::test]
async fn a_state_and_its_events_are_stored_at_once() {
    let world = World::new().await;
    let composition = started(&world).await;
    let spec = &composition.spec;
    let destination = spec.destinations[0].id.clone();
    let happened = [
        Event::DestinationStart {
            id: destination.clone(),
        },
        Event::SessionStart,
        Event::DestinationFailure {
            id: destination.clone(),
            error: DestinationError::AccessDenied,
        },
        Event::SessionFailure {
            error: SessionError::DestinationFailure,
        },
    ];
    let events: Vec<_> = happened
        .iter()
        .map(|event| composition_event(spec, NOW, event))
        .collect();
    let store = &world.state.store;
    assert!(
        store
            .update_composition(&spec.id, &composition.progress, &events)
            .await
            .unwrap()
    );
    let (stage, id) = (&spec.stage_arn, destination.as_str());
    assert_eq!(
        details(&world).await,
        [
            (
                1,
                json!({"event_name": "Destination Start", "stage_arn": stage, "id": id})
            ),
            (
                2,
                json!({"event_name": "Session Start", "stage_arn": stage})
            ),
            (
                3,
                json!({
                    "event_name": "Destination Failure", "stage_arn": stage, "id": id, "error_code": "AccessDeniedException",
                    "reason": "Access denied to S3 bucket. Please verify your bucket policy."
                })
            ),
            (
                4,
                json!({
                    "event_name": "Session Failure", "stage_arn": stage, "error_code": "DestinationFailure",
                    "reason": "One or more outputs failed"
                })
            ),
        ]
    );
    let first = store.events_after(ACCOUNT, 0, 1).await.unwrap().remove(0);
    let envelope: Value = serde_json::from_str(&first.envelope).unwrap();
    assert_eq!(envelope["resources"], json!([spec.arn]));
    assert_eq!(
        text(&envelope["detail-type"]),
        "IVS Composition State Change"
    );
    assert!(
        store
            .events_after(OTHER_ACCOUNT, 0, 1)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn nothing_is_told_of_a_composition_that_is_gone() {
    let world = World::new().await;
    let composition = started(&world).await;
    let spec = &composition.spec;
    let store = &world.state.store;
    store.forget_composition(&spec.id).await.unwrap();
    let events = killed_composition_events(spec, &composition.progress, NOW);
    assert!(
        !store
            .update_composition(&spec.id, &composition.progress, &events)
            .await
            .unwrap()
    );
    assert_eq!(details(&world).await, []);
}

#[tokio::test]
async fn of_a_composition_whose_server_was_killed_the_failures_are_told() {
    let world = World::new().await;
    let composition = started(&world).await;
    let spec = &composition.spec;
    let events = killed_composition_events(spec, &composition.progress, NOW);
    world
        .state
        .store
        .update_composition(&spec.id, &composition.progress, &events)
        .await
        .unwrap();
    let (stage, id) = (&spec.stage_arn, spec.destinations[0].id.as_str());
    let internal = |name: &str| {
        json!({
            "event_name": name, "stage_arn": stage, "error_code": "InternalServerException", "reason": "Service internal error"
        })
    };
    let mut destination = internal("Destination Failure");
    destination["id"] = json!(id);
    assert_eq!(
        details(&world).await,
        [(1, destination), (2, internal("Session Failure"))]
    );
}

/// Reads a stream of events with a bounded wait.
struct Stream {
    body: Body,
    text: String,
}

impl Stream {
    /// The next event: its id, its type and its data.
    async fn next(&mut self) -> Option<(i64, String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.unwrap().trim().to_owned()
                };
                let data = serde_json::from_str(&field("data:")).unwrap();
                let found = (field("id:").parse().unwrap(), field("event:"), data);
                self.text = rest.to_owned();
                return Some(found);
            }
            let frame = tokio::time::timeout(Duration::from_secs(10), self.body.frame());
            let frame = frame.await.expect("an event in time")?.unwrap();
            self.text += std::str::from_utf8(&frame.into_data().unwrap()).unwrap();
        }
    }

    async fn numbers(&mut self, count: usize) -> Vec<i64> {
        let mut numbers = Vec::new();
        while numbers.len() < count {
            numbers.push(self.next().await.unwrap().0);
        }
        numbers
    }
}

async fn follow(world: &World, last: Option<&str>) -> Response {
    let mut request = signed(&world.signing(), "GET", "/events", b"");
    if let Some(last) = last {
        request
            .headers_mut()
            .insert("last-event-id", last.parse().unwrap());
    }
    feed::router(world.state.clone())
        .oneshot(request)
        .await
        .unwrap()
}

async fn stream(world: &World, last: Option<&str>) -> Stream {
    let response = follow(world, last).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let body = response.into_body();
    Stream {
        body,
        text: String::new(),
    }
}

fn happened(account: &str, n: usize) -> NewEvent {
    let arn = Arn::new("us-east-1", account, ArnKind::Channel, "c");
    NewEvent::about(&arn, DetailType::StreamStateChange, NOW, &json!({ "n": n }))
}

async fn append(world: &World, account: &str, count: usize) {
    let events: Vec<NewEvent> = (0..count).map(|n| happened(account, n)).collect();
    world.state.store.append_events(&events).await.unwrap();
}

#[tokio::test]
async fn a_reader_hears_what_happens_to_its_account_from_now_on() {
    let world = World::new().await;
    append(&world, ACCOUNT, 3).await;
    let mut stream = stream(&world, None).await;
    append(&world, OTHER_ACCOUNT, 5).await;
    append(&world, ACCOUNT, 1).await;
    let (number, detail_type, envelope) = stream.next().await.unwrap();
    assert_eq!(
        (number, detail_type.as_str()),
        (4, "IVS Stream State Change")
    );
    assert_eq!(envelope["account"], ACCOUNT);
    assert_eq!(envelope["source"], "aws.ivs");
}

#[tokio::test]
async fn a_reader_goes_on_after_its_last_event_and_then_live() {
    let world = World::new().await;
    append(&world, ACCOUNT, 200).await;
    let mut stream = stream(&world, Some("7")).await;
    assert_eq!(stream.numbers(193).await, (8..=200).collect::<Vec<i64>>());
    append(&world, ACCOUNT, 2).await;
    assert_eq!(stream.numbers(2).await, [201, 202]);
}

#[tokio::test]
async fn writers_at_work_cost_a_reader_neither_gap_nor_repetition() {
    let world = World::new().await;
    let mut reader = stream(&world, Some("0")).await;
    let store = world.state.store.clone();
    let writing = tokio::spawn(async move {
        for n in 0..100 {
            store
                .append_events(&[happened(ACCOUNT, n), happened(OTHER_ACCOUNT, n)])
                .await
                .unwrap();
        }
    });
    let mut seen = reader.numbers(30).await;
    let last = seen.last().unwrap().to_string();
    drop(reader);
    seen.extend(stream(&world, Some(&last)).await.numbers(70).await);
    writing.await.unwrap();
    assert_eq!(seen, (1..=100).collect::<Vec<i64>>());
}

#[tokio::test]
async fn an_event_that_is_gone_or_never_was_is_answered_with_what_is_left() {
    let world = World::new().await;
    append(&world, ACCOUNT, 10).await;
    world
        .state
        .store
        .remove_old_events(WallTime(0), 4)
        .await
        .unwrap();
    for last in ["0", "5", "11"] {
        let response = follow(&world, Some(last)).await;
        assert_eq!(response.status(), 410, "{last}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&body["oldest"], &body["newest"]), (&json!(7), &json!(10)));
    }
    assert_eq!(
        stream(&world, Some("6")).await.numbers(4).await,
        [7, 8, 9, 10]
    );
    for wrong in ["x", "-1", "", "99999999999999999999"] {
        assert_eq!(follow(&world, Some(wrong)).await.status(), 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_slow_reader_that_the_retention_overtook_is_let_go() {
    let world = World::new().await;
    append(&world, ACCOUNT, 100).await;
    let mut stream = stream(&world, Some("0")).await;
    assert_eq!(stream.numbers(1).await, [1]);
    world
        .state
        .store
        .remove_old_events(WallTime(0), 4)
        .await
        .unwrap();
    let mut last = 1;
    while let Some((number, ..)) = stream.next().await {
        assert_eq!(number, last + 1);
        last = number;
    }
    assert!(last < 96, "{last}");
    assert_eq!(follow(&world, Some(&last.to_string())).await.status(), 410);
}

#[tokio::test]
async fn nobody_follows_without_a_signature_or_the_right_to() {
    let world = World::new().await;
    let request = Request::get("/events").body(Body::empty()).unwrap();
    let response = feed::router(world.state.clone())
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(response.status(), 403);
    let reader = Signing {
        key: READER_KEY,
        ..world.signing()
    };
    let response = feed::router(world.state.clone())
        .oneshot(signed(&reader, "GET", "/events", b""))
        .await
        .unwrap();
    assert_eq!(response.status(), 403);
}

#[tokio::test]
async fn readers_are_let_go_when_the_server_ends() {
    let world = World::new().await;
    let mut stream = stream(&world, None).await;
    world.state.store.close().await;
    assert_eq!(stream.next().await, None);
}
