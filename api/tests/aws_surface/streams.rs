//! Stream sessions, metadata and ad breaks, as the channels report them and as a client sees them.

use std::sync::Arc;

use api::backend::StreamHealth;
use api::event::stream::{self, Kept};
use api::live_backend::StoreDirectory;
use api::store::STREAM_EVENTS_MAX;
use api::stream_log;
use channel::{
    AudioDescription, ChannelEvent, ChannelGrant, Directory, IngestDescription, IngestLimit,
    LimitBreach, Report, StreamEvent, TakeoverFailure, VideoDescription,
};
use compositor_core::time::WallTime;
use serde_json::{Value, json};

use crate::world::{ACCOUNT, OTHER_KEY, START_SECONDS, World, id, text};

const STREAM: &str = "st-AAAAbbbbCCCCddddEEEEfff";

/// A channel whose stream sessions are reported by hand.
struct Broadcast {
    arn: String,
    grant: ChannelGrant,
}

impl Broadcast {
    /// Of a channel made with these members.
    async fn new(world: &World, members: Value) -> Self {
        let created = world.call("CreateChannel", members).await.ok();
        let key = text(&created["streamKey"]["value"]);
        Self::with_key(world, text(&created["channel"]["arn"]), &key).await
    }

    async fn with_key(world: &World, arn: String, key: &str) -> Self {
        let directory = StoreDirectory(world.state.store.clone());
        let grant = directory.channel_of(key).await.unwrap().unwrap();
        Self { arn, grant }
    }

    /// The channels report something, so many seconds after the start of the test.
    async fn report(&self, world: &World, stream_id: &str, seconds: i64, event: StreamEvent) {
        let report = Report::Stream(ChannelEvent {
            channel: self.grant.channel.clone(),
            arn: self.grant.arn.clone(),
            name: self.grant.name.clone(),
            stream_id: stream_id.to_owned(),
            snapshot: self.grant.ingest.snapshot.clone(),
            at: at(seconds),
            event,
        });
        let logged = format!("{report:?}");
        assert!(!logged.contains("passphrase"), "{logged}");
        let Some(Kept::Stream(news)) = stream::of(&report) else {
            panic!("{logged}");
        };
        world.state.store.record_stream(&news).await.unwrap();
    }

    async fn session(&self, world: &World) -> Value {
        let request = json!({"channelArn": self.arn, "streamId": STREAM});
        world.call("GetStreamSession", request).await.ok()["streamSession"].clone()
    }
}

fn at(seconds: i64) -> WallTime {
    WallTime((START_SECONDS + seconds) * 1_000_000)
}

fn ingest() -> StreamEvent {
    StreamEvent::IngestDescribed(Arc::new(IngestDescription {
        video: VideoDescription {
            profile: "Baseline",
            level: "4.2".to_owned(),
            codec: "avc1.42C02A".to_owned(),
            encoder: Some("Lavf58.45.100".to_owned()),
            target_bitrate: Some(8_789_000),
            target_framerate: Some(60),
            width: 1920,
            height: 1080,
        },
        audio: Some(AudioDescription {
            channels: 2,
            codec: "mp4a.40.2".to_owned(),
            sample_rate: 48_000,
            target_bitrate: Some(160_000),
        }),
    }))
}

#[tokio::test]
async fn a_session_shows_what_was_when_it_began_and_what_happened() {
    let world = World::new().await;
    let slate = world.call("CreateFailoverSlateConfiguration", json!({"name": "slate"}));
    let slate = text(&slate.await.ok()["failoverSlateConfiguration"]["arn"]);
    let members = json!({"name": "before", "failoverSlateConfigurationArn": slate});
    let broadcast = Broadcast::new(&world, members).await;
    assert!(broadcast.grant.ingest.slate.is_some());
    let update = json!({"arn": broadcast.arn, "name": "after"});
    let before = world
        .call("GetChannel", json!({"arn": broadcast.arn}))
        .await
        .ok();
    world.call("UpdateChannel", update).await.ok();
    for (seconds, event) in [
        (0, StreamEvent::SessionCreated),
        (1, ingest()),
        (3, StreamEvent::StreamStart),
        (
            4,
            StreamEvent::StreamTakeoverFailure(TakeoverFailure::InvalidPriority),
        ),
    ] {
        broadcast.report(&world, STREAM, seconds, event).await;
    }
    let mut session = broadcast.session(&world).await;
    assert_eq!(session["channel"], before["channel"]);
    assert_eq!(session["failoverSlateConfiguration"]["name"], "slate");
    assert_eq!(session.get("recordingConfiguration"), None);
    let video = json!({
        "avcProfile": "Baseline", "avcLevel": "4.2", "codec": "avc1.42C02A", "encoder": "Lavf58.45.100",
        "level": "4.2", "profile": "Baseline", "targetBitrate": 8_789_000, "targetFramerate": 60,
        "track": "Track0", "videoHeight": 1080, "videoWidth": 1920
    });
    let audio = json!({
        "channels": 2, "codec": "mp4a.40.2", "sampleRate": 48_000, "targetBitrate": 160_000, "track": "Track0"
    });
    assert_eq!(
        session["ingestConfiguration"],
        json!({"audio": audio, "video": video})
    );
    let all = &session["ingestConfigurations"];
    assert_eq!(all["audioConfigurations"], json!([audio]));
    assert_eq!(all["videoConfigurations"][0].get("avcLevel"), None);
    assert_eq!(all["videoConfigurations"][0]["codec"], "avc1.42C02A");
    let state = "IVS Stream State Change";
    assert_eq!(
        session["truncatedEvents"],
        json!([
            {"name": "Stream Takeover Failure", "type": state, "eventTime": "2026-11-20T12:00:04Z",
             "code": "StreamTakeoverInvalidPriority"},
            {"name": "Stream Start", "type": state, "eventTime": "2026-11-20T12:00:03Z"},
            {"name": "Session Created", "type": state, "eventTime": "2026-11-20T12:00:00Z"},
        ])
    );
    assert_eq!(session["startTime"], "2026-11-20T12:00:00Z");
    assert_eq!(session.as_object_mut().unwrap().remove("endTime"), None);
}

#[tokio::test]
async fn sessions_are_listed_newest_first_and_outlive_their_channel() {
    let world = World::new().await;
    let broadcast = Broadcast::new(&world, json!({})).await;
    let request = json!({"channelArn": broadcast.arn});
    let none = world.call("ListStreamSessions", request.clone()).await;
    assert_eq!(none.ok(), json!({"streamSessions": []}));
    let none = world.call("GetStreamSession", request.clone()).await;
    none.err(404, "ResourceNotFoundException", &broadcast.arn);
    let ids = ["A", "B", "C"].map(|letter| format!("st-{}", letter.repeat(23)));
    for (seconds, stream) in (0..).step_by(100).zip(&ids) {
        broadcast
            .report(&world, stream, seconds, StreamEvent::SessionCreated)
            .await;
        if seconds == 100 {
            let breach = LimitBreach {
                limit: IngestLimit::Bitrate,
                value: 8_500_000,
                exceeded_by: 3,
            };
            broadcast
                .report(&world, stream, 110, StreamEvent::LimitBreach(breach))
                .await;
        }
        if seconds < 200 {
            broadcast
                .report(&world, stream, seconds + 50, StreamEvent::SessionEnded)
                .await;
        }
    }
    let row = |id: &str, start: &str, error: bool| json!({"streamId": id, "startTime": start, "hasErrorEvent": error});
    let mut second = row(&ids[1], "2026-11-20T12:01:40Z", true);
    second["endTime"] = json!("2026-11-20T12:02:30Z");
    let mut first = row(&ids[0], "2026-11-20T12:00:00Z", false);
    first["endTime"] = json!("2026-11-20T12:00:50Z");
    let page = json!({"channelArn": broadcast.arn, "maxResults": 2});
    let page = world.call("ListStreamSessions", page).await.ok();
    assert_eq!(
        page["streamSessions"],
        json!([row(&ids[2], "2026-11-20T12:03:20Z", false), second])
    );
    world
        .call("DeleteChannel", json!({"arn": broadcast.arn}))
        .await
        .ok();
    let rest = json!({"channelArn": broadcast.arn, "nextToken": page["nextToken"]});
    let rest = world.call("ListStreamSessions", rest).await.ok();
    assert_eq!(rest, json!({"streamSessions": [first]}));
    let newest = world.call("GetStreamSession", request.clone()).await.ok();
    assert_eq!(newest["streamSession"]["streamId"], ids[2]);
    for operation in ["GetStreamSession", "ListStreamSessions"] {
        let other = world.call_as(OTHER_KEY, operation, request.clone()).await;
        assert_eq!(other.status, 404, "{other:?}");
    }
    let missing = broadcast.arn.replace(&id(&broadcast.arn), "none");
    let missing = json!({"channelArn": missing});
    let answer = world.call("ListStreamSessions", missing).await;
    answer.err(404, "ResourceNotFoundException", "none");
}

#[tokio::test]
async fn a_session_keeps_its_newest_events() {
    let world = World::new().await;
    let broadcast = Broadcast::new(&world, json!({})).await;
    broadcast
        .report(&world, STREAM, 0, StreamEvent::SessionCreated)
        .await;
    for n in 1..=STREAM_EVENTS_MAX {
        broadcast
            .report(&world, STREAM, n, StreamEvent::StarvationStart)
            .await;
    }
    let session = broadcast.session(&world).await;
    let events = session["truncatedEvents"].as_array().unwrap();
    assert_eq!(events.len(), 500);
    assert_eq!(events[0]["type"], "IVS Stream Health Change");
    assert!(
        events
            .iter()
            .all(|event| event["name"] == "Starvation Start")
    );
}

#[tokio::test]
async fn what_happens_to_a_session_is_an_event() {
    let world = World::new().await;
    let broadcast = Broadcast::new(&world, json!({"name": "N"})).await;
    let breach = LimitBreach {
        limit: IngestLimit::EdgePixels,
        value: 1920,
        exceeded_by: 45,
    };
    broadcast
        .report(&world, STREAM, 0, StreamEvent::SessionCreated)
        .await;
    // What was committed already is not told twice.
    broadcast
        .report(&world, STREAM, 0, StreamEvent::SessionCreated)
        .await;
    broadcast
        .report(&world, STREAM, 1, StreamEvent::LimitBreach(breach))
        .await;
    let refused = Report::BroadcastRefused {
        account: ACCOUNT.to_owned(),
        limit: 100,
        at: at(2),
    };
    let Some(Kept::Account(event)) = stream::of(&refused) else {
        panic!("{refused:?}");
    };
    world.state.store.append_events(&[event]).await.unwrap();
    let events = world
        .state
        .store
        .events_after(ACCOUNT, 0, 10)
        .await
        .unwrap();
    let envelopes: Vec<Value> = events
        .iter()
        .map(|event| serde_json::from_str(&event.envelope).unwrap())
        .collect();
    let told = |n: usize| {
        (
            envelopes[n]["resources"].clone(),
            envelopes[n]["detail"].clone(),
        )
    };
    assert_eq!(envelopes.len(), 3);
    assert_eq!(
        told(0),
        (
            json!([broadcast.arn]),
            json!({"event_name": "Session Created", "channel_name": "N", "stream_id": STREAM})
        )
    );
    assert_eq!(
        told(1).1,
        json!({"limit_name": "Ingest Resolution", "limit_value": 1920, "exceeded_by": 45,
               "limit_unit": "pixels per edge", "channel_name": "N", "stream_id": STREAM})
    );
    assert_eq!(
        told(2),
        (
            json!([]),
            json!({"limit_name": "Concurrent Broadcasts", "limit_value": 100, "exceeded_by": 1,
                   "limit_unit": "active streams"})
        )
    );
}

#[tokio::test]
async fn a_session_of_a_killed_server_ends_at_the_next_start() {
    let world = World::new().await;
    let broadcast = Broadcast::new(&world, json!({"name": "N"})).await;
    broadcast
        .report(&world, STREAM, 0, StreamEvent::SessionCreated)
        .await;
    broadcast
        .report(&world, STREAM, 1, StreamEvent::StreamStart)
        .await;
    let world = world.restarted().await;
    let store = &world.state.store;
    stream_log::end_unfinished(store, at(60)).await.unwrap();
    stream_log::end_unfinished(store, at(70)).await.unwrap();
    let session = broadcast.session(&world).await;
    assert_eq!(session["endTime"], "2026-11-20T12:01:00Z");
    let names = session["truncatedEvents"].as_array().unwrap().iter();
    let names: Vec<&Value> = names.map(|event| &event["name"]).collect();
    assert_eq!(
        names,
        [
            "Session Ended",
            "Stream End",
            "Stream Start",
            "Session Created"
        ]
    );
    store.forget_stream_sessions(at(60)).await.unwrap();
    assert_eq!(broadcast.session(&world).await["streamId"], STREAM);
    store.forget_stream_sessions(at(61)).await.unwrap();
    let request = json!({"channelArn": broadcast.arn});
    let gone = world.call("GetStreamSession", request).await;
    gone.err(404, "ResourceNotFoundException", &broadcast.arn);
}

#[tokio::test]
async fn metadata_goes_to_a_live_stream_and_is_at_most_a_kilobyte() {
    let world = World::new().await;
    let channel = world.channel().await;
    let put = |metadata: String| {
        let request = json!({"channelArn": channel, "metadata": metadata});
        world.call("PutMetadata", request)
    };
    put("x".to_owned())
        .await
        .err(404, "ChannelNotBroadcasting", &channel);
    world
        .backend
        .script(|script| script.live.insert(id(&channel), StreamHealth::Healthy));
    let answer = put("é".repeat(512)).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (204, &Value::Null));
    let answer = put("é".repeat(512) + "x").await;
    answer.err(
        400,
        "ValidationException",
        "1025 bytes of UTF-8 given, must be at most 1024",
    );
    let missing = json!({"channelArn": channel.replace(&id(&channel), "none"), "metadata": "x"});
    let answer = world.call("PutMetadata", missing).await;
    answer.err(404, "ResourceNotFoundException", "none");
}

#[tokio::test]
async fn an_ad_break_needs_a_live_stream_with_an_ad_configuration() {
    let world = World::new().await;
    let arn = "arn:aws:mediatailor:us-east-1:123456789012:playbackConfiguration/ads";
    let ads = json!({"mediaTailorPlaybackConfigurations": [{"playbackConfigurationArn": arn}]});
    let ads = world.call("CreateAdConfiguration", ads).await.ok();
    let ads = text(&ads["adConfiguration"]["arn"]);
    let channel = world.channel().await;
    let insert = |more: Value| {
        let mut request = json!({"channelArn": channel, "durationSeconds": 20});
        for (name, value) in more.as_object().unwrap() {
            request[name] = value.clone();
        }
        world.call("InsertAdBreak", request)
    };
    insert(json!({}))
        .await
        .err(404, "ChannelNotBroadcasting", &channel);
    world
        .backend
        .script(|script| script.live.insert(id(&channel), StreamHealth::Healthy));
    insert(json!({}))
        .await
        .err(409, "ConflictException", "no ad configuration");
    let update = json!({"arn": channel, "adConfigurationArn": ads});
    world.call("UpdateChannel", update).await.ok();
    for (start, rule) in [
        ("2026-11-20T11:59:57Z", "must not be in the past"),
        ("2026-11-20T13:00:01Z", "must be at most an hour ahead"),
    ] {
        let answer = insert(json!({"targetStartAt": start})).await;
        answer.err(400, "ValidationException", rule);
    }
    let start = "2026-11-20T12:00:10Z";
    let inserted = insert(json!({"targetStartAt": start})).await.ok();
    assert_eq!(inserted["targetStartAt"], start);
    assert_eq!(text(&inserted["adBreakId"]).len(), 12);
    let again = insert(json!({"adBreakId": "AAAABBBBCCCC"})).await;
    again.err(409, "ConflictException", "is not over");
}
