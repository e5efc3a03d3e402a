//! Revocation of viewer sessions: the store first, for those that begin later, then those that run.

use crate::dto::channel::ChannelRecord;
use crate::dto::viewer_session::{
    BatchStartViewerSessionRevocationError, BatchStartViewerSessionRevocationRequest,
    BatchStartViewerSessionRevocationResponse, ViewerSession,
};
use crate::error::ApiError;
use crate::input::Input;
use crate::ops::find;
use crate::reply::Reply;
use crate::state::Context;
use crate::store::{Resource, Revocation};

/// StartViewerSessionRevocation.
pub async fn revoke(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let session: ViewerSession = input.read()?;
    find::<ChannelRecord>(cx, &session.channel_arn).await?;
    start(cx, &[session]).await?;
    Ok(Reply::empty())
}

/// BatchStartViewerSessionRevocation.
pub async fn batch_revoke(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let request: BatchStartViewerSessionRevocationRequest = input.read()?;
    let mut known = Vec::new();
    let mut errors = Vec::new();
    for session in request.viewer_sessions {
        let arn = &session.channel_arn;
        let found: Option<Resource<ChannelRecord>> = cx.store().find(cx.account(), arn).await?;
        if found.is_some() {
            known.push(session);
            continue;
        }
        let (code, message) = if arn.account() == cx.account() {
            ("404", "the channel does not exist")
        } else {
            ("403", "not authorized")
        };
        errors.push(BatchStartViewerSessionRevocationError {
            channel_arn: session.channel_arn,
            viewer_id: session.viewer_id,
            code,
            message,
        });
    }
    start(cx, &known).await?;
    Reply::ok(&BatchStartViewerSessionRevocationResponse { errors })
}

async fn start(cx: Context<'_>, sessions: &[ViewerSession]) -> Result<(), ApiError> {
    let revocations: Vec<Revocation<'_>> = sessions
        .iter()
        .map(|session| Revocation {
            channel: &session.channel_arn,
            viewer_id: &session.viewer_id,
            version: session.viewer_session_versions_less_than_or_equal_to,
        })
        .collect();
    let store = cx.store();
    store
        .revoke_viewers(cx.account(), cx.now, &revocations)
        .await?;
    for revocation in &revocations {
        cx.backend().revoke_viewer(revocation).await;
    }
    Ok(())
}
