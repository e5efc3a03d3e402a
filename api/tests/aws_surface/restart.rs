//! What a restart keeps.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn resources_survive_a_restart() {
    let world = World::new().await;
    let request = json!({"name": "kept", "tags": {"a": "1"}});
    let stage = world.call("CreateStage", request).await.ok()["stage"].clone();
    let channel = world.call("CreateChannel", json!({})).await.ok();
    let encoder = world.encoder().await;
    let storage = world.storage().await;
    let world = world.restarted().await;
    let got = world
        .call("GetStage", json!({"arn": stage["arn"]}))
        .await
        .ok();
    assert_eq!(got["stage"], stage);
    let got = world
        .call("GetChannel", json!({"arn": channel["channel"]["arn"]}))
        .await
        .ok();
    assert_eq!(got["channel"], channel["channel"]);
    let got = world
        .call("GetStreamKey", json!({"arn": channel["streamKey"]["arn"]}))
        .await
        .ok();
    assert_eq!(got["streamKey"], channel["streamKey"]);
    world
        .call("GetEncoderConfiguration", json!({"arn": encoder}))
        .await
        .ok();
    world
        .call("GetStorageConfiguration", json!({"arn": storage}))
        .await
        .ok();
}
