//! Telling webhooks of events: each in the order of its resource, at least once, for a day.
//!
//! What is not acknowledged stands in the store, so a restart forgets nothing. A [`Courier`] delivers what is due and says
//! when it wants to be called again; [`run`] calls it.

mod client;
mod retry;
mod signature;

use std::collections::BTreeSet;
use std::time::Duration;

use compositor_core::error_chain::error_chain;
use compositor_core::time::WallTime;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use recorder::WallClock;
use sha2::{Digest, Sha256};

pub use crate::webhook::client::ClientError;
use crate::webhook::client::{Client, DeliveryError};
pub use crate::webhook::retry::{GIVEN_UP_AFTER, is_too_old, retry_at};
pub use crate::webhook::signature::signature;

use crate::config::Webhook;
use crate::store::{Delivery, Store, StoreError};

/// Requests of one webhook at a time, each about another resource.
const IN_FLIGHT_MAX: usize = 8;

/// Pause after the store failed.
const STORE_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Delivers the events of one webhook.
#[derive(Debug)]
pub struct Courier {
    id: String,
    webhook: Webhook,
    store: Store,
    clock: WallClock,
    client: Client,
}

/// Why webhooks cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error("cannot keep what webhooks have been told")]
    Store(#[from] StoreError),
    /// HTTPS.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Couriers of these webhooks; the store forgets what others had left.
pub async fn couriers(
    webhooks: &[Webhook],
    store: &Store,
    clock: &WallClock,
) -> Result<Vec<Courier>, StartError> {
    let known: Vec<(String, String)> = webhooks
        .iter()
        .map(|webhook| (identifier(webhook), webhook.account.clone()))
        .collect();
    store.register_webhooks(&known).await?;
    if webhooks.is_empty() {
        return Ok(Vec::new());
    }
    let client = Client::new()?;
    let couriers = webhooks
        .iter()
        .zip(known)
        .map(|(webhook, (id, _))| Courier {
            id,
            webhook: webhook.clone(),
            store: store.clone(),
            clock: clock.clone(),
            client: client.clone(),
        });
    Ok(couriers.collect())
}

/// The same for the same receiver and account, whatever the secret is.
fn identifier(webhook: &Webhook) -> String {
    let name = format!("{} {}", webhook.account, webhook.url.expose());
    hex::encode(&Sha256::digest(name.as_bytes())[..16])
}

/// Delivers until the store is closed.
pub async fn run(courier: Courier) {
    let mut commits = courier.store.event_commits();
    loop {
        commits.borrow_and_update();
        let pause = match courier.deliver_due().await {
            Ok(next) => next.map(|at| until(courier.clock.now(), at)),
            Err(error) => {
                tracing::error!(webhook = %courier.webhook.url, error = %error_chain(&error), "cannot deliver events");
                Some(STORE_AGAIN_AFTER)
            }
        };
        let timeout = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = courier.store.closing() => return,
            () = timeout => {}
            // The sender lives as long as our store.
            _ = commits.changed(), if pause != Some(STORE_AGAIN_AFTER) => {}
        }
    }
}

fn until(now: WallTime, at: WallTime) -> Duration {
    Duration::from_micros(u64::try_from(at.0 - now.0).unwrap_or(0))
}

impl Courier {
    /// Delivers everything that is due, also what becomes due meanwhile. Answers when there will be more, as far as known.
    pub async fn deliver_due(&self) -> Result<Option<WallTime>, StoreError> {
        let mut commits = self.store.event_commits();
        let mut in_flight = FuturesUnordered::new();
        let mut numbers = BTreeSet::new();
        loop {
            commits.borrow_and_update();
            self.enqueue().await?;
            let free = IN_FLIGHT_MAX - numbers.len();
            if free > 0 {
                let now = self.clock.now();
                // Those in flight are still due, too.
                let due = self
                    .store
                    .due_deliveries(&self.id, now, IN_FLIGHT_MAX)
                    .await?;
                for delivery in due
                    .into_iter()
                    .filter(|d| !numbers.contains(&d.number))
                    .take(free)
                    .collect::<Vec<_>>()
                {
                    numbers.insert(delivery.number);
                    in_flight.push(self.attempt(delivery));
                }
            }
            if in_flight.is_empty() {
                return self.store.next_delivery(&self.id).await;
            }
            tokio::select! {
                Some((delivery, outcome)) = in_flight.next() => {
                    numbers.remove(&delivery.number);
                    self.settle(&delivery, outcome).await?;
                }
                _ = commits.changed(), if numbers.len() < IN_FLIGHT_MAX => {}
            }
        }
    }

    async fn enqueue(&self) -> Result<(), StoreError> {
        let wanted = self.webhook.detail_types.as_ref();
        let wants = |detail_type: &str| {
            wanted.is_none_or(|wanted| wanted.iter().any(|wanted| wanted.as_str() == detail_type))
        };
        let now = self.clock.now();
        while self.store.enqueue_deliveries(&self.id, now, wants).await? {}
        Ok(())
    }

    async fn attempt(&self, delivery: Delivery) -> (Delivery, Result<(), DeliveryError>) {
        let now = self.clock.now();
        let outcome = match &delivery.envelope {
            Some(_) if is_too_old(now, delivery.at) => Err(DeliveryError::TooOld),
            Some(envelope) => {
                self.client
                    .post(now, &self.webhook, delivery.number, envelope)
                    .await
            }
            None => Err(DeliveryError::Removed),
        };
        (delivery, outcome)
    }

    async fn settle(
        &self,
        delivery: &Delivery,
        outcome: Result<(), DeliveryError>,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let Err(error) = outcome else {
            return self.store.end_delivery(&self.id, delivery, now).await;
        };
        let (webhook, event) = (&self.webhook.url, delivery.number);
        let again = match error {
            DeliveryError::Removed | DeliveryError::TooOld => None,
            _ => retry_at(now, delivery.at, delivery.attempts, rand::random()),
        };
        if let Some(due) = again {
            tracing::debug!(%webhook, event, error = %error_chain(&error), "not delivered, tried again");
            return self.store.retry_delivery(&self.id, delivery, due).await;
        }
        tracing::warn!(%webhook, event, error = %error_chain(&error), "event dropped, it was not delivered");
        self.store.end_delivery(&self.id, delivery, now).await
    }
}
