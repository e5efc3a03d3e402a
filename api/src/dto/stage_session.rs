//! Stage sessions, their participants and what those did.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dto::choice;

choice! {
    /// Whether a participant is on the stage.
    ParticipantState {
        /// It is.
        Connected = "CONNECTED",
        /// It was.
        Disconnected = "DISCONNECTED",
    }
}

choice! {
    /// How the media of a participant comes.
    ParticipantProtocol {
        /// Nothing came.
        Unknown = "UNKNOWN",
        /// Over WebRTC.
        Whip = "WHIP",
    }
}

choice! {
    /// What a participant has to do with replication.
    ReplicationType {
        /// It is replicated.
        Source = "SOURCE",
        /// Nothing.
        None = "NONE",
    }
}

/// StageSession and StageSessionSummary.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageSession {
    /// Its identifier.
    pub session_id: String,
    /// When it began.
    pub start_time: String,
    /// When it ended; absent while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
}

/// Answer of GetStageSession.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GetStageSessionResponse {
    /// The session.
    pub stage_session: StageSession,
}

/// Answer of ListStageSessions.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListStageSessionsResponse {
    /// Newest first.
    pub stage_sessions: Vec<StageSession>,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// ParticipantSummary, and what Participant begins with.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantSummary {
    /// Its identifier.
    pub participant_id: String,
    /// Empty for none.
    pub user_id: String,
    /// Whether it is there.
    pub state: ParticipantState,
    /// When it came first.
    pub first_join_time: String,
    /// Whether it ever published in the session.
    pub published: bool,
    /// Of individual participant recording.
    pub recording_state: String,
    /// Whether it has replicas.
    pub replication_type: ReplicationType,
}

/// Participant.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Participant {
    /// What lists show too.
    #[serde(flatten)]
    pub summary: ParticipantSummary,
    /// Of its token.
    pub attributes: BTreeMap<String, String>,
    /// How its media came, if any did.
    pub protocol: ParticipantProtocol,
    /// Empty when unknown, as all that follow.
    pub isp_name: &'static str,
    /// The operating system.
    pub os_name: String,
    /// Of the operating system.
    pub os_version: String,
    /// The browser, or another program.
    pub browser_name: String,
    /// Of the browser.
    pub browser_version: String,
    /// Of the broadcast SDK, which nobody uses here.
    pub sdk_version: &'static str,
}

/// Answer of GetParticipant.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GetParticipantResponse {
    /// The participant.
    pub participant: Participant,
}

/// Answer of ListParticipants.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListParticipantsResponse {
    /// In the order in which they came.
    pub participants: Vec<ParticipantSummary>,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// Event.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantEvent {
    /// What.
    pub name: String,
    /// Whose.
    pub participant_id: String,
    /// When.
    pub event_time: String,
    /// Of subscriptions: whom it receives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_participant_id: Option<String>,
    /// Of errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
}

/// Answer of ListParticipantEvents.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListParticipantEventsResponse {
    /// Newest first.
    pub events: Vec<ParticipantEvent>,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}
