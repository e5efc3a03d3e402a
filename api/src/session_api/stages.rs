//! Routes of the session itself, of stages and of who is on them.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use compositor_core::id::StageId;
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::wall_clock::iso8601;

use super::calls::id_of;
use super::error::SessionError;
use super::http_shape::{JsonBody, login_cookie, set_login_cookie};
use super::wire::{CreateStage, CreateToken, Login, ParticipantView, StageView};
use super::{PublishingParticipant, Shared};

/// `GET /session/config`
pub(super) async fn config(State(shared): State<Shared>, headers: HeaderMap) -> Json<Value> {
    let api = &shared.api;
    Json(json!({
        "region": api.state.settings.region,
        "accountId": api.principal.account,
        "whipUrl": api.state.settings.stage_endpoints().whip,
        "loginRequired": api.guard.login_required(),
        "loggedIn": api.guard.logged_in(login_cookie(&headers)),
    }))
}

/// `POST /session/login`
pub(super) async fn login(
    State(shared): State<Shared>,
    JsonBody(login): JsonBody<Login>,
) -> Result<Response, SessionError> {
    let api = &shared.api;
    let now = api.clock.monotonic();
    let cookie = api
        .guard
        .login(now, &login.password)
        .map_err(SessionError::Login)?;
    let secure = api.state.settings.public_url.starts_with("https:");
    let header = set_login_cookie(cookie.expose(), secure);
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, header)]).into_response())
}

/// What is used of an answer about a stage.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stage {
    arn: String,
    #[serde(default)]
    name: String,
    active_session_id: Option<String>,
}

impl From<Stage> for StageView {
    fn from(stage: Stage) -> Self {
        let Stage {
            arn,
            name,
            active_session_id,
        } = stage;
        let name = Some(name).filter(|name| !name.is_empty());
        Self {
            stage_id: id_of(&arn).to_owned(),
            arn,
            name,
            active_session_id,
        }
    }
}

/// `GET /session/stages`
pub(super) async fn list(State(shared): State<Shared>) -> Result<Json<Value>, SessionError> {
    let stages: Vec<Stage> = shared.call_list("ListStages", "stages", json!({})).await?;
    let stages: Vec<StageView> = stages.into_iter().map(StageView::from).collect();
    Ok(Json(json!({ "stages": stages })))
}

/// `POST /session/stages`
pub(super) async fn create(
    State(shared): State<Shared>,
    JsonBody(CreateStage { name }): JsonBody<CreateStage>,
) -> Result<(StatusCode, Json<Value>), SessionError> {
    #[derive(Deserialize)]
    struct Created {
        stage: Stage,
    }
    let input = match name {
        Some(name) => json!({ "name": name }),
        None => json!({}),
    };
    let created: Created = shared.call("CreateStage", &input).await?;
    let stage = StageView::from(created.stage);
    Ok((StatusCode::CREATED, Json(json!({ "stage": stage }))))
}

/// `POST /session/stages/{stageId}/tokens`
pub(super) async fn create_token(
    State(shared): State<Shared>,
    Path(stage): Path<String>,
    JsonBody(request): JsonBody<CreateToken>,
) -> Result<(StatusCode, Json<Value>), SessionError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Created {
        participant_token: Token,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Token {
        token: String,
        participant_id: String,
        expiration_time: String,
    }
    let CreateToken {
        user_id,
        attributes,
        capabilities,
        duration_minutes,
    } = request;
    let mut input = json!({ "stageArn": shared.arn("stage", &stage) });
    let given = [
        ("userId", user_id.map(|given| json!(given))),
        ("attributes", attributes.map(|given| json!(given))),
        ("capabilities", capabilities.map(|given| json!(given))),
        ("duration", duration_minutes.map(|given| json!(given))),
    ];
    for (member, value) in given {
        if let Some(value) = value {
            input[member] = value;
        }
    }
    let created: Created = shared.call("CreateParticipantToken", &input).await?;
    let Token {
        token,
        participant_id,
        expiration_time,
    } = created.participant_token;
    let whip_url = shared.api.state.settings.stage_endpoints().whip;
    let answer = json!({
        "token": token,
        "participantId": participant_id,
        "whipUrl": whip_url,
        "expirationTime": expiration_time,
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

/// `GET /session/stages/{stageId}/participants`
pub(super) async fn participants(
    State(shared): State<Shared>,
    Path(stage): Path<String>,
) -> Result<Json<Value>, SessionError> {
    // Answers 404 for a stage that is not there.
    let _: Value = shared
        .call("GetStage", &json!({ "arn": shared.arn("stage", &stage) }))
        .await?;
    let publishing = shared.api.backend.publishing(&StageId::new(stage)).await;
    let participants: Vec<ParticipantView> =
        publishing.into_iter().map(ParticipantView::from).collect();
    Ok(Json(json!({ "participants": participants })))
}

impl From<PublishingParticipant> for ParticipantView {
    fn from(publishing: PublishingParticipant) -> Self {
        let PublishingParticipant {
            participant,
            user_id,
            attributes,
            has_audio,
            has_video,
            joined_at,
        } = publishing;
        Self {
            participant_id: participant.to_string(),
            user_id,
            attributes,
            has_audio,
            has_video,
            joined_at: joined_at.map(iso8601),
        }
    }
}
