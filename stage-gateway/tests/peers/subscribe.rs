//! Subscribing over loopback: what one client sends, another receives, under numbers of its own.

use std::time::Duration;

use crate::world::{Client, NOW, SOON, World, client_attributes, until, vp8};
use compositor_core::id::ParticipantId;
use compositor_core::time::WallTime;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use stage_gateway::error::{OfferError, TokenError};
use stage_gateway::token::TokenSpec;

/// Opus: a SILK frame of 20 ms.
const OPUS: [u8; 8] = [0x08, 1, 2, 3, 4, 5, 6, 7];

/// Sends 50 frames of audio and video a second, a keyframe every `gop`.
async fn send_for_ever(client: &Client, gop: u16) {
    for seq in 0_u16.. {
        client.send(0, seq, u32::from(seq) * 960, &OPUS).await;
        let frame = vp8(seq % gop == 0, 320, 180, seq as u8);
        client.send(1, seq, u32::from(seq) * 1_800, &frame).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_gets_audio_and_video_from_a_keyframe_on() {
    let world = World::new().await;
    let (publisher, _) = world.publish("ann", &["audio/opus", "video/VP8"]).await;
    let watching = async {
        let (subscriber, _) = world.subscribe("bob", "ann").await;
        let first = subscriber.receive(RtpCodecKind::Video).await;
        assert_eq!(
            first.payload[1] & 1,
            0,
            "the first packet is not of a keyframe"
        );
        let mut last = first.header;
        for _ in 0..20 {
            let next = subscriber.receive(RtpCodecKind::Video).await.header;
            assert_eq!(next.ssrc, last.ssrc);
            assert_eq!(next.sequence_number, last.sequence_number.wrapping_add(1));
            assert_eq!(next.timestamp, last.timestamp.wrapping_add(1_800));
            last = next;
        }
        let audio = subscriber.receive(RtpCodecKind::Audio).await;
        assert_eq!(audio.payload[..], OPUS);
        subscriber
    };
    tokio::select! {
        _ = watching => {}
        () = send_for_ever(&publisher, 10) => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_goes_on_when_its_publisher_returns() {
    let world = World::new().await;
    let (publisher, _) = world.publish("ann", &["audio/opus", "video/VP8"]).await;
    let subscribing = async {
        let (subscriber, _) = world.subscribe("bob", "ann").await;
        let before = subscriber.receive(RtpCodecKind::Video).await;
        (subscriber, before)
    };
    let (subscriber, before) = tokio::select! {
        subscribed = subscribing => subscribed,
        () = send_for_ever(&publisher, 10) => unreachable!("sending never ends"),
    };
    drop(publisher);
    let (again, _) = world.publish("ann", &["audio/opus", "video/VP8"]).await;
    until("nothing of the old connection waits", SOON, || {
        subscriber.packets.lock().try_recv().is_err()
    })
    .await;
    tokio::select! {
        after = subscriber.receive(RtpCodecKind::Video) => {
            assert_eq!(after.header.ssrc, before.header.ssrc);
            assert_eq!(after.payload[1] & 1, 0, "it does not go on with a keyframe");
        }
        () = send_for_ever(&again, 10) => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribing_needs_a_publisher_and_the_capability() {
    let world = World::new().await;
    let client = Client::subscriber().await;
    let offer = client.offer().await;
    let nobody = ParticipantId::new("nobody");
    let refused = world
        .gateway
        .subscribe(&world.grant("bob"), client_attributes(), &nobody, &offer)
        .await;
    assert!(matches!(refused, Err(OfferError::PublisherNotFound { .. })));
    let token = world.gateway.mint_token(&TokenSpec {
        account: "123456789012".into(),
        stage: world.stage.clone(),
        participant: ParticipantId::new("cy"),
        user_id: String::new(),
        attributes: Default::default(),
        allow_publish: true,
        allow_subscribe: false,
        issued_at: NOW,
        expires_at: WallTime(NOW.0 + 1_000_000),
    });
    let grant = world.gateway.verify_token(NOW, &token, None).unwrap();
    let refused = world
        .gateway
        .subscribe(&grant, client_attributes(), &nobody, &offer)
        .await;
    assert!(matches!(
        refused,
        Err(OfferError::Token(TokenError::MissingCapability {
            capability: "SUBSCRIBE"
        }))
    ));
    let refused = world
        .gateway
        .publish(&grant, client_attributes(), &offer)
        .await;
    assert!(matches!(refused, Err(OfferError::Unacceptable { .. })));
}
