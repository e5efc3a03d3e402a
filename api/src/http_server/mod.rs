//! HTTP/1.1 on one listener, with or without TLS, and with limits: connections, of each peer too, header time, header size,
//! time of a body, time of a reader; and a graceful end.

mod body;
mod peers;

use std::convert::Infallible;
use std::fmt;
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
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::either::Either;
use tower::ServiceExt;

use self::body::TimedBody;
use self::peers::Peers;
use crate::open_files::connections;

/// Connections of one listener at a time, fewer where few files may be open; more wait in the kernel's backlog.
const CONNECTIONS_MAX: usize = 4096;
/// Of these, those of one peer on another machine; more are closed at once.
const PEER_CONNECTIONS_MAX: usize = 1024;
/// The handshake of TLS must be over within this.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// A request's head must have arrived within this; also how long an idle connection is kept.
const HEADER_READ_LIMIT: Duration = Duration::from_secs(30);
/// The body of a request to a router must have arrived within this, unless its route has a shorter limit.
const BODY_READ_LIMIT: Duration = Duration::from_secs(60);
/// A peer that takes nothing for so long is gone, in milliseconds.
const READER_STALL_LIMIT_MS: u32 = 60_000;
/// Headers of one request.
const HEADERS_MAX: usize = 100;
/// Read buffer of one connection, and with it the largest request head.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How long running requests may take after the listener has stopped.
const FINISH_LIMIT: Duration = Duration::from_secs(1);
/// Pause after a failed accept: usually the process is out of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Where requests come in.
pub struct Door {
    /// TCP.
    pub listener: TcpListener,
    /// What is spoken on it: TLS, or nothing between TCP and HTTP.
    pub tls: Option<TlsAcceptor>,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("listener", &self.listener)
            .field("tls", &self.tls.is_some())
            .finish()
    }
}

impl From<TcpListener> for Door {
    fn from(listener: TcpListener) -> Self {
        Self {
            listener,
            tls: None,
        }
    }
}

/// Serves `router` behind `door` until `stop`, then lets running requests finish for a moment.
pub async fn serve_router(door: impl Into<Door>, router: Router, stop: impl Future<Output = ()>) {
    let answer = move |request: Request<Incoming>| {
        let router = router.clone();
        let request = request.map(|body| TimedBody::new(body, BODY_READ_LIMIT));
        async move {
            let answered: Result<_, Infallible> =
                router.oneshot(request.map(axum::body::Body::new)).await;
            answered
        }
    };
    serve(door, answer, stop).await;
}

/// Serves `answer` behind `door` until `stop`, then lets running requests finish for a moment. An error of `answer`
/// closes its connection. Requests carry their peer as [`ConnectInfo`].
pub async fn serve<A, F, B, E>(door: impl Into<Door>, answer: A, stop: impl Future<Output = ()>)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Cause>,
    E: Into<Cause> + 'static,
{
    let Door { listener, tls } = door.into();
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(connections(CONNECTIONS_MAX)));
    let peers = Peers::new(PEER_CONNECTIONS_MAX);
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
        let Some(place) = peers.enter(peer.ip()) else {
            tracing::debug!(%peer, "a peer has too many HTTP connections");
            continue;
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
        let (tls, watcher) = (tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            let ended = match shake_hands(stream, tls).await {
                Ok(stream) => {
                    let connection =
                        connection_settings().serve_connection(TokioIo::new(stream), service);
                    watcher.watch(connection).await.map_err(Cause::from)
                }
                Err(error) => Err(error.into()),
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "an HTTP connection ended early");
            }
            drop((slot, place));
        });
    }
    drop(listener);
    if timeout(FINISH_LIMIT, graceful.shutdown()).await.is_err() {
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
    setsockopt(&stream, sockopt::TcpUserTimeout, &READER_STALL_LIMIT_MS)?;
    Ok((stream, peer, slot))
}

/// The connection as HTTP uses it.
async fn shake_hands(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
) -> io::Result<Either<TcpStream, tokio_rustls::server::TlsStream<TcpStream>>> {
    let Some(tls) = tls else {
        return Ok(Either::Left(stream));
    };
    match timeout(HANDSHAKE_LIMIT, tls.accept(stream)).await {
        Ok(shaken) => shaken.map(Either::Right),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
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

#[cfg(test)]
mod tests;
