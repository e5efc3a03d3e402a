//! CreateStage and CreateParticipantToken.

use std::collections::BTreeMap;

use crate::arn::ArnKind;
use crate::convert::not_built;
use crate::dto::Tags;
use crate::dto::stage::{
    AutoParticipantRecordingConfiguration, Capability, HlsConfiguration, RecordingMediaType,
    StageRecord, ThumbnailRecordingMode, ThumbnailStorage,
};
use crate::error::ApiError;
use crate::validate::{Members, TextRule};

/// Tokens made with a stage.
const TOKENS_PER_STAGE_MAX: usize = 12;

/// Two weeks.
const DURATION_MINUTES_MAX: u32 = 20_160;

/// Twelve hours.
const DURATION_MINUTES_DEFAULT: u32 = 720;

/// All keys and values of a token's attributes together.
const ATTRIBUTES_BYTES_MAX: usize = 1024;

/// CreateStage.
#[derive(Debug)]
pub struct CreateStage {
    /// What to keep.
    pub record: StageRecord,
    /// Its tags.
    pub tags: Tags,
    /// One each.
    pub tokens: Vec<TokenParameters>,
}

/// What a participant token is made from.
#[derive(Debug)]
pub struct TokenParameters {
    /// Minutes.
    pub duration: u32,
    /// When given.
    pub user_id: Option<String>,
    /// When given.
    pub attributes: Option<BTreeMap<String, String>>,
    /// What it allows.
    pub capabilities: Vec<Capability>,
}

/// Reads CreateStage.
pub fn create_stage(members: &Members<'_>) -> Result<CreateStage, ApiError> {
    let name = members.text("name", &TextRule::NAME)?.unwrap_or_default();
    let tags = members.tags(ArnKind::Stage)?;
    let configurations = members
        .list("participantTokenConfigurations", 0..=TOKENS_PER_STAGE_MAX)?
        .unwrap_or_default();
    let tokens: Result<Vec<TokenParameters>, ApiError> = configurations
        .into_iter()
        .map(|(path, value)| token_parameters(&Members::at(path, value)?))
        .collect();
    let recording = match members.object("autoParticipantRecordingConfiguration")? {
        Some(recording) => read_recording(&recording)?,
        None => AutoParticipantRecordingConfiguration::default(),
    };
    Ok(CreateStage {
        record: StageRecord { name, recording },
        tags,
        tokens: tokens?,
    })
}

/// Reads the members that CreateParticipantToken and `participantTokenConfigurations` share.
pub fn token_parameters(members: &Members<'_>) -> Result<TokenParameters, ApiError> {
    let duration = members.integer("duration", 1..=DURATION_MINUTES_MAX)?;
    let user_id = members.text("userId", &TextRule::USER_ID)?;
    let attributes = members.string_map("attributes")?;
    let bytes: usize = attributes
        .iter()
        .flatten()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if bytes > ATTRIBUTES_BYTES_MAX {
        let path = members.path_of("attributes");
        return Err(ApiError::validation(format!(
            "`{path}`: {bytes} bytes of keys and values given, must be at most {ATTRIBUTES_BYTES_MAX}"
        )));
    }
    let capabilities = members.choices("capabilities", 2)?;
    Ok(TokenParameters {
        duration: duration.unwrap_or(DURATION_MINUTES_DEFAULT),
        user_id,
        attributes,
        capabilities: capabilities
            .unwrap_or_else(|| vec![Capability::Publish, Capability::Subscribe]),
    })
}

/// The empty ARN switches recording off and resets its siblings; a real one needs participant recording.
fn read_recording(
    members: &Members<'_>,
) -> Result<AutoParticipantRecordingConfiguration, ApiError> {
    let default = AutoParticipantRecordingConfiguration::default();
    members.choices::<RecordingMediaType>("mediaTypes", 1)?;
    members.integer("recordingReconnectWindowSeconds", 0..=300)?;
    members.boolean("recordParticipantReplicas")?;
    if let Some(hls) = members.object("hlsConfiguration")? {
        read_hls(&hls, 6)?;
    }
    if let Some(thumbnails) = members.object("thumbnailConfiguration")? {
        check_thumbnails(&thumbnails)?;
    }
    let name = "storageConfigurationArn";
    match members.arn_or_empty(name, ArnKind::StorageConfiguration)? {
        Some(arn) => Err(not_built(&members.path_of(name), &format!("'{arn}'"))),
        None if members.is_absent(name) => members.required(name, None),
        None => Ok(default),
    }
}

fn check_thumbnails(members: &Members<'_>) -> Result<(), ApiError> {
    members.integer("targetIntervalSeconds", 1..=86_400)?;
    members.choices::<ThumbnailStorage>("storage", 2)?;
    members.choice::<ThumbnailRecordingMode>("recordingMode")?;
    Ok(())
}

/// Reads `targetSegmentDurationSeconds`.
pub(super) fn read_hls(members: &Members<'_>, default: u32) -> Result<HlsConfiguration, ApiError> {
    let seconds = members.integer("targetSegmentDurationSeconds", 2..=10)?;
    Ok(HlsConfiguration {
        target_segment_duration_seconds: seconds.unwrap_or(default),
    })
}
