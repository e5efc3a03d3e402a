//! `GET /metrics`, for Prometheus.

mod family;
mod requests;
mod server;
mod workers;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use compositor_core::error_chain::error_chain;
use http::{HeaderMap, StatusCode, header};
use prometheus::process_collector::ProcessCollector;
use prometheus::{Registry, TEXT_FORMAT};
use tokio::task::JoinError;

pub use self::requests::{RequestMetrics, observe};
pub use self::server::ServerMetrics;
pub use self::workers::WorkerMetrics;
use crate::config::Secret;
use crate::store::StoreError;

/// Everything that is told.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Of the workers.
    pub workers: Arc<WorkerMetrics>,
    /// Of the requests to both AWS services.
    pub requests: Arc<RequestMetrics>,
    /// Of everything else.
    pub server: ServerMetrics,
}

#[derive(Debug, thiserror::Error)]
enum MetricsError {
    #[error("the store cannot be read")]
    Store(#[from] StoreError),
    #[error("the spools cannot be counted")]
    Spools(#[from] JoinError),
    #[error("the metrics contradict each other")]
    Prometheus(#[from] prometheus::Error),
}

impl Metrics {
    async fn text(&self) -> Result<String, MetricsError> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        self.workers.register(&registry)?;
        self.requests.register(&registry)?;
        self.server.register(&registry).await?;
        Ok(family::text(&registry)?)
    }
}

/// Serves `/metrics` to who shows `token`; without a token to nobody.
pub fn router(metrics: Metrics, token: Option<Secret>) -> Router {
    let Some(token) = token else {
        return Router::new();
    };
    Router::new()
        .route("/metrics", get(show))
        .with_state((metrics, token))
}

async fn show(State((metrics, token)): State<(Metrics, Secret)>, headers: HeaderMap) -> Response {
    let shown = headers.get(header::AUTHORIZATION);
    let shown = shown.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if !shown.is_some_and(|shown| token.matches(shown)) {
        let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
        return (StatusCode::UNAUTHORIZED, challenge).into_response();
    }
    match metrics.text().await {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(error = %error_chain(&error), "metrics cannot be told");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
