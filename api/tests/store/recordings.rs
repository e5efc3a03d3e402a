//! Recordings of channels while they are not over.

use api::arn::ArnKind;
use api::event::recording::{RecordingChange, RecordingSession, recording_news};
use api::store::ChannelRecording;

use crate::on_both;
use crate::parts::{NOW, arn};

fn recording() -> ChannelRecording {
    ChannelRecording {
        session: RecordingSession {
            id: "SeSsIoN000000001".to_owned(),
            channel: arn(ArnKind::Channel, "c"),
            channel_name: String::new(),
            stream_ids: vec!["st-A".to_owned()],
            bucket: "b".to_owned(),
            prefix: "p".to_owned(),
        },
        is_started: false,
        is_streaming: true,
    }
}

#[tokio::test]
async fn a_recording_that_is_over_is_not_kept_again() {
    on_both(|fixture| async move {
        let store = &fixture.store;
        let mut recording = recording();
        store.begin_channel_recording(&recording).await.unwrap();
        store.begin_channel_recording(&recording).await.unwrap();
        recording.session.stream_ids.push("st-B".to_owned());
        store
            .keep_channel_recording(&recording, None)
            .await
            .unwrap();
        let kept = store.channel_recordings().await.unwrap();
        assert_eq!(kept, std::slice::from_ref(&recording));

        let reason = "AccessDeniedException";
        let change = RecordingChange::StartFailure { reason };
        let news = recording_news(&recording.session, change, NOW);
        store
            .end_channel_recording(&recording.session.id, &news)
            .await
            .unwrap();
        store
            .keep_channel_recording(&recording, None)
            .await
            .unwrap();
        assert_eq!(store.channel_recordings().await.unwrap(), []);
    })
    .await;
}
