//! A new recording configuration is CREATING until its bucket was written to: then it is ACTIVE, or CREATE_FAILED.

use std::time::Duration;

use compositor_core::error_chain::error_chain;

use crate::arn::Arn;
use crate::backend::Backend;
use crate::dto::recording_configuration::{
    RecordingConfigurationRecord, RecordingConfigurationState as State,
};
use crate::retry::until_done;
use crate::state::ApiState;
use crate::store::{Resource, StoreError};

/// How long a bucket has to answer; IVS says within 20 seconds.
const BUCKET_TIMEOUT: Duration = Duration::from_secs(18);

/// Between two tries at an S3 that does not answer as it should.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Checks the bucket of a new recording configuration on a task of its own.
pub fn begin(state: &ApiState, arn: &Arn, record: &RecordingConfigurationRecord) {
    let bucket = record.destination_configuration.s3.bucket_name.clone();
    tokio::spawn(settle(state.clone(), arn.clone(), bucket));
}

/// Checks again what was CREATING when an earlier run ended.
pub async fn resume(state: &ApiState) -> Result<(), StoreError> {
    let all: Vec<Resource<RecordingConfigurationRecord>> = state.store.of_all_accounts().await?;
    for found in all {
        if found.record.state == State::Creating {
            begin(state, &found.arn, &found.record);
        }
    }
    Ok(())
}

async fn settle(state: ApiState, arn: Arn, bucket: String) {
    let checked = tokio::time::timeout(BUCKET_TIMEOUT, check(state.backend.as_ref(), &bucket));
    let settled = match checked.await {
        Ok(true) => State::Active,
        Ok(false) => State::CreateFailed,
        Err(_) => {
            tracing::warn!(%arn, bucket, seconds = BUCKET_TIMEOUT.as_secs(), "no answer from the bucket");
            State::CreateFailed
        }
    };
    let set = |record: &mut RecordingConfigurationRecord| -> Result<(), StoreError> {
        record.state = settled;
        Ok(())
    };
    let failure = "a recording configuration stays in CREATING";
    let found = until_done(failure, || state.store.update(arn.account(), &arn, set)).await;
    if found.is_some() {
        tracing::info!(%arn, bucket, state = ?settled, "recording configuration");
    }
}

/// Whether the bucket can be written to; goes on until S3 says so or says no.
async fn check(backend: &dyn Backend, bucket: &str) -> bool {
    loop {
        match backend.bucket_writable(bucket).await {
            Ok(writable) => return writable,
            Err(error) => {
                tracing::warn!(bucket, error = %error_chain(&error), "cannot check a bucket, trying again");
            }
        }
        tokio::time::sleep(TRY_AGAIN_AFTER).await;
    }
}
