//! CreateChannel and UpdateChannel: the members of a channel and the rules that span several of them.

use serde::Deserialize;

use crate::arn::ArnOrEmpty;
use crate::dto::channel::{
    ChannelRecord, ChannelType, ContainerFormat, LatencyMode, MultitrackInputConfiguration,
    MultitrackMaximumResolution, MultitrackPolicy, TranscodePreset,
};
use crate::error::ApiError;

/// What CreateChannel and UpdateChannel can say of a channel. What a request leaves out stays as it is.
#[derive(Default, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChannelMembers {
    name: Option<String>,
    latency_mode: Option<LatencyMode>,
    #[serde(rename = "type")]
    channel_type: Option<ChannelType>,
    authorized: Option<bool>,
    insecure_ingest: Option<bool>,
    preset: Option<TranscodePreset>,
    container_format: Option<ContainerFormat>,
    multitrack_input_configuration: MultitrackMembers,
    recording_configuration_arn: Option<ArnOrEmpty>,
    playback_restriction_policy_arn: Option<ArnOrEmpty>,
    ad_configuration_arn: Option<ArnOrEmpty>,
    failover_slate_configuration_arn: Option<ArnOrEmpty>,
}

#[derive(Default, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct MultitrackMembers {
    enabled: Option<bool>,
    policy: Option<MultitrackPolicy>,
    maximum_resolution: Option<MultitrackMaximumResolution>,
}

impl ChannelRecord {
    /// A channel of which nothing was said.
    pub fn new(srt_passphrase: String) -> Self {
        Self {
            name: String::new(),
            latency_mode: LatencyMode::Low,
            channel_type: ChannelType::Standard,
            insecure_ingest: false,
            authorized: false,
            preset: TranscodePreset::None,
            multitrack_input: MultitrackInputConfiguration {
                enabled: false,
                policy: MultitrackPolicy::Allow,
                maximum_resolution: MultitrackMaximumResolution::FullHd,
            },
            container_format: ContainerFormat::Ts,
            srt_passphrase,
            recording_configuration: None,
            playback_restriction_policy: None,
            ad_configuration: None,
            failover_slate_configuration: None,
        }
    }
}

impl ChannelMembers {
    /// Makes the channel what the request says, if the result keeps the rules.
    pub fn apply(self, channel: &mut ChannelRecord) -> Result<(), ApiError> {
        let before = channel.channel_type;
        set(&mut channel.name, self.name);
        set(&mut channel.latency_mode, self.latency_mode);
        set(&mut channel.channel_type, self.channel_type);
        set(&mut channel.authorized, self.authorized);
        set(&mut channel.insecure_ingest, self.insecure_ingest);
        set(&mut channel.container_format, self.container_format);
        for (reference, given) in [
            (
                &mut channel.recording_configuration,
                self.recording_configuration_arn,
            ),
            (
                &mut channel.playback_restriction_policy,
                self.playback_restriction_policy_arn,
            ),
            (&mut channel.ad_configuration, self.ad_configuration_arn),
            (
                &mut channel.failover_slate_configuration,
                self.failover_slate_configuration_arn,
            ),
        ] {
            set(reference, given.map(|given| given.0));
        }
        let kept = (before == channel.channel_type).then_some(channel.preset);
        channel.preset = preset(channel.channel_type, self.preset, kept)?;
        self.multitrack_input_configuration
            .apply(&mut channel.multitrack_input)?;
        check(channel)
    }
}

impl MultitrackMembers {
    fn apply(self, multitrack: &mut MultitrackInputConfiguration) -> Result<(), ApiError> {
        if self.enabled == Some(true) {
            for (name, missing) in [
                ("policy", self.policy.is_none()),
                ("maximumResolution", self.maximum_resolution.is_none()),
            ] {
                if missing {
                    return Err(ApiError::validation(format!(
                        "`multitrackInputConfiguration.{name}`: missing, is required with enabled true"
                    )));
                }
            }
        }
        set(&mut multitrack.enabled, self.enabled);
        set(&mut multitrack.policy, self.policy);
        set(&mut multitrack.maximum_resolution, self.maximum_resolution);
        Ok(())
    }
}

fn set<T>(member: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *member = given;
    }
}

/// Only ADVANCED types have a preset; a new type begins with its default.
fn preset(
    channel_type: ChannelType,
    given: Option<TranscodePreset>,
    kept: Option<TranscodePreset>,
) -> Result<TranscodePreset, ApiError> {
    match (channel_type, given) {
        (ChannelType::AdvancedSd | ChannelType::AdvancedHd, given) => Ok(given
            .or(kept)
            .unwrap_or(TranscodePreset::HigherBandwidthDelivery)),
        (ChannelType::Basic | ChannelType::Standard, None) => Ok(TranscodePreset::None),
        (ChannelType::Basic | ChannelType::Standard, Some(_)) => Err(ApiError::validation(
            "`preset`: given, allowed only with type ADVANCED_SD or ADVANCED_HD",
        )),
    }
}

fn check(channel: &ChannelRecord) -> Result<(), ApiError> {
    let fragmented = channel.container_format == ContainerFormat::FragmentedMp4;
    if channel.multitrack_input.enabled
        && (channel.channel_type != ChannelType::Standard || !fragmented)
    {
        return Err(ApiError::validation(
            "`multitrackInputConfiguration.enabled`: true given, needs type STANDARD and containerFormat FRAGMENTED_MP4",
        ));
    }
    if channel.ad_configuration.is_some() && fragmented {
        return Err(ApiError::validation(
            "`adConfigurationArn`: given, needs containerFormat TS",
        ));
    }
    Ok(())
}
