//! Replication of participants. The media is not copied yet, so every replication is STOPPED.

use std::collections::BTreeMap;

use compositor_core::id::{ParticipantId, SessionId, StageId};
use serde::{Deserialize, Serialize};

use crate::arn::Arn;
use crate::dto::choice;
use crate::dto::stage::{StageRecord, check_attributes};
use crate::error::{ApiError, ErrorKind};
use crate::input::Input;
use crate::ops::find;
use crate::paging::{PageLimits, Paging};
use crate::reply::Reply;
use crate::state::Context;
use crate::store::{NewReplica, ReplicaSource};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// The model demands a session of the destination, also while it has none.
const NO_SESSION: &str = "st-0000000000000";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    source_stage_arn: Arn,
    destination_stage_arn: Arn,
    participant_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StartRequest {
    #[serde(flatten)]
    named: Named,
    #[serde(default)]
    reconnect_window_seconds: u32,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListRequest {
    source_stage_arn: Arn,
    participant_id: String,
}

choice! {
    /// Whether media is copied.
    ReplicationState {
        /// It is.
        Active = "ACTIVE",
        /// It is not.
        Stopped = "STOPPED",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ParticipantReplica {
    source_stage_arn: Arn,
    participant_id: String,
    source_session_id: String,
    destination_stage_arn: Arn,
    destination_session_id: String,
    replication_state: ReplicationState,
}

/// StartParticipantReplication.
pub async fn start(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let StartRequest {
        named,
        reconnect_window_seconds,
        attributes,
    } = input.read()?;
    check_attributes("attributes", &attributes)?;
    let (source, destination) = (&named.source_stage_arn, &named.destination_stage_arn);
    if source == destination {
        return Err(ApiError::validation(format!(
            "`destinationStageArn`: '{destination}' given, must differ from `sourceStageArn`"
        )));
    }
    for stage in [source, destination] {
        find::<StageRecord>(cx, stage).await?;
    }
    let participant = ParticipantId::new(named.participant_id);
    let session = publishing_session(cx, source, &participant).await;
    let Some(session) = session else {
        return Err(ApiError::new(
            ErrorKind::ResourceNotFound,
            format!("participant '{participant}' does not publish on {source}"),
        ));
    };
    let new = NewReplica {
        source,
        source_session: &session,
        participant: &participant,
        destination,
        reconnect_window_micros: i64::from(reconnect_window_seconds) * MICROS_PER_SECOND,
    };
    if !cx.store().insert_replica(cx.now, cx.account(), new).await? {
        return Err(ApiError::conflict(format!(
            "participant '{participant}' of {source} is replicated to {destination} already"
        )));
    }
    if publishing_session(cx, source, &participant).await.as_ref() != Some(&session) {
        // It left before the replication could follow it.
        let source = ReplicaSource {
            stage: StageId::new(source.id()),
            session,
            participant,
        };
        cx.store().source_left(cx.now, &source).await?;
    }
    Ok(Reply::empty())
}

/// StopParticipantReplication.
pub async fn stop(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let Named {
        source_stage_arn: source,
        destination_stage_arn: destination,
        participant_id,
    } = input.read()?;
    let participant = ParticipantId::new(participant_id);
    let ended = cx
        .store()
        .delete_replica(cx.now, cx.account(), &source, &participant, &destination)
        .await?;
    if ended {
        return Ok(Reply::empty());
    }
    Err(ApiError::new(
        ErrorKind::ResourceNotFound,
        format!("participant '{participant}' of {source} is not replicated to {destination}"),
    ))
}

/// ListParticipantReplicas.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let limits = PageLimits {
        default: 50,
        max: 50,
    };
    let ListRequest {
        source_stage_arn: source,
        participant_id,
    } = input.read()?;
    let scope = [input.operation(), &source.to_string(), &participant_id];
    let paging = Paging::read(cx, input, &scope, limits)?;
    let participant = ParticipantId::new(&participant_id);
    let page = cx
        .store()
        .list_replicas(cx.now, cx.account(), &source, &participant, paging.request)
        .await?;
    let next_token = paging.next_token(&page);
    let mut replicas = Vec::with_capacity(page.items.len());
    for found in page.items {
        let stage = StageId::new(found.destination.id());
        let session = cx.backend().active_session(&stage).await;
        replicas.push(ParticipantReplica {
            source_stage_arn: source.clone(),
            participant_id: participant_id.clone(),
            source_session_id: found.source_session.to_string(),
            destination_stage_arn: found.destination,
            destination_session_id: session
                .map_or_else(|| NO_SESSION.to_owned(), |session| session.to_string()),
            replication_state: ReplicationState::Stopped,
        });
    }
    Reply::page("replicas", &replicas, next_token)
}

async fn publishing_session(
    cx: Context<'_>,
    stage: &Arn,
    participant: &ParticipantId,
) -> Option<SessionId> {
    let stage = StageId::new(stage.id());
    cx.backend().publishing_session(&stage, participant).await
}
