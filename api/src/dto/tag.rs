//! Answers of the tag operations.

use serde::Serialize;

use crate::dto::Tags;

/// ListTagsForResource.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListTagsForResourceResponse {
    /// The tags.
    pub tags: Tags,
    /// Where a page was asked for and there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}
