use api::store::KeptEvents;
use compositor_core::time::WallTime;
use serde_json::json;

use crate::on_both;
use crate::parts::{ACCOUNT, NOW, OTHER, event, events};

#[tokio::test]
async fn concurrent_events_are_numbered_without_gaps_for_each_account() {
    on_both(|fixture| async move {
        let mut writers = tokio::task::JoinSet::new();
        for n in 0..60 {
            let store = fixture.store.clone();
            writers.spawn(async move {
                let account = if n % 3 == 0 { OTHER } else { ACCOUNT };
                store
                    .append_events(&[event(account, "c", n)])
                    .await
                    .unwrap();
            });
        }
        writers.join_all().await;
        for (account, count) in [(ACCOUNT, 40), (OTHER, 20)] {
            let numbers: Vec<i64> = events(&fixture.store, account)
                .await
                .iter()
                .map(|(number, _)| *number)
                .collect();
            assert_eq!(numbers, (1..=count).collect::<Vec<i64>>());
        }
    })
    .await;
}

#[tokio::test]
async fn who_follows_while_others_write_sees_every_number_once_and_in_order() {
    on_both(|fixture| async move {
        let store = fixture.store.clone();
        let mut commits = store.event_commits();
        let following = tokio::spawn(async move {
            let mut seen = Vec::new();
            while seen.len() < 50 {
                commits.borrow_and_update();
                let after = seen.last().copied().unwrap_or(0);
                let page = store.events_after(ACCOUNT, after, 7).await.unwrap();
                if page.is_empty() {
                    commits.changed().await.unwrap();
                }
                seen.extend(page.iter().map(|event| event.number));
            }
            seen
        });
        let mut writers = tokio::task::JoinSet::new();
        for n in 0..25 {
            let store = fixture.store.clone();
            writers.spawn(async move {
                let two = [event(ACCOUNT, "c", n), event(ACCOUNT, "c", n)];
                store.append_events(&two).await.unwrap();
            });
        }
        writers.join_all().await;
        assert_eq!(following.await.unwrap(), (1..=50).collect::<Vec<i64>>());
    })
    .await;
}

#[tokio::test]
async fn numbers_go_on_after_a_restart() {
    on_both(|fixture| async move {
        fixture
            .store
            .append_events(&[event(ACCOUNT, "c", 0)])
            .await
            .unwrap();
        let fixture = fixture.restarted().await;
        fixture
            .store
            .append_events(&[event(ACCOUNT, "c", 1)])
            .await
            .unwrap();
        let expected = vec![(1, json!({"n": 0})), (2, json!({"n": 1}))];
        assert_eq!(events(&fixture.store, ACCOUNT).await, expected);
    })
    .await;
}

#[tokio::test]
async fn the_retention_removes_the_oldest_and_leaves_no_gap() {
    on_both(|fixture| async move {
        let store = &fixture.store;
        let events: Vec<_> = (0..12).map(|n| event(ACCOUNT, "c", n)).collect();
        store.append_events(&events).await.unwrap();
        store.append_events(&[event(OTHER, "c", 0)]).await.unwrap();
        assert_eq!(store.remove_old_events(NOW, 10).await.unwrap(), 2);
        let kept = store.kept_events(ACCOUNT).await.unwrap();
        assert_eq!(
            kept,
            KeptEvents {
                oldest: 3,
                newest: 12
            }
        );
        assert!(kept.all_after(2) && kept.all_after(12));
        assert!(!kept.all_after(1) && !kept.all_after(13));
        let later = WallTime(NOW.0 + 1);
        assert_eq!(store.remove_old_events(later, 10).await.unwrap(), 11);
        let kept = store.kept_events(ACCOUNT).await.unwrap();
        assert_eq!(
            kept,
            KeptEvents {
                oldest: 13,
                newest: 12
            }
        );
        assert!(kept.all_after(12) && !kept.all_after(11));
        store
            .append_events(&[event(ACCOUNT, "c", 12)])
            .await
            .unwrap();
        assert_eq!(
            crate::parts::events(store, ACCOUNT).await,
            [(13, json!({"n": 12}))]
        );
    })
    .await;
}
