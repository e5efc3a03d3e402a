//! Sessions and participants of a stage that somebody publishes to.

use aws_sdk_ivsrealtime::types::{EventName, ParticipantState};

use crate::server::{Server, wait_for};

#[tokio::test]
async fn a_publisher_is_a_participant_of_the_session_with_its_events() {
    let server = Server::start();
    let realtime = server.realtime();
    let stage = realtime.create_stage().send().await.unwrap().stage.unwrap();
    let token = realtime
        .create_participant_token()
        .stage_arn(&stage.arn)
        .user_id("ada")
        .attributes("role", "host")
        .send()
        .await
        .unwrap()
        .participant_token
        .unwrap();
    let _publisher = server.publish(token.token.as_deref().unwrap());
    let session = wait_for("a session", || async {
        let listed = realtime.list_stage_sessions().stage_arn(&stage.arn).send();
        let first = listed.await.unwrap().stage_sessions.into_iter().next();
        first.and_then(|session| session.session_id)
    })
    .await;
    let listed = wait_for("a publisher", || async {
        let published = realtime
            .list_participants()
            .stage_arn(&stage.arn)
            .session_id(&session)
            .filter_by_published(true)
            .send();
        published.await.unwrap().participants.into_iter().next()
    })
    .await;
    assert_eq!(listed.participant_id, token.participant_id);
    assert_eq!(listed.state, Some(ParticipantState::Connected));
    let id = listed.participant_id.unwrap();
    let read = realtime
        .get_participant()
        .stage_arn(&stage.arn)
        .session_id(&session)
        .participant_id(&id)
        .send()
        .await
        .unwrap()
        .participant
        .unwrap();
    assert_eq!(read.user_id.as_deref(), Some("ada"));
    assert_eq!(read.attributes.unwrap()["role"], "host");
    let events = realtime
        .list_participant_events()
        .stage_arn(&stage.arn)
        .session_id(&session)
        .participant_id(&id)
        .send()
        .await
        .unwrap()
        .events;
    for name in [EventName::Joined, EventName::PublishStarted] {
        assert!(
            events
                .iter()
                .any(|event| event.name.as_ref() == Some(&name)),
            "no {name:?}"
        );
    }
    let read = realtime.get_stage_session().stage_arn(&stage.arn);
    let read = read.session_id(&session).send().await.unwrap();
    assert_eq!(read.stage_session.unwrap().end_time, None);
}
