//! Failover slate configurations.

use serde::Deserialize;

use crate::dto::Tags;
use crate::dto::failover_slate_configuration::{
    FailoverSlateConfigurationRecord, FailoverSlateConfigurationState as State,
};
use crate::error::ApiError;
use crate::input::Input;
use crate::ops::{find_named, keep, list_page, shown, update_named};
use crate::reply::Reply;
use crate::state::Context;

const MEMBER: &str = "failoverSlateConfiguration";
const ACTIVATION_THRESHOLD_DEFAULT: u32 = 3;
const MIN_DISPLAY_DEFAULT: u32 = 3;
const MAX_DISPLAY_DEFAULT: u32 = 60;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    name: Option<String>,
    activation_threshold_seconds: Option<u32>,
    min_slate_display_seconds: Option<u32>,
    max_slate_display_seconds: Option<u32>,
    #[serde(default)]
    tags: Tags,
}

/// CreateFailoverSlateConfiguration. It can be used at once; only this answer says CREATING, as AWS does.
pub async fn create(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let request: Request = input.read()?;
    let record = FailoverSlateConfigurationRecord {
        name: request.name.unwrap_or_default(),
        activation_threshold_seconds: request
            .activation_threshold_seconds
            .unwrap_or(ACTIVATION_THRESHOLD_DEFAULT),
        min_slate_display_seconds: request
            .min_slate_display_seconds
            .unwrap_or(MIN_DISPLAY_DEFAULT),
        max_slate_display_seconds: request
            .max_slate_display_seconds
            .unwrap_or(MAX_DISPLAY_DEFAULT),
        state: State::Created,
    };
    let mut created = keep(cx, record, request.tags).await?;
    created.record.state = State::Creating;
    Reply::one(MEMBER, &created)
}

/// GetFailoverSlateConfiguration.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let found = find_named::<FailoverSlateConfigurationRecord>(cx, input, "arn").await?;
    Reply::one(MEMBER, &shown(found))
}

/// ListFailoverSlateConfigurations.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let default = cx.store().quotas().failover_slate_configurations;
    let (found, next_token) =
        list_page::<FailoverSlateConfigurationRecord>(cx, input, default).await?;
    let found: Vec<_> = found.into_iter().map(shown).collect();
    Reply::page("failoverSlateConfigurations", &found, next_token)
}

/// UpdateFailoverSlateConfiguration. What the request leaves out stays; streams see it when they begin.
pub async fn update(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let request: Request = input.read()?;
    let changed = update_named(
        cx,
        input,
        |record: &mut FailoverSlateConfigurationRecord| {
            if let Some(name) = request.name {
                record.name = name;
            }
            if let Some(seconds) = request.activation_threshold_seconds {
                record.activation_threshold_seconds = seconds;
            }
            if let Some(seconds) = request.min_slate_display_seconds {
                record.min_slate_display_seconds = seconds;
            }
            if let Some(seconds) = request.max_slate_display_seconds {
                record.max_slate_display_seconds = seconds;
            }
        },
    );
    Reply::one(MEMBER, &shown(changed.await?))
}
