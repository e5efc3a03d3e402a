use api::arn::ArnKind;
use api::store::{NewReplica, StoreError};
use compositor_core::id::{ParticipantId, SessionId};

use crate::on_both;
use crate::parts::{ACCOUNT, NOW, OTHER, arn, insert_stage};

#[tokio::test]
async fn a_replication_needs_both_of_its_stages_in_the_account() {
    on_both(|fixture| async move {
        let store = &fixture.store;
        let stage = insert_stage(store, ACCOUNT, "a", "").await.unwrap();
        let other = insert_stage(store, ACCOUNT, "b", "").await.unwrap();
        let foreign = insert_stage(store, OTHER, "c", "").await.unwrap();
        let gone = arn(ArnKind::Stage, "gone");
        let (session, ann) = (
            SessionId::new("st-0123456789abc"),
            ParticipantId::new("ann"),
        );
        let insert = async |source, destination| {
            let new = NewReplica {
                source,
                source_session: &session,
                participant: &ann,
                destination,
                reconnect_window_micros: 0,
            };
            store.insert_replica(NOW, ACCOUNT, new).await
        };
        for missing in [&gone, &foreign] {
            for (source, destination) in [(&stage, missing), (missing, &stage)] {
                match insert(source, destination).await {
                    Err(StoreError::MissingReference { arn }) => assert_eq!(arn, *missing),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert!(insert(&stage, &other).await.unwrap());
    })
    .await;
}
