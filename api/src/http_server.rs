//! HTTP/1.1 on one listener with limits: connections, header time, header size; and a graceful end.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;

use crate::open_files::connections;

/// Connections of one listener at a time, fewer where few files may be open; more wait in the kernel's backlog.
const CONNECTIONS_MAX: usize = 4096;
/// A request's head must have arrived within this; also how long an idle connection is kept.
const HEADER_READ_LIMIT: Duration = Duration::from_secs(30);
/// Headers of one request.
const HEADERS_MAX: usize = 100;
/// Read buffer of one connection, and with it the largest request head.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How long running requests may take after the listener has stopped.
const FINISH_LIMIT: Duration = Duration::from_secs(1);
/// Pause after a failed accept: usually the process is out of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Serves `router` on `listener` until `stop`, then lets running requests finish for a moment.
pub async fn serve_router(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let answer = move |request: Request<Incoming>| {
        let router = router.clone();
        async move {
            let answered: Result<_, Infallible> =
                router.oneshot(request.map(axum::body::Body::new)).await;
            answered
        }
    };
    serve(listener, answer, stop).await;
}

/// Serves `answer` on `listener` until `stop`, then lets running requests finish for a moment. An error of `answer`
/// closes its connection. Requests carry their peer as [`ConnectInfo`].
pub async fn serve<A, F, B, E>(listener: TcpListener, answer: A, stop: impl Future<Output = ()>)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Cause>,
    E: Into<Cause> + 'static,
{
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(connections(CONNECTIONS_MAX)));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let (stream, peer, slot) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        let answer = answer.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            let answered = answer(request);
            async move {
                answered
                    .await
                    .map(|response| response.map(BodyExt::boxed_unsync))
            }
        });
        let connection = connection_settings().serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an HTTP connection ended early");
            }
            drop(slot);
        });
    }
    drop(listener);
    if tokio::time::timeout(FINISH_LIMIT, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::debug!("some HTTP requests were still running at the end");
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, slot))
}

fn connection_settings() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_LIMIT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
}
