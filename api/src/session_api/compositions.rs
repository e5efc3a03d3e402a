//! Routes of compositions.

use axum::Json;
use axum::extract::{Path, Query, State};
use compositor_core::id::StageId;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ApiError;

use super::calls::id_of;
use super::error::SessionError;
use super::http_shape::JsonBody;
use super::wire::{
    ChannelView, CompositionView, DestinationView, ListCompositions, RecordingView,
    StartComposition, TargetView,
};
use super::{Inner, Shared};

/// Compositions that a list shows at most.
const LISTED_MAX: usize = 50;

/// `POST /session/compositions`
pub(super) async fn start(
    State(shared): State<Shared>,
    JsonBody(request): JsonBody<StartComposition>,
) -> Result<(StatusCode, Json<Value>), SessionError> {
    let input = start_input(&shared, request).await?;
    let started: Answered = shared.call("StartComposition", &input).await?;
    let composition = view(&shared, started.composition).await?;
    Ok((
        StatusCode::CREATED,
        Json(json!({ "composition": composition })),
    ))
}

async fn start_input(shared: &Inner, request: StartComposition) -> Result<Value, SessionError> {
    let stage_arn = shared.arn("stage", &request.stage_id);
    // A stage that is not there is refused before anything is made for it.
    let _: Value = shared
        .call("GetStage", &json!({ "arn": stage_arn }))
        .await?;
    let _making = shared.making.lock().await;
    let encoder = shared.encoder_configuration(&request).await?;
    let mut destinations = Vec::new();
    if request.channel {
        let channel = shared
            .channel(&StageId::new(request.stage_id.as_str()))
            .await?;
        let target = json!({ "channelArn": channel, "encoderConfigurationArn": encoder });
        destinations.push(json!({ "name": "page-channel", "channel": target }));
    }
    if request.recording {
        let storage = shared.storage_configuration().await?;
        let target = json!({
            "encoderConfigurationArns": [encoder],
            "storageConfigurationArn": storage,
            "recordingConfiguration": { "format": "HLS" },
        });
        destinations.push(json!({ "name": "page-recording", "s3": target }));
    }
    let layout = request
        .layout
        .unwrap_or(json!({ "grid": { "featuredParticipantAttribute": "featured" } }));
    Ok(json!({ "stageArn": stage_arn, "layout": layout, "destinations": destinations }))
}

/// `GET /session/compositions/{compositionId}`
pub(super) async fn get(
    State(shared): State<Shared>,
    Path(composition): Path<String>,
) -> Result<Json<Value>, SessionError> {
    answer(&shared, &shared.arn("composition", &composition)).await
}

/// `POST /session/compositions/{compositionId}/stop`
pub(super) async fn stop(
    State(shared): State<Shared>,
    Path(composition): Path<String>,
) -> Result<Json<Value>, SessionError> {
    let arn = shared.arn("composition", &composition);
    let _: Value = shared
        .call("StopComposition", &json!({ "arn": arn }))
        .await?;
    answer(&shared, &arn).await
}

/// `GET /session/compositions`
pub(super) async fn list(
    State(shared): State<Shared>,
    Query(ListCompositions { stage_id }): Query<ListCompositions>,
) -> Result<Json<Value>, SessionError> {
    let filter = match stage_id {
        Some(stage) => json!({ "filterByStageArn": shared.arn("stage", &stage) }),
        None => json!({}),
    };
    let mut summaries: Vec<Summary> = shared
        .call_list("ListCompositions", "compositions", filter)
        .await?;
    summaries.sort_by(|a, b| b.start_time.cmp(&a.start_time));
    let mut compositions = Vec::new();
    for summary in summaries.into_iter().take(LISTED_MAX) {
        // It may be gone since the list was read.
        let found: Option<Answered> = shared
            .call_optional("GetComposition", &json!({ "arn": summary.arn }))
            .await?;
        if let Some(found) = found {
            compositions.push(view(&shared, found.composition).await?);
        }
    }
    Ok(Json(json!({ "compositions": compositions })))
}

async fn answer(shared: &Inner, arn: &str) -> Result<Json<Value>, SessionError> {
    let found: Answered = shared
        .call("GetComposition", &json!({ "arn": arn }))
        .await?;
    let composition = view(shared, found.composition).await?;
    Ok(Json(json!({ "composition": composition })))
}

#[derive(Deserialize)]
struct Answered {
    composition: Composition,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    arn: String,
    start_time: Option<String>,
}

/// What is used of a composition.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Composition {
    arn: String,
    stage_arn: String,
    state: String,
    start_time: Option<String>,
    end_time: Option<String>,
    destinations: Vec<Destination>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Destination {
    id: String,
    state: String,
    start_time: Option<String>,
    end_time: Option<String>,
    configuration: Configuration,
    #[serde(default)]
    detail: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Target {
    Channel(ChannelTarget),
    S3(S3Target),
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(flatten)]
    target: Target,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChannelTarget {
    channel_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct S3Target {
    storage_configuration_arn: String,
}

async fn view(shared: &Inner, composition: Composition) -> Result<CompositionView, ApiError> {
    let Composition {
        arn,
        stage_arn,
        state,
        start_time,
        end_time,
        destinations,
    } = composition;
    let mut views = Vec::new();
    for destination in destinations {
        let Destination {
            id,
            state,
            start_time,
            end_time,
            configuration,
            detail,
        } = destination;
        let target = match configuration.target {
            Target::Channel(ChannelTarget { channel_arn }) => {
                let playback_url = shared
                    .playback_url_of(&channel_arn)
                    .await?
                    .unwrap_or_default();
                TargetView::Channel {
                    channel: ChannelView {
                        arn: channel_arn,
                        playback_url,
                    },
                }
            }
            Target::S3(S3Target {
                storage_configuration_arn,
            }) => {
                let bucket = shared
                    .bucket_of(&storage_configuration_arn)
                    .await?
                    .unwrap_or_default();
                let prefix = detail["s3"]["recordingPrefix"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                let recordings_url = shared.api.recordings_url.as_deref();
                TargetView::Recording {
                    recording: recording_view(recordings_url, bucket, prefix),
                }
            }
        };
        views.push(DestinationView {
            id,
            state,
            start_time,
            end_time,
            target,
        });
    }
    Ok(CompositionView {
        composition_id: id_of(&arn).to_owned(),
        arn,
        stage_id: id_of(&stage_arn).to_owned(),
        state,
        start_time,
        end_time,
        destinations: views,
    })
}

fn recording_view(recordings_url: Option<&str>, bucket: String, prefix: String) -> RecordingView {
    let known = !bucket.is_empty() && !prefix.is_empty();
    let playback_url = recordings_url
        .filter(|_| known)
        .map(|url| format!("{url}/{bucket}/{prefix}/media/hls/multivariant.m3u8"));
    RecordingView {
        uri: format!("s3://{bucket}/{prefix}"),
        bucket,
        prefix,
        playback_url,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_plays_from_the_embedded_server_only() {
        let embedded = recording_view(
            Some("http://127.0.0.1:9000"),
            "b".to_owned(),
            "a/composite".to_owned(),
        );
        assert_eq!(
            embedded.playback_url.as_deref(),
            Some("http://127.0.0.1:9000/b/a/composite/media/hls/multivariant.m3u8")
        );
        assert_eq!(embedded.uri, "s3://b/a/composite");
        assert_eq!(
            recording_view(None, "b".to_owned(), "p".to_owned()).playback_url,
            None
        );
    }
}
