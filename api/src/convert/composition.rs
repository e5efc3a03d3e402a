//! StartComposition.

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::arn::{Arn, ArnKind};
use crate::convert::stage::read_hls;
use crate::convert::{layout, required_arn};
use crate::dto::Tags;
use crate::dto::composition::{
    ChannelDestinationConfiguration, DestinationConfiguration, DestinationTarget,
    RecordingConfiguration, RecordingFormat, S3DestinationConfiguration, ThumbnailConfiguration,
};
use crate::dto::layout::LayoutConfiguration;
use crate::dto::stage::ThumbnailStorage;
use crate::error::ApiError;
use crate::validate::{Members, TextRule, as_arn};

/// One channel and one bucket.
const DESTINATIONS_MAX: usize = 2;

/// Seconds, of composite recordings.
const SEGMENT_SECONDS_DEFAULT: u32 = 2;

/// StartComposition, defaults filled in.
#[derive(Debug)]
pub struct StartComposition {
    /// What is composed.
    pub stage: Arn,
    /// Of the request, when given.
    pub idempotency_token: Option<String>,
    /// How.
    pub layout: LayoutConfiguration,
    /// Where to.
    pub destinations: Vec<DestinationRequest>,
    /// Its tags.
    pub tags: Tags,
}

/// One destination: what is echoed, and its ARNs in typed form.
#[derive(Debug)]
pub struct DestinationRequest {
    /// As it is echoed.
    pub configuration: DestinationConfiguration,
    /// Channel destinations may have none.
    pub encoder_configuration: Option<Arn>,
    /// A channel or a storage configuration.
    pub target: Arn,
}

impl StartComposition {
    /// Reads the request.
    pub fn read(members: &Members<'_>) -> Result<Self, ApiError> {
        let stage = required_arn(members, "stageArn", ArnKind::Stage)?;
        let idempotency_token = members.text("idempotencyToken", &TextRule::IDEMPOTENCY_TOKEN)?;
        let layout = layout::read(members.object("layout")?.as_ref())?;
        let given = members.list("destinations", 1..=DESTINATIONS_MAX)?;
        let destinations: Result<Vec<DestinationRequest>, ApiError> = members
            .required("destinations", given)?
            .into_iter()
            .map(|(path, value)| read_destination(&Members::at(path, value)?))
            .collect();
        let destinations = destinations?;
        check_one_of_each(&destinations)?;
        let tags = members.tags(ArnKind::Composition)?;
        Ok(Self {
            stage,
            idempotency_token,
            layout,
            destinations,
            tags,
        })
    }

    /// Equal for requests that ask for the same thing, whether or not they spell out defaults.
    pub fn digest(&self) -> String {
        let destinations: Vec<&DestinationConfiguration> =
            self.destinations.iter().map(|d| &d.configuration).collect();
        let canonical = json!({
            "stageArn": self.stage.to_string(),
            "layout": self.layout,
            "destinations": destinations,
            "tags": self.tags,
        });
        hex::encode(Sha256::digest(canonical.to_string().as_bytes()))
    }
}

fn check_one_of_each(destinations: &[DestinationRequest]) -> Result<(), ApiError> {
    let channels = destinations
        .iter()
        .filter(|d| d.target.kind() == ArnKind::Channel)
        .count();
    for (what, count) in [("channel", channels), ("s3", destinations.len() - channels)] {
        if count > 1 {
            return Err(ApiError::validation(format!(
                "`destinations`: {count} with {what} given, at most 1 allowed"
            )));
        }
    }
    Ok(())
}

fn read_destination(members: &Members<'_>) -> Result<DestinationRequest, ApiError> {
    let name = members.text("name", &TextRule::NAME)?.unwrap_or_default();
    match (members.object("channel")?, members.object("s3")?) {
        (Some(channel), None) => read_channel(name, &channel),
        (None, Some(s3)) => read_s3(name, &s3),
        (channel, _) => {
            let given = if channel.is_some() { "both" } else { "neither" };
            let path = members.path_of("channel");
            Err(ApiError::validation(format!(
                "`{path}`, `{}`: {given} given, exactly one of them allowed",
                members.path_of("s3")
            )))
        }
    }
}

fn read_channel(name: String, members: &Members<'_>) -> Result<DestinationRequest, ApiError> {
    let channel = required_arn(members, "channelArn", ArnKind::Channel)?;
    let encoder = members.arn("encoderConfigurationArn", ArnKind::EncoderConfiguration)?;
    let target = DestinationTarget::Channel(ChannelDestinationConfiguration {
        channel_arn: channel.to_string(),
        encoder_configuration_arn: encoder.as_ref().map(Arn::to_string),
    });
    Ok(DestinationRequest {
        configuration: DestinationConfiguration { name, target },
        encoder_configuration: encoder,
        target: channel,
    })
}

fn read_s3(name: String, members: &Members<'_>) -> Result<DestinationRequest, ApiError> {
    let storage_name = "storageConfigurationArn";
    let storage = required_arn(members, storage_name, ArnKind::StorageConfiguration)?;
    let encoders = members.list("encoderConfigurationArns", 1..=1)?;
    let encoders = members.required("encoderConfigurationArns", encoders)?;
    let (path, value) = encoders.first().expect("the count was checked");
    let encoder = as_arn(path, value, ArnKind::EncoderConfiguration)?;
    let target = DestinationTarget::S3(S3DestinationConfiguration {
        encoder_configuration_arns: vec![encoder.to_string()],
        storage_configuration_arn: storage.to_string(),
        recording_configuration: read_recording(members)?,
        thumbnail_configurations: read_thumbnails(members)?,
    });
    Ok(DestinationRequest {
        configuration: DestinationConfiguration { name, target },
        encoder_configuration: Some(encoder),
        target: storage,
    })
}

fn read_recording(members: &Members<'_>) -> Result<RecordingConfiguration, ApiError> {
    let recording = members.object("recordingConfiguration")?;
    let mut hls = None;
    let mut format = None;
    if let Some(recording) = &recording {
        hls = recording.object("hlsConfiguration")?;
        format = recording.choice("format")?;
    }
    Ok(RecordingConfiguration {
        format: format.unwrap_or(RecordingFormat::Hls),
        hls_configuration: match hls {
            Some(hls) => read_hls(&hls, SEGMENT_SECONDS_DEFAULT)?,
            None => crate::dto::stage::HlsConfiguration {
                target_segment_duration_seconds: SEGMENT_SECONDS_DEFAULT,
            },
        },
    })
}

fn read_thumbnails(members: &Members<'_>) -> Result<Vec<ThumbnailConfiguration>, ApiError> {
    let given = members
        .list("thumbnailConfigurations", 0..=1)?
        .unwrap_or_default();
    given
        .into_iter()
        .map(|(path, value)| {
            let members = Members::at(path, value)?;
            let interval = members.integer("targetIntervalSeconds", 1..=86_400)?;
            let storage = members.choices("storage", 2)?;
            Ok(ThumbnailConfiguration {
                storage: storage.unwrap_or_else(|| vec![ThumbnailStorage::Sequential]),
                target_interval_seconds: interval.unwrap_or(60),
            })
        })
        .collect()
}
