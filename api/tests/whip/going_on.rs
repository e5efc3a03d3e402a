use api::store::Deletion;

use crate::world::{ACCOUNT, World};

#[tokio::test]
async fn the_token_of_a_connection_ends_it_also_when_it_has_expired() {
    let world = World::new().await;
    let token = world.token("ann", 60);
    let made = world.publish(&token).await;
    world.elapse_minutes(61);
    let refused = world.publish(&token).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code.as_str()),
        (401, "ExpiredToken")
    );
    let other = world.token("bob", -1);
    let refused = world
        .send("DELETE", &made.location, &other, String::new())
        .await;
    assert_eq!(
        (refused.status.as_u16(), refused.code.as_str()),
        (401, "ExpiredToken")
    );
    let other = world.token("bob", 60);
    let refused = world
        .send("DELETE", &made.location, &other, String::new())
        .await;
    assert_eq!(
        (refused.status.as_u16(), refused.code.as_str()),
        (403, "NotOwner")
    );
    let ended = world
        .send("DELETE", &made.location, &token, String::new())
        .await;
    assert_eq!(ended.status, 200, "{ended:?}");
}

#[tokio::test]
async fn a_newer_token_of_the_participant_ends_its_connection() {
    let world = World::new().await;
    let made = world.publish(&world.token("ann", 60)).await;
    let newer = world.token("ann", 120);
    let ended = world
        .send("DELETE", &made.location, &newer, String::new())
        .await;
    assert_eq!(ended.status, 200, "{ended:?}");
}

#[tokio::test]
async fn the_token_of_a_connection_ends_it_also_when_its_key_is_gone() {
    let world = World::new().await;
    let key = world.import_key().await;
    let token = world.self_signed(&key, "ann");
    let made = world.publish(&token).await;
    let deleted = world.store.delete(ACCOUNT, &key).await.unwrap();
    assert_eq!(deleted, Deletion::Deleted);
    assert_eq!(world.publish(&token).await.code, "UnknownKey");
    let ended = world
        .send("DELETE", &made.location, &token, String::new())
        .await;
    assert_eq!(ended.status, 200, "{ended:?}");
}
