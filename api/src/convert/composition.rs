//! StartComposition: which of the members may stand together.

use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::arn::{Arn, ArnKind};
use crate::dto::Tags;
use crate::dto::composition::{
    ChannelDestinationConfiguration, DestinationConfiguration, DestinationTarget,
    S3DestinationConfiguration,
};
use crate::dto::layout::{GridConfiguration, LayoutConfiguration, PipConfiguration};
use crate::error::ApiError;
use crate::input::Input;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    stage_arn: Arn,
    idempotency_token: Option<String>,
    #[serde(default)]
    layout: LayoutRequest,
    destinations: Vec<DestinationRequest>,
    #[serde(default)]
    tags: Tags,
}

/// A layout as it is asked for.
#[derive(Default, Deserialize)]
pub(crate) struct LayoutRequest {
    grid: Option<GridConfiguration>,
    pip: Option<PipConfiguration>,
}

#[derive(Deserialize)]
struct DestinationRequest {
    #[serde(default)]
    name: String,
    channel: Option<ChannelDestinationConfiguration>,
    s3: Option<S3DestinationConfiguration>,
}

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
    pub destinations: Vec<DestinationConfiguration>,
    /// Its tags.
    pub tags: Tags,
}

impl StartComposition {
    /// Reads the request.
    pub fn read(input: &Input) -> Result<Self, ApiError> {
        let request: Request = input.read()?;
        let destinations = request.destinations.into_iter().enumerate();
        let destinations: Result<Vec<_>, ApiError> =
            destinations.map(|(i, given)| given.check(i)).collect();
        let destinations = destinations?;
        check_one_of_each(&destinations)?;
        Ok(Self {
            stage: request.stage_arn,
            idempotency_token: request.idempotency_token,
            layout: request.layout.check()?,
            destinations,
            tags: request.tags,
        })
    }

    /// Equal for requests that ask for the same thing, whether or not they spell out defaults.
    pub fn digest(&self) -> String {
        let canonical = json!({
            "stageArn": self.stage,
            "layout": self.layout,
            "destinations": self.destinations,
            "tags": self.tags,
        });
        hex::encode(Sha256::digest(canonical.to_string().as_bytes()))
    }
}

impl LayoutRequest {
    /// With defaults filled in.
    pub(crate) fn check(self) -> Result<LayoutConfiguration, ApiError> {
        match (self.grid, self.pip) {
            (Some(_), Some(_)) => Err(ApiError::validation(
                "`layout`: grid and pip given, at most one of them allowed",
            )),
            (None, Some(pip)) => Ok(LayoutConfiguration::Pip(pip)),
            (grid, None) => Ok(LayoutConfiguration::Grid(grid.unwrap_or_default())),
        }
    }
}

impl DestinationRequest {
    fn check(self, index: usize) -> Result<DestinationConfiguration, ApiError> {
        let target = match (self.channel, self.s3) {
            (Some(channel), None) => DestinationTarget::Channel(channel),
            (None, Some(s3)) => DestinationTarget::S3(s3),
            (channel, _) => {
                let given = if channel.is_some() { "both" } else { "neither" };
                return Err(ApiError::validation(format!(
                    "`destinations[{index}].channel`, `destinations[{index}].s3`: {given} given, exactly one of them allowed"
                )));
            }
        };
        let name = self.name;
        Ok(DestinationConfiguration { name, target })
    }
}

impl DestinationTarget {
    /// What is encoded; channel destinations may name nothing.
    pub fn encoder_configuration(&self) -> Option<&Arn> {
        match self {
            Self::Channel(channel) => channel.encoder_configuration_arn.as_ref(),
            Self::S3(s3) => s3.encoder_configuration_arns.first(),
        }
    }

    /// The channel or the storage configuration.
    pub fn arn(&self) -> &Arn {
        match self {
            Self::Channel(channel) => &channel.channel_arn,
            Self::S3(s3) => &s3.storage_configuration_arn,
        }
    }
}

fn check_one_of_each(destinations: &[DestinationConfiguration]) -> Result<(), ApiError> {
    let channels = destinations
        .iter()
        .filter(|destination| destination.target.arn().kind() == ArnKind::Channel)
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
