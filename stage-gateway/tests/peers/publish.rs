//! Publishing over loopback: media reaches the journal, and participants come, go and return.

use std::time::Duration;

use crate::world::{NOW, SOON, World, client_attributes, read_records, until, vp8};
use compositor_core::access_unit::Codec;
use compositor_core::id::{CompositionId, ParticipantId};
use compositor_core::journal::RecordBody;
use compositor_core::roster::RosterChange;
use compositor_core::sink::StageJournal;
use stage_gateway::error::{OfferError, ResourceError, TokenError};
use stage_gateway::event::GatewayEventKind;

/// Opus: a SILK frame of 20 ms, as good as any for a journal.
const OPUS: [u8; 12] = [0x08, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn published_frames_reach_the_journal_as_access_units() {
    let world = World::new().await;
    let media = world.gateway.stage_journal(&world.stage).await.unwrap();
    let mut reader = media.attach(&CompositionId::new("c"), None).await.unwrap();
    let (client, _) = world.publish("ann", &["audio/opus", "video/VP8"]).await;
    let mut seq = 0_u16;
    let sending = async {
        loop {
            client.send(0, seq, u32::from(seq) * 960, &OPUS).await;
            let frame = vp8(seq.is_multiple_of(50), 320, 180, seq as u8);
            client.send(1, seq, u32::from(seq) * 1_800, &frame).await;
            seq += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let units = |records: &[compositor_core::journal::Record], codec: Codec| {
        records
            .iter()
            .filter(|record| {
                matches!(&record.body, RecordBody::AccessUnit(unit) if unit.codec == codec)
            })
            .count()
    };
    let reading = read_records(&mut reader, |records| {
        units(records, Codec::Vp8) >= 20 && units(records, Codec::Opus) >= 20
    });
    let records = tokio::select! {
        records = reading => records,
        () = sending => unreachable!("sending never ends"),
    };
    let first_video = records.iter().find_map(|record| match &record.body {
        RecordBody::AccessUnit(unit) if unit.codec == Codec::Vp8 => Some(unit.clone()),
        _ => None,
    });
    assert!(first_video.unwrap().keyframe);
    let last_roster = records.iter().rev().find_map(|record| match &record.body {
        RecordBody::Roster(RosterChange::Updated(publisher)) => Some(publisher.clone()),
        _ => None,
    });
    let ann = last_roster.unwrap();
    assert_eq!(ann.participant, ParticipantId::new("ann"));
    assert_eq!(ann.tracks.len(), 2);
    let video = ann
        .tracks
        .iter()
        .find(|track| track.codec == Codec::Vp8)
        .unwrap();
    assert_eq!((video.layers[0].width, video.layers[0].height), (320, 180));
    assert!(
        records
            .iter()
            .any(|record| matches!(record.body, RecordBody::ClockMapping(_)))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_participant_that_returns_keeps_its_arrival() {
    let world = World::new().await;
    let (ann, _) = world.publish("ann", &["audio/opus"]).await;
    let (_bob, _) = world.publish("bob", &["audio/opus"]).await;
    let arrivals = || {
        let publishers = world.gateway.publishers(&world.stage);
        publishers
            .iter()
            .map(|publisher| (publisher.participant.to_string(), publisher.connected))
            .collect::<Vec<_>>()
    };
    until("both publish", SOON, || arrivals().len() == 2).await;
    ann.send(0, 1, 960, &OPUS).await;
    until("Ann sounds", SOON, || {
        world.gateway.publishers(&world.stage)[0].tracks.len() == 1
    })
    .await;
    ann.connection.close().await.unwrap();
    until("Ann is lost", SOON, || {
        arrivals()[0] == ("ann".to_owned(), false)
    })
    .await;
    let (_ann, _) = world.publish("ann", &["audio/opus"]).await;
    until("Ann is back", SOON, || {
        arrivals()[0] == ("ann".to_owned(), true)
    })
    .await;
    assert_eq!(arrivals().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delete_ends_the_resource_and_tells() {
    let world = World::new().await;
    let mut events = world.gateway.events();
    let (_client, answer) = world.publish("ann", &["audio/opus"]).await;
    let stranger = world.grant("bob");
    let refused = world.gateway.delete(&stranger, &answer.resource).await;
    assert!(matches!(refused, Err(ResourceError::NotOwner { .. })));
    let ann = world.grant("ann");
    world.gateway.delete(&ann, &answer.resource).await.unwrap();
    let gone = world.gateway.delete(&ann, &answer.resource).await;
    assert!(matches!(gone, Err(ResourceError::NotFound { .. })));
    let mut kinds = Vec::new();
    while !kinds.contains(&GatewayEventKind::PublishersChanged { count: 0 }) {
        let event = tokio::time::timeout(SOON, events.recv())
            .await
            .unwrap()
            .unwrap();
        kinds.push(event.kind);
    }
    assert_eq!(kinds[0], GatewayEventKind::SessionStarted);
    assert!(kinds.contains(&GatewayEventKind::PublishersChanged { count: 1 }));
    assert!(world.gateway.publishers(&world.stage).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disconnected_participant_is_refused_afterwards() {
    let world = World::new().await;
    let (_client, _) = world.publish("ann", &["audio/opus"]).await;
    let ann = ParticipantId::new("ann");
    until("Ann publishes", SOON, || {
        world.gateway.publishers(&world.stage).len() == 1
    })
    .await;
    assert!(
        world
            .gateway
            .disconnect_participant(&world.stage, &ann)
            .await
    );
    until("Ann is gone", SOON, || {
        world.gateway.publishers(&world.stage).is_empty()
    })
    .await;
    let refused = world.gateway.verify_token(NOW, &world.token("ann"), None);
    assert_eq!(refused, Err(TokenError::Revoked { participant: ann }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_thirteenth_publisher_is_refused_and_broken_offers_harm_nobody() {
    let world = World::new().await;
    let client = crate::world::Client::publisher(&["video/H264"]).await;
    let offer = client.offer().await;
    for broken in ["", "v=0", "v=0\r\nm=video", &offer[..offer.len() / 2], "{}"] {
        let refused = world
            .gateway
            .publish(&world.grant("ann"), client_attributes(), broken)
            .await;
        assert!(refused.is_err(), "{broken}");
    }
    for index in 0..12 {
        let grant = world.grant(&format!("p{index}"));
        world
            .gateway
            .publish(&grant, client_attributes(), &offer)
            .await
            .unwrap();
    }
    let refused = world
        .gateway
        .publish(&world.grant("p12"), client_attributes(), &offer)
        .await;
    assert!(matches!(refused, Err(OfferError::StageFull { limit: 12 })));
    world
        .gateway
        .publish(&world.grant("p3"), client_attributes(), &offer)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_vanishes_is_noticed_within_ten_seconds() {
    let world = World::new().await;
    let (client, _) = world.publish("ann", &["video/VP8"]).await;
    client.send(0, 1, 0, &vp8(true, 320, 180, 0)).await;
    until("Ann publishes", SOON, || {
        world.gateway.publishers(&world.stage).len() == 1
    })
    .await;
    let mut events = world.gateway.events();
    // Nothing is said to the gateway: the sockets just close.
    client.vanish();
    let found = async {
        loop {
            let event = events.recv().await.unwrap();
            if event.kind == (GatewayEventKind::PublishersChanged { count: 0 }) {
                return;
            }
        }
    };
    let noticed = tokio::time::timeout(Duration::from_secs(10), found).await;
    assert!(
        noticed.is_ok(),
        "a vanished peer was not noticed within 10 s"
    );
}
