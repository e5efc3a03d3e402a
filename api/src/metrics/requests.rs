//! Requests to both AWS services, by operation.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use crate::model;

/// Seconds; a signature takes a few milliseconds, a bucket that must be written to as much as it likes.
const BUCKETS: [f64; 8] = [0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0, 10.0];

/// What requests were answered with, and when.
#[derive(Debug)]
pub struct RequestMetrics {
    answered: IntCounterVec,
    took: HistogramVec,
}

impl Default for RequestMetrics {
    fn default() -> Self {
        let answered = Opts::new(
            "proscenium_api_requests_total",
            "Requests to both AWS services, by operation and status.",
        );
        let took = HistogramOpts::new(
            "proscenium_api_request_seconds",
            "How long they took to be answered.",
        )
        .buckets(BUCKETS.to_vec());
        Self {
            answered: IntCounterVec::new(answered, &["operation", "status"])
                .expect("names and labels are constant"),
            took: HistogramVec::new(took, &["operation"]).expect("names and labels are constant"),
        }
    }
}

impl RequestMetrics {
    /// Adds them to one answer.
    pub(super) fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.answered.clone()))?;
        registry.register(Box::new(self.took.clone()))
    }
}

/// Middleware that counts and times what passes.
pub async fn observe(
    State(metrics): State<Arc<RequestMetrics>>,
    request: Request,
    next: Next,
) -> Response {
    let operation = operation_of(request.uri().path());
    let begun = Instant::now();
    let response = next.run(request).await;
    let status = response.status();
    let answered = metrics
        .answered
        .with_label_values(&[operation, status.as_str()]);
    answered.inc();
    let took = metrics.took.with_label_values(&[operation]);
    took.observe(begun.elapsed().as_secs_f64());
    response
}

/// What a path asks for; strangers cannot make up labels.
fn operation_of(path: &str) -> &'static str {
    let name = path.strip_prefix('/').unwrap_or(path);
    match model::operation(name) {
        Some(operation) => operation.name(),
        None if name.starts_with("tags/") => "Tags",
        None => "Unknown",
    }
}
