//! Ad configurations. There is no ad server: InsertAdBreak signals the break in the playlist.

use serde::Deserialize;

use crate::dto::Tags;
use crate::dto::ad_configuration::{
    AdConfigurationRecord, MediaTailorPlaybackConfiguration, PostRollConfiguration,
};
use crate::error::ApiError;
use crate::input::Input;
use crate::ops::{find_named, keep, list_page, shown, update_named};
use crate::reply::Reply;
use crate::state::Context;

const MEMBER: &str = "adConfiguration";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateRequest {
    #[serde(default)]
    name: String,
    media_tailor_playback_configurations: Vec<MediaTailorPlaybackConfiguration>,
    #[serde(default)]
    post_roll_configuration: PostRollConfiguration,
    #[serde(default)]
    tags: Tags,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateRequest {
    name: Option<String>,
    media_tailor_playback_configurations: Option<Vec<MediaTailorPlaybackConfiguration>>,
    post_roll_configuration: Option<PostRollConfiguration>,
}

/// CreateAdConfiguration.
pub async fn create(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let request: CreateRequest = input.read()?;
    require_arns(&request.media_tailor_playback_configurations)?;
    let record = AdConfigurationRecord {
        name: request.name,
        media_tailor_playback_configurations: request.media_tailor_playback_configurations,
        post_roll_configuration: request.post_roll_configuration,
    };
    Reply::one(MEMBER, &keep(cx, record, request.tags).await?)
}

/// GetAdConfiguration.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let found = find_named::<AdConfigurationRecord>(cx, input, "arn").await?;
    Reply::one(MEMBER, &shown(found))
}

/// ListAdConfigurations.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let default = cx.store().quotas().ad_configurations;
    let (found, next_token) = list_page::<AdConfigurationRecord>(cx, input, default).await?;
    let found: Vec<_> = found.into_iter().map(shown).collect();
    Reply::page("adConfigurations", &found, next_token)
}

/// UpdateAdConfiguration. What the request leaves out stays.
pub async fn update(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let request: UpdateRequest = input.read()?;
    if let Some(configurations) = &request.media_tailor_playback_configurations {
        require_arns(configurations)?;
    }
    let changed = update_named(cx, input, |record: &mut AdConfigurationRecord| {
        if let Some(name) = request.name {
            record.name = name;
        }
        if let Some(configurations) = request.media_tailor_playback_configurations {
            record.media_tailor_playback_configurations = configurations;
        }
        if let Some(post_roll) = request.post_roll_configuration {
            record.post_roll_configuration = post_roll;
        }
    });
    Reply::one(MEMBER, &shown(changed.await?))
}

fn require_arns(configurations: &[MediaTailorPlaybackConfiguration]) -> Result<(), ApiError> {
    let missing = configurations
        .iter()
        .position(|configuration| configuration.playback_configuration_arn.is_none());
    missing.map_or(Ok(()), |index| {
        Err(ApiError::validation(format!(
            "`mediaTailorPlaybackConfigurations[{index}].playbackConfigurationArn`: missing, is required"
        )))
    })
}
