//! `GET /events`: the caller's events as they are stored, as server-sent events.
//!
//! Without `Last-Event-ID` the stream begins with the next event; with it, after that one, from the store and then live,
//! without a gap and nothing twice. When events after it are gone, or it was never given, the answer is 410 and says what is
//! left; a stream whose next event was removed before it was read ends, so that the reader asks again and hears it.
//! Events are read from the store as fast as the reader takes them: a slow one costs one page of memory.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response, sse};
use axum::routing::get;
use compositor_core::error_chain::error_chain;
use futures_util::Stream;
use futures_util::stream::unfold;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::access;
use crate::error::ApiError;
use crate::reply::respond;
use crate::router::identify;
use crate::state::ApiState;
use crate::store::{KeptEvents, Store, StoredEvent};

/// Readers at a time; more are refused.
const READERS_MAX: usize = 256;
/// Events that one reader holds in memory.
const PAGE_EVENTS: u32 = 64;
/// A comment this often shows both ends that the other is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// What a policy must allow.
const ACTION: &str = "FollowEvents";

#[derive(Clone)]
struct Feed {
    api: ApiState,
    readers: Arc<Semaphore>,
}

/// Serves `/events`.
pub fn router(api: ApiState) -> Router {
    let readers = Arc::new(Semaphore::new(READERS_MAX));
    Router::new()
        .route("/events", get(follow))
        .with_state(Feed { api, readers })
}

/// Why nothing is streamed.
enum Refusal {
    Api(ApiError),
    Gone(KeptEvents),
    TooManyReaders,
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Api(error) => respond(Err(error)),
            Self::Gone(KeptEvents { oldest, newest }) => {
                let message = format!(
                    "`Last-Event-ID`: events after it are not kept any more, or it was never given: {oldest} to {newest} are here"
                );
                let body = json!({ "message": message, "oldest": oldest, "newest": newest });
                (StatusCode::GONE, axum::Json(body)).into_response()
            }
            Self::TooManyReaders => {
                let message = format!("at most {READERS_MAX} readers of events at a time");
                let body = axum::Json(json!({ "message": message }));
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    [(header::RETRY_AFTER, "5")],
                    body,
                )
                    .into_response()
            }
        }
    }
}

async fn follow(State(feed): State<Feed>, request: Request) -> Response {
    match open(&feed, request).await {
        Ok(reader) => {
            let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
            let mut response = Sse::new(events(reader))
                .keep_alive(keep_alive)
                .into_response();
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn open(feed: &Feed, request: Request) -> Result<Reader, Refusal> {
    let (parts, _) = request.into_parts();
    let principal = identify(&feed.api, &parts, &[])?;
    access::authorize(&feed.api.settings.region, &principal, ACTION, &[])?;
    let slot = Arc::clone(&feed.readers)
        .try_acquire_owned()
        .map_err(|_| Refusal::TooManyReaders)?;
    let store = feed.api.store.clone();
    let kept = store
        .kept_events(&principal.account)
        .await
        .map_err(ApiError::from)?;
    let header = parts
        .headers
        .get("last-event-id")
        .map(HeaderValue::as_bytes);
    let after = match header.or_else(|| from_query(parts.uri.query())) {
        None => kept.newest,
        Some(id) => number(id)?,
    };
    if !kept.all_after(after) {
        return Err(Refusal::Gone(kept));
    }
    Ok(Reader {
        commits: store.event_commits(),
        store,
        account: principal.account,
        after,
        page: VecDeque::new(),
        _slot: slot,
    })
}

fn from_query(query: Option<&str>) -> Option<&[u8]> {
    let mut members = query?.split('&');
    members
        .find_map(|member| member.strip_prefix("lastEventId="))
        .map(str::as_bytes)
}

fn number(id: &[u8]) -> Result<i64, ApiError> {
    let text = std::str::from_utf8(id).ok();
    let digits = text.filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    digits.and_then(|text| text.parse().ok()).ok_or_else(|| {
        ApiError::validation(
            "`Last-Event-ID`: must be the number of an event, or 0 for what came before the first",
        )
    })
}

/// Where a reader is.
struct Reader {
    store: Store,
    account: String,
    /// The last event that was handed out.
    after: i64,
    /// What comes next.
    page: VecDeque<StoredEvent>,
    commits: watch::Receiver<u64>,
    _slot: OwnedSemaphorePermit,
}

fn events(reader: Reader) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    unfold(reader, |mut reader| async {
        let event = reader.next().await?;
        let event = sse::Event::default()
            .id(event.number.to_string())
            .event(event.detail_type)
            .data(event.envelope);
        Some((Ok(event), reader))
    })
}

impl Reader {
    /// The next event, when there is one; `None` ends the stream.
    async fn next(&mut self) -> Option<StoredEvent> {
        loop {
            if let Some(event) = self.page.pop_front() {
                // Otherwise the retention was faster than the reader.
                let follows = event.number == self.after + 1;
                self.after = event.number;
                return follows.then_some(event);
            }
            // Seen before the store is read: what is committed later wakes us.
            self.commits.borrow_and_update();
            match self
                .store
                .events_after(&self.account, self.after, PAGE_EVENTS)
                .await
            {
                Ok(page) if !page.is_empty() => {
                    self.page = page.into();
                    continue;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = %error_chain(&error), "a reader of events is let go");
                    return None;
                }
            }
            tokio::select! {
                () = self.store.closing() => return None,
                changed = self.commits.changed() => changed.ok()?,
            }
        }
    }
}
