//! The AWS SDK for Rust as a second client of both services, against the real server.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_ivsrealtime::types::{
    ChannelDestinationConfiguration, CompositionState, DestinationConfiguration, GridConfiguration,
    LayoutConfiguration, ParticipantTokenCapability, Video,
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// A server on free ports, ended with the test.
struct Server {
    child: Child,
    http: String,
    _data: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new(binary());
        command.arg("serve").arg("--data-dir").arg(data.path());
        for flag in ["--http", "--rtmp", "--s3", "--webrtc"] {
            command.args([flag, "127.0.0.1:0"]);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let ready = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("READY ").map(str::to_owned));
        let ready: serde_json::Value = serde_json::from_str(&ready.expect("READY")).unwrap();
        Self {
            child,
            http: ready["http"].as_str().unwrap().to_owned(),
            _data: data,
        }
    }

    fn realtime(&self) -> aws_sdk_ivsrealtime::Client {
        let config = aws_sdk_ivsrealtime::Config::builder()
            .behavior_version_latest()
            .endpoint_url(&self.http)
            .region(aws_sdk_ivsrealtime::config::Region::new("us-east-1"))
            .credentials_provider(credentials())
            .http_client(http_client())
            .build();
        aws_sdk_ivsrealtime::Client::from_conf(config)
    }

    fn ivs(&self) -> aws_sdk_ivs::Client {
        let config = aws_sdk_ivs::Config::builder()
            .behavior_version_latest()
            .endpoint_url(&self.http)
            .region(aws_sdk_ivs::config::Region::new("us-east-1"))
            .credentials_provider(credentials())
            .http_client(http_client())
            .build();
        aws_sdk_ivs::Client::from_conf(config)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary beside this test: `make test` builds it first.
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.parent().and_then(|deps| deps.parent()).unwrap();
    let binary = target.join("proscenium");
    assert!(binary.exists(), "{} is not built", binary.display());
    binary
}

fn credentials() -> Credentials {
    Credentials::from_keys("PROSCENIUMDEV", "proscenium-development-secret", None)
}

fn http_client() -> SharedHttpClient {
    use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

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

#[tokio::test]
async fn a_composition_to_a_channel_through_the_rust_sdk() {
    let server = Server::start();
    let (realtime, ivs) = (server.realtime(), server.ivs());
    let stage = realtime.create_stage().send().await.unwrap().stage.unwrap();
    let made = ivs.create_channel().name("rust").send().await.unwrap();
    let (channel, key) = (made.channel.unwrap(), made.stream_key.unwrap());
    let channel_arn = channel.arn.unwrap();
    let read = ivs
        .get_stream_key()
        .arn(key.arn.unwrap())
        .send()
        .await
        .unwrap()
        .stream_key
        .unwrap();
    assert_eq!(read.value, key.value);
    let offline = ivs
        .get_stream()
        .channel_arn(&channel_arn)
        .send()
        .await
        .unwrap_err();
    assert!(offline.into_service_error().is_channel_not_broadcasting());

    let destination = ChannelDestinationConfiguration::builder()
        .channel_arn(&channel_arn)
        .build()
        .unwrap();
    let layout = LayoutConfiguration::builder()
        .grid(GridConfiguration::builder().grid_gap(8).build())
        .build();
    let started = realtime
        .start_composition()
        .stage_arn(&stage.arn)
        .destinations(
            DestinationConfiguration::builder()
                .channel(destination)
                .build(),
        )
        .layout(layout)
        .send()
        .await
        .unwrap()
        .composition
        .unwrap();
    assert_eq!(started.state, CompositionState::Starting);
    wait_for_state(&realtime, &started.arn, &CompositionState::Active).await;
    let live = ivs.list_streams().send().await.unwrap().streams;
    assert_eq!(live[0].channel_arn.as_deref(), Some(channel_arn.as_str()));
    realtime
        .stop_composition()
        .arn(&started.arn)
        .send()
        .await
        .unwrap();
    wait_for_state(&realtime, &started.arn, &CompositionState::Stopped).await;
    let listed = realtime
        .list_compositions()
        .filter_by_stage_arn(&stage.arn)
        .send()
        .await
        .unwrap();
    assert_eq!(listed.compositions[0].arn, started.arn);
}

async fn wait_for_state(
    client: &aws_sdk_ivsrealtime::Client,
    arn: &str,
    wanted: &CompositionState,
) {
    let reached = async {
        let mut poll = tokio::time::interval(Duration::from_millis(100));
        loop {
            poll.tick().await;
            let composition = client
                .get_composition()
                .arn(arn)
                .send()
                .await
                .unwrap()
                .composition;
            if composition.unwrap().state == *wanted {
                return;
            }
        }
    };
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, reached)
        .await
        .unwrap_or_else(|_| panic!("not {wanted:?} within {limit:?}"));
}
