//! The resources that compositions of the page use: made once, found again by their names.

use compositor_core::id::StageId;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ApiError;

use super::Inner;
use super::calls::Named;
use super::error::SessionError;
use super::wire::StartComposition;

/// Begins the name of everything that the page makes.
const PREFIX: &str = "proscenium-page";
/// Where the page records, unless the storage configuration of the page names another bucket.
const BUCKET: &str = "proscenium-page-recordings";

impl Inner {
    /// The encoder configuration for these values.
    pub(super) async fn encoder_configuration(
        &self,
        wanted: &StartComposition,
    ) -> Result<String, SessionError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Created {
            encoder_configuration: Named,
        }
        let StartComposition {
            width,
            height,
            framerate,
            bitrate,
            ..
        } = wanted;
        // Names have no dots.
        let name = format!("{PREFIX}-{width}x{height}-{framerate}-{bitrate}").replace('.', "_");
        let list = self.call_list(
            "ListEncoderConfigurations",
            "encoderConfigurations",
            json!({}),
        );
        if let Some(found) = named(list.await?, &name) {
            return Ok(found);
        }
        let video =
            json!({ "width": width, "height": height, "framerate": framerate, "bitrate": bitrate });
        let input = json!({ "name": name, "video": video });
        let created: Created = self.call("CreateEncoderConfiguration", &input).await?;
        Ok(created.encoder_configuration.arn)
    }

    /// The channel for the page's compositions of one stage.
    pub(super) async fn channel(&self, stage: &StageId) -> Result<String, SessionError> {
        #[derive(Deserialize)]
        struct Created {
            channel: Named,
        }
        let name = format!("{PREFIX}-{stage}");
        let filter = json!({ "filterByName": name });
        if let Some(found) = named(
            self.call_list("ListChannels", "channels", filter).await?,
            &name,
        ) {
            return Ok(found);
        }
        // The broadcast comes from this server itself, over plain RTMP.
        let input = json!({ "name": name, "insecureIngest": true });
        let created: Created = self.call("CreateChannel", &input).await?;
        Ok(created.channel.arn)
    }

    /// The storage configuration of the page, with its bucket.
    pub(super) async fn storage_configuration(&self) -> Result<String, SessionError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Created {
            storage_configuration: Named,
        }
        let list = self.call_list(
            "ListStorageConfigurations",
            "storageConfigurations",
            json!({}),
        );
        if let Some(found) = named(list.await?, PREFIX) {
            return Ok(found);
        }
        self.api.backend.ensure_bucket(BUCKET).await?;
        let input = json!({ "name": PREFIX, "s3": { "bucketName": BUCKET } });
        let created: Created = self.call("CreateStorageConfiguration", &input).await?;
        Ok(created.storage_configuration.arn)
    }

    /// The bucket of a storage configuration; `None` when it was deleted.
    pub(super) async fn bucket_of(
        &self,
        storage_configuration: &str,
    ) -> Result<Option<String>, ApiError> {
        let input = json!({ "arn": storage_configuration });
        let found: Option<Value> = self
            .call_optional("GetStorageConfiguration", &input)
            .await?;
        let bucket = |found: Value| {
            found["storageConfiguration"]["s3"]["bucketName"]
                .as_str()
                .map(str::to_owned)
        };
        Ok(found.and_then(bucket))
    }

    /// The playback URL of a channel; `None` when it was deleted.
    pub(super) async fn playback_url_of(&self, channel: &str) -> Result<Option<String>, ApiError> {
        let found: Option<Value> = self
            .call_optional("GetChannel", &json!({ "arn": channel }))
            .await?;
        Ok(found.and_then(|found| found["channel"]["playbackUrl"].as_str().map(str::to_owned)))
    }
}

fn named(list: Vec<Named>, name: &str) -> Option<String> {
    list.into_iter()
        .find(|entry| entry.name == name)
        .map(|entry| entry.arn)
}
