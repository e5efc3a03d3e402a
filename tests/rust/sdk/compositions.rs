//! A composition that goes to a channel.

use aws_sdk_ivsrealtime::types::{
    ChannelDestinationConfiguration, CompositionState, DestinationConfiguration, GridConfiguration,
    LayoutConfiguration,
};

use crate::server::{Server, wait_for};

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
    // A stream is live from its first segment on, a little after the composition is ACTIVE.
    let live = wait_for("the live stream", || async {
        let listed = ivs.list_streams().send().await.unwrap();
        listed.streams.into_iter().next()
    });
    assert_eq!(
        live.await.channel_arn.as_deref(),
        Some(channel_arn.as_str())
    );
    stream_session_of(&ivs, &channel_arn).await;
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

/// The session of the running stream: what came in and what happened.
async fn stream_session_of(ivs: &aws_sdk_ivs::Client, channel_arn: &str) {
    let sessions = ivs
        .list_stream_sessions()
        .channel_arn(channel_arn)
        .send()
        .await
        .unwrap()
        .stream_sessions;
    assert_eq!((sessions.len(), sessions[0].end_time), (1, None));
    let session = ivs
        .get_stream_session()
        .channel_arn(channel_arn)
        .stream_id(sessions[0].stream_id.clone().unwrap())
        .send()
        .await
        .unwrap()
        .stream_session
        .unwrap();
    assert_eq!(session.channel.unwrap().arn.as_deref(), Some(channel_arn));
    let video = session.ingest_configuration.unwrap().video.unwrap();
    assert_eq!((video.video_width, video.video_height), (1280, 720));
    let events = session.truncated_events.unwrap();
    assert!(
        events
            .iter()
            .any(|event| event.name.as_deref() == Some("Stream Start"))
    );
}

async fn wait_for_state(
    client: &aws_sdk_ivsrealtime::Client,
    arn: &str,
    wanted: &CompositionState,
) {
    wait_for("the composition's state", || async {
        let read = client.get_composition().arn(arn).send().await.unwrap();
        (read.composition.unwrap().state == *wanted).then_some(())
    })
    .await;
}
