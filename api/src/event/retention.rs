//! Removes old events.

use std::time::Duration;

use compositor_core::error_chain::error_chain;
use compositor_core::time::WallTime;
use recorder::WallClock;

use crate::config::Retention;
use crate::store::Store;

/// How often it is looked.
const PERIOD: Duration = Duration::from_secs(10 * 60);

const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// The end of what is too old.
pub fn removed_before(now: WallTime, retention: Retention) -> WallTime {
    WallTime(now.0 - i64::from(retention.days) * DAY_MICROS)
}

/// Keeps the retention until the store is closed.
pub async fn keep_retention(store: Store, retention: Retention, clock: WallClock) {
    loop {
        let before = removed_before(clock.now(), retention);
        match store.remove_old_events(before, retention.events).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "old events are gone"),
            Err(error) => {
                tracing::error!(error = %error_chain(&error), "old events cannot be removed");
            }
        }
        tokio::select! {
            () = store.closing() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}
