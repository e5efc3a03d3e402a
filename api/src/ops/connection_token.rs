//! Connection tokens. They open the events WebSocket, which is not served; what is revoked is remembered.

use serde::Deserialize;

use crate::error::ApiError;
use crate::input::Input;
use crate::reply::Reply;
use crate::state::Context;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RevokeRequest {
    token_id: String,
}

/// RevokeConnectionToken. Tokens are known to the application alone, so any identifier may be revoked, and again.
pub async fn revoke(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let RevokeRequest { token_id } = input.read()?;
    cx.store()
        .revoke_connection_token(cx.now, cx.account(), &token_id)
        .await?;
    Ok(Reply::empty())
}
