//! Revocation of viewer sessions, and what playback asks the store.

use std::time::Duration;

use api::arn::Arn;
use api::dto::playback_key_pair::PlaybackKeyPairRecord;
use api::dto::playback_restriction_policy::PlaybackRestrictionPolicyRecord;
use api::playback::StoreGate;
use api::store::NewResource;
use channel::{PlaybackGate, SingleUse, ViewerBreach};
use compositor_core::time::WallTime;
use serde_json::{Value, json};

use crate::world::{ACCOUNT, START_SECONDS, World, id};

const DAY: Duration = Duration::from_secs(24 * 3600);

impl World {
    fn gate(&self) -> StoreGate {
        StoreGate {
            store: self.state.store.clone(),
            geoip: None,
            clock: self.state.clock.clone(),
        }
    }

    async fn revoke(&self, channel: &str, viewer: &str, version: i64) {
        let request = json!({
            "channelArn": channel, "viewerId": viewer, "viewerSessionVersionsLessThanOrEqualTo": version,
        });
        let answer = self.call("StartViewerSessionRevocation", request).await;
        assert_eq!(answer.ok(), json!({}));
    }
}

#[tokio::test]
async fn a_revocation_reaches_running_sessions_and_those_that_begin_later() {
    let world = World::new().await;
    let channel = world.channel().await;
    world.revoke(&channel, "eve", 5).await;
    let request = json!({"channelArn": channel, "viewerId": "bob"});
    world
        .call("StartViewerSessionRevocation", request)
        .await
        .ok();
    let told = world.backend.told();
    let wanted = [("eve", 5), ("bob", 0)]
        .map(|(viewer, version)| format!("revoke {} {viewer} {version}", id(&channel)));
    assert!(
        wanted.iter().all(|wanted| told.contains(wanted)),
        "{told:?}"
    );

    world.revoke(&channel, "eve", 3).await;
    let gate = world.gate();
    assert_eq!(gate.revoked_up_to(&channel, "eve").await.unwrap(), Some(5));
    assert_eq!(gate.revoked_up_to(&channel, "bob").await.unwrap(), Some(0));
    assert_eq!(gate.revoked_up_to(&channel, "ann").await.unwrap(), None);

    let world = world.restarted().await;
    world.advance(DAY * 29);
    world.revoke(&channel, "ann", 1).await;
    assert_eq!(
        world.gate().revoked_up_to(&channel, "eve").await.unwrap(),
        Some(5)
    );
    world.advance(DAY);
    assert_eq!(
        world.gate().revoked_up_to(&channel, "eve").await.unwrap(),
        None
    );
    assert_eq!(
        world.gate().revoked_up_to(&channel, "ann").await.unwrap(),
        Some(1)
    );
}

#[tokio::test]
async fn an_unknown_channel_is_not_found_and_in_a_batch_an_entry_among_the_errors() {
    let world = World::new().await;
    let channel = world.channel().await;
    let unknown = "arn:aws:ivs:us-east-1:123456789012:channel/unknown";
    let foreign = "arn:aws:ivs:us-east-1:999999999999:channel/foreign";
    for arn in [unknown, foreign] {
        let request = json!({"channelArn": arn, "viewerId": "v"});
        let answer = world.call("StartViewerSessionRevocation", request).await;
        answer.err(404, "ResourceNotFoundException", arn);
    }
    let session = |arn: &str| json!({"channelArn": arn, "viewerId": "v"});
    let sessions = [unknown, &channel, foreign].map(session);
    let answer = world
        .call(
            "BatchStartViewerSessionRevocation",
            json!({"viewerSessions": sessions}),
        )
        .await
        .ok();
    assert_eq!(
        answer,
        json!({"errors": [
            {"channelArn": unknown, "viewerId": "v", "code": "404", "message": "the channel does not exist"},
            {"channelArn": foreign, "viewerId": "v", "code": "403", "message": "not authorized"},
        ]})
    );
    let gate = world.gate();
    assert_eq!(gate.revoked_up_to(&channel, "v").await.unwrap(), Some(0));
    assert_eq!(gate.revoked_up_to(foreign, "v").await.unwrap(), None);
    let many: Vec<Value> = (0..21).map(|_| session(&channel)).collect();
    let answer = world
        .call(
            "BatchStartViewerSessionRevocation",
            json!({"viewerSessions": many}),
        )
        .await;
    answer.err(400, "ValidationException", "viewerSessions");
}

#[tokio::test]
async fn a_token_is_used_once_even_over_a_restart() {
    let world = World::new().await;
    let now = START_SECONDS * 1_000_000;
    let token = |uuid: &str, seconds: i64| SingleUse {
        channel_arn: "arn:a".to_owned(),
        uuid: uuid.to_owned(),
        until: WallTime(now + seconds * 1_000_000),
    };
    let gate = world.gate();
    assert!(gate.use_once(&token("u", 600)).await.unwrap());
    assert!(!gate.use_once(&token("u", 600)).await.unwrap());
    assert!(gate.use_once(&token("w", 600)).await.unwrap());
    let attempts = (0..20).map(|_| {
        let gate = gate.clone();
        let token = token("raced", 600);
        tokio::spawn(async move { gate.use_once(&token).await.unwrap() })
    });
    let mut first = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        first += usize::from(attempt.await.unwrap());
    }
    assert_eq!(first, 1);
    let world = world.restarted().await;
    assert!(!world.gate().use_once(&token("u", 600)).await.unwrap());
    world.advance(Duration::from_secs(600));
    // By now the token itself has expired.
    assert!(world.gate().use_once(&token("u", 1200)).await.unwrap());
}

#[tokio::test]
async fn the_gate_tells_keys_and_policies_as_they_are_now() {
    let world = World::new().await;
    let gate = world.gate();
    assert_eq!(gate.playback_keys(ACCOUNT).await.unwrap(), []);
    let arn = Arn::parse("arn:aws:ivs:us-east-1:123456789012:playback-key/k").unwrap();
    let key = PlaybackKeyPairRecord {
        name: String::new(),
        public_key_pem: "pem".to_owned(),
        fingerprint: String::new(),
    };
    let new = NewResource {
        arn: &arn,
        record: &key,
        tags: &Default::default(),
    };
    world.state.store.insert(ACCOUNT, new).await.unwrap();
    assert_eq!(gate.playback_keys(ACCOUNT).await.unwrap()[0].pem, "pem");
    assert_eq!(gate.playback_keys("999999999999").await.unwrap(), []);
    world.state.store.delete(ACCOUNT, &arn).await.unwrap();
    assert_eq!(gate.playback_keys(ACCOUNT).await.unwrap(), []);

    let arn = "arn:aws:ivs:us-east-1:123456789012:playback-restriction-policy/p";
    assert_eq!(gate.restriction_policy(arn).await.unwrap(), None);
    let policy = PlaybackRestrictionPolicyRecord {
        name: String::new(),
        allowed_countries: vec!["SE".to_owned()],
        allowed_origins: vec!["https://a.com".to_owned()],
        enable_strict_origin_enforcement: true,
    };
    let parsed = Arn::parse(arn).unwrap();
    let new = NewResource {
        arn: &parsed,
        record: &policy,
        tags: &Default::default(),
    };
    world.state.store.insert(ACCOUNT, new).await.unwrap();
    let found = gate.restriction_policy(arn).await.unwrap().unwrap();
    assert_eq!(found.allowed_countries, ["SE"]);
    assert_eq!(found.allowed_origins, ["https://a.com"]);
    assert!(found.strict_origin_enforcement);
}

#[tokio::test]
async fn a_breach_of_the_viewer_limit_is_an_event_of_the_account() {
    let world = World::new().await;
    let breach = ViewerBreach {
        account: ACCOUNT.to_owned(),
        limit: 15_000,
        exceeded_by: 1,
        at: WallTime(START_SECONDS * 1_000_000),
    };
    world.gate().viewers_exceeded(breach).await;
    let events = world
        .state
        .store
        .events_after(ACCOUNT, 0, 10)
        .await
        .unwrap();
    let envelope: Value = serde_json::from_str(&events.last().unwrap().envelope).unwrap();
    assert_eq!(envelope["detail-type"], "IVS Limit Breach");
    assert_eq!(envelope["resources"], json!([]));
    assert_eq!(
        envelope["detail"],
        json!({
            "limit_name": "Concurrent Viewers", "limit_value": 15000, "exceeded_by": 1, "limit_unit": "viewers",
        })
    );
}
