//! The operations of the API, called for the page.

use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::{ApiError, ErrorKind};
use crate::router::dispatch;

use super::Inner;

/// Pages of a list that are read at most; 100 entries each.
const PAGES_MAX: usize = 10;
const PAGE_ENTRIES: u32 = 100;

impl Inner {
    /// Runs one operation.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        operation: &str,
        input: &Value,
    ) -> Result<T, ApiError> {
        let body = serde_json::to_vec(input).map_err(ApiError::internal)?;
        let path = format!("/{operation}");
        let call = dispatch(
            &self.api.state,
            &self.api.principal,
            &Method::POST,
            &path,
            &body,
        );
        let reply = Box::pin(call).await?;
        let body: &[u8] = if reply.body.is_empty() {
            b"{}"
        } else {
            &reply.body
        };
        serde_json::from_slice(body).map_err(ApiError::internal)
    }

    /// All entries of a list operation, up to a bound; `member` names the list in the answer.
    pub(super) async fn call_list<T: DeserializeOwned>(
        &self,
        operation: &str,
        member: &str,
        mut input: Value,
    ) -> Result<Vec<T>, ApiError> {
        let mut entries = Vec::new();
        input["maxResults"] = json!(PAGE_ENTRIES);
        for _ in 0..PAGES_MAX {
            let mut page: Value = self.call(operation, &input).await?;
            let listed: Vec<T> =
                serde_json::from_value(page[member].take()).map_err(ApiError::internal)?;
            entries.extend(listed);
            match page["nextToken"].take() {
                Value::String(token) => input["nextToken"] = Value::String(token),
                _ => break,
            }
        }
        Ok(entries)
    }

    /// As [`Self::call`], with `None` for what is not there.
    pub(super) async fn call_optional<T: DeserializeOwned>(
        &self,
        operation: &str,
        input: &Value,
    ) -> Result<Option<T>, ApiError> {
        match self.call(operation, input).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::ResourceNotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The ARN of a resource of the page's account.
    pub(super) fn arn(&self, kind: &str, id: &str) -> String {
        let region = &self.api.state.settings.region;
        format!(
            "arn:aws:ivs:{region}:{}:{kind}/{id}",
            self.api.principal.account
        )
    }
}

/// The part of an ARN after the slash.
pub(super) fn id_of(arn: &str) -> &str {
    arn.rsplit_once('/').map_or(arn, |(_, id)| id)
}

/// What most summaries have.
#[derive(Deserialize)]
pub(super) struct Named {
    pub(super) arn: String,
    #[serde(default)]
    pub(super) name: String,
}
