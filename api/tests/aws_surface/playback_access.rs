//! Playback key pairs and restriction policies.

use serde_json::json;

use crate::world::{World, id, text};

/// `openssl ecparam -name secp384r1 -genkey -noout | openssl ec -pubout`, four times.
const KEYS: [&str; 4] = [
    "-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEC5v6NYv8I6/NjjkIz+zAthHTtMEc64Od\nSOrbFChgi3HWhibcWeUkZoonecJsZnGN3+0VqCQMr7tGx2D6yLoYOQp1ZLEpCO23\n8ODnY/c+Z17xzV51u5l1hgFe+3waOrik\n-----END PUBLIC KEY-----",
    "-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAElJ2BaFiV1bvo9OtNdd1/XAae7GGNcBEA\nMJ/VuTTypxz20kdbI4IYtlawheWQENjgmHAU9maU1x57GY41aUHcjHKmLG9IPxXO\ng7BAUPvanGluU9kIP88isIqA6LErfeO9\n-----END PUBLIC KEY-----",
    "-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAExv7b0LLSJW70RBhes6VkWULYTooNjv6y\nZSU7RYASE5lyH/aJbM98wm4nLhs2Z8CnfcPL/rvfjp+z9nAQgQirs4f3usyVavMi\nNNwafxAEEfoj7PZlnhh4t3oq+fXrnkwZ\n-----END PUBLIC KEY-----",
    "-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE2eCrsLxKnBRwnjAFBN2Ts+g+wAJR8LCV\nmhod/CxJ/LwrMgGsrvGCJ3anQ+OC3oBR4xe97nacI6UP4ra5rTYQ657Y9OEDuXbO\nY/kL9JF46ZUYE5j1b/FvgQozxmUQ8J9t\n-----END PUBLIC KEY-----",
];

#[tokio::test]
async fn a_key_pair_answers_its_fingerprint_and_never_the_key() {
    let world = World::new().await;
    let request = json!({"publicKeyMaterial": KEYS[0], "name": "first", "tags": {"a": "b"}});
    let imported = world
        .call("ImportPlaybackKeyPair", request.clone())
        .await
        .ok();
    let arn = text(&imported["keyPair"]["arn"]);
    let fingerprint = text(&imported["keyPair"]["fingerprint"]);
    assert_eq!(
        fingerprint.split(':').map(str::len).collect::<Vec<_>>(),
        [2; 16]
    );
    assert_eq!(
        imported,
        json!({"keyPair": {"arn": arn, "name": "first", "fingerprint": fingerprint, "tags": {"a": "b"}}})
    );
    let got = world
        .call("GetPlaybackKeyPair", json!({"arn": arn}))
        .await
        .ok();
    assert_eq!(got, imported);
    let listed = world.call("ListPlaybackKeyPairs", json!({})).await.ok();
    assert_eq!(
        listed,
        json!({"keyPairs": [{"arn": arn, "name": "first", "tags": {"a": "b"}}]})
    );
    let answer = world.call("ImportPlaybackKeyPair", request.clone()).await;
    answer.err(409, "ConflictException", &arn);
    let deleted = world
        .call("DeletePlaybackKeyPair", json!({"arn": arn}))
        .await
        .ok();
    assert_eq!(deleted, json!({}));
    for operation in ["GetPlaybackKeyPair", "DeletePlaybackKeyPair"] {
        let answer = world.call(operation, json!({"arn": arn})).await;
        answer.err(404, "ResourceNotFoundException", &arn);
    }
    let again = world.call("ImportPlaybackKeyPair", request).await.ok();
    assert_eq!(again["keyPair"]["fingerprint"], fingerprint);
}

#[tokio::test]
async fn an_account_has_three_key_pairs() {
    let world = World::new().await;
    let import = |key: &str| world.call("ImportPlaybackKeyPair", json!({"publicKeyMaterial": key}));
    for key in &KEYS[..3] {
        import(key).await.ok();
    }
    let answer = import(KEYS[3]).await;
    answer.err(
        402,
        "ServiceQuotaExceededException",
        "playback key pairs: at most 3",
    );
    let answer = import("not a key").await;
    answer.err(
        400,
        "ValidationException",
        "`publicKeyMaterial`: 'not a key' given, must be a P-384",
    );
}

#[tokio::test]
async fn a_policy_allows_everything_until_it_says_otherwise() {
    let world = World::new().await;
    let created = world
        .call("CreatePlaybackRestrictionPolicy", json!({}))
        .await
        .ok();
    let arn = text(&created["playbackRestrictionPolicy"]["arn"]);
    let mut expected = json!({
        "arn": arn, "name": "", "allowedCountries": [], "allowedOrigins": [],
        "enableStrictOriginEnforcement": false, "tags": {}
    });
    assert_eq!(created, json!({"playbackRestrictionPolicy": expected}));
    let update = json!({"arn": arn, "allowedCountries": ["DE", "GB"], "allowedOrigins": ["https://*.example.com"]});
    let updated = world
        .call("UpdatePlaybackRestrictionPolicy", update)
        .await
        .ok();
    expected["allowedCountries"] = json!(["DE", "GB"]);
    expected["allowedOrigins"] = json!(["https://*.example.com"]);
    assert_eq!(updated, json!({"playbackRestrictionPolicy": expected}));
    let update = json!({"arn": arn, "name": "eu", "allowedCountries": [], "enableStrictOriginEnforcement": true});
    world
        .call("UpdatePlaybackRestrictionPolicy", update)
        .await
        .ok();
    expected["name"] = json!("eu");
    expected["allowedCountries"] = json!([]);
    expected["enableStrictOriginEnforcement"] = json!(true);
    let got = world
        .call("GetPlaybackRestrictionPolicy", json!({"arn": arn}))
        .await
        .ok();
    assert_eq!(got, json!({"playbackRestrictionPolicy": expected}));
    let missing = arn.replace(&id(&arn), "none");
    for operation in [
        "GetPlaybackRestrictionPolicy",
        "UpdatePlaybackRestrictionPolicy",
    ] {
        let answer = world.call(operation, json!({"arn": missing})).await;
        answer.err(404, "ResourceNotFoundException", &missing);
    }
}

#[tokio::test]
async fn policies_are_three_and_come_one_by_one() {
    let world = World::new().await;
    let create = |request| world.call("CreatePlaybackRestrictionPolicy", request);
    for name in ["a", "b", "c"] {
        create(json!({ "name": name })).await.ok();
    }
    let answer = create(json!({})).await;
    answer.err(
        402,
        "ServiceQuotaExceededException",
        "playback restriction policies: at most 3",
    );
    let first = world
        .call("ListPlaybackRestrictionPolicies", json!({}))
        .await
        .ok();
    assert_eq!(
        first["playbackRestrictionPolicies"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let rest = json!({"nextToken": first["nextToken"], "maxResults": 100});
    let rest = world
        .call("ListPlaybackRestrictionPolicies", rest)
        .await
        .ok();
    assert_eq!(rest["playbackRestrictionPolicies"][1]["name"], "c");
    assert_eq!(rest.get("nextToken"), None);
}

#[tokio::test]
async fn a_policy_lists_so_many_origins_and_countries() {
    let world = World::new().await;
    let create = |request| world.call("CreatePlaybackRestrictionPolicy", request);
    let origins = json!({"allowedOrigins": vec!["https://example.com"; 6]});
    create(origins).await.err(
        400,
        "ValidationException",
        "`allowedOrigins`: 6 given, at most 5",
    );
    let countries = json!({"allowedCountries": vec!["DE"; 201]});
    create(countries).await.err(
        400,
        "ValidationException",
        "`allowedCountries`: 201 given, at most 200",
    );
    let no_country = json!({"allowedCountries": ["DE", "1!"]});
    create(no_country).await.err(
        400,
        "ValidationException",
        "`allowedCountries[1]`: '1!' given",
    );
    let most = json!({"allowedOrigins": vec!["https://example.com"; 5], "allowedCountries": vec!["DE"; 200]});
    create(most).await.ok();
}
