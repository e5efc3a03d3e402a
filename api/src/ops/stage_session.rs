//! Stage sessions, their participants and what those did. They outlive their stage until the retention forgets them.

use std::collections::HashSet;

use serde::Deserialize;

use crate::arn::Arn;
use crate::dto::stage_session::{
    GetParticipantResponse, GetStageSessionResponse, ListParticipantEventsResponse,
    ListParticipantsResponse, ListStageSessionsResponse, Participant, ParticipantEvent,
    ParticipantProtocol, ParticipantState, ParticipantSummary, ReplicationType, StageSession,
};
use crate::error::{ApiError, ErrorKind};
use crate::input::Input;
use crate::paging::{PageLimits, Paging};
use crate::reply::Reply;
use crate::state::Context;
use crate::store::{ParticipantFilter, StoredParticipant, StoredSession};
use crate::validate::shown;
use crate::wall_clock::iso8601;

const PAGE: PageLimits = PageLimits {
    default: 50,
    max: 100,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfSession {
    stage_arn: Arn,
    session_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfParticipant {
    stage_arn: Arn,
    session_id: String,
    participant_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListParticipantsRequest {
    stage_arn: Arn,
    session_id: String,
    filter_by_user_id: Option<String>,
    filter_by_published: Option<bool>,
    filter_by_state: Option<ParticipantState>,
    filter_by_recording_state: Option<String>,
}

/// GetStageSession.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let OfSession {
        stage_arn,
        session_id,
    } = input.read()?;
    let found = cx
        .store()
        .stage_session(cx.account(), &stage_arn, &session_id)
        .await?;
    let found = found.ok_or_else(|| missing(&format!("session '{session_id}'"), &stage_arn))?;
    Reply::ok(&GetStageSessionResponse {
        stage_session: show_session(found),
    })
}

/// ListStageSessions.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let stage = input.arn("stageArn")?;
    let scope = ["ListStageSessions", &stage.to_string()];
    let paging = Paging::read(cx, input, &scope, PAGE)?;
    let page = cx
        .store()
        .list_stage_sessions(cx.account(), &stage, paging.request)
        .await?;
    let next_token = paging.next_token(&page);
    Reply::ok(&ListStageSessionsResponse {
        stage_sessions: page.items.into_iter().map(show_session).collect(),
        next_token,
    })
}

/// GetParticipant.
pub async fn get_participant(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let OfParticipant {
        stage_arn,
        session_id,
        participant_id,
    } = input.read()?;
    let found = cx
        .store()
        .participant(cx.account(), (&stage_arn, &session_id), &participant_id)
        .await?;
    let what = || {
        let participant = shown(&participant_id);
        format!("participant '{participant}' in session '{session_id}'")
    };
    let found = found.ok_or_else(|| missing(&what(), &stage_arn))?;
    let about = found.about.clone();
    let replicated = cx
        .store()
        .replicated_participants(cx.now, &stage_arn, &session_id)
        .await?;
    let protocol = if found.published {
        ParticipantProtocol::Whip
    } else {
        ParticipantProtocol::Unknown
    };
    Reply::ok(&GetParticipantResponse {
        participant: Participant {
            summary: summary(found, &replicated),
            attributes: about.attributes,
            protocol,
            isp_name: "",
            os_name: about.os_name,
            os_version: about.os_version,
            browser_name: about.browser_name,
            browser_version: about.browser_version,
            sdk_version: "",
        },
    })
}

/// ListParticipants.
pub async fn list_participants(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let request: ListParticipantsRequest = input.read()?;
    let filter = request.filter()?;
    let filtered = format!("{filter:?}");
    let stage = request.stage_arn.to_string();
    let scope = ["ListParticipants", &stage, &request.session_id, &filtered];
    let paging = Paging::read(cx, input, &scope, PAGE)?;
    let session = (&request.stage_arn, request.session_id.as_str());
    let page = cx
        .store()
        .list_participants(cx.account(), session, filter, paging.request)
        .await?;
    let next_token = paging.next_token(&page);
    let replicated = cx
        .store()
        .replicated_participants(cx.now, &request.stage_arn, &request.session_id)
        .await?;
    let participants = page.items.into_iter();
    Reply::ok(&ListParticipantsResponse {
        participants: participants
            .map(|participant| summary(participant, &replicated))
            .collect(),
        next_token,
    })
}

/// ListParticipantEvents.
pub async fn list_participant_events(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let OfParticipant {
        stage_arn,
        session_id,
        participant_id,
    } = input.read()?;
    let stage = stage_arn.to_string();
    let scope = [
        "ListParticipantEvents",
        &stage,
        &session_id,
        &participant_id,
    ];
    let paging = Paging::read(cx, input, &scope, PAGE)?;
    let session = (&stage_arn, session_id.as_str());
    let page = cx
        .store()
        .list_participant_events(cx.account(), session, &participant_id, paging.request)
        .await?;
    let next_token = paging.next_token(&page);
    let events = page.items.into_iter().map(|event| ParticipantEvent {
        name: event.name,
        participant_id: participant_id.clone(),
        event_time: iso8601(event.at),
        remote_participant_id: event.publisher,
        error_code: event.error_code,
    });
    Reply::ok(&ListParticipantEventsResponse {
        events: events.collect(),
        next_token,
    })
}

impl ListParticipantsRequest {
    /// The one filter that is given, if any.
    fn filter(&self) -> Result<ParticipantFilter<'_>, ApiError> {
        let connected = |state: ParticipantState| state == ParticipantState::Connected;
        let user_id = self.filter_by_user_id.as_deref();
        let recording = self.filter_by_recording_state.as_deref();
        let filters = [
            ("filterByUserId", user_id.map(ParticipantFilter::UserId)),
            (
                "filterByPublished",
                self.filter_by_published.map(ParticipantFilter::Published),
            ),
            (
                "filterByState",
                self.filter_by_state
                    .map(|state| ParticipantFilter::Connected(connected(state))),
            ),
            (
                "filterByRecordingState",
                recording.map(ParticipantFilter::RecordingState),
            ),
        ];
        let given = filters
            .into_iter()
            .filter_map(|(name, filter)| Some((name, filter?)));
        let given: Vec<(&str, ParticipantFilter<'_>)> = given.collect();
        match given.as_slice() {
            [] => Ok(ParticipantFilter::Everybody),
            [(_, filter)] => Ok(*filter),
            _ => {
                let names: Vec<String> =
                    given.iter().map(|(name, _)| format!("`{name}`")).collect();
                Err(ApiError::validation(format!(
                    "{}: {} filters given, must be at most 1",
                    names.join(", "),
                    given.len()
                )))
            }
        }
    }
}

fn missing(what: &str, stage: &Arn) -> ApiError {
    let message = format!("{what} of {stage} does not exist");
    ApiError::new(ErrorKind::ResourceNotFound, message)
}

fn show_session(session: StoredSession) -> StageSession {
    StageSession {
        session_id: session.id,
        start_time: iso8601(session.started_at),
        end_time: session.ended_at.map(iso8601),
    }
}

fn summary(participant: StoredParticipant, replicated: &HashSet<String>) -> ParticipantSummary {
    let state = if participant.connected {
        ParticipantState::Connected
    } else {
        ParticipantState::Disconnected
    };
    let replication_type = if replicated.contains(&participant.id) {
        ReplicationType::Source
    } else {
        ReplicationType::None
    };
    ParticipantSummary {
        participant_id: participant.id,
        user_id: participant.user_id,
        state,
        first_join_time: iso8601(participant.first_joined_at),
        published: participant.published,
        recording_state: participant.recording_state,
        replication_type,
    }
}
