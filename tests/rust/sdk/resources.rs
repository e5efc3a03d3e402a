//! Resources from create to delete.

use aws_sdk_ivsrealtime::types::{ParticipantTokenCapability, Video};

use crate::server::Server;

#[tokio::test]
async fn stages_tokens_and_configurations_through_the_rust_sdk() {
    let server = Server::start();
    let realtime = server.realtime();
    let stage = realtime
        .create_stage()
        .name("rust")
        .tags("a", "b")
        .send()
        .await
        .unwrap()
        .stage
        .unwrap();
    let token = realtime
        .create_participant_token()
        .stage_arn(&stage.arn)
        .user_id("ada")
        .attributes("featured", "true")
        .capabilities(ParticipantTokenCapability::Publish)
        .send()
        .await
        .unwrap()
        .participant_token
        .unwrap();
    assert_eq!(token.user_id.as_deref(), Some("ada"));
    assert!(token.expiration_time.is_some());
    let listed = realtime.list_stages().max_results(1).send().await.unwrap();
    assert_eq!(listed.stages[0].arn, stage.arn);
    let tags = realtime
        .list_tags_for_resource()
        .resource_arn(&stage.arn)
        .send()
        .await
        .unwrap()
        .tags;
    assert_eq!(tags["a"], "b");
    realtime
        .disconnect_participant()
        .stage_arn(&stage.arn)
        .participant_id(token.participant_id.unwrap())
        .send()
        .await
        .unwrap();

    let made = realtime
        .create_encoder_configuration()
        .video(
            Video::builder()
                .width(640)
                .height(360)
                .framerate(29.97)
                .bitrate(900_000)
                .build(),
        )
        .send()
        .await
        .unwrap();
    let encoder = made.encoder_configuration.unwrap();
    let video = realtime
        .get_encoder_configuration()
        .arn(&encoder.arn)
        .send()
        .await
        .unwrap();
    let video = video.encoder_configuration.unwrap().video.unwrap();
    assert_eq!(
        (video.width, video.height, video.bitrate),
        (Some(640), Some(360), Some(900_000))
    );
    realtime
        .delete_encoder_configuration()
        .arn(&encoder.arn)
        .send()
        .await
        .unwrap();
    let gone = realtime
        .get_encoder_configuration()
        .arn(&encoder.arn)
        .send()
        .await
        .unwrap_err();
    assert!(gone.into_service_error().is_resource_not_found_exception());
    realtime
        .delete_stage()
        .arn(&stage.arn)
        .send()
        .await
        .unwrap();
}
