//! Stream keys.

use serde_json::json;

use crate::world::{World, id, text};

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
async fn a_deleted_key_is_unusable_and_makes_room_for_another() {
    let world = World::new().await;
    let created = world.call("CreateChannel", json!({})).await.ok();
    let channel = text(&created["channel"]["arn"]);
    let (key, value) = (
        text(&created["streamKey"]["arn"]),
        text(&created["streamKey"]["value"]),
    );
    let again = json!({"channelArn": channel, "tags": {"a": "b"}});
    let answer = world.call("CreateStreamKey", again.clone()).await;
    answer.err(
        402,
        "ServiceQuotaExceededException",
        "stream keys of the channel: at most 1",
    );
    let answer = world.call("DeleteStreamKey", json!({"arn": key})).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (204, &json!(null)));
    assert_eq!(
        world.backend.told(),
        Vec::<String>::new(),
        "a running stream goes on"
    );
    let store = &world.state.store;
    assert_eq!(store.channel_of_stream_key(&value).await.unwrap(), None);
    let listed = world
        .call("ListStreamKeys", json!({"channelArn": channel}))
        .await
        .ok();
    assert_eq!(listed, json!({"streamKeys": []}));
    for operation in ["DeleteStreamKey", "GetStreamKey"] {
        let answer = world.call(operation, json!({"arn": key})).await;
        answer.err(404, "ResourceNotFoundException", &key);
    }
    let other = world.call("CreateStreamKey", again).await.ok();
    let other = &other["streamKey"];
    assert_eq!(
        (&other["channelArn"], &other["tags"]),
        (&json!(channel), &json!({"a": "b"}))
    );
    assert_ne!(other["value"], value);
    let owner = store
        .channel_of_stream_key(&text(&other["value"]))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(owner.arn.to_string(), channel);
    let missing = channel.replace(&id(&channel), "none");
    let answer = world
        .call("CreateStreamKey", json!({"channelArn": missing}))
        .await;
    answer.err(404, "ResourceNotFoundException", &missing);
}

#[tokio::test]
async fn a_batch_answers_values() {
    let world = World::new().await;
    let created = world.call("CreateChannel", json!({})).await.ok();
    let key = &created["streamKey"];
    let missing = text(&key["arn"]).replace(&id(&text(&key["arn"])), "none");
    let request = json!({"arns": [missing, key["arn"]]});
    let answer = world.call("BatchGetStreamKey", request).await.ok();
    assert_eq!(answer["streamKeys"], json!([key]));
    assert_eq!(answer["errors"][0]["arn"], missing);
    assert_eq!(answer["errors"][0]["code"], "404");
}
