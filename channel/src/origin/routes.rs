//! Playback over HTTP: master playlist, media playlists bound to a session, segments.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_TYPE,
};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use crate::hub::{Hub, random_name};
use crate::origin::naming::{Naming, PLAYBACK_PATH};

const PLAYLIST_TYPE: &str = "application/vnd.apple.mpegurl";
const SEGMENT_TYPE: &str = "video/mp2t";

/// Every player gets its own media playlist URL.
const SESSION_CHARS: usize = 24;

/// CORS for players on any page; nothing here depends on cookies.
const CORS: [(HeaderName, &str); 2] = [
    (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (
        ACCESS_CONTROL_EXPOSE_HEADERS,
        "Content-Length, Content-Range, Date",
    ),
];

#[derive(Clone, Debug)]
struct Playback {
    hub: Arc<Hub>,
    naming: Arc<Naming>,
}

/// The playback routes.
pub(crate) fn router(hub: Arc<Hub>, naming: Arc<Naming>) -> Router {
    Router::new()
        .route(
            &format!("{PLAYBACK_PATH}/{{file}}"),
            get(master).options(preflight),
        )
        .route(
            &format!("{PLAYBACK_PATH}/live/{{stream}}/{{file}}"),
            get(part).options(preflight),
        )
        .with_state(Playback { hub, naming })
}

async fn master(State(playback): State<Playback>, Path(file): Path<String>) -> Response {
    let Some(channel) = playback.naming.channel_of(&file) else {
        return not_found("no channel has this name");
    };
    let Some((stream, origin)) = playback.hub.origin_of_channel(&channel) else {
        return not_found("the channel is not live");
    };
    let variant = format!("live/{stream}/{}.m3u8", random_name(SESSION_CHARS));
    let text = origin.lock().master(variant);
    match text {
        Some(text) => playlist(text),
        None => not_found("the channel has no segment yet"),
    }
}

async fn part(
    State(playback): State<Playback>,
    Path((stream, file)): Path<(String, String)>,
) -> Response {
    let Some(origin) = playback.hub.origin_of_stream(&stream) else {
        return not_found("the stream is over");
    };
    if let Some(session) = file.strip_suffix(".m3u8") {
        if session.len() != SESSION_CHARS || !session.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return not_found("no session has this name");
        }
        let now = playback.hub.clock.now().monotonic;
        let text = origin.lock().media(now, session);
        return playlist(text);
    }
    let number = file
        .strip_suffix(".ts")
        .and_then(|number| number.parse().ok());
    let segment = number.and_then(|number| origin.lock().segment(number));
    match segment {
        Some(data) => {
            let headers = [
                (CONTENT_TYPE, SEGMENT_TYPE),
                (CACHE_CONTROL, "public, max-age=60"),
            ];
            (CORS, headers, data).into_response()
        }
        None => not_found("the segment is not in the window"),
    }
}

async fn preflight() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, CORS, headers).into_response()
}

fn playlist(text: String) -> Response {
    let headers = [(CONTENT_TYPE, PLAYLIST_TYPE), (CACHE_CONTROL, "no-store")];
    (CORS, headers, text).into_response()
}

fn not_found(reason: &str) -> Response {
    let body = serde_json::json!([{ "error_code": "not_found", "error": reason, "type": "error" }]);
    (
        StatusCode::NOT_FOUND,
        CORS,
        [(CACHE_CONTROL, "no-store")],
        Json(body),
    )
        .into_response()
}
