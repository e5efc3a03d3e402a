//! Channels, stream keys and streams.

use api::backend::StreamHealth;
use serde_json::json;

use crate::world::{World, id, text};

#[tokio::test]
async fn a_channel_is_echoed_with_every_default() {
    let world = World::new().await;
    let created = world
        .call("CreateChannel", json!({"name": "show"}))
        .await
        .ok();
    let arn = text(&created["channel"]["arn"]);
    let passphrase = text(&created["channel"]["srt"]["passphrase"]);
    assert_eq!(passphrase.len(), 70);
    let playback = format!(
        "http://127.0.0.1:8080/api/video/v1/us-east-1.123456789012.channel.{}.m3u8",
        id(&arn)
    );
    assert_eq!(
        created["channel"],
        json!({
            "arn": arn,
            "name": "show",
            "latencyMode": "LOW",
            "type": "STANDARD",
            "recordingConfigurationArn": "",
            "ingestEndpoint": "127.0.0.1:1936",
            "playbackUrl": playback,
            "authorized": false,
            "tags": {},
            "insecureIngest": false,
            "preset": "",
            "srt": {"endpoint": "127.0.0.1", "passphrase": passphrase},
            "playbackRestrictionPolicyArn": "",
            "multitrackInputConfiguration":
                {"enabled": false, "policy": "ALLOW", "maximumResolution": "FULL_HD"},
            "containerFormat": "TS",
            "adConfigurationArn": "",
            "failoverSlateConfigurationArn": ""
        })
    );
    let got = world.call("GetChannel", json!({"arn": arn})).await.ok();
    assert_eq!(got["channel"], created["channel"]);
    let request = json!({"type": "ADVANCED_HD", "latencyMode": "NORMAL", "insecureIngest": true});
    let other = world.call("CreateChannel", request).await.ok();
    assert_eq!(other["channel"]["preset"], "HIGHER_BANDWIDTH_DELIVERY");
    let listed = world
        .call("ListChannels", json!({"filterByName": "show"}))
        .await
        .ok();
    let summary = json!({
        "arn": arn, "name": "show", "latencyMode": "LOW", "type": "STANDARD",
        "recordingConfigurationArn": "", "authorized": false, "tags": {}, "insecureIngest": false,
        "preset": "", "playbackRestrictionPolicyArn": "", "adConfigurationArn": "",
        "failoverSlateConfigurationArn": ""
    });
    assert_eq!(listed, json!({"channels": [summary]}));
}

#[tokio::test]
async fn a_channel_has_one_stream_key() {
    let world = World::new().await;
    let created = world.call("CreateChannel", json!({})).await.ok();
    let channel = text(&created["channel"]["arn"]);
    let key = &created["streamKey"];
    let value = text(&key["value"]);
    assert!(value.starts_with("sk_us-east-1_"), "{value}");
    assert_eq!(
        value.split('_').map(str::len).collect::<Vec<_>>(),
        [2, 9, 12, 32]
    );
    assert_eq!(key["channelArn"], channel);
    let got = world
        .call("GetStreamKey", json!({"arn": key["arn"]}))
        .await
        .ok();
    assert_eq!(got["streamKey"], *key);
    let listed = world
        .call("ListStreamKeys", json!({"channelArn": channel}))
        .await
        .ok();
    let summary = json!({"arn": key["arn"], "channelArn": channel, "tags": {}});
    assert_eq!(listed, json!({"streamKeys": [summary]}));
    let owner = world
        .state
        .store
        .channel_of_stream_key(&value)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(owner.arn.to_string(), channel);
    assert!(!owner.record.insecure_ingest);
    assert_eq!(
        world
            .state
            .store
            .channel_of_stream_key("sk_wrong")
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        world
            .state
            .store
            .channel_of_stream_key(&text(&key["arn"]))
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn filters_exclude_each_other() {
    let world = World::new().await;
    let recording = "arn:aws:ivs:us-east-1:123456789012:recording-configuration/abc";
    world.channel().await;
    let both = json!({"filterByName": "a", "filterByRecordingConfigurationArn": recording});
    let answer = world.call("ListChannels", both).await;
    answer.err(
        409,
        "ConflictException",
        "2 filters given, at most 1 allowed",
    );
    let one = json!({"filterByRecordingConfigurationArn": recording});
    assert_eq!(
        world.call("ListChannels", one).await.ok(),
        json!({"channels": []})
    );
    let without = json!({"filterByRecordingConfigurationArn": ""});
    let listed = world.call("ListChannels", without).await.ok();
    assert_eq!(listed["channels"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn options_that_are_not_built_are_refused_rather_than_pretended() {
    let world = World::new().await;
    for (request, text) in [
        (json!({"authorized": true}), "`authorized`"),
        (
            json!({"containerFormat": "FRAGMENTED_MP4"}),
            "`containerFormat`",
        ),
        (
            json!({"containerFormat": "FRAGMENTED_MP4", "multitrackInputConfiguration":
                {"enabled": true, "policy": "ALLOW", "maximumResolution": "HD"}}),
            "`multitrackInputConfiguration.enabled`",
        ),
    ] {
        world
            .call("CreateChannel", request)
            .await
            .err(501, "NotImplementedException", text);
    }
    let request = json!({"multitrackInputConfiguration": {"enabled": true}});
    let answer = world.call("CreateChannel", request).await;
    answer.err(
        400,
        "ValidationException",
        "`multitrackInputConfiguration.policy`: missing",
    );
    let policy = "arn:aws:ivs:us-east-1:123456789012:playback-restriction-policy/abc";
    let answer = world
        .call(
            "CreateChannel",
            json!({"playbackRestrictionPolicyArn": policy}),
        )
        .await;
    answer.err(404, "ResourceNotFoundException", policy);
}

#[tokio::test]
async fn an_offline_channel_has_no_stream() {
    let world = World::new().await;
    let channel = world.channel().await;
    for operation in ["GetStream", "StopStream"] {
        let answer = world.call(operation, json!({"channelArn": channel})).await;
        answer.err(404, "ChannelNotBroadcasting", &channel);
        let missing = channel.replace(&id(&channel), "none");
        let answer = world.call(operation, json!({"channelArn": missing})).await;
        answer.err(404, "ResourceNotFoundException", &missing);
    }
    assert_eq!(
        world.call("ListStreams", json!({})).await.ok(),
        json!({"streams": []})
    );
}

#[tokio::test]
async fn a_live_channel_has_a_stream() {
    let world = World::new().await;
    let channel = world.channel().await;
    let second = world.channel().await;
    world.backend.script(|script| {
        script.live.insert(id(&channel), StreamHealth::Healthy);
        script.live.insert(id(&second), StreamHealth::Starving);
        script
            .live
            .insert("deletedChann".to_owned(), StreamHealth::Healthy);
    });
    let got = world
        .call("GetStream", json!({"channelArn": channel}))
        .await
        .ok();
    let playback = format!(
        "http://127.0.0.1:8080/api/video/v1/us-east-1.123456789012.channel.{}.m3u8",
        id(&channel)
    );
    let mut stream = json!({
        "channelArn": channel,
        "streamId": "st-abcdefghijklmnopqrstuvw",
        "playbackUrl": playback,
        "startTime": "2023-11-14T22:13:20Z",
        "state": "LIVE",
        "health": "HEALTHY",
        "viewerCount": 3
    });
    assert_eq!(got["stream"], stream);
    stream.as_object_mut().unwrap().remove("playbackUrl");
    let first = world
        .call("ListStreams", json!({"maxResults": 1}))
        .await
        .ok();
    assert_eq!(
        first["streams"],
        json!([stream]),
        "in the order of the channels"
    );
    let request = json!({"maxResults": 1, "nextToken": first["nextToken"]});
    let rest = world.call("ListStreams", request).await.ok();
    assert_eq!(rest["streams"][0]["channelArn"], second);
    assert_eq!(rest.get("nextToken"), None);
    let starving = json!({"filterBy": {"health": "STARVING"}});
    let listed = world.call("ListStreams", starving).await.ok();
    assert_eq!(listed["streams"][0]["channelArn"], second);
    assert_eq!(listed["streams"].as_array().unwrap().len(), 1);
    let answer = world.call("DeleteChannel", json!({"arn": channel})).await;
    answer.err(409, "ConflictException", "is live");
    let stopped = world
        .call("StopStream", json!({"channelArn": channel}))
        .await
        .ok();
    assert_eq!(stopped, json!({}));
    world.backend.script(|script| script.broken = true);
    let answer = world
        .call("StopStream", json!({"channelArn": second}))
        .await;
    answer.err(503, "StreamUnavailable", "cannot be stopped now");
}

#[tokio::test]
async fn a_deleted_channel_takes_its_key_along() {
    let world = World::new().await;
    let created = world.call("CreateChannel", json!({})).await.ok();
    let channel = text(&created["channel"]["arn"]);
    let answer = world.call("DeleteChannel", json!({"arn": channel})).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (204, &json!(null)));
    assert_eq!(
        world.backend.told(),
        [format!("channel deleted {}", id(&channel))]
    );
    let key = &created["streamKey"];
    let answer = world.call("GetStreamKey", json!({"arn": key["arn"]})).await;
    answer.err(404, "ResourceNotFoundException", &text(&key["arn"]));
    let owner = world
        .state
        .store
        .channel_of_stream_key(&text(&key["value"]))
        .await
        .unwrap();
    assert_eq!(owner, None);
    for operation in ["GetChannel", "DeleteChannel"] {
        let answer = world.call(operation, json!({"arn": channel})).await;
        answer.err(404, "ResourceNotFoundException", &channel);
    }
}
