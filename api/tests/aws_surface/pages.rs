//! Lists and their page tokens.

use serde_json::{Value, json};

use crate::world::{World, text};

/// Walks a list to its end and answers the ARNs of each page.
async fn walk(world: &World, operation: &str, member: &str, size: u32) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut token = json!("");
    loop {
        let request = json!({"maxResults": size, "nextToken": token});
        let page = world.call(operation, request).await.ok();
        let items = page[member].as_array().unwrap();
        pages.push(items.iter().map(|item| text(&item["arn"])).collect());
        match &page["nextToken"] {
            Value::Null => return pages,
            next => token = next.clone(),
        }
    }
}

#[tokio::test]
async fn pages_join_to_the_whole_list() {
    let world = World::new().await;
    let mut arns = Vec::new();
    for _ in 0..5 {
        arns.push(world.stage().await);
    }
    let pages = walk(&world, "ListStages", "stages", 2).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(pages.concat(), arns);
    assert_eq!(
        walk(&world, "ListStages", "stages", 5).await.len(),
        1,
        "no token without a rest"
    );
}

#[tokio::test]
async fn an_entry_deleted_between_pages_moves_nothing() {
    let world = World::new().await;
    let mut arns = Vec::new();
    for _ in 0..4 {
        arns.push(world.stage().await);
    }
    let first = world
        .call("ListStages", json!({"maxResults": 2}))
        .await
        .ok();
    world
        .call("DeleteStage", json!({"arn": arns[1]}))
        .await
        .ok();
    let request = json!({"maxResults": 2, "nextToken": first["nextToken"]});
    let second = world.call("ListStages", request).await.ok();
    assert_eq!(text(&second["stages"][0]["arn"]), arns[2]);
}

#[tokio::test]
async fn a_token_is_good_for_its_own_list_alone() {
    let world = World::new().await;
    for _ in 0..2 {
        world.stage().await;
        world.encoder().await;
    }
    let page = world
        .call("ListStages", json!({"maxResults": 1}))
        .await
        .ok();
    let token = text(&page["nextToken"]);
    let wrong = |token: &str| json!({"nextToken": token});
    let answer = world.call("ListEncoderConfigurations", wrong(&token)).await;
    answer.err(400, "ValidationException", "`nextToken`");
    let altered = if token.starts_with('A') { "B" } else { "A" }.to_owned() + &token[1..];
    for forged in [altered.as_str(), &token[1..], "AAAA", "=", "a b"] {
        let answer = world.call("ListStages", wrong(forged)).await;
        answer.err(400, "ValidationException", "`nextToken`");
    }
    let world = world.restarted().await;
    let page = world.call("ListStages", wrong(&token)).await.ok();
    assert_eq!(
        page["stages"].as_array().unwrap().len(),
        1,
        "tokens survive a restart"
    );
}

#[tokio::test]
async fn lists_have_the_default_sizes_of_the_service() {
    let world = World::new().await;
    for _ in 0..51 {
        world.stage().await;
    }
    let page = world.call("ListStages", json!({})).await.ok();
    assert_eq!(page["stages"].as_array().unwrap().len(), 50);
    assert!(page["nextToken"].is_string());
}
