//! FailoverSlateConfiguration.

use serde::{Deserialize, Serialize};

use crate::dto::choice;

choice! {
    /// Whether a slate can be shown.
    FailoverSlateConfigurationState {
        /// Soon; only the answer to CreateFailoverSlateConfiguration says so.
        Creating = "CREATING",
        /// Never.
        CreateFailed = "CREATE_FAILED",
        /// It can.
        Created = "CREATED",
        /// Soon again.
        Updating = "UPDATING",
    }
}

/// What the store keeps, and the resource between its ARN and tags; summaries have it all too.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailoverSlateConfigurationRecord {
    /// May be empty.
    pub name: String,
    /// How long ingest is interrupted before the slate shows, 3 to 5.
    pub activation_threshold_seconds: u32,
    /// How long the slate shows at least, 3 to 10.
    pub min_slate_display_seconds: u32,
    /// How long the slate shows at most, 60 to 180.
    pub max_slate_display_seconds: u32,
    /// Whether it can be shown.
    pub state: FailoverSlateConfigurationState,
}
