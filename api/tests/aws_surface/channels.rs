//! Channels, stream keys and streams.

use api::backend::StreamHealth;
use serde_json::{Value, json};

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
async fn every_member_of_a_channel_is_echoed() {
    let world = World::new().await;
    let members = json!({
        "name": "show", "latencyMode": "NORMAL", "type": "STANDARD", "authorized": true, "insecureIngest": true,
        "containerFormat": "FRAGMENTED_MP4", "tags": {"a": "b"},
        "multitrackInputConfiguration": {"enabled": true, "policy": "REQUIRE", "maximumResolution": "HD"}
    });
    let created = world.call("CreateChannel", members.clone()).await.ok();
    for (member, value) in members.as_object().unwrap() {
        assert_eq!(&created["channel"][member], value, "{member}");
    }
}

#[tokio::test]
async fn rules_that_span_members_are_kept() {
    let world = World::new().await;
    let multitrack = |members: Value| {
        let mut given = json!({"enabled": true, "policy": "ALLOW", "maximumResolution": "HD"});
        for (name, value) in members.as_object().unwrap() {
            given[name] = value.clone();
        }
        given
    };
    for (request, text) in [
        (
            json!({"preset": "CONSTRAINED_BANDWIDTH_DELIVERY"}),
            "`preset`: given, allowed only with type ADVANCED_SD or ADVANCED_HD",
        ),
        (
            json!({"multitrackInputConfiguration": multitrack(json!({"policy": null}))}),
            "`multitrackInputConfiguration.policy`: missing",
        ),
        (
            json!({"multitrackInputConfiguration": multitrack(json!({"maximumResolution": null}))}),
            "`multitrackInputConfiguration.maximumResolution`: missing",
        ),
        (
            json!({"multitrackInputConfiguration": multitrack(json!({}))}),
            "needs type STANDARD and containerFormat FRAGMENTED_MP4",
        ),
        (
            json!({"type": "BASIC", "containerFormat": "FRAGMENTED_MP4",
                   "multitrackInputConfiguration": multitrack(json!({}))}),
            "needs type STANDARD and containerFormat FRAGMENTED_MP4",
        ),
    ] {
        let answer = world.call("CreateChannel", request).await;
        answer.err(400, "ValidationException", text);
    }
}

#[tokio::test]
async fn an_update_changes_what_it_says_and_nothing_else() {
    let world = World::new().await;
    let request = json!({"name": "before", "tags": {"a": "b"}, "type": "ADVANCED_HD",
                         "preset": "CONSTRAINED_BANDWIDTH_DELIVERY"});
    let created = world.call("CreateChannel", request).await.ok();
    let arn = text(&created["channel"]["arn"]);
    let update = json!({"arn": arn, "name": "after", "latencyMode": "NORMAL", "insecureIngest": true, "authorized": true});
    let updated = world.call("UpdateChannel", update).await.ok();
    let mut expected = created["channel"].clone();
    expected["name"] = json!("after");
    expected["latencyMode"] = json!("NORMAL");
    expected["insecureIngest"] = json!(true);
    expected["authorized"] = json!(true);
    assert_eq!(updated, json!({"channel": expected}));
    let got = world.call("GetChannel", json!({"arn": arn})).await.ok();
    assert_eq!(got, updated);
    let by_name = |name: &str| world.call("ListChannels", json!({"filterByName": name}));
    assert_eq!(by_name("before").await.ok(), json!({"channels": []}));
    assert_eq!(by_name("after").await.ok()["channels"][0]["arn"], arn);
    let world = world.restarted().await;
    let got = world.call("GetChannel", json!({"arn": arn})).await.ok();
    assert_eq!(got, updated);
    let missing = arn.replace(&id(&arn), "none");
    let answer = world.call("UpdateChannel", json!({"arn": missing})).await;
    answer.err(404, "ResourceNotFoundException", &missing);
}

#[tokio::test]
async fn a_new_type_begins_with_its_default_preset() {
    let world = World::new().await;
    let request = json!({"type": "ADVANCED_HD", "preset": "CONSTRAINED_BANDWIDTH_DELIVERY"});
    let created = world.call("CreateChannel", request).await.ok();
    let arn = text(&created["channel"]["arn"]);
    for (update, preset) in [
        (
            json!({"type": "ADVANCED_HD"}),
            "CONSTRAINED_BANDWIDTH_DELIVERY",
        ),
        (json!({"type": "ADVANCED_SD"}), "HIGHER_BANDWIDTH_DELIVERY"),
        (
            json!({"preset": "CONSTRAINED_BANDWIDTH_DELIVERY"}),
            "CONSTRAINED_BANDWIDTH_DELIVERY",
        ),
        (json!({"type": "STANDARD"}), ""),
        (
            json!({"type": "ADVANCED_SD", "preset": "CONSTRAINED_BANDWIDTH_DELIVERY"}),
            "CONSTRAINED_BANDWIDTH_DELIVERY",
        ),
    ] {
        let mut request = update.clone();
        request["arn"] = json!(arn);
        let updated = world.call("UpdateChannel", request).await.ok();
        assert_eq!(updated["channel"]["preset"], preset, "{update}");
    }
    let request = json!({"arn": arn, "type": "BASIC", "preset": "HIGHER_BANDWIDTH_DELIVERY"});
    let answer = world.call("UpdateChannel", request).await;
    answer.err(
        400,
        "ValidationException",
        "`preset`: given, allowed only with type",
    );
    let got = world.call("GetChannel", json!({"arn": arn})).await.ok();
    assert_eq!(
        got["channel"]["type"], "ADVANCED_SD",
        "a refused update changes nothing"
    );
}

#[tokio::test]
async fn a_live_channel_can_be_updated() {
    let world = World::new().await;
    let channel = world.channel().await;
    world
        .backend
        .script(|script| script.live.insert(id(&channel), StreamHealth::Healthy));
    let update = json!({"arn": channel, "name": "next"});
    let updated = world.call("UpdateChannel", update).await.ok();
    assert_eq!(updated["channel"]["name"], "next");
    assert_eq!(
        world.backend.told(),
        Vec::<String>::new(),
        "the stream goes on"
    );
}

#[tokio::test]
async fn a_batch_answers_what_is_there_and_names_what_is_not() {
    let world = World::new().await;
    let (first, second) = (world.channel().await, world.channel().await);
    let missing = first.replace(&id(&first), "none");
    let request = json!({"arns": [second, missing, first]});
    let answer = world.call("BatchGetChannel", request).await;
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    assert_eq!(answer.headers["x-frame-options"], "DENY");
    let answer = answer.ok();
    let got = world.call("GetChannel", json!({"arn": second})).await.ok();
    assert_eq!(answer["channels"][0], got["channel"]);
    assert_eq!(answer["channels"][1]["arn"], first);
    let message = format!("the resource {missing} does not exist");
    assert_eq!(
        answer["errors"],
        json!([{"arn": missing, "code": "404", "message": message}])
    );
    for (count, text) in [(0, "at least 1"), (51, "at most 50")] {
        let request = json!({"arns": vec![first.as_str(); count]});
        let answer = world.call("BatchGetChannel", request).await;
        answer.err(400, "ValidationException", text);
    }
    let request = json!({"arns": vec![first.as_str(); 50]});
    let all = world.call("BatchGetChannel", request).await.ok();
    assert_eq!(all["channels"].as_array().unwrap().len(), 50);
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
