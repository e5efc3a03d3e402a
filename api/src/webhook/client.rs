//! The HTTP client of webhooks: one POST, a limit on everything, no redirects.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use compositor_core::time::WallTime;
use http::{HeaderName, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::config::Webhook;
use crate::webhook::signature::signature;

/// From connecting to the whole answer.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);
/// More of an answer is not read; its connection is not used again.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Unused connections that are kept for each receiver, and how long.
const IDLE_MAX: usize = 2;
const IDLE_LIMIT: Duration = Duration::from_secs(30);

const EVENT_ID: HeaderName = HeaderName::from_static("proscenium-event-id");
const SIGNATURE: HeaderName = HeaderName::from_static("proscenium-signature");

/// Why an event was not delivered.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeliveryError {
    /// It cannot be put into a request.
    #[error("cannot make a request")]
    Request(#[from] http::Error),
    /// No answer.
    #[error("cannot reach the webhook")]
    Http(#[from] legacy::Error),
    /// An answer that acknowledges nothing.
    #[error("the webhook answered {0}, must be 2xx")]
    Status(StatusCode),
    /// Not in time.
    #[error("the webhook did not answer within {} s", ATTEMPT_LIMIT.as_secs())]
    TimedOut,
    /// The retention was faster.
    #[error("the event is not kept any more: raise events.keep_max or events.keep_days")]
    Removed,
    /// Nobody waits for it any more.
    #[error("the event is older than a day")]
    TooOld,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the certificates of the system, which webhooks need for HTTPS")]
pub struct ClientError(#[from] io::Error);

/// POSTs events; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Client(legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Client {
    /// A client that trusts the certificates of the system.
    pub(super) fn new() -> Result<Self, ClientError> {
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()?
            .https_or_http()
            .enable_http1()
            .build();
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_MAX)
            .pool_idle_timeout(IDLE_LIMIT)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Self(client))
    }

    /// Sends one event; fine when the answer is 2xx.
    pub(super) async fn post(
        &self,
        now: WallTime,
        webhook: &Webhook,
        number: i64,
        envelope: &str,
    ) -> Result<(), DeliveryError> {
        let request = Request::post(webhook.url.expose())
            .header(header::CONTENT_TYPE, "application/json")
            .header(
                header::USER_AGENT,
                concat!("proscenium/", env!("CARGO_PKG_VERSION")),
            )
            .header(EVENT_ID, number)
            .header(SIGNATURE, signature(&webhook.secret, now, envelope))
            .body(Full::new(Bytes::copy_from_slice(envelope.as_bytes())))?;
        let exchange = async {
            let (head, body) = self.0.request(request).await?.into_parts();
            // Read for the connection's sake only: what it says, and whether it ends well, does not matter.
            let _ = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            Ok(head.status)
        };
        match tokio::time::timeout(ATTEMPT_LIMIT, exchange).await {
            Ok(Ok(status)) if status.is_success() => Ok(()),
            Ok(Ok(status)) => Err(DeliveryError::Status(status)),
            Ok(Err(error)) => Err(DeliveryError::Http(error)),
            Err(_) => Err(DeliveryError::TimedOut),
        }
    }
}
