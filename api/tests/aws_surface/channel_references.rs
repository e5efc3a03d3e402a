//! What channels refer to: it must be there, it cannot go, and lists find it.

use serde_json::{Value, json};

use crate::world::{World, id, text};

/// One resource of each kind that a channel can refer to: its member in a channel, its filter, how it is deleted.
struct Reference {
    member: &'static str,
    filter: &'static str,
    delete: &'static str,
    arn: String,
}

async fn references(world: &World) -> [Reference; 4] {
    let media_tailor = "arn:aws:mediatailor:us-east-1:123456789012:playbackConfiguration/ads";
    let make = async |name: &str, request: Value| {
        let created = world.call(&format!("Create{name}"), request).await.ok();
        let member = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
        text(&created[member.as_str()]["arn"])
    };
    [
        Reference {
            member: "recordingConfigurationArn",
            filter: "filterByRecordingConfigurationArn",
            delete: "DeleteRecordingConfiguration",
            arn: make(
                "RecordingConfiguration",
                json!({"destinationConfiguration": {"s3": {"bucketName": "recordings"}}}),
            )
            .await,
        },
        Reference {
            member: "playbackRestrictionPolicyArn",
            filter: "filterByPlaybackRestrictionPolicyArn",
            delete: "DeletePlaybackRestrictionPolicy",
            arn: make("PlaybackRestrictionPolicy", json!({})).await,
        },
        Reference {
            member: "adConfigurationArn",
            filter: "filterByAdConfigurationArn",
            delete: "DeleteAdConfiguration",
            arn: make(
                "AdConfiguration",
                json!({"mediaTailorPlaybackConfigurations": [{"playbackConfigurationArn": media_tailor}]}),
            )
            .await,
        },
        Reference {
            member: "failoverSlateConfigurationArn",
            filter: "filterByFailoverSlateConfigurationArn",
            delete: "DeleteFailoverSlateConfiguration",
            arn: make("FailoverSlateConfiguration", json!({})).await,
        },
    ]
}

async fn listed(world: &World, filter: &str, value: &str) -> Vec<String> {
    let answer = world
        .call("ListChannels", json!({ filter: value }))
        .await
        .ok();
    let channels = answer["channels"].as_array().unwrap();
    channels
        .iter()
        .map(|channel| text(&channel["arn"]))
        .collect()
}

#[tokio::test]
async fn a_channel_finds_what_it_refers_to_and_keeps_it_from_going() {
    let world = World::new().await;
    let plain = world.channel().await;
    let references = references(&world).await;
    let mut request = json!({});
    for reference in &references {
        request[reference.member] = json!(reference.arn);
    }
    let created = world.call("CreateChannel", request).await.ok();
    let channel = text(&created["channel"]["arn"]);
    for Reference {
        member,
        filter,
        delete,
        arn,
    } in &references
    {
        assert_eq!(created["channel"][*member], *arn);
        assert_eq!(
            listed(&world, filter, arn).await,
            [channel.as_str()],
            "{filter}"
        );
        assert_eq!(
            listed(&world, filter, "").await,
            [plain.as_str()],
            "{filter}"
        );
        let answer = world.call(delete, json!({"arn": arn})).await;
        answer.err(
            409,
            "ConflictException",
            &format!("{arn} is used by {channel}"),
        );

        let detach = json!({"arn": channel, *member: ""});
        let updated = world.call("UpdateChannel", detach).await.ok();
        assert_eq!(updated["channel"][*member], "");
        assert_eq!(listed(&world, filter, arn).await, [""; 0], "{filter}");
        assert_eq!(
            listed(&world, filter, "").await,
            [plain.as_str(), &channel],
            "{filter}"
        );

        let attach = json!({"arn": plain, *member: arn});
        world.call("UpdateChannel", attach).await.ok();
        assert_eq!(
            listed(&world, filter, arn).await,
            [plain.as_str()],
            "{filter}"
        );
    }
    let answer = world.call("DeleteChannel", json!({"arn": plain})).await;
    assert_eq!(answer.status, 204);
    for Reference {
        filter,
        delete,
        arn,
        ..
    } in &references
    {
        assert_eq!(listed(&world, filter, arn).await, [""; 0], "{filter}");
        let answer = world.call(delete, json!({"arn": arn})).await;
        assert_eq!(answer.status, 204, "{delete}");
        let answer = world.call(delete, json!({"arn": arn})).await;
        answer.err(404, "ResourceNotFoundException", arn);
    }
}

#[tokio::test]
async fn a_channel_refers_to_nothing_that_is_not_there() {
    let world = World::new().await;
    let channel = world.channel().await;
    for Reference {
        member,
        filter,
        arn,
        ..
    } in &references(&world).await
    {
        let missing = arn.replace(&id(arn), "none");
        let created = world
            .call("CreateChannel", json!({ *member: missing }))
            .await;
        created.err(404, "ResourceNotFoundException", &missing);
        let update = json!({"arn": channel, "name": "changed", *member: missing});
        let updated = world.call("UpdateChannel", update).await;
        updated.err(404, "ResourceNotFoundException", &missing);
        assert_eq!(listed(&world, filter, &missing).await, [""; 0]);
        let elsewhere = json!({ *member: channel });
        let answer = world.call("CreateChannel", elsewhere).await;
        answer.err(400, "ValidationException", &format!("`{member}`"));
    }
    let got = world.call("GetChannel", json!({"arn": channel})).await.ok();
    assert_eq!(got["channel"]["name"], "");
    assert_eq!(listed(&world, "filterByName", "").await, [channel]);
}

#[tokio::test]
async fn lists_by_reference_come_in_pages() {
    let world = World::new().await;
    let created = world
        .call("CreateFailoverSlateConfiguration", json!({}))
        .await
        .ok();
    let slate = text(&created["failoverSlateConfiguration"]["arn"]);
    let mut channels = Vec::new();
    for _ in 0..3 {
        world.channel().await;
        let request = json!({"failoverSlateConfigurationArn": slate});
        let created = world.call("CreateChannel", request).await.ok();
        channels.push(text(&created["channel"]["arn"]));
    }
    let request = json!({"filterByFailoverSlateConfigurationArn": slate, "maxResults": 2});
    let first = world.call("ListChannels", request.clone()).await.ok();
    assert_eq!(first["channels"][1]["arn"], channels[1]);
    let mut rest = request;
    rest["nextToken"] = first["nextToken"].clone();
    let second = world.call("ListChannels", rest.clone()).await.ok();
    assert_eq!(second["channels"][0]["arn"], channels[2]);
    assert_eq!(second.get("nextToken"), None);
    rest["filterByFailoverSlateConfigurationArn"] = json!("");
    let answer = world.call("ListChannels", rest).await;
    answer.err(400, "ValidationException", "`nextToken`");
}

#[tokio::test]
async fn an_ad_configuration_needs_transport_streams() {
    let world = World::new().await;
    let [_, _, ad, _] = references(&world).await;
    let request = json!({"adConfigurationArn": ad.arn, "containerFormat": "FRAGMENTED_MP4"});
    let answer = world.call("CreateChannel", request).await;
    answer.err(
        400,
        "ValidationException",
        "`adConfigurationArn`: given, needs containerFormat TS",
    );
    let created = world
        .call("CreateChannel", json!({"adConfigurationArn": ad.arn}))
        .await
        .ok();
    let request = json!({"arn": created["channel"]["arn"], "containerFormat": "FRAGMENTED_MP4"});
    let answer = world.call("UpdateChannel", request).await;
    answer.err(400, "ValidationException", "needs containerFormat TS");
}
