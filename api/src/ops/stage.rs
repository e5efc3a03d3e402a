//! Stages.

use compositor_core::id::StageId;

use crate::arn::{Arn, ArnKind};
use crate::dto::stage::{
    CreateStageRequest, CreateStageResponse, Stage, StageRecord, StageSummary, UpdateStageRequest,
};
use crate::error::ApiError;
use crate::input::Input;
use crate::ops::{find_named, invalid_reference, list_page, participant};
use crate::reply::Reply;
use crate::state::Context;
use crate::store::{NewResource, Resource};

const MEMBER: &str = "stage";

/// The member that names where participants are recorded to.
const STORAGE: &str = "autoParticipantRecordingConfiguration.storageConfigurationArn";

/// CreateStage.
pub async fn create(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let request: CreateStageRequest = input.read()?;
    let tokens = request.participant_token_configurations;
    for (i, parameters) in tokens.iter().enumerate() {
        parameters.check(&format!("participantTokenConfigurations[{i}].attributes"))?;
    }
    let stage = Resource {
        seq: 0,
        arn: cx.new_arn(ArnKind::Stage),
        parent: None,
        record: StageRecord {
            name: request.name,
            recording: request.auto_participant_recording_configuration.settled(),
        },
        tags: request.tags,
    };
    let kept = cx
        .store()
        .insert_linked(cx.account(), NewResource::of(&stage));
    kept.await
        .map_err(|error| invalid_reference(STORAGE, error))?;
    let mut participant_tokens = Vec::with_capacity(tokens.len());
    for parameters in tokens {
        participant_tokens.push(participant::mint(cx, &stage.arn, parameters).await?);
    }
    Reply::ok(&CreateStageResponse {
        stage: render(cx, stage, None),
        participant_tokens,
    })
}

/// GetStage.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    respond(cx, find_named(cx, input, "arn").await?).await
}

/// UpdateStage. What the request leaves out stays.
pub async fn update(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let UpdateStageRequest {
        arn,
        name,
        auto_participant_recording_configuration: recording,
    } = input.read()?;
    let change = |record: &mut StageRecord| -> Result<(), ApiError> {
        if let Some(name) = name {
            record.name = name;
        }
        if let Some(recording) = recording {
            record.recording = recording.settled();
        }
        Ok(())
    };
    let changed = cx.store().update_linked(cx.account(), &arn, change).await?;
    let changed = changed.ok_or_else(|| ApiError::not_found("the resource", &arn))?;
    respond(cx, changed).await
}

/// ListStages.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let (found, next_token) = list_page::<StageRecord>(cx, input, 50).await?;
    let mut stages = Vec::with_capacity(found.len());
    for found in found {
        stages.push(StageSummary {
            active_session_id: active_session(cx, &found.arn).await?,
            arn: found.arn,
            name: found.record.name,
            tags: found.tags,
        });
    }
    Reply::page("stages", &stages, next_token)
}

/// DeleteStage. Its participants are disconnected, its compositions fail.
pub async fn delete(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let arn = input.arn("arn")?;
    super::delete(cx, &arn).await?;
    cx.backend().stage_deleted(&StageId::new(arn.id())).await;
    Ok(Reply::empty())
}

/// As the history knows it, so that whoever sees it can read it.
async fn active_session(cx: Context<'_>, stage: &Arn) -> Result<Option<String>, ApiError> {
    Ok(cx.store().active_stage_session(stage).await?)
}

async fn respond(cx: Context<'_>, stage: Resource<StageRecord>) -> Result<Reply, ApiError> {
    let session = active_session(cx, &stage.arn).await?;
    Reply::one(MEMBER, &render(cx, stage, session))
}

fn render(cx: Context<'_>, found: Resource<StageRecord>, session: Option<String>) -> Stage {
    let StageRecord { name, recording } = found.record;
    Stage {
        arn: found.arn,
        name,
        active_session_id: session,
        tags: found.tags,
        auto_participant_recording_configuration: recording,
        endpoints: cx.state.settings.stage_endpoints(),
    }
}
