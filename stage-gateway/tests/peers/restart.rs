//! A stage session survives a restart of the server.

use crate::world::{SOON, World, read_records, until};
use compositor_core::id::{CompositionId, StageId};
use compositor_core::journal::{Record, RecordBody};
use compositor_core::roster::RosterChange;
use compositor_core::sink::{JournalReader, StageJournal};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_goes_on_where_it_stood_with_a_gap_record() {
    let world = World::new().await;
    let composition = CompositionId::new("c");
    let media = world.gateway.stage_journal(&world.stage).await.unwrap();
    let mut reader = media.attach(&composition, None).await.unwrap();
    let watermarks = |records: &[Record]| {
        records
            .iter()
            .filter(|record| record.body == RecordBody::Watermark)
            .count()
    };
    let before = read_records(&mut reader, |records| watermarks(records) >= 5).await;
    let session = media.session().clone();
    let position = reader.position();
    world.gateway.shutdown().await;
    assert_eq!(world.gateway.active_session(&world.stage), None);

    let world = World::in_folder(world.folder).await;
    world
        .gateway
        .remove_abandoned_journals(std::slice::from_ref(&world.stage))
        .await;
    let media = world.gateway.stage_journal(&world.stage).await.unwrap();
    assert_eq!(*media.session(), session);
    let mut reader = media.attach(&composition, Some(position)).await.unwrap();
    let after = read_records(&mut reader, |records| {
        records
            .iter()
            .any(|record| matches!(record.body, RecordBody::Roster(_)))
            && watermarks(records) > 0
    })
    .await;
    let gap = after
        .iter()
        .position(|record| matches!(record.body, RecordBody::Gap(_)))
        .unwrap();
    assert!(after[gap].time >= before.last().unwrap().time);
    assert_eq!(
        after[gap + 1].body,
        RecordBody::Roster(RosterChange::Snapshot(Vec::new()))
    );
    let seqs: Vec<u64> = after.iter().map(|record| record.seq.0).collect();
    assert!(
        seqs.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{seqs:?}"
    );
    assert_eq!(seqs[0], position.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_stage_leaves_nothing() {
    let world = World::new().await;
    let media = world.gateway.stage_journal(&world.stage).await.unwrap();
    let reader = media.attach(&CompositionId::new("c"), None).await.unwrap();
    let (_client, _) = world.publish("ann", &["audio/opus"]).await;
    until("Ann publishes", SOON, || {
        world.gateway.publishers(&world.stage).len() == 1
    })
    .await;
    drop(reader);
    world.gateway.delete_stage(&world.stage).await;
    assert_eq!(world.gateway.active_session(&world.stage), None);
    assert!(
        !world
            .folder
            .path()
            .join("journal")
            .join(world.stage.as_str())
            .exists()
    );
    let odd = StageId::new("../escape");
    assert!(world.gateway.stage_journal(&odd).await.is_err());
}
