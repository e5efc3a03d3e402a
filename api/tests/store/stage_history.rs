//! What the gateway remembers, on its way into the store.

use std::collections::BTreeMap;
use std::time::Duration;

use api::arn::Arn;
use api::clock::Clock;
use api::pagination::PageRequest;
use api::stage_history::StageHistory;
use api::store::{ParticipantFilter, Store};
use compositor_core::id::{ParticipantId, SessionId, StageId};
use compositor_core::time::WallTime;
use sqlx::Executor;
use stage_gateway::history::{ClientAttributes, HistoryEvent, HistoryKind, Visitor};
use tokio::sync::mpsc;

use crate::on_both;
use crate::parts::{ACCOUNT, NOW, connection, insert_stage};

pub(crate) const SESSION: &str = "st-0123456789abc";
const KEEP_DAYS: u32 = 60;
/// Longest wait for what should take milliseconds.
const SOON: Duration = Duration::from_secs(20);

pub(crate) fn happened(stage: &Arn, at: WallTime, kind: HistoryKind) -> HistoryEvent {
    HistoryEvent {
        stage: StageId::new(stage.id()),
        session: SessionId::new(SESSION),
        at,
        kind,
    }
}

pub(crate) fn joined(participant: &str, user_id: &str) -> HistoryKind {
    HistoryKind::Joined(Visitor {
        participant: ParticipantId::new(participant),
        user_id: user_id.to_owned(),
        attributes: BTreeMap::new(),
        client: ClientAttributes::default(),
    })
}

async fn participants(store: &Store, stage: &Arn) -> Vec<String> {
    let everybody = PageRequest {
        after: 0,
        limit: 10,
    };
    let listed = store.list_participants(
        ACCOUNT,
        (stage, SESSION),
        ParticipantFilter::Everybody,
        everybody,
    );
    let listed = listed.await.unwrap().items;
    listed.into_iter().map(|found| found.id).collect()
}

#[tokio::test]
async fn an_event_that_the_database_cannot_take_holds_up_no_other() {
    on_both(|fixture| async move {
        let store = &fixture.store;
        let stage = insert_stage(store, ACCOUNT, "a", "").await.unwrap();
        let (remember, remembered) = mpsc::channel(8);
        let history = StageHistory::start(store.clone(), Clock::start(), remembered, KEEP_DAYS);
        let history = history.await.unwrap();
        for kind in [
            HistoryKind::SessionStarted,
            joined("ann", "a\0b"),
            joined("bob", "bob"),
        ] {
            remember.send(happened(&stage, NOW, kind)).await.unwrap();
        }
        history.finish(SOON).await;
        let known = participants(store, &stage).await;
        assert_eq!(known.last().map(String::as_str), Some("bob"), "{known:?}");
    })
    .await;
}

#[tokio::test]
async fn the_history_ends_in_time_when_the_store_does_not_answer() {
    on_both(|fixture| async move {
        let store = &fixture.store;
        let stage = insert_stage(store, ACCOUNT, "a", "").await.unwrap();
        let (remember, remembered) = mpsc::channel(8);
        let history = StageHistory::start(store.clone(), Clock::start(), remembered, KEEP_DAYS);
        let history = history.await.unwrap();
        let mut other = connection(&fixture.database).await;
        // The resource table of the one, everything of the other.
        let lock = match fixture.database {
            api::store::Database::Sqlite(_) => "BEGIN IMMEDIATE",
            api::store::Database::Postgres(_) => "BEGIN; LOCK TABLE resource, stage_session",
        };
        other.execute(lock).await.unwrap();
        let started = happened(&stage, NOW, HistoryKind::SessionStarted);
        remember.send(started).await.unwrap();
        let finished = tokio::time::timeout(SOON, history.finish(Duration::from_millis(100)));
        assert!(finished.await.is_ok());
        other.execute("ROLLBACK").await.unwrap();
    })
    .await;
}
