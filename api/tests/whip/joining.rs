use crate::world::World;

#[tokio::test]
async fn what_cannot_be_a_participant_does_not_publish() {
    let world = World::new().await;
    let token = world.token("bob", 60);
    // A session, without which nobody publishes anyway.
    assert_eq!(world.publish(&world.token("ann", 60)).await.status, 201);
    let long = "a".repeat(65);
    for publisher in ["a%00b", "a%20b", "a%2Fb", "%C3%A4", long.as_str()] {
        let refused = world.subscribe(&token, publisher).await;
        let refused = (refused.status.as_u16(), refused.code.as_str());
        assert_eq!(refused, (404, "PublisherNotFound"), "{publisher}");
    }
    let refused = world.subscribe(&token, "ann").await;
    assert_ne!(
        refused.code, "PublisherNotFound",
        "her codecs are not known yet"
    );
}
