//! `proscenium serve`: opens the data folder, binds every listener, says READY, and drains at the end.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;

use crate::clock::Clock;
use crate::config::{Config, S3Config};
use crate::data_dir::{DataDir, DataDirError};
use crate::embedded_s3::{EmbeddedS3, EmbeddedS3Error};
use crate::endpoints::{Bound, Endpoints, public_url};
use crate::http_server;
use crate::page::Page;
use crate::session_api::guard::Guard;
use crate::shutdown::{EndSignals, Shutdown, follow_signals, shutdown};

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data folder.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The embedded S3 server.
    #[error(transparent)]
    EmbeddedS3(#[from] EmbeddedS3Error),
    /// The HTTP address is taken or not ours.
    #[error("cannot listen for HTTP on {address}")]
    Http {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Signals cannot be caught.
    #[error("cannot catch SIGTERM and SIGINT")]
    Signals(#[source] io::Error),
}

/// Runs the server until a signal ends it.
pub async fn serve(config: Config, _clock: Clock) -> Result<(), ServeError> {
    let (trigger, end) = shutdown();
    let signals = EndSignals::catch().map_err(ServeError::Signals)?;
    tokio::spawn(follow_signals(signals, trigger));
    let data_dir = DataDir::open(&config.data_dir)?;
    let s3 = bind_s3(&config, &data_dir).await?;
    let (listener, http) = bind_http(config.http).await?;
    let bound = Bound {
        http,
        rtmp: config.rtmp,
        s3: s3.as_ref().map(EmbeddedS3::address),
        webrtc: config.webrtc,
    };
    let endpoints = Endpoints::new(&config, bound);
    let router = page_router(&config, http, &endpoints);
    let s3 = s3.map(|s3| tokio::spawn(serve_s3(s3, end.clone())));
    let http = tokio::spawn({
        let end = end.clone();
        async move { http_server::serve_router(listener, router, end.begun()).await }
    });
    endpoints.write(&data_dir)?;
    println!("{}", endpoints.ready_line());
    end.begun().await;
    // Each ends by itself soon after the shutdown has begun; a panic inside was logged where it happened.
    let _ = http.await;
    if let Some(s3) = s3 {
        let _ = s3.await;
    }
    Ok(())
}

/// The embedded S3 server, when recordings go there.
async fn bind_s3(config: &Config, data_dir: &DataDir) -> Result<Option<EmbeddedS3>, ServeError> {
    let S3Config::Embedded {
        listen,
        public_read,
    } = &config.s3
    else {
        return Ok(None);
    };
    let s3 = EmbeddedS3::bind(data_dir.path(), *listen, *public_read, &config.credentials).await?;
    Ok(Some(s3))
}

async fn serve_s3(s3: EmbeddedS3, end: Shutdown) {
    s3.serve(end.begun()).await;
}

async fn bind_http(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let bind = async {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    bind.await
        .map_err(|source| ServeError::Http { address, source })
}

/// The page and what it talks to.
fn page_router(config: &Config, http: SocketAddr, endpoints: &Endpoints) -> Router {
    let public_url = public_url(config, http);
    let guard = config
        .session_api_allowed()
        .then(|| Guard::new(http, &public_url, config.admin_password.clone()));
    Page::new(guard, &[public_url.origin(), endpoints.s3.clone()]).router()
}
