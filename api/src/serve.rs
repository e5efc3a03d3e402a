//! `proscenium serve`: opens the data folder, binds every listener, says READY, and drains at the end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::access::Policy;
use crate::clock::Clock;
use crate::config::{ACCOUNT, Config, S3Config};
use crate::data_dir::{DataDir, DataDirError};
use crate::embedded_s3::{EmbeddedS3, EmbeddedS3Error};
use crate::endpoints::{Bound, Endpoints, public_url};
use crate::http_server::{self, Door};
use crate::page::Page;
use crate::platform::{Platform, PlatformError, Surroundings};
use crate::s3_access::{recordings_url, store_config};
use crate::session_api::guard::Guard;
use crate::session_api::{self, SessionApi};
use crate::shutdown::{EndSignals, follow_signals, shutdown};
use crate::sigv4::Principal;
use crate::tls::{self, TlsError};

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
    /// The files of HTTPS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// What runs behind HTTP.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// Signals cannot be caught.
    #[error("cannot catch SIGTERM and SIGINT")]
    Signals(#[source] io::Error),
}

/// Runs the server until a signal ends it.
pub async fn serve(config: Config, clock: Clock) -> Result<(), ServeError> {
    let (trigger, end) = shutdown();
    let signals = EndSignals::catch().map_err(ServeError::Signals)?;
    tokio::spawn(follow_signals(signals, trigger));
    let data_dir = DataDir::open(&config.data_dir)?;
    let s3 = bind_s3(&config, &data_dir).await?;
    let recordings = store_config(&config, s3.as_ref())
        .expect("the embedded S3 is bound exactly when it is configured");
    let s3_address = s3.as_ref().map(EmbeddedS3::address);
    // Listeners outlive the compositions: draining uploads to the one and is watched through the other.
    let (close, closed) = watch::channel(());
    let s3 = s3.map(|s3| tokio::spawn(s3.serve(closing(closed.clone()))));
    let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
    let (listener, http) = bind_http(config.http).await?;
    let public_url = public_url(&config, http);
    let surroundings = Surroundings {
        public_url: public_url.clone(),
        recordings,
    };
    let platform = Platform::start(&config, &data_dir, clock, surroundings).await?;
    let bound = Bound {
        http,
        rtmp: platform.rtmp_addr(),
        s3: s3_address,
        webrtc: platform.webrtc_addr(),
    };
    let endpoints = Endpoints::new(&config, bound);
    let router = platform.router(page_router(&config, http, &endpoints, &platform, clock));
    let door = Door { listener, tls };
    let http = tokio::spawn(http_server::serve_router(door, router, closing(closed)));
    endpoints.write(&data_dir)?;
    println!("{}", endpoints.ready_line());
    end.begun().await;
    platform
        .drain(end.deadline().unwrap_or_else(Instant::now))
        .await;
    drop(close);
    // Each ends by itself soon after; a panic inside was logged where it happened.
    let _ = http.await;
    if let Some(s3) = s3 {
        let _ = s3.await;
    }
    Ok(())
}

/// Resolves when the sender is dropped.
async fn closing(mut closed: watch::Receiver<()>) {
    while closed.changed().await.is_ok() {}
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
fn page_router(
    config: &Config,
    http: SocketAddr,
    endpoints: &Endpoints,
    platform: &Platform,
    clock: Clock,
) -> Router {
    let public_url = public_url(config, http);
    let guard = config.session_api_allowed().then(|| {
        let listens = (config.scheme(), http);
        Guard::new(listens, &public_url, config.admin_password.clone())
    });
    let page = Page::new(guard.clone(), &[public_url.origin(), endpoints.s3.clone()]).router();
    let Some(guard) = guard else { return page };
    page.merge(session_api::router(SessionApi {
        state: platform.api.clone(),
        principal: Principal {
            access_key: "of the page".to_owned(),
            account: ACCOUNT.to_owned(),
            policy: Arc::new(Policy::everything()),
        },
        backend: Arc::clone(&platform.page),
        guard,
        clock,
        recordings_url: recordings_url(config, endpoints),
    }))
}
