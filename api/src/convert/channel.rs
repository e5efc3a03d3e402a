//! CreateChannel and the filters of ListChannels.

use crate::arn::{Arn, ArnKind};
use crate::convert::not_built;
use crate::dto::Tags;
use crate::dto::channel::{
    ChannelRecord, ChannelType, ContainerFormat, LatencyMode, MultitrackInputConfiguration,
    MultitrackMaximumResolution, MultitrackPolicy, TranscodePreset,
};
use crate::error::ApiError;
use crate::ids;
use crate::validate::{Members, TextRule};

/// The resources that a channel can refer to, none of which this server can create yet.
const REFERENCES: [(&str, ArnKind); 4] = [
    ("recordingConfigurationArn", ArnKind::RecordingConfiguration),
    (
        "playbackRestrictionPolicyArn",
        ArnKind::PlaybackRestrictionPolicy,
    ),
    ("adConfigurationArn", ArnKind::AdConfiguration),
    (
        "failoverSlateConfigurationArn",
        ArnKind::FailoverSlateConfiguration,
    ),
];

/// Reads CreateChannel, defaults filled in. The SRT passphrase is drawn here.
pub fn create(members: &Members<'_>) -> Result<(ChannelRecord, Tags), ApiError> {
    let name = members.text("name", &TextRule::NAME)?.unwrap_or_default();
    let latency_mode = members.choice("latencyMode")?.unwrap_or(LatencyMode::Low);
    let channel_type = members.choice("type")?.unwrap_or(ChannelType::Standard);
    let authorized = members.boolean("authorized")?.unwrap_or(false);
    let insecure_ingest = members.boolean("insecureIngest")?.unwrap_or(false);
    let preset = read_preset(members, channel_type)?;
    let container_format = members
        .choice("containerFormat")?
        .unwrap_or(ContainerFormat::Ts);
    let multitrack_input = read_multitrack(members, channel_type, container_format)?;
    let tags = members.tags(ArnKind::Channel)?;
    for (name, kind) in REFERENCES {
        if let Some(arn) = members.arn_or_empty(name, kind)? {
            return Err(missing_reference(name, &arn));
        }
    }
    if authorized {
        return Err(not_built("authorized", "true"));
    }
    if multitrack_input.enabled {
        return Err(not_built("multitrackInputConfiguration.enabled", "true"));
    }
    if container_format == ContainerFormat::FragmentedMp4 {
        return Err(not_built("containerFormat", "FRAGMENTED_MP4"));
    }
    let record = ChannelRecord {
        name,
        latency_mode,
        channel_type,
        insecure_ingest,
        authorized,
        preset,
        multitrack_input,
        container_format,
        srt_passphrase: ids::srt_passphrase(),
        recording_configuration: None,
        playback_restriction_policy: None,
        ad_configuration: None,
        failover_slate_configuration: None,
    };
    Ok((record, tags))
}

/// What ListChannels filters by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChannelFilter {
    /// All channels.
    None,
    /// Exactly this name.
    Name(String),
    /// Channels that refer to nothing of a kind (the filter was the empty string): all of them.
    WithoutReference,
    /// Channels that refer to this: none, there cannot be such a resource yet.
    Reference(Arn),
}

/// Reads the filters; they exclude each other.
pub fn list_filter(members: &Members<'_>) -> Result<ChannelFilter, ApiError> {
    let mut filters = Vec::new();
    if let Some(name) = members.text("filterByName", &TextRule::NAME)? {
        filters.push(ChannelFilter::Name(name));
    }
    let references = [
        (
            "filterByRecordingConfigurationArn",
            ArnKind::RecordingConfiguration,
        ),
        (
            "filterByPlaybackRestrictionPolicyArn",
            ArnKind::PlaybackRestrictionPolicy,
        ),
        ("filterByAdConfigurationArn", ArnKind::AdConfiguration),
        (
            "filterByFailoverSlateConfigurationArn",
            ArnKind::FailoverSlateConfiguration,
        ),
    ];
    for (name, kind) in references {
        match members.arn_or_empty(name, kind)? {
            Some(arn) => filters.push(ChannelFilter::Reference(arn)),
            None if members.is_absent(name) => {}
            None => filters.push(ChannelFilter::WithoutReference),
        }
    }
    if filters.len() > 1 {
        return Err(ApiError::conflict(format!(
            "{} filters given, at most 1 allowed",
            filters.len()
        )));
    }
    Ok(filters.pop().unwrap_or(ChannelFilter::None))
}

fn missing_reference(name: &str, arn: &Arn) -> ApiError {
    ApiError::not_found(&format!("`{name}`:"), arn)
}

/// Only ADVANCED types have a preset.
fn read_preset(
    members: &Members<'_>,
    channel_type: ChannelType,
) -> Result<TranscodePreset, ApiError> {
    let given: Option<TranscodePreset> = members.choice("preset")?;
    let given = given.filter(|preset| *preset != TranscodePreset::None);
    match channel_type {
        ChannelType::AdvancedSd | ChannelType::AdvancedHd => {
            Ok(given.unwrap_or(TranscodePreset::HigherBandwidthDelivery))
        }
        ChannelType::Basic | ChannelType::Standard if given.is_some() => Err(ApiError::validation(
            "`preset`: given, allowed only with type ADVANCED_SD or ADVANCED_HD",
        )),
        ChannelType::Basic | ChannelType::Standard => Ok(TranscodePreset::None),
    }
}

fn read_multitrack(
    members: &Members<'_>,
    channel_type: ChannelType,
    container: ContainerFormat,
) -> Result<MultitrackInputConfiguration, ApiError> {
    let default = MultitrackInputConfiguration {
        enabled: false,
        policy: MultitrackPolicy::Allow,
        maximum_resolution: MultitrackMaximumResolution::FullHd,
    };
    let Some(given) = members.object("multitrackInputConfiguration")? else {
        return Ok(default);
    };
    let enabled = given.boolean("enabled")?.unwrap_or(false);
    let policy: Option<MultitrackPolicy> = given.choice("policy")?;
    let maximum: Option<MultitrackMaximumResolution> = given.choice("maximumResolution")?;
    if enabled {
        given.required("policy", policy)?;
        given.required("maximumResolution", maximum)?;
        if channel_type != ChannelType::Standard || container != ContainerFormat::FragmentedMp4 {
            return Err(ApiError::validation(
                "`multitrackInputConfiguration.enabled`: true given, needs type STANDARD and containerFormat FRAGMENTED_MP4",
            ));
        }
    }
    Ok(MultitrackInputConfiguration {
        enabled,
        policy: policy.unwrap_or(default.policy),
        maximum_resolution: maximum.unwrap_or(default.maximum_resolution),
    })
}
