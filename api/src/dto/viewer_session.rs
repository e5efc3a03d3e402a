//! Revocation of viewer sessions.

use serde::{Deserialize, Serialize};

use crate::arn::Arn;

/// StartViewerSessionRevocation, and one of those of BatchStartViewerSessionRevocation.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewerSession {
    /// The channel.
    pub channel_arn: Arn,
    /// The viewer, as the tokens of the application call them.
    pub viewer_id: String,
    /// Sessions up to this version.
    #[serde(default)]
    pub viewer_session_versions_less_than_or_equal_to: i64,
}

/// BatchStartViewerSessionRevocation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchStartViewerSessionRevocationRequest {
    /// 1 to 20.
    pub viewer_sessions: Vec<ViewerSession>,
}

/// One that could not be revoked.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchStartViewerSessionRevocationError {
    /// As asked.
    pub channel_arn: Arn,
    /// As asked.
    pub viewer_id: String,
    /// An HTTP status as text.
    pub code: &'static str,
    /// Why.
    pub message: &'static str,
}

/// BatchStartViewerSessionRevocation.
#[derive(Debug, Serialize)]
pub struct BatchStartViewerSessionRevocationResponse {
    /// Those that failed; the others are revoked.
    pub errors: Vec<BatchStartViewerSessionRevocationError>,
}
