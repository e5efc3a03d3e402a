//! Stages.

use compositor_core::id::StageId;

use crate::arn::{Arn, ArnKind};
use crate::convert;
use crate::dto::stage::{
    CreateStageResponse, GetStageResponse, ListStagesResponse, Stage, StageRecord, StageSummary,
};
use crate::error::ApiError;
use crate::input::Input;
use crate::ops::{find_named, participant};
use crate::paging::{PageLimits, Paging};
use crate::reply::Reply;
use crate::state::Context;
use crate::store::{NewResource, Resource};

/// CreateStage.
pub async fn create(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let members = &input.members()?;
    let request = convert::stage::create_stage(members)?;
    let arn = cx.new_arn(ArnKind::Stage);
    let new = NewResource {
        arn: &arn,
        record: &request.record,
        tags: &request.tags,
    };
    cx.store().insert(cx.account(), new).await?;
    let mut participant_tokens = Vec::with_capacity(request.tokens.len());
    for parameters in request.tokens {
        participant_tokens.push(participant::mint(cx, &arn, parameters).await?);
    }
    let stage = Resource {
        seq: 0,
        arn,
        parent: None,
        record: request.record,
        tags: request.tags,
    };
    Reply::ok(&CreateStageResponse {
        stage: render(cx, stage, None),
        participant_tokens,
    })
}

/// GetStage.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let found: Resource<StageRecord> = find_named(cx, input, "arn").await?;
    let session = active_session(cx, &found.arn).await?;
    Reply::ok(&GetStageResponse {
        stage: render(cx, found, session),
    })
}

/// ListStages.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let limits = PageLimits {
        default: 50,
        max: 100,
    };
    let paging = Paging::read(cx, input, &["ListStages"], limits)?;
    let page = cx
        .store()
        .list::<StageRecord>(cx.account(), paging.request, None)
        .await?;
    let next_token = paging.next_token(&page);
    let mut stages = Vec::with_capacity(page.items.len());
    for found in page.items {
        stages.push(StageSummary {
            active_session_id: active_session(cx, &found.arn).await?,
            arn: found.arn.to_string(),
            name: found.record.name,
            tags: found.tags,
        });
    }
    Reply::ok(&ListStagesResponse { stages, next_token })
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

fn render(cx: Context<'_>, found: Resource<StageRecord>, session: Option<String>) -> Stage {
    let StageRecord { name, recording } = found.record;
    Stage {
        arn: found.arn.to_string(),
        name,
        active_session_id: session,
        tags: found.tags,
        auto_participant_recording_configuration: recording,
        endpoints: cx.state.settings.stage_endpoints(),
    }
}
