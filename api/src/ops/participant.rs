//! Participant tokens, and ending a participant.

use compositor_core::id::{ParticipantId, StageId};
use compositor_core::time::WallTime;

use crate::arn::Arn;
use crate::backend::TokenRequest;
use crate::dto::stage::{
    Capability, CreateParticipantTokenRequest, DisconnectParticipantRequest, ParticipantToken,
    StageRecord, TokenParameters,
};
use crate::error::{ApiError, ErrorKind};
use crate::ids;
use crate::input::Input;
use crate::ops::find;
use crate::reply::Reply;
use crate::state::Context;
use crate::store::Resource;
use crate::wall_clock::iso8601;

const MICROS_PER_MINUTE: i64 = 60 * 1_000_000;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// CreateParticipantToken.
pub async fn create_token(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let CreateParticipantTokenRequest {
        stage_arn,
        parameters,
    } = input.read()?;
    parameters.check("attributes")?;
    find::<StageRecord>(cx, &stage_arn).await?;
    let token = mint(cx, &stage_arn, parameters).await?;
    Reply::one("participantToken", &token)
}

/// DisconnectParticipant. The token is refused afterwards, also after a restart.
pub async fn disconnect(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let DisconnectParticipantRequest {
        stage_arn,
        participant_id,
        reason,
    } = input.read()?;
    let stage: Resource<StageRecord> = find(cx, &stage_arn).await?;
    let id = ParticipantId::new(participant_id);
    let has_token = cx.store().revoke_token(cx.now, &stage.arn, &id).await?;
    let stage_id = StageId::new(stage.arn.id());
    // A connection outlives the token that it was made with.
    let was_connected = cx
        .backend()
        .disconnect_participant(&stage_id, &id, &reason)
        .await?;
    if has_token || was_connected {
        return Ok(Reply::empty());
    }
    Err(ApiError::new(
        ErrorKind::ResourceNotFound,
        format!("participant '{id}' of {} does not exist", stage.arn),
    ))
}

/// Makes a participant of the stage and its token.
pub(super) async fn mint(
    cx: Context<'_>,
    stage: &Arn,
    parameters: TokenParameters,
) -> Result<ParticipantToken, ApiError> {
    let TokenParameters {
        duration,
        user_id,
        attributes,
        capabilities,
    } = parameters;
    let participant = ParticipantId::new(ids::resource_id());
    // Claims have whole seconds; the answer says the same time.
    let issued_at = WallTime(cx.now.0 - cx.now.0.rem_euclid(MICROS_PER_SECOND));
    let expires_at = WallTime(issued_at.0 + i64::from(duration) * MICROS_PER_MINUTE);
    let request = TokenRequest {
        stage: stage.clone(),
        participant: participant.clone(),
        user_id: user_id.clone(),
        attributes: attributes.clone().unwrap_or_default(),
        allow_publish: capabilities.contains(&Capability::Publish),
        allow_subscribe: capabilities.contains(&Capability::Subscribe),
        issued_at,
        expires_at,
    };
    cx.store()
        .remember_token(cx.now, stage, &participant, expires_at)
        .await?;
    let token = cx.backend().mint_participant_token(&request).await?;
    Ok(ParticipantToken {
        participant_id: participant.to_string(),
        token,
        user_id,
        attributes,
        capabilities,
        expiration_time: iso8601(expires_at),
    })
}
