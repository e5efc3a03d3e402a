//! IngestConfiguration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::arn::{Arn, ArnOrEmpty};
use crate::backend::StreamKeyValue;
use crate::dto::{Tags, choice};

choice! {
    /// How media arrives.
    IngestProtocol {
        /// Without TLS.
        Rtmp = "RTMP",
        /// With TLS.
        Rtmps = "RTMPS",
    }
}

choice! {
    /// Whether somebody publishes through it.
    IngestConfigurationState {
        /// Somebody does.
        Active = "ACTIVE",
        /// Nobody does.
        Inactive = "INACTIVE",
    }
}

/// What one of two redundant broadcasters uses.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RedundantIngestCredential {
    /// The participant that it becomes.
    pub participant_id: String,
    /// What lets it in.
    pub stream_key: StreamKeyValue,
}

/// What the store keeps.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IngestConfigurationRecord {
    /// May be empty.
    pub name: String,
    /// How media arrives.
    pub ingest_protocol: IngestProtocol,
    /// Whether it may arrive without TLS.
    pub insecure_ingest: bool,
    /// Where it is published; empty: nowhere.
    pub stage_arn: ArnOrEmpty,
    /// The participant that it becomes.
    pub participant_id: String,
    /// What lets it in.
    pub stream_key: StreamKeyValue,
    /// The application's name for the participant, may be empty.
    pub user_id: String,
    /// The participant's.
    pub attributes: BTreeMap<String, String>,
    /// Two, when ingest is redundant.
    pub redundant_ingest_credentials: Vec<RedundantIngestCredential>,
}

/// The resource; a summary leaves out what is absent here.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IngestConfiguration {
    /// Its name in the API.
    pub arn: Arn,
    /// May be empty.
    pub name: String,
    /// How media arrives.
    pub ingest_protocol: IngestProtocol,
    /// Where it is published; empty: nowhere.
    pub stage_arn: ArnOrEmpty,
    /// The participant that it becomes.
    pub participant_id: String,
    /// Whether somebody publishes through it.
    pub state: IngestConfigurationState,
    /// May be empty.
    pub user_id: String,
    /// Whether there are two credentials.
    pub redundant_ingest: bool,
    /// What lets it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_key: Option<StreamKeyValue>,
    /// Two, when ingest is redundant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redundant_ingest_credentials: Vec<RedundantIngestCredential>,
    /// The participant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<BTreeMap<String, String>>,
    /// Its tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
}
