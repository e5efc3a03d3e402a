//! The HTTP of WHIP (RFC 9725) and of subscribing: tokens, headers and status codes; SDP is the gateway's.
//!
//! `POST /whip` publishes, `POST /whip/subscribe/<participantId>` subscribes; both answer 201 with `Location`
//! `/whip/session/<id>`, which takes PATCH (trickle ICE, ICE restart) and DELETE.

mod error;
mod user_agent;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{patch, post};
use compositor_core::id::ParticipantId;
use recorder::WallClock;
use stage_gateway::error::{OfferError, TokenError};
use stage_gateway::history::ClientAttributes;
use stage_gateway::token::{self, Grant, ImportedKey};
use stage_gateway::{Answer, Gateway, PatchAnswer};

use self::error::WhipError;
use crate::arn::{Arn, ArnKind};
use crate::dto::public_key::PublicKeyRecord;
use crate::dto::stage::StageRecord;
use crate::public_key::P384PublicKey;
use crate::store::{KnownToken, Store, StoreError};
use crate::validate::shown;

const SDP: &str = "application/sdp";
const SDP_FRAGMENT: &str = "application/trickle-ice-sdpfrag";
/// Longer offers are refused by the gateway with its own limit; this one protects the reading.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// A pre-flight answer holds for a day.
const PREFLIGHT_SECONDS: &str = "86400";

/// What the routes work with.
#[derive(Clone, Debug)]
pub struct WhipState {
    /// Answers offers.
    pub gateway: Gateway,
    /// Where stages are.
    pub region: String,
    /// Knows which stages and public keys exist.
    pub store: Store,
    /// For token expiry.
    pub clock: WallClock,
}

/// The routes below `/whip`.
pub fn router(state: WhipState) -> Router {
    Router::new()
        .route("/whip", post(publish).options(preflight))
        .route(
            "/whip/subscribe/{participant}",
            post(subscribe).options(preflight),
        )
        .route(
            "/whip/session/{resource}",
            patch(trickle).delete(end).options(preflight),
        )
        .method_not_allowed_fallback(|| async { WhipError::method_not_allowed() })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(any_origin))
        .with_state(state)
}

async fn publish(
    State(state): State<WhipState>,
    headers: HeaderMap,
    offer: Bytes,
) -> Result<Response, WhipError> {
    let grant = state.grant(&headers).await?;
    let offer = sdp_text(&headers, SDP, &offer)?;
    let publishing = state.gateway.publish(&grant, client_of(&headers), offer);
    let answered = publishing.await;
    created(state.confirm(&grant, answered).await?)
}

async fn subscribe(
    State(state): State<WhipState>,
    Path(publisher): Path<String>,
    headers: HeaderMap,
    offer: Bytes,
) -> Result<Response, WhipError> {
    let grant = state.grant(&headers).await?;
    let offer = sdp_text(&headers, SDP, &offer)?;
    if !token::is_participant_id(&publisher) {
        // Nobody is called that, and what is remembered of attempts names participants only.
        let publisher = ParticipantId::new(shown(&publisher));
        return Err(OfferError::PublisherNotFound { publisher }.into());
    }
    let (publisher, client) = (ParticipantId::new(publisher), client_of(&headers));
    let subscribing = state.gateway.subscribe(&grant, client, &publisher, offer);
    let answered = subscribing.await;
    created(state.confirm(&grant, answered).await?)
}

async fn trickle(
    State(state): State<WhipState>,
    Path(resource): Path<String>,
    headers: HeaderMap,
    fragment: Bytes,
) -> Result<Response, WhipError> {
    let grant = state.grant_on(&headers, &resource).await?;
    let fragment = sdp_text(&headers, SDP_FRAGMENT, &fragment)?;
    let if_match = headers
        .get(header::IF_MATCH)
        .and_then(|value| value.to_str().ok());
    Ok(
        match state
            .gateway
            .patch(&grant, &resource, if_match, fragment)
            .await?
        {
            PatchAnswer::Trickled => StatusCode::NO_CONTENT.into_response(),
            PatchAnswer::Restarted { etag, fragment } => {
                let headers = [
                    (header::CONTENT_TYPE, SDP_FRAGMENT.to_owned()),
                    (header::ETAG, etag),
                ];
                (StatusCode::OK, headers, fragment).into_response()
            }
        },
    )
}

async fn end(
    State(state): State<WhipState>,
    Path(resource): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, WhipError> {
    let grant = state.grant_on(&headers, &resource).await?;
    state.gateway.delete(&grant, &resource).await?;
    Ok(StatusCode::OK)
}

async fn preflight() -> impl IntoResponse {
    let headers = [
        (
            header::ACCESS_CONTROL_ALLOW_METHODS,
            "POST, PATCH, DELETE, OPTIONS",
        ),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, if-match",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS),
        (HeaderName::from_static("accept-post"), SDP),
    ];
    (StatusCode::NO_CONTENT, headers)
}

/// Tokens, not cookies, authorize here, so any page may call.
async fn any_origin(request: axum::extract::Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "location, etag, link, accept-patch, retry-after, www-authenticate",
        ),
    );
    response
}

impl WhipState {
    /// The bearer token's rights on a connection. Tokens are checked when somebody joins: the one that made the connection
    /// is good for as long as that lasts, another one must be good now.
    async fn grant_on(&self, headers: &HeaderMap, resource: &str) -> Result<Grant, WhipError> {
        match self.gateway.made_with(bearer(headers)?, resource) {
            Some(grant) => Ok(grant),
            None => self.grant(headers).await,
        }
    }

    /// The bearer token's rights, on a stage that exists.
    async fn grant(&self, headers: &HeaderMap) -> Result<Grant, WhipError> {
        let token = bearer(headers)?;
        let key_id = token::key_id(token)?;
        let imported = match &key_id {
            Some(key_id) => Some(self.imported_key(key_id).await?),
            None => None,
        };
        let now = self.clock.now();
        let grant = self.gateway.verify_token(now, token, imported.as_ref())?;
        let stage = self.stage_of(&grant);
        if !self.has_stage(&stage).await? {
            return Err(WhipError::stage_gone(&grant.stage));
        }
        self.admit(&stage, &grant, key_id.is_some()).await?;
        Ok(grant)
    }

    /// Asks the store once more when the session has let somebody in: DeleteStage and DisconnectParticipant write there
    /// first, so one that came meanwhile either found the connection or is seen here.
    async fn confirm(
        &self,
        grant: &Grant,
        answered: Result<Answer, OfferError>,
    ) -> Result<Answer, WhipError> {
        let may_stay = self.may_stay(grant).await;
        if let (Err(_), Ok(answer)) = (&may_stay, &answered) {
            // It may have ended by itself.
            let _ = self.gateway.delete(grant, &answer.resource).await;
        }
        may_stay?;
        Ok(answered?)
    }

    async fn may_stay(&self, grant: &Grant) -> Result<(), WhipError> {
        let stage = self.stage_of(grant);
        if !self.has_stage(&stage).await? {
            self.gateway.delete_stage(&grant.stage).await;
            return Err(WhipError::stage_gone(&grant.stage));
        }
        self.refuse_revoked(&stage, grant).await.map(drop)
    }

    fn stage_of(&self, grant: &Grant) -> Arn {
        let id = grant.stage.as_str();
        Arn::new(&self.region, &grant.account, ArnKind::Stage, id)
    }

    async fn has_stage(&self, stage: &Arn) -> Result<bool, StoreError> {
        let found = self.store.find::<StageRecord>(stage.account(), stage);
        Ok(found.await?.is_some())
    }

    async fn imported_key(&self, key_id: &str) -> Result<ImportedKey, WhipError> {
        let key = match Arn::parse(key_id).filter(|arn| arn.kind() == ArnKind::PublicKey) {
            Some(arn) => {
                let found = self.store.find::<PublicKeyRecord>(arn.account(), &arn);
                let record = found.await?.map(|found| found.record);
                let key = record.and_then(|r| P384PublicKey::from_pem(&r.public_key_material));
                key.and_then(|key| ImportedKey::from_pem(arn.account(), &key.to_pem()))
            }
            None => None,
        };
        key.ok_or_else(|| {
            let key_id = shown(key_id);
            TokenError::UnknownKey { key_id }.into()
        })
    }

    /// Refuses whom DisconnectParticipant named, and makes a participant who came with a token of the application's own
    /// known to the stage.
    async fn admit(&self, stage: &Arn, grant: &Grant, self_signed: bool) -> Result<(), WhipError> {
        let known = self.refuse_revoked(stage, grant).await?;
        if self_signed && known.is_none_or(|known| known.expires_at < grant.expires_at) {
            let (now, expires_at) = (self.clock.now(), grant.expires_at);
            let remembered = self
                .store
                .remember_token(now, stage, &grant.participant, expires_at);
            remembered.await?;
        }
        Ok(())
    }

    async fn refuse_revoked(
        &self,
        stage: &Arn,
        grant: &Grant,
    ) -> Result<Option<KnownToken>, WhipError> {
        let known = self.store.token(stage, &grant.participant).await?;
        if known.is_some_and(|known| known.revoked) {
            let participant = grant.participant.clone();
            return Err(TokenError::Revoked { participant }.into());
        }
        Ok(known)
    }
}

/// The token that the request shows.
fn bearer(headers: &HeaderMap) -> Result<&str, WhipError> {
    let authorization = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let (scheme, token) = authorization
        .and_then(|value| value.split_once(' '))
        .ok_or_else(WhipError::no_token)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(WhipError::no_token());
    }
    Ok(token.trim())
}

/// What the client says of itself.
fn client_of(headers: &HeaderMap) -> ClientAttributes {
    let user_agent = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok());
    user_agent::client_attributes(user_agent.unwrap_or_default())
}

fn sdp_text<'a>(
    headers: &HeaderMap,
    wanted: &'static str,
    body: &'a Bytes,
) -> Result<&'a str, WhipError> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case(wanted) {
        return Err(WhipError::content_type(given, wanted));
    }
    std::str::from_utf8(body).map_err(|_| WhipError::not_text())
}

fn created(answer: Answer) -> Result<Response, WhipError> {
    let mut response = (StatusCode::CREATED, answer.sdp).into_response();
    let headers = response.headers_mut();
    let location = format!("/whip/session/{}", answer.resource);
    let fixed = [
        (header::CONTENT_TYPE, SDP.to_owned()),
        (header::LOCATION, location),
        (header::ETAG, answer.etag),
        (
            HeaderName::from_static("accept-patch"),
            SDP_FRAGMENT.to_owned(),
        ),
    ];
    let links = answer
        .ice_links
        .into_iter()
        .map(|link| (header::LINK, link));
    for (name, value) in fixed.into_iter().chain(links) {
        headers.append(
            name,
            HeaderValue::try_from(value).map_err(|_| WhipError::internal())?,
        );
    }
    Ok(response)
}
