//! Public keys that verify self-signed participant tokens, and revoked connection tokens.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{ACCOUNT, World, text};

/// `openssl ecparam -name secp384r1 -genkey -noout | openssl ec -pubout`, four times.
const KEYS: [&str; 4] = [
    "-----BEGIN PUBLIC KEY-----\n\
    MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE6PyLujTdrZt3mqB1ZVRv+g0HN21Aeh1c\n\
    X1LJhdU3+DpP1g8d3zxg09RxQ0FNknK7btHB+swDkvZ0Uer/uTp58/QPIi9JYSPB\n\
    4THr0rzpu3I9RFu73QpH9A2g3dYsdNOC\n\
    -----END PUBLIC KEY-----\n",
    "-----BEGIN PUBLIC KEY-----\n\
    MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEwk1tQ/8YsOXBINcmQUmWQGjFlgfg8r/Q\n\
    gmlrGRtkzmBX2+4rxtsifcAL7t76j7W7RFOex4mdwxjnaTRPag7cxLAA27Re0r9X\n\
    Jiz5yHO3D5wYO24IOWL+7Jz/3JC7C+rW\n\
    -----END PUBLIC KEY-----\n",
    "-----BEGIN PUBLIC KEY-----\n\
    MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAECriQKJWjCPGQtsajIhlMvRfkK1wZhJE2\n\
    twoLBm/IVskI3ksENvCTKclQKodbTWeb6fQBdCbsvykMErqyB6K06614Vo6GhsmB\n\
    UdZXqlfLGxBAW5FeG+RRvwE2iPIEXFfD\n\
    -----END PUBLIC KEY-----\n",
    "-----BEGIN PUBLIC KEY-----\n\
    MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEDEbx9Ut0WvYAVC3bNZWqR9DdS1f2B1QX\n\
    WCxlWcyS9URQ+qaBCaKqP1nsmyMWVw/Qdx98YtSwpi9lAy+S2zyj8x+Usf7/td8J\n\
    YHriLgEfZukhNe5dhbPLS74zEcbCxAx3\n\
    -----END PUBLIC KEY-----\n",
];

const FINGERPRINT: &str = "4a:77:62:b8:9c:d7:06:88:a8:d6:9a:7f:99:fc:c2:49";

/// The same with `-name prime256v1`.
const P256: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEkHlOJaRaOGOLbikJa4oYQBwy+eTW\n\
    ufx+JAlv2B+EjHrOdBP1dXjdO1XXIyO6ah3tBrGDw4ZqRguiCWqF/Rj3NQ==\n\
    -----END PUBLIC KEY-----\n";

async fn import(world: &World, material: &str) -> Value {
    let request = json!({"publicKeyMaterial": material});
    world.call("ImportPublicKey", request).await.ok()["publicKey"].clone()
}

#[tokio::test]
async fn an_imported_key_is_echoed_with_its_fingerprint() {
    let world = World::new().await;
    let request = json!({"publicKeyMaterial": KEYS[0], "name": "mine", "tags": {"a": "b"}});
    let imported = world.call("ImportPublicKey", request).await.ok();
    let arn = text(&imported["publicKey"]["arn"]);
    assert!(arn.starts_with("arn:aws:ivs:us-east-1:123456789012:public-key/"));
    let expected = json!({"publicKey": {
        "arn": arn, "name": "mine", "publicKeyMaterial": KEYS[0],
        "fingerprint": FINGERPRINT, "tags": {"a": "b"}
    }});
    assert_eq!(imported, expected);
    let got = world.call("GetPublicKey", json!({"arn": arn})).await.ok();
    assert_eq!(got, expected);
    let listed = world.call("ListPublicKeys", json!({})).await.ok();
    let summary = json!({"arn": arn, "name": "mine", "tags": {"a": "b"}});
    assert_eq!(listed, json!({"publicKeys": [summary]}));
    let deleted = world.call("DeletePublicKey", json!({"arn": arn})).await;
    assert_eq!(deleted.ok(), json!({}));
    for operation in ["GetPublicKey", "DeletePublicKey"] {
        let answer = world.call(operation, json!({"arn": arn})).await;
        answer.err(404, "ResourceNotFoundException", &arn);
    }
}

#[tokio::test]
async fn a_key_is_imported_once_even_in_another_form() {
    let world = World::new().await;
    let first = import(&world, KEYS[0]).await;
    for again in [KEYS[0].to_owned(), KEYS[0].replace('\n', "\r\n")] {
        let request = json!({"publicKeyMaterial": again});
        let answer = world.call("ImportPublicKey", request).await;
        answer.err(409, "ConflictException", &text(&first["arn"]));
    }
    world
        .call("DeletePublicKey", json!({"arn": first["arn"]}))
        .await
        .ok();
    import(&world, KEYS[0]).await;
}

#[tokio::test]
async fn the_fourth_key_exceeds_the_quota() {
    let world = World::new().await;
    for key in &KEYS[..3] {
        import(&world, key).await;
    }
    let request = json!({"publicKeyMaterial": KEYS[3]});
    let answer = world.call("ImportPublicKey", request).await;
    answer.err(
        402,
        "ServiceQuotaExceededException",
        "public keys: at most 3",
    );
}

#[tokio::test]
async fn only_p384_keys_in_pem_form_are_imported() {
    let world = World::new().await;
    let garbage = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----";
    let cut = KEYS[0].replace("MHYw", "MHYx");
    for material in [P256, garbage, &cut] {
        let request = json!({"publicKeyMaterial": material});
        let answer = world.call("ImportPublicKey", request).await;
        answer.err(400, "ValidationException", "must be a P-384");
    }
    let answer = world
        .call("ImportPublicKey", json!({"publicKeyMaterial": "key"}))
        .await;
    answer.err(400, "ValidationException", "`publicKeyMaterial`: 'key'");
}

#[tokio::test]
async fn a_revoked_connection_token_is_remembered_for_four_weeks() {
    let world = World::new().await;
    for _ in 0..2 {
        let answer = world.call("RevokeConnectionToken", json!({"tokenId": "t-1"}));
        assert_eq!(answer.await.ok(), json!({}));
    }
    let world = world.restarted().await;
    let revoked = async |account: &str, token: &str| {
        let store = &world.state.store;
        let now = world.state.clock.now();
        let revoked = store.is_connection_token_revoked(now, account, token);
        revoked.await.unwrap()
    };
    assert!(revoked(ACCOUNT, "t-1").await);
    assert!(!revoked(ACCOUNT, "t-2").await);
    assert!(!revoked("999999999999", "t-1").await);
    world.advance(Duration::from_secs(28 * 24 * 3600));
    assert!(!revoked(ACCOUNT, "t-1").await);
    let answer = world.call("RevokeConnectionToken", json!({"tokenId": "a b"}));
    answer.await.err(400, "ValidationException", "`tokenId`");
}
