//! Playback over HTTP: multivariant playlists, then media playlists and segments bound to a viewer session. Streams that
//! everybody may play share the URLs of their segments, so that caches can keep them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ORIGIN, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::hub::{Hub, Playable};
use crate::origin::cors::Readers;
use crate::origin::entrance::{Entrance, Guest, SESSION_CHARS};
use crate::origin::naming::{Naming, PLAYBACK_PATH};
use crate::playback::{ClientAddress, PlaybackGate, PlaybackTerms, Refusal};

const PLAYLIST_TYPE: &str = "application/vnd.apple.mpegurl";
const SEGMENT_TYPE: &str = "video/mp2t";
const MEDIA_PLAYLIST: &str = "live.m3u8";
/// What a viewer who found no room is told to wait, in seconds.
const RETRY_SECONDS: &str = "5";

#[derive(Clone)]
struct Playback {
    naming: Arc<Naming>,
    entrance: Entrance,
}

/// Why there is no answer of the wanted kind.
enum Failure {
    NotFound(&'static str),
    Refused(Refusal),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The playback routes.
pub(crate) fn router(hub: Arc<Hub>, naming: Arc<Naming>, gate: Arc<dyn PlaybackGate>) -> Router {
    let entrance = Entrance { hub, gate };
    let beginning = get(multivariant).options(multivariant_preflight);
    let shared = get(shared_part).options(shared_preflight);
    let bound = get(bound_part).options(bound_preflight);
    Router::new()
        .route(&format!("{PLAYBACK_PATH}/{{file}}"), beginning)
        .route(&format!("{PLAYBACK_PATH}/live/{{stream}}/{{file}}"), shared)
        .route(
            &format!("{PLAYBACK_PATH}/live/{{stream}}/{{session}}/{{file}}"),
            bound,
        )
        .with_state(Playback { naming, entrance })
}

async fn multivariant(
    State(playback): State<Playback>,
    Path(file): Path<String>,
    request: Parts,
) -> Response {
    let answered = playback.multivariant(&file, &request).await;
    answered.unwrap_or_else(|failure| failure.response(&request))
}

async fn multivariant_preflight(
    State(playback): State<Playback>,
    Path(file): Path<String>,
    request: Parts,
) -> Response {
    let readers = match playback.playable(&file) {
        Ok(playable) => {
            let token = token_of(&request);
            let guest = guest(&request, token.as_deref());
            playback.entrance.readers(&playable, guest).await
        }
        Err(_) => Readers::All,
    };
    preflight(readers)
}

async fn shared_part(
    State(playback): State<Playback>,
    Path((stream, file)): Path<(String, String)>,
    request: Parts,
) -> Response {
    let answered = playback.shared_part(&stream, &file).await;
    answered.unwrap_or_else(|failure| failure.response(&request))
}

async fn shared_preflight() -> Response {
    preflight(Readers::All)
}

async fn bound_part(
    State(playback): State<Playback>,
    Path((stream, session, file)): Path<(String, String, String)>,
    request: Parts,
) -> Response {
    let part = (stream.as_str(), session.as_str(), file.as_str());
    let answered = playback.bound_part(part, &request).await;
    answered.unwrap_or_else(|failure| failure.response(&request))
}

async fn bound_preflight(
    State(playback): State<Playback>,
    Path((stream, session, _)): Path<(String, String, String)>,
    request: Parts,
) -> Response {
    preflight(match playback.enter((&stream, &session), &request) {
        Ok(readers) => readers,
        Err(refusal) => Readers::of_refusal(&refusal),
    })
}

impl Playback {
    fn playable(&self, file: &str) -> Result<Playable, Failure> {
        let (account, channel) = self
            .naming
            .channel_of(file)
            .ok_or(Failure::NotFound("no channel has this name"))?;
        self.entrance
            .hub
            .playable_of_channel(&channel)
            .filter(|playable| playable.watched.account == account)
            .ok_or(Failure::NotFound("the channel is not live"))
    }

    async fn multivariant(&self, file: &str, request: &Parts) -> Result<Response, Failure> {
        let playable = self.playable(file)?;
        let nothing_yet = Failure::NotFound("the channel has no segment yet");
        // Before anything else: a token that is used once is not used up by this.
        if !playable.origin.lock().is_playable() {
            return Err(nothing_yet);
        }
        let token = token_of(request);
        let guest = guest(request, token.as_deref());
        let (uri, readers) = if request.method == Method::HEAD {
            self.entrance.look(&playable, guest).await?
        } else {
            self.entrance.begin(&playable, guest).await?
        };
        let text = playable.origin.lock().master(uri);
        Ok(playlist(text.ok_or(nothing_yet)?, readers))
    }

    /// `<session>.m3u8` or `<number>.ts` of a stream that everybody may play.
    async fn shared_part(&self, stream: &str, file: &str) -> Result<Response, Failure> {
        let playable = self.stream(stream)?;
        if playable.terms != PlaybackTerms::Open {
            return Err(Refusal::NoSession.into());
        }
        let Some(session) = file.strip_suffix(".m3u8") else {
            return segment(&playable, file, (Readers::All, "public, max-age=60"));
        };
        if session.len() != SESSION_CHARS || !session.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(Failure::NotFound("no session has this name"));
        }
        if !playable.origin.lock().is_ended() {
            let watched = &playable.watched;
            self.entrance.view_open(watched, session).await?;
        }
        let text = playable.origin.lock().media();
        Ok(playlist(text, Readers::All))
    }

    /// `live.m3u8` or `<number>.ts` of a viewer session.
    async fn bound_part(
        &self,
        (stream, session, file): (&str, &str, &str),
        request: &Parts,
    ) -> Result<Response, Failure> {
        let playable = self.stream(stream)?;
        let readers = self.enter((stream, session), request)?;
        let (is_ended, resolution) = {
            let origin = playable.origin.lock();
            (origin.is_ended(), origin.resolution())
        };
        // The publisher may have changed its picture since.
        self.check_resolution(session, resolution)?;
        if file != MEDIA_PLAYLIST {
            return segment(&playable, file, (readers, "private, max-age=60"));
        }
        if !is_ended {
            self.entrance.view(&playable.watched, session).await?;
        }
        let text = playable.origin.lock().media();
        Ok(playlist(text, readers))
    }

    fn check_resolution(&self, session: &str, size: (u32, u32)) -> Result<(), Refusal> {
        let viewers = self.entrance.hub.viewers.lock();
        viewers.check_resolution(session, size)
    }

    fn enter(&self, session: (&str, &str), request: &Parts) -> Result<Readers, Refusal> {
        let origin = origin_of(request);
        let now = self.entrance.hub.clock.now().monotonic;
        let mut viewers = self.entrance.hub.viewers.lock();
        let pass = viewers.enter(now, session, origin)?;
        Ok(Readers::of_parts(pass, origin))
    }

    fn stream(&self, stream: &str) -> Result<Playable, Failure> {
        self.entrance
            .hub
            .playable_of_stream(stream)
            .ok_or(Failure::NotFound("the stream is over"))
    }
}

fn segment(
    playable: &Playable,
    file: &str,
    (readers, cache): (Readers, &'static str),
) -> Result<Response, Failure> {
    let number = file
        .strip_suffix(".ts")
        .and_then(|number| number.parse().ok());
    let data = number.and_then(|number| playable.origin.lock().segment(number));
    let data = data.ok_or(Failure::NotFound("the segment is not in the window"))?;
    let headers = [(CONTENT_TYPE, SEGMENT_TYPE), (CACHE_CONTROL, cache)];
    Ok((readers.headers(), headers, data).into_response())
}

fn playlist(text: String, readers: Readers) -> Response {
    let headers = [(CONTENT_TYPE, PLAYLIST_TYPE), (CACHE_CONTROL, "no-store")];
    (readers.headers(), headers, text).into_response()
}

fn preflight(readers: Readers) -> Response {
    (StatusCode::NO_CONTENT, readers.preflight_headers()).into_response()
}

fn token_of(request: &Parts) -> Option<String> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&request.uri).ok()?;
    let mut tokens = pairs.into_iter().filter(|(name, _)| name == "token");
    tokens.next().map(|(_, token)| token)
}

fn guest<'a>(request: &'a Parts, token: Option<&'a str>) -> Guest<'a> {
    let client = request.extensions.get::<ClientAddress>();
    Guest {
        token,
        origin: origin_of(request),
        client: client.map(|client| client.0),
    }
}

/// An Origin that is no text is nobody's.
fn origin_of(request: &Parts) -> Option<&str> {
    let origin = request.headers.get(ORIGIN)?;
    Some(origin.to_str().unwrap_or("null"))
}

impl Failure {
    /// An array of one error, as the edge of IVS answers. The URL is without its query, where the token is.
    fn response(self, request: &Parts) -> Response {
        let (status, code, error, readers) = match &self {
            Self::NotFound(reason) => (404, "not_found", (*reason).to_owned(), Readers::All),
            Self::Refused(refusal) => (
                refusal.status(),
                refusal.code(),
                refusal.to_string(),
                Readers::of_refusal(refusal),
            ),
        };
        let url = request.uri.path();
        let body = serde_json::json!([{ "url": url, "error": error, "error_code": code, "type": "error" }]);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
        let mut headers = readers.headers();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
        }
        (status, headers, axum::Json(body)).into_response()
    }
}
