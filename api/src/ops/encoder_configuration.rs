//! Encoder configurations.

use crate::arn::ArnKind;
use crate::convert;
use crate::dto::Tags;
use crate::dto::encoder_configuration::{
    EncoderConfiguration, EncoderConfigurationRecord, EncoderConfigurationResponse,
    ListEncoderConfigurationsResponse,
};
use crate::error::ApiError;
use crate::input::Input;
use crate::ops::{delete_named, find_named};
use crate::paging::{PageLimits, Paging};
use crate::reply::Reply;
use crate::state::Context;
use crate::store::{NewResource, Resource};

/// CreateEncoderConfiguration.
pub async fn create(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let members = &input.members()?;
    let record = convert::encoder_configuration::create(members)?;
    let tags = members.tags(ArnKind::EncoderConfiguration)?;
    let arn = cx.new_arn(ArnKind::EncoderConfiguration);
    let new = NewResource {
        arn: &arn,
        record: &record,
        tags: &tags,
    };
    cx.store().insert(cx.account(), new).await?;
    respond(arn.to_string(), record, tags)
}

/// GetEncoderConfiguration.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let found: Resource<EncoderConfigurationRecord> = find_named(cx, input, "arn").await?;
    respond(found.arn.to_string(), found.record, found.tags)
}

/// ListEncoderConfigurations.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let limits = PageLimits {
        default: 100,
        max: 100,
    };
    let paging = Paging::read(cx, input, &["ListEncoderConfigurations"], limits)?;
    let page = cx
        .store()
        .list::<EncoderConfigurationRecord>(cx.account(), paging.request, None)
        .await?;
    let next_token = paging.next_token(&page);
    let encoder_configurations = page.map(|found| EncoderConfiguration {
        arn: found.arn.to_string(),
        name: found.record.name,
        video: None,
        tags: found.tags,
    });
    Reply::ok(&ListEncoderConfigurationsResponse {
        encoder_configurations: encoder_configurations.items,
        next_token,
    })
}

/// DeleteEncoderConfiguration.
pub async fn delete(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    delete_named(cx, input).await
}

fn respond(arn: String, record: EncoderConfigurationRecord, tags: Tags) -> Result<Reply, ApiError> {
    let EncoderConfigurationRecord { name, video } = record;
    Reply::ok(&EncoderConfigurationResponse {
        encoder_configuration: EncoderConfiguration {
            arn,
            name,
            video: Some(video),
            tags,
        },
    })
}
