//! Running and ended compositions: conflicts, quotas, lists, stopping, the end, a restart.

use std::time::Duration;

use api::backend::StreamHealth;
use api::store::CompositionProgress;
use serde_json::json;

use crate::parts::{Parts, finish};
use crate::world::{World, id, text};

#[tokio::test]
async fn a_channel_takes_one_broadcast() {
    let world = World::new().await;
    let parts = Parts::new(&world).await;
    world.backend.script(|script| {
        script
            .live
            .insert(id(&parts.channel), StreamHealth::Healthy)
    });
    let answer = parts.start(&world, json!([parts.channel()])).await;
    answer.err(409, "ConflictException", "has a stream session");
    world.backend.script(|script| {
        script.live.clear();
        script.created.insert(id(&parts.channel));
    });
    let answer = parts.start(&world, json!([parts.channel()])).await;
    answer.err(409, "ConflictException", "has a stream session");
    world.backend.script(|script| script.created.clear());
    let started = parts.start(&world, json!([parts.channel()])).await.ok();
    let arn = text(&started["composition"]["arn"]);
    let answer = parts.start(&world, json!([parts.channel()])).await;
    answer.err(409, "ConflictException", &arn);
    let answer = world
        .call("DeleteChannel", json!({"arn": parts.channel}))
        .await;
    answer.err(409, "ConflictException", &arn);
    finish(&world, &arn).await;
    parts.start(&world, json!([parts.channel()])).await.ok();
}

#[tokio::test]
async fn what_a_running_composition_uses_cannot_be_deleted() {
    let world = World::new().await;
    let parts = Parts::new(&world).await;
    let started = parts.start(&world, json!([parts.s3()])).await.ok();
    let arn = text(&started["composition"]["arn"]);
    let deletions = [
        ("DeleteEncoderConfiguration", &parts.encoder),
        ("DeleteStorageConfiguration", &parts.storage),
    ];
    for (operation, used) in deletions {
        let answer = world.call(operation, json!({"arn": used})).await;
        answer.err(409, "ConflictException", &arn);
    }
    finish(&world, &arn).await;
    for (operation, used) in deletions {
        world.call(operation, json!({"arn": used})).await.ok();
    }
    world
        .call("DeleteStage", json!({"arn": parts.stage}))
        .await
        .ok();
    world.call("GetComposition", json!({"arn": arn})).await.ok();
}

#[tokio::test]
async fn compositions_have_quotas() {
    let world = World::new().await;
    let parts = Parts::new(&world).await;
    let mut started = Vec::new();
    for _ in 0..5 {
        let answer = parts.start(&world, json!([parts.s3()])).await.ok();
        started.push(text(&answer["composition"]["arn"]));
    }
    let answer = parts.start(&world, json!([parts.s3()])).await;
    answer.err(
        402,
        "ServiceQuotaExceededException",
        "compositions of the stage: at most 5",
    );
    for _ in 0..3 {
        let other = Parts {
            stage: world.stage().await,
            ..Parts::clone(&parts)
        };
        for _ in 0..5 {
            other.start(&world, json!([other.s3()])).await.ok();
        }
    }
    let other = Parts {
        stage: world.stage().await,
        ..Parts::clone(&parts)
    };
    let answer = other.start(&world, json!([other.s3()])).await;
    answer.err(
        402,
        "ServiceQuotaExceededException",
        "compositions of the account: at most 20",
    );
    finish(&world, &started[0]).await;
    other.start(&world, json!([other.s3()])).await.ok();
}

#[tokio::test]
async fn lists_filter_by_stage_and_encoder() {
    let world = World::new().await;
    let parts = Parts::new(&world).await;
    let other = Parts {
        stage: world.stage().await,
        encoder: world.encoder().await,
        ..Parts::clone(&parts)
    };
    let a = text(&parts.start(&world, json!([parts.s3()])).await.ok()["composition"]["arn"]);
    let b = text(&other.start(&world, json!([other.s3()])).await.ok()["composition"]["arn"]);
    for (filter, expected) in [
        (json!({}), vec![&a, &b]),
        (json!({"filterByStageArn": parts.stage}), vec![&a]),
        (
            json!({"filterByEncoderConfigurationArn": other.encoder}),
            vec![&b],
        ),
        (
            json!({"filterByStageArn": parts.stage, "filterByEncoderConfigurationArn": other.encoder}),
            vec![],
        ),
    ] {
        let listed = world.call("ListCompositions", filter).await.ok();
        let arns: Vec<String> = listed["compositions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|composition| text(&composition["arn"]))
            .collect();
        assert_eq!(arns.iter().collect::<Vec<_>>(), expected);
    }
    let page = world
        .call("ListCompositions", json!({"maxResults": 1}))
        .await
        .ok();
    let token = &page["nextToken"];
    let borrowed = json!({"filterByStageArn": parts.stage, "nextToken": token});
    let answer = world.call("ListCompositions", borrowed).await;
    answer.err(400, "ValidationException", "`nextToken`");
    let rest = world
        .call("ListCompositions", json!({"nextToken": token}))
        .await
        .ok();
    assert_eq!(text(&rest["compositions"][0]["arn"]), b);
}

#[tokio::test]
async fn stopping_is_safe_to_repeat() {
    let world = World::new().await;
    let parts = Parts::new(&world).await;
    let started = parts.start(&world, json!([parts.s3()])).await.ok();
    let arn = text(&started["composition"]["arn"]);
    for _ in 0..2 {
        assert_eq!(
            world
                .call("StopComposition", json!({"arn": arn}))
                .await
                .ok(),
            json!({})
        );
    }
    finish(&world, &arn).await;
    world
        .call("StopComposition", json!({"arn": arn}))
        .await
        .ok();
    let stops = world
        .backend
        .told()
        .into_iter()
        .filter(|told| told.starts_with("stop"))
        .count();
    assert_eq!(
        stops, 2,
        "the driver hears of it while the composition runs"
    );
}

#[tokio::test]
async fn an_ended_composition_goes_after_five_minutes() {
    let world = World::new().await;
    let parts = Parts::new(&world).await;
    let mut request = parts.request(json!([parts.s3()]));
    request["idempotencyToken"] = json!("token-1");
    let first = world.call("StartComposition", request.clone()).await.ok();
    let arn = text(&first["composition"]["arn"]);
    world.advance(Duration::from_millis(90_250));
    finish(&world, &arn).await;
    world.advance(Duration::from_secs(5 * 60) - Duration::from_micros(1));
    let got = world.call("GetComposition", json!({"arn": arn})).await.ok();
    let composition = &got["composition"];
    assert_eq!(composition["state"], "STOPPED");
    assert_eq!(composition["endTime"], "2026-11-20T12:01:30.25Z");
    assert_eq!(
        composition["destinations"][0]["endTime"],
        "2026-11-20T12:01:30.25Z"
    );
    world.advance(Duration::from_micros(1));
    let answer = world.call("GetComposition", json!({"arn": arn})).await;
    answer.err(404, "ResourceNotFoundException", &arn);
    let listed = world.call("ListCompositions", json!({})).await.ok();
    assert_eq!(listed, json!({"compositions": []}));
    let second = world.call("StartComposition", request).await.ok();
    assert_ne!(
        text(&second["composition"]["arn"]),
        arn,
        "its token is free again"
    );
}

#[tokio::test]
async fn an_unfinished_composition_is_found_after_a_restart() {
    let world = World::new().await;
    let parts = Parts::new(&world).await;
    let ended = parts.start(&world, json!([parts.s3()])).await.ok();
    finish(&world, &text(&ended["composition"]["arn"])).await;
    parts
        .start(&world, json!([parts.channel(), parts.s3()]))
        .await
        .ok();
    let spec = world.backend.script(|script| script.started.pop()).unwrap();
    let world = world.restarted().await;
    let found = world.state.store.unfinished_compositions().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].spec, spec);
    assert_eq!(found[0].progress, CompositionProgress::starting(&spec));
}
