use std::collections::BTreeMap;
use std::time::Instant;

use api::arn::ArnKind;
use api::pagination::PageRequest;
use api::quotas::Quotas;
use api::store::{Database, Deletion, StoreError};
use sqlx::{Connection, Row};

use crate::on_both;
use crate::parts::{ACCOUNT, NOW, OTHER, TestRecord, arn, connection, insert_stage};

#[tokio::test]
async fn a_resource_is_found_listed_and_deleted_by_its_account_alone() {
    on_both(|fixture| async move {
        let store = &fixture.store;
        let stage = insert_stage(store, ACCOUNT, "a", "first").await.unwrap();
        let found = store.find::<TestRecord>(ACCOUNT, &stage).await.unwrap();
        assert_eq!(found.unwrap().record.name, "first");
        assert_eq!(store.find::<TestRecord>(OTHER, &stage).await.unwrap(), None);
        let all = PageRequest {
            after: 0,
            limit: 10,
        };
        let others = store.list::<TestRecord>(OTHER, all, None).await.unwrap();
        assert!(others.items.is_empty());
        assert_eq!(
            store.delete(OTHER, &stage).await.unwrap(),
            Deletion::Missing
        );
        assert_eq!(
            store.delete(ACCOUNT, &stage).await.unwrap(),
            Deletion::Deleted
        );
        assert_eq!(
            store.delete(ACCOUNT, &stage).await.unwrap(),
            Deletion::Missing
        );
    })
    .await;
}

#[tokio::test]
async fn twenty_writers_at_once_get_exactly_the_quota() {
    on_both(|fixture| async move {
        let quotas = Quotas {
            stages: 7,
            ..Quotas::default()
        };
        let store = fixture.store.clone().with_quotas(quotas);
        let mut writers = tokio::task::JoinSet::new();
        for n in 0..20 {
            let store = store.clone();
            writers.spawn(async move { insert_stage(&store, ACCOUNT, &format!("s{n}"), "").await });
        }
        let outcomes = writers.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 7);
        for outcome in outcomes {
            assert!(matches!(
                outcome,
                Ok(_) | Err(StoreError::Quota { limit: 7, .. })
            ));
        }
        insert_stage(&store, OTHER, "s0", "").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn no_update_is_lost_among_concurrent_ones() {
    on_both(|fixture| async move {
        let store = &fixture.store;
        let stage = insert_stage(store, ACCOUNT, "a", "").await.unwrap();
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (store, stage) = (store.clone(), stage.clone());
            writers.spawn(async move {
                store
                    .update(ACCOUNT, &stage, |record: &mut TestRecord| {
                        record.name.push('x');
                        Ok::<(), StoreError>(())
                    })
                    .await
                    .unwrap()
                    .unwrap();
            });
        }
        writers.join_all().await;
        let all = PageRequest {
            after: 0,
            limit: 10,
        };
        let name = "x".repeat(20);
        let page = store
            .list::<TestRecord>(ACCOUNT, all, Some(&name))
            .await
            .unwrap();
        assert_eq!(page.items.len(), 1);
        let refused: Result<_, StoreError> = store
            .update(ACCOUNT, &stage, |record: &mut TestRecord| {
                record.name.clear();
                Err(StoreError::Busy)
            })
            .await;
        assert!(refused.is_err());
        let kept = store
            .find::<TestRecord>(ACCOUNT, &stage)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(kept.record.name, name);
        let missing = store
            .update(
                ACCOUNT,
                &arn(ArnKind::Stage, "none"),
                |_: &mut TestRecord| Ok::<(), StoreError>(()),
            )
            .await;
        assert_eq!(missing.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn tags_change_as_one() {
    on_both(|fixture| async move {
        let store = &fixture.store;
        let stage = insert_stage(store, ACCOUNT, "a", "").await.unwrap();
        let mut writers = tokio::task::JoinSet::new();
        for n in 0..20 {
            let (store, stage) = (store.clone(), stage.clone());
            writers.spawn(async move {
                let insert = |tags: &mut BTreeMap<String, String>| {
                    drop(tags.insert(format!("k{n}"), String::new()))
                };
                store
                    .change_tags(NOW, ACCOUNT, &stage, 15, insert)
                    .await
                    .unwrap()
                    .unwrap()
            });
        }
        let sizes = writers.join_all().await;
        assert_eq!(sizes.iter().filter(|size| **size <= 15).count(), 15);
        assert_eq!(
            store
                .tags(NOW, ACCOUNT, &stage)
                .await
                .unwrap()
                .unwrap()
                .len(),
            15
        );
        assert_eq!(store.tags(NOW, OTHER, &stage).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn pages_neither_repeat_nor_miss_what_was_there_all_the_time() {
    on_both(|fixture| async move {
        let store = &fixture.store;
        let mut stages = Vec::new();
        for n in 0..25 {
            stages.push(
                insert_stage(store, ACCOUNT, &format!("s{n:02}"), "")
                    .await
                    .unwrap(),
            );
        }
        let mut seen = Vec::new();
        let mut after = 0;
        loop {
            let page = PageRequest { after, limit: 4 };
            let page = store.list::<TestRecord>(ACCOUNT, page, None).await.unwrap();
            seen.extend(page.items.iter().map(|item| item.arn.clone()));
            // Comes and goes between two pages.
            store.delete(ACCOUNT, &page.items[0].arn).await.unwrap();
            let Some(more) = page.more_after else { break };
            after = more;
        }
        assert_eq!(seen, stages);
    })
    .await;
}

/// Rows that are already there cost a page nothing: the last page of 100,000 comes from the index, as the first does.
#[tokio::test]
async fn the_last_page_of_a_hundred_thousand_is_found_by_its_index() {
    on_both(|fixture| async move {
        let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) \
                    INSERT INTO resource (seq, arn, account, kind, id, name, record, tags) \
                    SELECT i, 'arn:aws:ivs:us-east-1:123456789012:stage/' || i, '123456789012', 'stage', \
                    CAST(i AS TEXT), '', '{\"name\":\"\"}', '{}' FROM n";
        let mut connection = connection(&fixture.database).await;
        sqlx::query(many).execute(&mut connection).await.unwrap();
        sqlx::query("ANALYZE").execute(&mut connection).await.unwrap();
        for (after, expected) in [(0, 1), (50_000, 50_001), (99_950, 99_951)] {
            let page = PageRequest { after, limit: 50 };
            let began = Instant::now();
            let page = fixture.store.list::<TestRecord>(ACCOUNT, page, None).await.unwrap();
            println!("{:?} after {after}: {:?}", fixture.database, began.elapsed());
            assert_eq!(page.items.len(), 50);
            assert_eq!(page.items[0].seq, expected);
        }
        // As `Store::list` asks.
        let (explain, column) = match fixture.database {
            Database::Sqlite(_) => ("EXPLAIN QUERY PLAN", "detail"),
            Database::Postgres(_) => ("EXPLAIN", "QUERY PLAN"),
        };
        let sql = format!(
            "{explain} SELECT seq, arn, parent, record, tags FROM resource \
             WHERE account = '123456789012' AND kind = 'stage' AND seq > 99950 ORDER BY seq LIMIT 51"
        );
        let rows = sqlx::query(&sql).fetch_all(&mut connection).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(column)).collect();
        let plan = plan.join("\n").to_lowercase();
        assert!(plan.contains("index"), "{plan}");
        assert!(!plan.contains("seq scan") && !plan.contains("b-tree") && !plan.contains("sort"), "{plan}");
        connection.close().await.unwrap();
    })
    .await;
}
