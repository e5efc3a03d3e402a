//! ICE over loopback: TCP on the same port, trickling, restarts.

use crate::world::{Client, SOON, World, client_attributes, until, vp8};
use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::peer_connection::transport::RTCIceCandidateInit;
use stage_gateway::PatchAnswer;
use stage_gateway::error::ResourceError;

fn line<'a>(sdp: &'a str, name: &str) -> &'a str {
    sdp.lines()
        .find_map(|line| line.strip_prefix(name))
        .expect("the line is there")
}

/// `sdp` with the credentials of `fragment`.
fn with_credentials(sdp: &str, fragment: &str) -> String {
    let mut out = String::new();
    for old in sdp.lines() {
        let replaced = ["a=ice-ufrag:", "a=ice-pwd:"]
            .into_iter()
            .find(|name| old.starts_with(name));
        match replaced {
            Some(name) => out.push_str(&format!("{name}{}", line(fragment, name))),
            None => out.push_str(old),
        }
        out.push_str("\r\n");
    }
    out
}

/// Sends frames from `seq` on until the gateway has seen a picture of this height.
async fn send_until_seen(world: &World, client: &Client, seq: u16, height: u16) {
    for seq in seq.. {
        let frame = vp8(true, height * 16 / 9, height, 0);
        client.send(0, seq, u32::from(seq) * 3_000, &frame).await;
        let seen = world
            .gateway
            .publishers(&world.stage)
            .iter()
            .any(|publisher| {
                let layers = publisher.tracks.iter().flat_map(|track| &track.layers);
                layers.into_iter().any(|layer| layer.height == height)
            });
        if seen {
            return;
        }
        assert!(seq < 10_000, "no picture of height {height} arrived");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_comes_over_tcp_on_the_same_port() {
    let world = World::new().await;
    let client = Client::tcp_publisher(&["video/VP8"]).await;
    let offer = client.offer().await;
    let answer = world
        .gateway
        .publish(&world.grant("ann"), client_attributes(), &offer)
        .await
        .unwrap();
    let candidates: Vec<&str> = answer
        .sdp
        .lines()
        .filter_map(|line| line.strip_prefix("a=candidate:"))
        .collect();
    let port = world.gateway.local_addr().port().to_string();
    assert!(
        candidates
            .iter()
            .all(|candidate| candidate.split(' ').nth(5) == Some(&port))
    );
    let tcp = candidates
        .iter()
        .find(|candidate| candidate.contains(" tcp "))
        .unwrap();
    let silent: String = answer
        .sdp
        .lines()
        .filter(|line| !line.starts_with("a=candidate:") && !line.starts_with("a=end-of"))
        .map(|line| format!("{line}\r\n"))
        .collect();
    client.accept(&silent).await;
    let candidate = RTCIceCandidateInit {
        candidate: format!("candidate:{tcp}"),
        sdp_mid: Some("0".into()),
        ..Default::default()
    };
    client
        .connection
        .add_ice_candidate(candidate)
        .await
        .unwrap();
    client.connected().await;
    send_until_seen(&world, &client, 0, 180).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ice_restarts_and_media_goes_on() {
    let world = World::new().await;
    let (client, answer) = world.publish("ann", &["video/VP8"]).await;
    send_until_seen(&world, &client, 0, 180).await;
    let restart = RTCOfferOptions { ice_restart: true };
    let offer = client.connection.create_offer(Some(restart)).await.unwrap();
    client
        .connection
        .set_local_description(offer.clone())
        .await
        .unwrap();
    let fragment = format!(
        "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n",
        line(&offer.sdp, "a=ice-ufrag:"),
        line(&offer.sdp, "a=ice-pwd:"),
    );
    let ann = world.grant("ann");
    let patched = world
        .gateway
        .patch(&ann, &answer.resource, Some("*"), &fragment)
        .await
        .unwrap();
    let PatchAnswer::Restarted { etag, fragment } = patched else {
        panic!("not restarted: {patched:?}");
    };
    assert_ne!(etag, answer.etag);
    assert_ne!(
        line(&fragment, "a=ice-ufrag:"),
        line(&answer.sdp, "a=ice-ufrag:")
    );
    client
        .accept(&with_credentials(&answer.sdp, &fragment))
        .await;
    send_until_seen(&world, &client, 5_000, 360).await;
    let stale = world
        .gateway
        .patch(
            &ann,
            &answer.resource,
            Some(&answer.etag),
            "a=end-of-candidates\r\n",
        )
        .await;
    assert!(matches!(
        stale,
        Err(ResourceError::PreconditionFailed { .. })
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trickling_obeys_the_entity_tag() {
    let world = World::new().await;
    let (_client, answer) = world.publish("ann", &["video/VP8"]).await;
    until("Ann publishes", SOON, || {
        world.gateway.publishers(&world.stage).len() == 1
    })
    .await;
    let ann = world.grant("ann");
    let trickle = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n\
        a=candidate:1 1 udp 2130706431 127.0.0.1 50000 typ host\r\n";
    let patch = async |if_match: Option<&str>, fragment: &str| {
        world
            .gateway
            .patch(&ann, &answer.resource, if_match, fragment)
            .await
    };
    assert_eq!(
        patch(Some(&answer.etag), trickle).await,
        Ok(PatchAnswer::Trickled)
    );
    assert_eq!(
        patch(None, trickle).await,
        Err(ResourceError::PreconditionRequired)
    );
    assert!(matches!(
        patch(Some("\"other\""), trickle).await,
        Err(ResourceError::PreconditionFailed { .. })
    ));
    assert!(matches!(
        patch(Some(&answer.etag), "v=0\r\n").await,
        Err(ResourceError::Malformed { .. })
    ));
    assert!(matches!(
        patch(Some("*"), "a=end-of-candidates\r\n").await,
        Err(ResourceError::Unprocessable { .. })
    ));
    let stranger = world.grant("bob");
    let refused = world
        .gateway
        .patch(&stranger, &answer.resource, Some("*"), trickle)
        .await;
    assert!(matches!(refused, Err(ResourceError::NotOwner { .. })));
}
