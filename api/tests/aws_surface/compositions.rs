//! Starting compositions: what is echoed, what the driver gets, idempotency, bad requests.

use api::backend::{DestinationTarget, StreamHealth};
use compositor_core::layout::LayoutSpec;
use compositor_core::time::FrameRate;
use serde_json::json;

use crate::parts::Parts;
use crate::world::{World, id, text};

#[tokio::test]
async fn a_composition_is_echoed_with_every_default() {
    let world = World::new().await;
    let parts = Parts::new(&world).await;
    let started = parts
        .start(&world, json!([parts.channel(), parts.s3()]))
        .await
        .ok();
    let composition = &started["composition"];
    let arn = text(&composition["arn"]);
    let destination = |n: usize| text(&composition["destinations"][n]["id"]);
    let prefix = format!(
        "{}/{}/{}/composite",
        id(&parts.stage),
        id(&arn),
        destination(1)
    );
    assert_eq!(
        started,
        json!({"composition": {
            "arn": arn, "stageArn": parts.stage, "state": "STARTING", "tags": {},
            "startTime": "2026-11-20T12:00:00Z",
            "layout": {"grid": {
                "featuredParticipantAttribute": "", "gridGap": 2, "omitStoppedVideo": false,
                "participantOrderAttribute": "", "videoAspectRatio": "VIDEO", "videoFillMode": ""
            }},
            "destinations": [
                {"id": destination(0), "state": "STARTING", "configuration": {"name": "", "channel": {
                    "channelArn": parts.channel, "encoderConfigurationArn": parts.encoder
                }}},
                {"id": destination(1), "state": "STARTING", "configuration": {"name": "", "s3": {
                    "encoderConfigurationArns": [parts.encoder],
                    "storageConfigurationArn": parts.storage,
                    "recordingConfiguration":
                        {"format": "HLS", "hlsConfiguration": {"targetSegmentDurationSeconds": 2}}
                }}, "detail": {"s3": {"recordingPrefix": prefix}}}
            ]
        }})
    );
    let got = world.call("GetComposition", json!({"arn": arn})).await.ok();
    assert_eq!(got, started);
    let listed = world.call("ListCompositions", json!({})).await.ok();
    assert_eq!(
        listed,
        json!({"compositions": [{
            "arn": arn, "stageArn": parts.stage, "state": "STARTING", "tags": {},
            "startTime": "2026-11-20T12:00:00Z",
            "destinations": [
                {"id": destination(0), "state": "STARTING"}, {"id": destination(1), "state": "STARTING"}
            ]
        }]})
    );
}

#[tokio::test]
async fn the_driver_gets_everything_resolved() {
    let world = World::new().await;
    let parts = Parts::new(&world).await;
    let mut s3 = parts.s3();
    s3["s3"]["recordingConfiguration"] =
        json!({"hlsConfiguration": {"targetSegmentDurationSeconds": 4}});
    s3["s3"]["thumbnailConfigurations"] = json!([{"storage": ["LATEST"]}]);
    let channel = json!({"channel": {"channelArn": parts.channel}});
    let mut request = parts.request(json!([s3, channel]));
    request["layout"] = json!({"pip": {"pipParticipantAttribute": "pip", "pipWidth": 320}});
    let started = world.call("StartComposition", request).await.ok();
    let composition = &started["composition"];
    assert_eq!(
        composition["layout"],
        json!({"pip": {
            "featuredParticipantAttribute": "", "gridGap": 0, "omitStoppedVideo": false,
            "participantOrderAttribute": "", "pipBehavior": "STATIC", "pipOffset": 0,
            "pipParticipantAttribute": "pip", "pipPosition": "BOTTOM_RIGHT", "pipWidth": 320,
            "videoFillMode": "COVER"
        }})
    );
    let thumbnails =
        &composition["destinations"][0]["configuration"]["s3"]["thumbnailConfigurations"];
    assert_eq!(
        *thumbnails,
        json!([{"storage": ["LATEST"], "targetIntervalSeconds": 60}])
    );

    let spec = world.backend.script(|script| script.started.pop()).unwrap();
    assert_eq!(spec.stage.as_str(), id(&parts.stage));
    let LayoutSpec::Pip(pip) = &spec.layout else {
        panic!("{:?}", spec.layout)
    };
    assert_eq!((pip.pip_width, pip.pip_height), (Some(320), None));
    let video = spec.destinations[1].video;
    assert_eq!(
        (video.width, video.height, video.bitrate),
        (1280, 720, 2_500_000)
    );
    assert_eq!(video.fps, FrameRate::whole(30));
    let DestinationTarget::S3 {
        bucket,
        prefix,
        segment_seconds,
        thumbnails,
    } = &spec.destinations[0].target
    else {
        panic!("{spec:?}")
    };
    assert_eq!((bucket.as_str(), *segment_seconds), ("recordings", 4));
    let detail = &composition["destinations"][0]["detail"]["s3"]["recordingPrefix"];
    assert_eq!(prefix, detail);
    let thumbnails = thumbnails.unwrap();
    assert!(thumbnails.latest && !thumbnails.sequential && thumbnails.interval_seconds == 60);
    let DestinationTarget::Channel { stream_key, .. } = &spec.destinations[1].target else {
        panic!("{spec:?}")
    };
    assert!(stream_key.expose().starts_with("sk_us-east-1_"));
    assert!(
        !format!("{spec:?}").contains(stream_key.expose()),
        "keys stay out of logs"
    );
}

#[tokio::test]
async fn bad_requests_name_the_member() {
    let world = World::new().await;
    let parts = Parts::new(&world).await;
    let s3 = parts.s3();
    let two_encoders = json!({"s3": {
        "storageConfigurationArn": parts.storage,
        "encoderConfigurationArns": [parts.encoder, parts.encoder]
    }});
    let mut long_segments = parts.s3();
    long_segments["s3"]["recordingConfiguration"] =
        json!({"hlsConfiguration": {"targetSegmentDurationSeconds": 11}});
    for (destinations, text) in [
        (json!(null), "`destinations`: missing"),
        (json!([]), "`destinations`: 0 given, at least 1 allowed"),
        (
            json!([s3, s3, s3]),
            "`destinations`: 3 given, at most 2 allowed",
        ),
        (
            json!([s3, s3]),
            "`destinations`: 2 with s3 given, at most 1 allowed",
        ),
        (
            json!([parts.channel(), parts.channel()]),
            "2 with channel given",
        ),
        (json!([{}]), "neither given"),
        (
            json!([{"s3": s3["s3"], "channel": parts.channel()["channel"]}]),
            "both given",
        ),
        (
            json!([{"channel": {}}]),
            "`destinations[0].channel.channelArn`: missing",
        ),
        (
            json!([{"s3": {}}]),
            "`destinations[0].s3.encoderConfigurationArns`: missing",
        ),
        (
            json!([two_encoders]),
            "`destinations[0].s3.encoderConfigurationArns`: 2 given",
        ),
        (
            json!([long_segments]),
            "targetSegmentDurationSeconds`: 11 given, must be 2 to 10",
        ),
    ] {
        parts
            .start(&world, destinations)
            .await
            .err(400, "ValidationException", text);
    }
    for (layout, text) in [
        (
            json!({"grid": {}, "pip": {}}),
            "`layout`: grid and pip given",
        ),
        (
            json!({"grid": {"gridGap": -1}}),
            "`layout.grid.gridGap`: -1 given",
        ),
        (
            json!({"grid": {"videoFillMode": "ZOOM"}}),
            "must be one of FILL, COVER, CONTAIN",
        ),
        (
            json!({"pip": {"pipWidth": 0}}),
            "`layout.pip.pipWidth`: 0 given",
        ),
        (
            json!({"pip": {"pipPosition": 3}}),
            "`layout.pip.pipPosition`: a number given",
        ),
        (json!([]), "`layout`: a list given"),
    ] {
        let mut request = parts.request(json!([s3]));
        request["layout"] = layout;
        let answer = world.call("StartComposition", request).await;
        answer.err(400, "ValidationException", text);
    }
    let mut request = parts.request(json!([s3]));
    request["idempotencyToken"] = json!("");
    let answer = world.call("StartComposition", request).await;
    answer.err(400, "ValidationException", "`idempotencyToken`");
    assert!(world.backend.script(|script| script.started.is_empty()));
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let world = World::new().await;
    let parts = Parts::new(&world).await;
    let gone = |arn: &str| arn.replace(&id(arn), "gone");
    let request = parts
        .request(json!([parts.channel(), parts.s3()]))
        .to_string();
    for arn in [&parts.stage, &parts.encoder, &parts.storage, &parts.channel] {
        let request = request.replace(arn.as_str(), &gone(arn));
        let answer = world.post("StartComposition", request.as_bytes()).await;
        answer.err(404, "ResourceNotFoundException", &gone(arn));
    }
    let missing = json!({"arn": "arn:aws:ivs:us-east-1:123456789012:composition/gone"});
    for operation in ["GetComposition", "StopComposition"] {
        let answer = world.call(operation, missing.clone()).await;
        answer.err(404, "ResourceNotFoundException", "composition/gone");
    }
}

#[tokio::test]
async fn the_same_token_answers_the_same_composition() {
    let world = World::new().await;
    let parts = Parts::new(&world).await;
    let mut request = parts.request(json!([parts.channel()]));
    request["idempotencyToken"] = json!("token-1");
    let first = world.call("StartComposition", request.clone()).await.ok();
    // By now its own broadcast may be on.
    world.backend.script(|script| {
        script
            .live
            .insert(id(&parts.channel), StreamHealth::Healthy)
    });
    let again = world.call("StartComposition", request.clone()).await.ok();
    assert_eq!(again, first);
    request["layout"] = json!({"grid": {"gridGap": 2}});
    let spelled_out = world.call("StartComposition", request.clone()).await.ok();
    assert_eq!(
        spelled_out, first,
        "a default spelled out is the same request"
    );
    let world = world.restarted().await;
    assert_eq!(
        world.call("StartComposition", request.clone()).await.ok(),
        first
    );
    request["layout"] = json!({"grid": {"gridGap": 3}});
    let answer = world.call("StartComposition", request).await;
    answer.err(409, "ConflictException", "`idempotencyToken`");
    assert!(
        world.backend.script(|script| script.started.is_empty()),
        "started once, before"
    );
}

#[tokio::test]
async fn concurrent_repeats_start_one_composition() {
    let world = World::new().await;
    let parts = Parts::new(&world).await;
    let mut request = parts.request(json!([parts.channel()]));
    request["idempotencyToken"] = json!("token-1");
    let calls = (0..4).map(|_| world.call("StartComposition", request.clone()));
    let answers = futures_util::future::join_all(calls).await;
    let first = answers[0].body.clone();
    for answer in answers {
        assert_eq!(answer.ok(), first);
    }
    assert_eq!(world.backend.script(|script| script.started.len()), 1);
}

#[tokio::test]
async fn a_composition_that_cannot_begin_leaves_nothing() {
    let world = World::new().await;
    let parts = Parts::new(&world).await;
    world.backend.script(|script| script.broken = true);
    let answer = parts.start(&world, json!([parts.channel()])).await;
    answer.err(500, "InternalServerException", "Service internal error");
    let listed = world.call("ListCompositions", json!({})).await.ok();
    assert_eq!(listed, json!({"compositions": []}));
    world.backend.script(|script| script.broken = false);
    parts.start(&world, json!([parts.channel()])).await.ok();
}

#[tokio::test]
async fn compositions_have_tags() {
    let world = World::new().await;
    let parts = Parts::new(&world).await;
    let mut request = parts.request(json!([parts.s3()]));
    request["tags"] = json!({"a": "1"});
    let started = world.call("StartComposition", request).await.ok();
    let target = format!(
        "/tags/{}",
        text(&started["composition"]["arn"]).replace(':', "%3A")
    );
    world
        .request("POST", &target, br#"{"tags":{"b":"2"}}"#)
        .await
        .ok();
    let got = world.request("GET", &target, b"").await.ok();
    assert_eq!(got, json!({"tags": {"a": "1", "b": "2"}}));
}
