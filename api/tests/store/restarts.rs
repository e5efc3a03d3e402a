use api::arn::ArnKind;
use api::store::Store;
use compositor_core::id::ParticipantId;
use compositor_core::time::WallTime;
use sqlx::Connection;

use crate::on_both;
use crate::parts::{ACCOUNT, NOW, TestRecord, arn, connection, insert_stage};

#[tokio::test]
async fn page_tokens_and_resources_survive_a_restart() {
    on_both(|fixture| async move {
        insert_stage(&fixture.store, ACCOUNT, "a", "")
            .await
            .unwrap();
        let token = fixture.store.page_key().seal(&["list"], 7);
        let fixture = fixture.restarted().await;
        assert_eq!(fixture.store.page_key().open(&["list"], &token).unwrap(), 7);
        let stage = insert_stage(&fixture.store, ACCOUNT, "b", "")
            .await
            .unwrap();
        let found = fixture.store.find::<TestRecord>(ACCOUNT, &stage).await;
        assert_eq!(found.unwrap().unwrap().seq, 2);
    })
    .await;
}

#[tokio::test]
async fn two_servers_may_bring_an_empty_database_up_to_date_at_once() {
    on_both(|fixture| async move {
        let mut connection = connection(&fixture.database).await;
        let migrations: i64 = sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        assert!(migrations >= 2);
        let (one, two) = tokio::join!(
            Store::connect(&fixture.database),
            Store::connect(&fixture.database)
        );
        for store in [one.unwrap(), two.unwrap()] {
            store.close().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_disconnected_participant_stays_refused() {
    on_both(|fixture| async move {
        let stage = arn(ArnKind::Stage, "a");
        let participant = ParticipantId::new("p");
        let expires = WallTime(NOW.0 + 60_000_000);
        fixture
            .store
            .remember_token(NOW, &stage, &participant, expires)
            .await
            .unwrap();
        assert!(
            fixture
                .store
                .revoke_token(NOW, &stage, &participant)
                .await
                .unwrap()
        );
        let fixture = fixture.restarted().await;
        let known = fixture
            .store
            .token(&stage, &participant)
            .await
            .unwrap()
            .unwrap();
        assert!(known.revoked);
        let late = WallTime(expires.0 + 1);
        assert!(
            !fixture
                .store
                .revoke_token(late, &stage, &participant)
                .await
                .unwrap()
        );
    })
    .await;
}

#[tokio::test]
async fn a_sound_store_passes_the_doctor() {
    on_both(|fixture| async move {
        fixture.database.examine().await.unwrap();
    })
    .await;
}
