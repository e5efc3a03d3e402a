//! Ad configurations.

use serde_json::json;

use crate::world::{World, id, text};

const MEDIA_TAILOR: &str = "arn:aws:mediatailor:us-east-1:123456789012:playbackConfiguration/ads";

#[tokio::test]
async fn an_ad_configuration_is_echoed_with_its_defaults_and_can_be_changed() {
    let world = World::new().await;
    let ads = json!([{"playbackConfigurationArn": MEDIA_TAILOR}]);
    let request = json!({"mediaTailorPlaybackConfigurations": ads, "tags": {"a": "b"}});
    let created = world.call("CreateAdConfiguration", request).await.ok();
    let arn = text(&created["adConfiguration"]["arn"]);
    let mut expected = json!({
        "arn": arn, "name": "", "mediaTailorPlaybackConfigurations": ads, "tags": {"a": "b"},
        "postRollConfiguration": {"enabled": false, "durationSeconds": 15}
    });
    assert_eq!(created, json!({"adConfiguration": expected}));
    let update =
        json!({"arn": arn, "postRollConfiguration": {"enabled": true, "durationSeconds": 30}});
    let updated = world.call("UpdateAdConfiguration", update).await.ok();
    expected["postRollConfiguration"] = json!({"enabled": true, "durationSeconds": 30});
    assert_eq!(updated, json!({"adConfiguration": expected}));
    let update = json!({"arn": arn, "name": "breaks"});
    world.call("UpdateAdConfiguration", update).await.ok();
    expected["name"] = json!("breaks");
    let got = world
        .call("GetAdConfiguration", json!({"arn": arn}))
        .await
        .ok();
    assert_eq!(got, json!({"adConfiguration": expected}));
    let listed = world.call("ListAdConfigurations", json!({})).await.ok();
    assert_eq!(listed, json!({"adConfigurations": [expected]}));
    let missing = arn.replace(&id(&arn), "none");
    for operation in [
        "GetAdConfiguration",
        "UpdateAdConfiguration",
        "DeleteAdConfiguration",
    ] {
        let answer = world.call(operation, json!({"arn": missing})).await;
        answer.err(404, "ResourceNotFoundException", &missing);
    }
}

#[tokio::test]
async fn an_ad_configuration_names_where_ads_come_from() {
    let world = World::new().await;
    let ad = json!({"playbackConfigurationArn": MEDIA_TAILOR});
    for (ads, text) in [
        (json!([]), "at least 1"),
        (json!([ad, ad, ad, ad]), "at most 3"),
        (
            json!([ad, {}]),
            "`mediaTailorPlaybackConfigurations[1].playbackConfigurationArn`: missing",
        ),
    ] {
        let request = json!({ "mediaTailorPlaybackConfigurations": ads });
        let answer = world.call("CreateAdConfiguration", request).await;
        answer.err(400, "ValidationException", text);
    }
    let request = json!({"mediaTailorPlaybackConfigurations": [ad], "postRollConfiguration": {"enabled": true}});
    let answer = world.call("CreateAdConfiguration", request).await;
    answer.err(
        400,
        "ValidationException",
        "`postRollConfiguration.durationSeconds`: missing",
    );
}
