//! Keys of both services, and a recording configuration whose bucket is not there.

use aws_sdk_ivs::types::{
    DestinationConfiguration, RecordingConfigurationState, S3DestinationConfiguration,
};

use crate::server::{Server, wait_for};

/// A P-384 key; its other half was never kept.
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEG0I7qb1F0kB77Ko57m7zmVF8cKkZfdXN\n\
/59aYXKRe3kUXtugWrLtdjOPFUdC0eI+7AyboXZd1DACM7NNOSMRwCjpm2L1w/Qg\n\
4Xf6EwGE3Kqk1tGEFvSS4zQRzGGhU5Fg\n\
-----END PUBLIC KEY-----\n";

#[tokio::test]
async fn keys_of_both_services_through_the_rust_sdk() {
    let server = Server::start();
    let (realtime, ivs) = (server.realtime(), server.ivs());
    let imported = realtime
        .import_public_key()
        .public_key_material(PUBLIC_KEY)
        .name("signer")
        .send()
        .await
        .unwrap()
        .public_key
        .unwrap();
    let arn = imported.arn.unwrap();
    let read = realtime.get_public_key().arn(&arn).send().await.unwrap();
    let read = read.public_key.unwrap();
    assert_eq!(read.public_key_material.as_deref(), Some(PUBLIC_KEY));
    assert_eq!(read.fingerprint, imported.fingerprint);
    let listed = realtime.list_public_keys().send().await.unwrap();
    assert_eq!(listed.public_keys[0].arn.as_deref(), Some(arn.as_str()));
    realtime.delete_public_key().arn(&arn).send().await.unwrap();
    let gone = realtime.get_public_key().arn(&arn).send().await;
    assert!(
        gone.unwrap_err()
            .into_service_error()
            .is_resource_not_found_exception()
    );

    let pair = ivs.import_playback_key_pair();
    let pair = pair.public_key_material(PUBLIC_KEY).send().await.unwrap();
    let pair = pair.key_pair.unwrap();
    assert!(pair.fingerprint.is_some());
    let again = ivs.import_playback_key_pair();
    let again = again.public_key_material(PUBLIC_KEY).send().await;
    assert!(
        again
            .unwrap_err()
            .into_service_error()
            .is_conflict_exception()
    );
    let listed = ivs.list_playback_key_pairs().send().await.unwrap();
    assert_eq!(listed.key_pairs[0].arn, pair.arn);
}

#[tokio::test]
async fn a_recording_configuration_without_its_bucket_fails() {
    let server = Server::start();
    let ivs = server.ivs();
    let bucket = S3DestinationConfiguration::builder().bucket_name("there-is-no-such-bucket");
    let made = ivs
        .create_recording_configuration()
        .destination_configuration(
            DestinationConfiguration::builder()
                .s3(bucket.build().unwrap())
                .build(),
        )
        .send()
        .await
        .unwrap()
        .recording_configuration
        .unwrap();
    assert_eq!(made.state, RecordingConfigurationState::Creating);
    let state = wait_for("a decided state", || async {
        let read = ivs.get_recording_configuration().arn(&made.arn).send();
        let state = read.await.unwrap().recording_configuration.unwrap().state;
        (state != RecordingConfigurationState::Creating).then_some(state)
    })
    .await;
    assert_eq!(state, RecordingConfigurationState::CreateFailed);
}
