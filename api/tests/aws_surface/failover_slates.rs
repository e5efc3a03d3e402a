//! Failover slate configurations.

use serde_json::json;

use crate::world::{World, id, text};

#[tokio::test]
async fn a_slate_is_created_soon_with_its_defaults() {
    let world = World::new().await;
    let created = world
        .call("CreateFailoverSlateConfiguration", json!({}))
        .await
        .ok();
    let arn = text(&created["failoverSlateConfiguration"]["arn"]);
    let mut expected = json!({
        "arn": arn, "name": "", "activationThresholdSeconds": 3, "minSlateDisplaySeconds": 3,
        "maxSlateDisplaySeconds": 60, "state": "CREATING", "tags": {}
    });
    assert_eq!(created, json!({"failoverSlateConfiguration": expected}));
    expected["state"] = json!("CREATED");
    let get = || world.call("GetFailoverSlateConfiguration", json!({"arn": arn}));
    assert_eq!(
        get().await.ok(),
        json!({"failoverSlateConfiguration": expected})
    );
    let update = json!({"arn": arn, "name": "soon", "activationThresholdSeconds": 5, "maxSlateDisplaySeconds": 180});
    expected["name"] = json!("soon");
    expected["activationThresholdSeconds"] = json!(5);
    expected["maxSlateDisplaySeconds"] = json!(180);
    let updated = world
        .call("UpdateFailoverSlateConfiguration", update)
        .await
        .ok();
    assert_eq!(updated, json!({"failoverSlateConfiguration": expected}));
    assert_eq!(get().await.ok(), updated);
    let listed = world
        .call("ListFailoverSlateConfigurations", json!({}))
        .await
        .ok();
    assert_eq!(listed, json!({"failoverSlateConfigurations": [expected]}));
    let missing = arn.replace(&id(&arn), "none");
    let answer = world
        .call("UpdateFailoverSlateConfiguration", json!({"arn": missing}))
        .await;
    answer.err(404, "ResourceNotFoundException", &missing);
    let too_long = json!({"maxSlateDisplaySeconds": 181});
    let answer = world
        .call("CreateFailoverSlateConfiguration", too_long)
        .await;
    answer.err(
        400,
        "ValidationException",
        "`maxSlateDisplaySeconds`: 181 given",
    );
}
