//! Compositions: start, read, list, stop. What happens in between is the driver's.

use compositor_core::id::CompositionId;
use serde::Deserialize;

use crate::arn::Arn;
use crate::backend::{DestinationSpec, DestinationTarget};
use crate::convert::composition::StartComposition;
use crate::dto::composition::{
    Composition, Destination, DestinationConfiguration, DestinationDetail, S3Detail,
};
use crate::error::ApiError;
use crate::input::Input;
use crate::ops::PAGE_MAX;
use crate::ops::resolve::{self, Resolved};
use crate::paging::{PageLimits, Paging};
use crate::reply::Reply;
use crate::state::Context;
use crate::store::{
    CompositionFilter, DestinationProgress, NewComposition, Requested, StartOutcome,
    StoredComposition,
};
use crate::wall_clock::iso8601;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListRequest {
    filter_by_stage_arn: Option<Arn>,
    filter_by_encoder_configuration_arn: Option<Arn>,
}

/// StartComposition.
pub async fn start(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let request = StartComposition::read(input)?;
    let digest = request.digest();
    if let Some(token) = &request.idempotency_token {
        // Before anything else: the channel may be live by now because of this very composition.
        let earlier = cx
            .store()
            .composition_of_token(cx.now, cx.account(), token, &digest)
            .await?;
        if let Some(outcome) = earlier {
            return conclude(cx, outcome).await;
        }
    }
    let Resolved {
        spec,
        uses,
        channel,
    } = resolve::resolve(cx, &request).await?;
    let requested = Requested {
        layout: request.layout,
        destinations: request.destinations,
    };
    let new = NewComposition {
        spec: &spec,
        requested: &requested,
        tags: &request.tags,
        uses: &uses,
        channel: channel.as_ref(),
        idempotency_token: request.idempotency_token.as_deref(),
        request_digest: &digest,
    };
    let outcome = cx
        .store()
        .start_composition(cx.now, cx.account(), new)
        .await?;
    conclude(cx, outcome).await
}

/// GetComposition.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    respond(find(cx, input).await?)
}

/// ListCompositions.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let ListRequest {
        filter_by_stage_arn: stage,
        filter_by_encoder_configuration_arn: encoder,
    } = input.read()?;
    let limits = PageLimits {
        default: PAGE_MAX,
        max: PAGE_MAX,
    };
    let scope = [
        "ListCompositions".to_owned(),
        stage.as_ref().map(Arn::to_string).unwrap_or_default(),
        encoder.as_ref().map(Arn::to_string).unwrap_or_default(),
    ];
    let scope: Vec<&str> = scope.iter().map(String::as_str).collect();
    let paging = Paging::read(cx, input, &scope, limits)?;
    let filter = CompositionFilter {
        stage: stage.as_ref(),
        encoder_configuration: encoder.as_ref(),
    };
    let page = cx
        .store()
        .list_compositions(cx.now, cx.account(), filter, paging.request)
        .await?;
    let next_token = paging.next_token(&page);
    let summaries = page.map(render_summary).items;
    Reply::page("compositions", &summaries, next_token)
}

/// StopComposition; stopping what is over changes nothing.
pub async fn stop(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let found = find(cx, input).await?;
    if found.progress.state.is_unfinished() {
        cx.backend().stop_composition(&found.spec.id).await?;
    }
    Ok(Reply::empty())
}

async fn find(cx: Context<'_>, input: &Input) -> Result<StoredComposition, ApiError> {
    let arn = input.arn("arn")?;
    let found = cx.store().composition(cx.now, cx.account(), &arn).await?;
    found.ok_or_else(|| ApiError::not_found("the composition", &arn))
}

async fn conclude(cx: Context<'_>, outcome: StartOutcome) -> Result<Reply, ApiError> {
    match outcome {
        StartOutcome::Started(stored) => {
            if let Err(error) = cx.backend().start_composition(&stored.spec).await {
                let id: &CompositionId = &stored.spec.id;
                cx.store().forget_composition(id).await?;
                return Err(error.into());
            }
            respond(*stored)
        }
        StartOutcome::Repeated(stored) => respond(*stored),
        StartOutcome::TokenReused => Err(ApiError::conflict(
            "`idempotencyToken`: given before with other parameters",
        )),
        StartOutcome::Missing(arn) => Err(ApiError::not_found("the resource", &arn)),
        StartOutcome::ChannelTaken(composition) => Err(ApiError::conflict(format!(
            "`destinations`: the channel is the target of {composition}, which has not ended"
        ))),
    }
}

fn respond(stored: StoredComposition) -> Result<Reply, ApiError> {
    Reply::one("composition", &render(stored))
}

fn render_summary(stored: StoredComposition) -> Composition {
    let mut summary = render(stored);
    summary.layout = None;
    for destination in &mut summary.destinations {
        destination.configuration = None;
        destination.detail = None;
    }
    summary
}

fn render(stored: StoredComposition) -> Composition {
    let StoredComposition {
        seq: _,
        spec,
        requested,
        progress,
        tags,
    } = stored;
    let destinations = progress
        .destinations
        .iter()
        .zip(requested.destinations)
        .zip(&spec.destinations)
        .map(|((progress, configuration), spec)| render_destination(progress, configuration, spec));
    Composition {
        destinations: destinations.collect(),
        arn: spec.arn,
        stage_arn: spec.stage_arn,
        state: progress.state,
        layout: Some(requested.layout),
        tags,
        start_time: iso8601(spec.started_at),
        end_time: progress.ended_at.map(iso8601),
    }
}

fn render_destination(
    progress: &DestinationProgress,
    configuration: DestinationConfiguration,
    spec: &DestinationSpec,
) -> Destination {
    let detail = match &spec.target {
        DestinationTarget::Channel { .. } => None,
        DestinationTarget::S3 { prefix, .. } => Some(DestinationDetail {
            s3: S3Detail {
                recording_prefix: prefix.clone(),
            },
        }),
    };
    Destination {
        id: progress.id.to_string(),
        state: progress.state,
        start_time: progress.started_at.map(iso8601),
        end_time: progress.ended_at.map(iso8601),
        configuration: Some(configuration),
        detail,
    }
}
