//! Recording configurations.

use serde::Deserialize;

use crate::dto::Tags;
use crate::dto::recording_configuration::{
    DestinationConfiguration, RecordingConfigurationRecord, RecordingConfigurationState,
    RecordingConfigurationSummary, RecordingResolution, RenditionConfiguration, RenditionSelection,
    ThumbnailConfiguration,
};
use crate::dto::stage::{ThumbnailRecordingMode, ThumbnailStorage};
use crate::dto::storage_configuration::S3StorageConfiguration;
use crate::error::ApiError;
use crate::input::Input;
use crate::ops::{find_named, keep, list_page, shown};
use crate::recording_setup;
use crate::reply::Reply;
use crate::state::Context;
use crate::store::Resource;

const MEMBER: &str = "recordingConfiguration";
const THUMBNAIL_INTERVAL_DEFAULT: u32 = 60;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateRequest {
    #[serde(default)]
    name: String,
    destination_configuration: DestinationMembers,
    #[serde(default)]
    tags: Tags,
    #[serde(default)]
    thumbnail_configuration: ThumbnailMembers,
    #[serde(default)]
    recording_reconnect_window_seconds: u32,
    #[serde(default)]
    rendition_configuration: RenditionMembers,
}

#[derive(Deserialize)]
struct DestinationMembers {
    s3: Option<S3StorageConfiguration>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ThumbnailMembers {
    recording_mode: Option<ThumbnailRecordingMode>,
    target_interval_seconds: Option<u32>,
    resolution: Option<RecordingResolution>,
    storage: Option<Vec<ThumbnailStorage>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RenditionMembers {
    rendition_selection: Option<RenditionSelection>,
    #[serde(default)]
    renditions: Vec<RecordingResolution>,
}

/// CreateRecordingConfiguration. The bucket is checked after the answer.
pub async fn create(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let request: CreateRequest = input.read()?;
    let s3 = request.destination_configuration.s3.ok_or_else(|| {
        ApiError::validation("`destinationConfiguration.s3`: missing, is required")
    })?;
    let record = RecordingConfigurationRecord {
        name: request.name,
        destination_configuration: DestinationConfiguration { s3 },
        state: RecordingConfigurationState::Creating,
        thumbnail_configuration: thumbnails(request.thumbnail_configuration)?,
        recording_reconnect_window_seconds: request.recording_reconnect_window_seconds,
        rendition_configuration: renditions(request.rendition_configuration),
    };
    let created = keep(cx, record, request.tags).await?;
    recording_setup::begin(cx.state, &created.arn, &created.record);
    Reply::one(MEMBER, &created)
}

/// GetRecordingConfiguration.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let found = find_named::<RecordingConfigurationRecord>(cx, input, "arn").await?;
    Reply::one(MEMBER, &shown(found))
}

/// ListRecordingConfigurations.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let default = cx.store().quotas().recording_configurations;
    let (found, next_token) = list_page(cx, input, default).await?;
    let found: Vec<_> = found.into_iter().map(summary).collect();
    Reply::page("recordingConfigurations", &found, next_token)
}

fn summary(found: Resource<RecordingConfigurationRecord>) -> RecordingConfigurationSummary {
    RecordingConfigurationSummary {
        arn: found.arn,
        name: found.record.name,
        destination_configuration: found.record.destination_configuration,
        state: found.record.state,
        tags: found.tags,
    }
}

/// An interval belongs to INTERVAL: who asks for that mode says how long, with another one it means nothing.
fn thumbnails(given: ThumbnailMembers) -> Result<ThumbnailConfiguration, ApiError> {
    let resolution = given.resolution;
    match (given.recording_mode, given.target_interval_seconds) {
        (Some(ThumbnailRecordingMode::Interval), None) => Err(ApiError::validation(
            "`thumbnailConfiguration.targetIntervalSeconds`: missing, is required with recordingMode INTERVAL",
        )),
        (Some(ThumbnailRecordingMode::Disabled), _) => Ok(ThumbnailConfiguration {
            recording_mode: ThumbnailRecordingMode::Disabled,
            target_interval_seconds: None,
            resolution,
            storage: given.storage,
        }),
        (Some(ThumbnailRecordingMode::Interval) | None, interval) => {
            let storage = given.storage.filter(|storage| !storage.is_empty());
            Ok(ThumbnailConfiguration {
                recording_mode: ThumbnailRecordingMode::Interval,
                target_interval_seconds: interval.or(Some(THUMBNAIL_INTERVAL_DEFAULT)),
                resolution,
                storage: storage.or_else(|| Some(vec![ThumbnailStorage::Sequential])),
            })
        }
    }
}

/// A choice of renditions means something with CUSTOM only.
fn renditions(given: RenditionMembers) -> RenditionConfiguration {
    let selection = given.rendition_selection.unwrap_or(RenditionSelection::All);
    RenditionConfiguration {
        rendition_selection: selection,
        renditions: match selection {
            RenditionSelection::Custom => given.renditions,
            RenditionSelection::All | RenditionSelection::None => Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn thumbnails_of(given: Value) -> Result<Value, String> {
        let given = thumbnails(serde_json::from_value(given).unwrap());
        let given = given.map_err(|error| error.message().to_owned())?;
        Ok(serde_json::to_value(given).unwrap())
    }

    fn renditions_of(given: Value) -> Value {
        let given = renditions(serde_json::from_value(given).unwrap());
        serde_json::to_value(given).unwrap()
    }

    #[test]
    fn thumbnails_are_made_each_minute_unless_asked_otherwise() {
        assert_eq!(
            thumbnails_of(json!({})).unwrap(),
            json!({"recordingMode": "INTERVAL", "targetIntervalSeconds": 60, "storage": ["SEQUENTIAL"]})
        );
        let asked = json!({"recordingMode": "INTERVAL", "targetIntervalSeconds": 5, "resolution": "HD",
                           "storage": ["SEQUENTIAL", "LATEST"]});
        assert_eq!(thumbnails_of(asked.clone()).unwrap(), asked);
        let off = json!({"recordingMode": "DISABLED"});
        assert_eq!(thumbnails_of(off.clone()).unwrap(), off);
    }

    #[test]
    fn an_interval_belongs_to_the_interval_mode() {
        let asked = json!({"recordingMode": "DISABLED", "targetIntervalSeconds": 5});
        assert_eq!(
            thumbnails_of(asked).unwrap(),
            json!({"recordingMode": "DISABLED"})
        );
        let refused = thumbnails_of(json!({"recordingMode": "INTERVAL"})).unwrap_err();
        assert!(refused.contains("is required with"), "{refused}");
        assert!(thumbnails_of(json!({"targetIntervalSeconds": 5})).is_ok());
    }

    #[test]
    fn renditions_are_chosen_with_custom() {
        let all = json!({"renditionSelection": "ALL", "renditions": []});
        assert_eq!(renditions_of(json!({})), all);
        assert_eq!(renditions_of(json!({"renditions": ["SD"]})), all);
        let custom =
            json!({"renditionSelection": "CUSTOM", "renditions": ["SD", "LOWEST_RESOLUTION"]});
        assert_eq!(renditions_of(custom.clone()), custom);
    }
}
