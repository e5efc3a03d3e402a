//! What goes into the store.

use std::collections::BTreeMap;

use api::arn::{Arn, ArnKind};
use api::event::{DetailType, NewEvent};
use api::quotas::Quotas;
use api::store::{Database, NewResource, Record, Store, StoreError};
use compositor_core::time::WallTime;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection};

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const OTHER: &str = "999999999999";
pub(crate) const NOW: WallTime = WallTime(1_700_000_000_000_000);

pub(crate) fn arn(kind: ArnKind, id: &str) -> Arn {
    Arn::new("us-east-1", ACCOUNT, kind, id)
}

/// As little of a stage as the store needs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct TestRecord {
    pub(crate) name: String,
}

impl Record for TestRecord {
    const KIND: ArnKind = ArnKind::Stage;
    const PLURAL: &'static str = "stages";

    fn quota(quotas: &Quotas) -> u32 {
        quotas.stages
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Around the store, to the same database.
pub(crate) async fn connection(database: &Database) -> AnyConnection {
    let url = match database {
        Database::Sqlite(path) => format!("sqlite://{}", path.display()),
        Database::Postgres(url) => url.expose().to_owned(),
    };
    AnyConnection::connect(&url).await.unwrap()
}

pub(crate) async fn insert_stage(
    store: &Store,
    account: &str,
    id: &str,
    name: &str,
) -> Result<Arn, StoreError> {
    let arn = Arn::new("us-east-1", account, ArnKind::Stage, id);
    let new = NewResource {
        arn: &arn,
        record: &TestRecord {
            name: name.to_owned(),
        },
        tags: &BTreeMap::new(),
    };
    store.insert(account, new).await?;
    Ok(arn)
}

/// An event about a channel of that name.
pub(crate) fn event(account: &str, channel: &str, n: usize) -> NewEvent {
    let arn = Arn::new("us-east-1", account, ArnKind::Channel, channel);
    NewEvent::about(&arn, DetailType::StreamStateChange, NOW, &json!({ "n": n }))
}

/// The numbers of the account's events and what their details say.
pub(crate) async fn events(store: &Store, account: &str) -> Vec<(i64, Value)> {
    let events = store.events_after(account, 0, 10_000).await.unwrap();
    let detail = |envelope: &str| -> Value {
        let envelope: Value = serde_json::from_str(envelope).unwrap();
        envelope["detail"].clone()
    };
    events
        .iter()
        .map(|event| (event.number, detail(&event.envelope)))
        .collect()
}
