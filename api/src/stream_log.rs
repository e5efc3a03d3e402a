//! Keeps what the channels report: in order, none left out while the store is away.

use std::time::Duration;

use channel::Report;
use compositor_core::error_chain::error_chain;
use compositor_core::time::WallTime;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::dto::stream_session::StreamSnapshot;
use crate::event::stream::{self, Kept};
use crate::retry::until_done;
use crate::store::{Store, StoreError};

/// How long sessions are kept after their end (IVS).
const RETENTION: Duration = Duration::from_secs(60 * 24 * 60 * 60);

/// How often old sessions are looked for.
const FORGET_EVERY: Duration = Duration::from_secs(60 * 60);

/// Ends the sessions that an earlier run left open.
pub async fn end_unfinished(store: &Store, now: WallTime) -> Result<(), StoreError> {
    for session in store.unfinished_stream_sessions().await? {
        let stream_id = &session.row.stream_id;
        tracing::warn!(
            stream_id,
            "the server was killed while this stream was live"
        );
        let began = session
            .events
            .iter()
            .any(|entry| entry.name == "Stream Start");
        let snapshot = StreamSnapshot::read(&session.snapshot);
        let name = snapshot.map_or(String::new(), |snapshot| snapshot.channel.name);
        for news in stream::ends(&session.channel, &name, stream_id, began, now) {
            store.record_stream(&news).await?;
        }
    }
    Ok(())
}

/// Keeps reports until there are no more. While the store fails the same report is tried again: those behind it wait in
/// the channels, which take no new publishers when too many do.
pub async fn run(store: Store, clock: Clock, mut reports: mpsc::Receiver<Report>) {
    let mut forget = tokio::time::interval(FORGET_EVERY);
    loop {
        tokio::select! {
            report = reports.recv() => match report {
                Some(report) => keep(&store, &report).await,
                None => return,
            },
            _ = forget.tick() => {
                let before = clock.wall().0 - RETENTION.as_micros() as i64;
                if let Err(error) = store.forget_stream_sessions(WallTime(before)).await {
                    let error = error_chain(&error);
                    tracing::warn!(%error, "old stream sessions are not forgotten");
                }
            }
        }
    }
}

async fn keep(store: &Store, report: &Report) {
    tracing::info!(?report, "stream");
    let Some(kept) = stream::of(report) else {
        return;
    };
    until_done("a report of a channel is not kept yet", || async {
        match &kept {
            Kept::Stream(news) => store.record_stream(news).await,
            Kept::Account(event) => store.append_events(std::slice::from_ref(event)).await,
        }
    })
    .await;
}
