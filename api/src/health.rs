//! `GET /healthz` says that the server runs, `GET /readyz` whether it can take work. Both are for load balancers and
//! supervisors, need no credentials and say nothing else.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use compositor_core::error_chain::error_chain;
use http::StatusCode;
use tokio::time::timeout;

use crate::composition::Compositions;
use crate::store::Store;

/// A store that does not answer within this time is not there.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// What must be well for new work.
#[derive(Clone, Debug)]
pub struct Readiness {
    /// Answers.
    pub store: Store,
    /// Not draining.
    pub compositions: Arc<Compositions>,
}

/// Serves both.
pub fn router(readiness: Readiness) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(readiness)
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    if readiness.compositions.is_draining() {
        return unavailable("the server stops");
    }
    match timeout(STORE_TIMEOUT, readiness.store.ping()).await {
        Ok(Ok(())) => "ready\n".into_response(),
        Ok(Err(error)) => {
            tracing::warn!(error = %error_chain(&error), "not ready: the store fails");
            unavailable("the store fails")
        }
        Err(_) => unavailable("the store does not answer"),
    }
}

fn unavailable(why: &'static str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response()
}
