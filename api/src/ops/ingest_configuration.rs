//! Ingest configurations. RTMP into a stage is not served yet, so all of them are INACTIVE.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::arn::{Arn, ArnKind, ArnOrEmpty};
use crate::backend::StreamKeyValue;
use crate::dto::Tags;
use crate::dto::ingest_configuration::{
    IngestConfiguration, IngestConfigurationRecord, IngestConfigurationState, IngestProtocol,
    RedundantIngestCredential,
};
use crate::dto::stage::check_attributes;
use crate::error::ApiError;
use crate::ids;
use crate::input::Input;
use crate::ops::{find_named, invalid_reference};
use crate::pagination::Page;
use crate::paging::{PageLimits, Paging};
use crate::reply::Reply;
use crate::state::Context;
use crate::store::{NewResource, Resource};

const MEMBER: &str = "ingestConfiguration";

/// Broadcasters of a redundant ingest.
const REDUNDANT_CREDENTIALS: usize = 2;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateRequest {
    #[serde(default)]
    name: String,
    #[serde(default)]
    stage_arn: ArnOrEmpty,
    #[serde(default)]
    user_id: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    ingest_protocol: IngestProtocol,
    #[serde(default)]
    insecure_ingest: bool,
    #[serde(default)]
    redundant_ingest: bool,
    #[serde(default)]
    tags: Tags,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateRequest {
    arn: Arn,
    stage_arn: Option<ArnOrEmpty>,
    redundant_ingest: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListRequest {
    filter_by_stage_arn: Option<Arn>,
    filter_by_state: Option<IngestConfigurationState>,
}

/// CreateIngestConfiguration.
pub async fn create(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let request: CreateRequest = input.read()?;
    if request.ingest_protocol == IngestProtocol::Rtmp && !request.insecure_ingest {
        return Err(ApiError::validation(
            "`insecureIngest`: false given, must be true for the `ingestProtocol` RTMP",
        ));
    }
    check_attributes("attributes", &request.attributes)?;
    let arn = cx.new_arn(ArnKind::IngestConfiguration);
    let redundant = if request.redundant_ingest {
        redundant_credentials(cx, &arn)
    } else {
        Vec::new()
    };
    let made = Resource {
        seq: 0,
        parent: None,
        record: IngestConfigurationRecord {
            name: request.name,
            ingest_protocol: request.ingest_protocol,
            insecure_ingest: request.insecure_ingest,
            stage_arn: request.stage_arn,
            participant_id: ids::resource_id(),
            stream_key: stream_key(cx, &arn),
            user_id: request.user_id,
            attributes: request.attributes,
            redundant_ingest_credentials: redundant,
        },
        tags: request.tags,
        arn,
    };
    let kept = cx
        .store()
        .insert_linked(cx.account(), NewResource::of(&made));
    kept.await
        .map_err(|error| invalid_reference("stageArn", error))?;
    Reply::one(MEMBER, &render(made))
}

/// GetIngestConfiguration.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    Reply::one(MEMBER, &render(find_named(cx, input, "arn").await?))
}

/// ListIngestConfigurations.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let limits = PageLimits {
        default: 50,
        max: 100,
    };
    let ListRequest {
        filter_by_stage_arn: stage,
        filter_by_state: state,
    } = input.read()?;
    if stage.is_some() && state.is_some() {
        return Err(ApiError::validation(
            "`filterByStageArn`, `filterByState`: both given, at most one of them allowed",
        ));
    }
    let stage_text = stage.as_ref().map(Arn::to_string).unwrap_or_default();
    let state_text = format!("{state:?}");
    let scope = [input.operation(), &stage_text, &state_text];
    let paging = Paging::read(cx, input, &scope, limits)?;
    let (store, account, request) = (cx.store(), cx.account(), paging.request);
    let page = match (&stage, state) {
        (Some(stage), _) => store.list_linked(account, stage, request).await?,
        (None, Some(IngestConfigurationState::Active)) => Page {
            items: Vec::new(),
            more_after: None,
        },
        (None, Some(IngestConfigurationState::Inactive) | None) => {
            store.list(account, request, None).await?
        }
    };
    let next_token = paging.next_token(&page);
    let summaries = page.map(|found| IngestConfiguration {
        stream_key: None,
        redundant_ingest_credentials: Vec::new(),
        attributes: None,
        tags: None,
        ..render(found)
    });
    Reply::page("ingestConfigurations", &summaries.items, next_token)
}

/// UpdateIngestConfiguration.
pub async fn update(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let UpdateRequest {
        arn,
        stage_arn,
        redundant_ingest,
    } = input.read()?;
    let change = |record: &mut IngestConfigurationRecord| -> Result<(), ApiError> {
        if let Some(stage_arn) = stage_arn {
            record.stage_arn = stage_arn;
        }
        let credentials = &mut record.redundant_ingest_credentials;
        match redundant_ingest {
            Some(true) if credentials.is_empty() => *credentials = redundant_credentials(cx, &arn),
            Some(false) => credentials.clear(),
            Some(true) | None => {}
        }
        Ok(())
    };
    let changed = cx.store().update_linked(cx.account(), &arn, change).await?;
    let changed = changed.ok_or_else(|| ApiError::not_found("the resource", &arn))?;
    Reply::one(MEMBER, &render(changed))
}

fn redundant_credentials(cx: Context<'_>, arn: &Arn) -> Vec<RedundantIngestCredential> {
    let credential = || RedundantIngestCredential {
        participant_id: ids::resource_id(),
        stream_key: stream_key(cx, arn),
    };
    std::iter::repeat_with(credential)
        .take(REDUNDANT_CREDENTIALS)
        .collect()
}

fn stream_key(cx: Context<'_>, arn: &Arn) -> StreamKeyValue {
    let region = &cx.state.settings.region;
    StreamKeyValue::new(ids::ingest_key_value(cx.account(), region, arn.id()))
}

fn render(found: Resource<IngestConfigurationRecord>) -> IngestConfiguration {
    let IngestConfigurationRecord {
        name,
        ingest_protocol,
        insecure_ingest: _,
        stage_arn,
        participant_id,
        stream_key,
        user_id,
        attributes,
        redundant_ingest_credentials,
    } = found.record;
    IngestConfiguration {
        arn: found.arn,
        name,
        ingest_protocol,
        stage_arn,
        participant_id,
        state: IngestConfigurationState::Inactive,
        user_id,
        redundant_ingest: !redundant_ingest_credentials.is_empty(),
        stream_key: Some(stream_key),
        redundant_ingest_credentials,
        attributes: Some(attributes),
        tags: Some(found.tags),
    }
}
