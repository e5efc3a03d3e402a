//! What sessions remember: who came and went, what was refused, what a limit ended.

use std::time::Duration;

use compositor_core::id::ParticipantId;
use compositor_core::time::WallTime;
use stage_gateway::error::OfferError;
use stage_gateway::history::{Attempt, FailureCode, HistoryEvent, HistoryKind};
use stage_gateway::limits::StreamLimits;
use stage_gateway::token::TokenSpec;

use crate::world::{Client, NOW, World, client_attributes, vp8};

/// Opus: a SILK frame of 20 ms.
const OPUS: [u8; 8] = [0x08, 1, 2, 3, 4, 5, 6, 7];

/// How far the times of events may be from the wall clock that drifts or is adjusted beside them.
const WALL_TOLERANCE_US: i64 = 10_000;

fn id(name: &str) -> ParticipantId {
    ParticipantId::new(name)
}

/// One word for each event, to compare them by.
fn words(events: &[HistoryEvent]) -> Vec<String> {
    let word = |event: &HistoryEvent| match &event.kind {
        HistoryKind::SessionStarted => "session".to_owned(),
        HistoryKind::SessionEnded => "end".to_owned(),
        HistoryKind::Joined(visitor) => format!("{} joined", visitor.participant),
        HistoryKind::Left(who) => format!("{who} left"),
        HistoryKind::PublishStarted(who) => format!("{who} publishes"),
        HistoryKind::PublishStopped(who) => format!("{who} stopped"),
        HistoryKind::SubscribeStarted {
            participant,
            publisher,
        } => format!("{participant} receives {publisher}"),
        HistoryKind::SubscribeStopped {
            participant,
            publisher,
        } => format!("{participant} lost {publisher}"),
        HistoryKind::Failed {
            visitor,
            attempt,
            code,
        } => format!("{} {attempt:?} {code:?}", visitor.participant),
    };
    events.iter().map(word).collect()
}

fn wall_now() -> WallTime {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    WallTime(i64::try_from(since.as_micros()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_remembers_in_order_who_came_published_received_and_left() {
    let (world, began) = (World::new().await, wall_now());
    let (ann, answer) = world.publish("ann", &["audio/opus"]).await;
    ann.send(0, 1, 960, &OPUS).await;
    let (bob, _) = world.subscribe("bob", "ann").await;
    let mut events = world
        .remembered_until(|kind| matches!(kind, HistoryKind::SubscribeStarted { .. }))
        .await;
    bob.connection.close().await.unwrap();
    let is_left = |name: &'static str| {
        let who = id(name);
        move |kind: &HistoryKind| *kind == HistoryKind::Left(who.clone())
    };
    events.extend(world.remembered_until(is_left("bob")).await);
    let grant = world.grant("ann");
    world
        .gateway
        .delete(&grant, &answer.resource)
        .await
        .unwrap();
    events.extend(world.remembered_until(is_left("ann")).await);
    world.gateway.shutdown().await;
    let ended = |kind: &HistoryKind| *kind == HistoryKind::SessionEnded;
    events.extend(world.remembered_until(ended).await);
    let expected = [
        "session",
        "ann joined",
        "ann publishes",
        "bob joined",
        "bob receives ann",
        "bob lost ann",
        "bob left",
        "ann stopped",
        "ann left",
        "end",
    ];
    assert_eq!(words(&events), expected);
    let HistoryKind::Joined(visitor) = &events[1].kind else {
        panic!("{:?}", events[1]);
    };
    assert_eq!(visitor.client, client_attributes());
    assert!(
        events
            .iter()
            .all(|event| event.session == events[0].session)
    );
    for pair in events.windows(2) {
        assert!(pair[0].at <= pair[1].at, "{pair:?}");
    }
    let (first, last) = (events[0].at.0, events[9].at.0);
    let allowed = began.0 - WALL_TOLERANCE_US..=wall_now().0 + WALL_TOLERANCE_US;
    assert!(allowed.contains(&first) && allowed.contains(&last));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_offers_are_remembered_with_their_reason() {
    let world = World::new().await;
    let subscriber = Client::subscriber().await.offer().await;
    // On a stage without a session there is nothing that could remember that nobody was found.
    let nobody = id("nobody");
    let refused = world
        .gateway
        .subscribe(
            &world.grant("zoe"),
            client_attributes(),
            &nobody,
            &subscriber,
        )
        .await;
    assert!(matches!(refused, Err(OfferError::PublisherNotFound { .. })));
    let video = Client::publisher(&["video/H264"]).await.offer().await;
    let av1 = video
        .replace("H264", "AV1")
        .replace("VP8", "X")
        .replace("VP9", "X");
    let g722 = Client::publisher(&["audio/opus"])
        .await
        .offer()
        .await
        .replace("opus", "G722");
    let viewer = world.gateway.mint_token(&TokenSpec {
        account: "123456789012".into(),
        stage: world.stage.clone(),
        participant: id("viewer"),
        user_id: "u".into(),
        attributes: [("role".to_owned(), "guest".to_owned())].into(),
        allow_publish: false,
        allow_subscribe: true,
        issued_at: NOW,
        expires_at: WallTime(NOW.0 + 1_000_000),
    });
    let viewer = world.gateway.verify_token(NOW, &viewer, None).unwrap();
    for (grant, offer) in [
        (&world.grant("ann"), av1.as_str()),
        (&world.grant("ann"), g722.as_str()),
        (&world.grant("ann"), "v=0"),
        (&viewer, video.as_str()),
    ] {
        let refused = world
            .gateway
            .publish(grant, client_attributes(), offer)
            .await;
        assert!(refused.is_err(), "{offer}");
    }
    for name in (0..13).map(|index| format!("p{index}")) {
        let grant = world.grant(&name);
        let _ = world
            .gateway
            .publish(&grant, client_attributes(), &video)
            .await;
    }
    let _ = world
        .gateway
        .subscribe(
            &world.grant("bob"),
            client_attributes(),
            &nobody,
            &subscriber,
        )
        .await;
    let is_bob = |kind: &HistoryKind| matches!(kind, HistoryKind::Failed { visitor, .. } if visitor.participant == id("bob"));
    let events = world.remembered_until(is_bob).await;
    let expected = [
        "session",
        "ann Publish InvalidVideoCodec",
        "ann Publish InvalidAudioCodec",
        "ann Publish InvalidInput",
        "viewer Publish InsufficientCapabilities",
        "p12 Publish QuotaExceeded",
        "bob Subscribe(nobody) PublisherNotFound",
    ];
    assert_eq!(words(&events), expected);
    let HistoryKind::Failed {
        visitor,
        attempt,
        code,
    } = &events[4].kind
    else {
        panic!("{:?}", events[4]);
    };
    assert_eq!(
        (attempt, code),
        (&Attempt::Publish, &FailureCode::InsufficientCapabilities)
    );
    assert_eq!(
        (
            visitor.user_id.as_str(),
            visitor.attributes["role"].as_str()
        ),
        ("u", "guest")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_over_the_bitrate_limit_is_disconnected_and_told_why() {
    let limits = StreamLimits {
        bitrate_max: 10_000,
        ..StreamLimits::default()
    };
    let world = World::with_limits(tempfile::tempdir().unwrap(), limits).await;
    let (ann, _) = world.publish("ann", &["video/VP8"]).await;
    let sending = async {
        for seq in 0_u16.. {
            ann.send(0, seq, u32::from(seq) * 1_800, &vp8(seq == 0, 320, 180, 0))
                .await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let is_over = |kind: &HistoryKind| matches!(kind, HistoryKind::Failed { .. });
    let mut events = tokio::select! {
        events = world.remembered_until(is_over) => events,
        () = sending => unreachable!("sending never ends"),
    };
    let left = |kind: &HistoryKind| *kind == HistoryKind::Left(id("ann"));
    events.extend(world.remembered_until(left).await);
    let expected = [
        "session",
        "ann joined",
        "ann publishes",
        "ann Publish BitrateExceeded",
        "ann stopped",
        "ann left",
    ];
    assert_eq!(words(&events), expected);
    assert!(world.gateway.publishers(&world.stage).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_and_receiving_end_after_their_longest_time() {
    let limits = StreamLimits {
        duration_max: Duration::from_secs(2),
        ..StreamLimits::default()
    };
    let world = World::with_limits(tempfile::tempdir().unwrap(), limits).await;
    let (ann, _) = world.publish("ann", &["audio/opus"]).await;
    ann.send(0, 1, 960, &OPUS).await;
    let (_bob, _) = world.subscribe("bob", "ann").await;
    let left = |name: &'static str| move |kind: &HistoryKind| *kind == HistoryKind::Left(id(name));
    let (ann_left, bob_left) = (left("ann"), left("bob"));
    let mut still_there = 2;
    let events = world
        .remembered_until(|kind| {
            still_there -= i32::from(ann_left(kind)) + i32::from(bob_left(kind));
            still_there == 0
        })
        .await;
    let words = words(&events);
    assert!(
        words.contains(&"ann Publish StreamDurationExceeded".to_owned()),
        "{words:?}"
    );
    let bob = "bob Subscribe(ann) StreamDurationExceeded".to_owned();
    assert!(words.contains(&bob), "{words:?}");
}
