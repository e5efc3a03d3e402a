//! Answers of the tag operations.

use serde::Serialize;

use crate::dto::Tags;

/// ListTagsForResource.
#[derive(Debug, Serialize)]
pub struct ListTagsForResourceResponse {
    /// The tags.
    pub tags: Tags,
}
