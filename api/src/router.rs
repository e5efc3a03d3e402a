//! One address for both IVS services: which operation a request means, whether it may, and its answer.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::error::{ApiError, ErrorKind};
use crate::input::Input;
use crate::model::{self, Operation};
use crate::ops::{
    ad_configuration, channel, composition, connection_token, delete_named, encoder_configuration,
    failover_slate_configuration, in_stream, ingest_configuration, participant, playback_key_pair,
    playback_restriction_policy, public_key, recording_configuration, remove_named, replication,
    stage, stage_session, storage_configuration, stream, stream_key, stream_session, tag,
    viewer_session,
};
use crate::reply::{Reply, respond};
use crate::sigv4::{Principal, SignedParts, Verifier};
use crate::state::{ApiState, Context};

/// Largest request body; the largest legal request is far smaller.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest path and query that are looked at: an ARN and 50 tag keys, all percent-encoded, fit.
const TARGET_BYTES_MAX: usize = 64 * 1024;

/// Answers every path that no other router of the server takes.
pub fn router(state: ApiState) -> Router {
    Router::new().fallback(answer).with_state(state)
}

/// Runs one operation for a caller who is known already: the page's session API, which needs no signature.
/// `path_and_query` is in its encoded form, as a client would send it.
pub async fn dispatch(
    state: &ApiState,
    principal: &Principal,
    method: &Method,
    path_and_query: &str,
    body: &[u8],
) -> Result<Reply, ApiError> {
    let (path, query) = path_and_query
        .split_once('?')
        .unwrap_or((path_and_query, ""));
    let target = Target::of(method, path)?;
    run(state, principal, &target, query, body).await
}

async fn answer(State(state): State<ApiState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    // On a task of its own: a client that hangs up must not leave half an operation behind.
    let answering = tokio::spawn(async move { authenticated(&state, &parts, body).await });
    respond(
        answering
            .await
            .unwrap_or_else(|panic| Err(ApiError::internal(panic))),
    )
}

async fn authenticated(state: &ApiState, parts: &Parts, body: Body) -> Result<Reply, ApiError> {
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    if path.len() + query.len() > TARGET_BYTES_MAX {
        return Err(ApiError::validation(format!(
            "path: {} bytes given, must be at most {TARGET_BYTES_MAX}",
            path.len() + query.len()
        )));
    }
    let target = Target::of(&parts.method, path)?;
    let body = collect(&parts.headers, body).await?;
    let principal = identify(state, parts, &body)?;
    run(state, &principal, &target, query, &body).await
}

/// Who signed this request.
pub(crate) fn identify(
    state: &ApiState,
    parts: &Parts,
    body: &[u8],
) -> Result<Principal, ApiError> {
    let verifier = Verifier {
        region: &state.settings.region,
        keys: &state.settings.access_keys,
        unsigned_payload: state.settings.is_confidential(),
    };
    let headers = with_host(parts);
    let signed = SignedParts {
        method: &parts.method,
        raw_path: parts.uri.path(),
        raw_query: parts.uri.query().unwrap_or_default(),
        headers: &headers,
        body,
    };
    verifier.verify(state.clock.now(), &signed)
}

/// What a method and path mean.
#[derive(Clone, Copy, Debug)]
enum Target<'a> {
    Operation(&'static Operation),
    Tags {
        verb: tag::Verb,
        encoded_arn: &'a str,
    },
}

impl<'a> Target<'a> {
    fn of(method: &Method, path: &'a str) -> Result<Self, ApiError> {
        let unknown = || {
            ApiError::new(
                ErrorKind::UnknownOperation,
                format!(
                    "{method} {} is not an operation of this server",
                    crate::validate::shown(path)
                ),
            )
        };
        if let Some(encoded_arn) = path.strip_prefix("/tags/") {
            let verb = tag::Verb::of(method).ok_or_else(unknown)?;
            return Ok(Self::Tags { verb, encoded_arn });
        }
        let name = path.strip_prefix('/').ok_or_else(unknown)?;
        match model::operation(name) {
            Some(operation) if method == Method::POST && !tag::is_one(name) => {
                Ok(Self::Operation(operation))
            }
            _ => Err(unknown()),
        }
    }
}

async fn run(
    state: &ApiState,
    principal: &Principal,
    target: &Target<'_>,
    query: &str,
    body: &[u8],
) -> Result<Reply, ApiError> {
    let cx = Context {
        state,
        principal,
        now: state.clock.now(),
    };
    match target {
        Target::Tags { verb, encoded_arn } => {
            Box::pin(tag::run(cx, *verb, encoded_arn, query, body)).await
        }
        Target::Operation(operation) => {
            let input = Input::parse(operation, body)?;
            cx.admit(input.operation(), &input.resources())?;
            Box::pin(operate(cx, &input)).await
        }
    }
}

async fn operate(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    match input.operation() {
        "CreateStage" => stage::create(cx, input).await,
        "GetStage" => stage::get(cx, input).await,
        "ListStages" => stage::list(cx, input).await,
        "UpdateStage" => stage::update(cx, input).await,
        "DeleteStage" => stage::delete(cx, input).await,
        "GetStageSession" => stage_session::get(cx, input).await,
        "ListStageSessions" => stage_session::list(cx, input).await,
        "GetParticipant" => stage_session::get_participant(cx, input).await,
        "ListParticipants" => stage_session::list_participants(cx, input).await,
        "ListParticipantEvents" => stage_session::list_participant_events(cx, input).await,
        "CreateParticipantToken" => participant::create_token(cx, input).await,
        "DisconnectParticipant" => participant::disconnect(cx, input).await,
        "RevokeConnectionToken" => connection_token::revoke(cx, input).await,
        "ImportPublicKey" => public_key::import(cx, input).await,
        "GetPublicKey" => public_key::get(cx, input).await,
        "ListPublicKeys" => public_key::list(cx, input).await,
        "CreateIngestConfiguration" => ingest_configuration::create(cx, input).await,
        "GetIngestConfiguration" => ingest_configuration::get(cx, input).await,
        "ListIngestConfigurations" => ingest_configuration::list(cx, input).await,
        "UpdateIngestConfiguration" => ingest_configuration::update(cx, input).await,
        "StartParticipantReplication" => replication::start(cx, input).await,
        "StopParticipantReplication" => replication::stop(cx, input).await,
        "ListParticipantReplicas" => replication::list(cx, input).await,
        "CreateEncoderConfiguration" => encoder_configuration::create(cx, input).await,
        "GetEncoderConfiguration" => encoder_configuration::get(cx, input).await,
        "ListEncoderConfigurations" => encoder_configuration::list(cx, input).await,
        "CreateStorageConfiguration" => storage_configuration::create(cx, input).await,
        "GetStorageConfiguration" => storage_configuration::get(cx, input).await,
        "ListStorageConfigurations" => storage_configuration::list(cx, input).await,
        "StartComposition" => composition::start(cx, input).await,
        "GetComposition" => composition::get(cx, input).await,
        "ListCompositions" => composition::list(cx, input).await,
        "StopComposition" => composition::stop(cx, input).await,
        "CreateChannel" => channel::create(cx, input).await,
        "GetChannel" => channel::get(cx, input).await,
        "ListChannels" => channel::list(cx, input).await,
        "DeleteChannel" => channel::delete(cx, input).await,
        "BatchGetChannel" => channel::batch_get(cx, input).await,
        "UpdateChannel" => channel::update(cx, input).await,
        "CreateStreamKey" => stream_key::create(cx, input).await,
        "GetStreamKey" => stream_key::get(cx, input).await,
        "BatchGetStreamKey" => stream_key::batch_get(cx, input).await,
        "ListStreamKeys" => stream_key::list(cx, input).await,
        "GetStream" => stream::get(cx, input).await,
        "ListStreams" => stream::list(cx, input).await,
        "StopStream" => stream::stop(cx, input).await,
        "GetStreamSession" => stream_session::get(cx, input).await,
        "ListStreamSessions" => stream_session::list(cx, input).await,
        "PutMetadata" => in_stream::put_metadata(cx, input).await,
        "InsertAdBreak" => in_stream::insert_ad_break(cx, input).await,
        "ImportPlaybackKeyPair" => playback_key_pair::import(cx, input).await,
        "GetPlaybackKeyPair" => playback_key_pair::get(cx, input).await,
        "ListPlaybackKeyPairs" => playback_key_pair::list(cx, input).await,
        "CreatePlaybackRestrictionPolicy" => playback_restriction_policy::create(cx, input).await,
        "GetPlaybackRestrictionPolicy" => playback_restriction_policy::get(cx, input).await,
        "ListPlaybackRestrictionPolicies" => playback_restriction_policy::list(cx, input).await,
        "UpdatePlaybackRestrictionPolicy" => playback_restriction_policy::update(cx, input).await,
        "CreateRecordingConfiguration" => recording_configuration::create(cx, input).await,
        "GetRecordingConfiguration" => recording_configuration::get(cx, input).await,
        "ListRecordingConfigurations" => recording_configuration::list(cx, input).await,
        "CreateAdConfiguration" => ad_configuration::create(cx, input).await,
        "GetAdConfiguration" => ad_configuration::get(cx, input).await,
        "ListAdConfigurations" => ad_configuration::list(cx, input).await,
        "UpdateAdConfiguration" => ad_configuration::update(cx, input).await,
        "CreateFailoverSlateConfiguration" => failover_slate_configuration::create(cx, input).await,
        "GetFailoverSlateConfiguration" => failover_slate_configuration::get(cx, input).await,
        "ListFailoverSlateConfigurations" => failover_slate_configuration::list(cx, input).await,
        "UpdateFailoverSlateConfiguration" => failover_slate_configuration::update(cx, input).await,
        // Nobody can publish through an ingest configuration yet, so `force` changes nothing.
        "DeleteEncoderConfiguration"
        | "DeleteStorageConfiguration"
        | "DeleteIngestConfiguration"
        | "DeletePublicKey"
        | "DeletePlaybackKeyPair" => delete_named(cx, input).await,
        "DeleteStreamKey"
        | "DeletePlaybackRestrictionPolicy"
        | "DeleteRecordingConfiguration"
        | "DeleteAdConfiguration"
        | "DeleteFailoverSlateConfiguration" => remove_named(cx, input).await,
        "StartViewerSessionRevocation" => viewer_session::revoke(cx, input).await,
        "BatchStartViewerSessionRevocation" => viewer_session::batch_revoke(cx, input).await,
        other => Err(ApiError::internal(format!("{other} has no handler"))),
    }
}

async fn collect(headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let too_large = || {
        ApiError::validation(format!(
            "body: larger than {BODY_BYTES_MAX} bytes, which is the most allowed"
        ))
    };
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|text| text.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > BODY_BYTES_MAX as u64) {
        return Err(too_large());
    }
    let collected =
        tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, BODY_BYTES_MAX).collect());
    match collected.await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(ApiError::validation(format!(
            "body: cannot be read: {error}"
        ))),
        Err(_) => Err(ApiError::new(
            ErrorKind::RequestTimeout,
            format!("body: did not arrive within {} s", BODY_TIMEOUT.as_secs()),
        )),
    }
}

/// The request's headers; HTTP/2 says the host elsewhere.
fn with_host(parts: &Parts) -> HeaderMap {
    let mut headers = parts.headers.clone();
    if !headers.contains_key(header::HOST)
        && let Some(authority) = parts.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        headers.insert(header::HOST, host);
    }
    headers
}
