//! Encoder configurations.

use serde::Deserialize;

use crate::dto::encoder_configuration::{EncoderConfigurationRecord, Video};
use crate::dto::{Summary, Tags};
use crate::error::ApiError;
use crate::input::Input;
use crate::ops::{PAGE_MAX, find_named, keep, list_page, shown};
use crate::reply::Reply;
use crate::state::Context;
use crate::store::Resource;

const MEMBER: &str = "encoderConfiguration";

/// Width x height of 1080p.
const PIXELS_MAX: u32 = 2_073_600;

#[derive(Deserialize)]
struct CreateRequest {
    #[serde(default)]
    name: String,
    #[serde(default)]
    video: Video,
    #[serde(default)]
    tags: Tags,
}

/// CreateEncoderConfiguration.
pub async fn create(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let CreateRequest { name, video, tags } = input.read()?;
    check_size(&video)?;
    let record = EncoderConfigurationRecord { name, video };
    Reply::one(MEMBER, &keep(cx, record, tags).await?)
}

/// GetEncoderConfiguration.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let found = find_named::<EncoderConfigurationRecord>(cx, input, "arn").await?;
    Reply::one(MEMBER, &shown(found))
}

/// ListEncoderConfigurations.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let (found, next_token) = list_page(cx, input, PAGE_MAX).await?;
    let summary = |found: Resource<EncoderConfigurationRecord>| Summary {
        arn: found.arn,
        name: found.record.name,
        tags: found.tags,
    };
    let found: Vec<Summary> = found.into_iter().map(summary).collect();
    Reply::page("encoderConfigurations", &found, next_token)
}

/// What the model cannot say of a canvas.
pub(crate) fn check_size(video: &Video) -> Result<(), ApiError> {
    let Video { width, height, .. } = *video;
    for (name, pixels) in [("width", width), ("height", height)] {
        if !pixels.is_multiple_of(2) {
            return Err(ApiError::validation(format!(
                "`video.{name}`: {pixels} given, must be even"
            )));
        }
    }
    let pixels = u32::from(width) * u32::from(height);
    if pixels > PIXELS_MAX {
        return Err(ApiError::validation(format!(
            "`video.width` x `video.height`: {width} x {height} = {pixels} pixels given, must be at most {PIXELS_MAX}"
        )));
    }
    Ok(())
}
