//! `proscenium publish`: joins a stage as a WHIP client with a test pattern or a file.

mod args;
mod layer;
mod peer;
mod whip;

use std::collections::HashMap;
use std::time::Duration;

use compositor::source::{Source, SourceError, SourceMedia, SourceSpec, SourceUnit};
use tokio::sync::mpsc;
use tokio::time::Instant;

pub use args::PublishArgs;

use self::layer::LayerSender;
use self::peer::{Peer, PeerError, PeerEvent};
use self::whip::{WhipError, WhipSession};

/// Coded units made ahead of their time; few, so that a requested keyframe comes soon.
const UNITS_AHEAD_MAX: usize = 4;
/// Keyframe requests that may wait for the encoder.
const REQUESTS_MAX: usize = 16;
/// When the first sender report comes, and how often the others: as early as a browser's and as often as its video's.
const FIRST_REPORT: Duration = Duration::from_millis(100);
const REPORT_PERIOD: Duration = Duration::from_secs(1);
/// How long the connection may take to come up. The library may stop repeating a lost flight of DTLS: then another one is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(6);
/// Connections that are tried.
const ATTEMPTS_MAX: usize = 4;

/// Why publishing failed.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The options contradict each other or are out of range.
    #[error("{0}")]
    Args(String),
    /// The picture or sound cannot be made.
    #[error("cannot make the media")]
    Source(#[from] SourceError),
    /// WebRTC.
    #[error("cannot publish over WebRTC")]
    Peer(#[from] PeerError),
    /// HTTP.
    #[error("the WHIP server did not accept the publisher")]
    Whip(#[from] WhipError),
    /// No media can be sent.
    #[error("{ATTEMPTS_MAX} times not connected within {CONNECT_TIMEOUT:?}")]
    NotConnected,
    /// The server hung up.
    #[error("the connection ended: {0}")]
    Disconnected(String),
}

/// Publishes until the source ends, `--seconds` have passed, Ctrl-C or SIGTERM; prints one `PUBLISHING` line when
/// media flows.
pub async fn run(args: PublishArgs) -> Result<(), PublishError> {
    for _ in 1..ATTEMPTS_MAX {
        match attempt(&args).await {
            Err(PublishError::NotConnected) => tracing::warn!("not connected, trying again"),
            outcome => return outcome,
        }
    }
    attempt(&args).await
}

/// One connection, from its offer to its end.
async fn attempt(args: &PublishArgs) -> Result<(), PublishError> {
    let spec = args.source_spec().map_err(PublishError::Args)?;
    let (peer, mut events) = Peer::new(&spec).await?;
    let offer = peer.offer().await?;
    let (session, answer) = WhipSession::create(&args.whip, &args.token, &offer).await?;
    let outcome = async {
        let mut senders = peer.connect(&answer, &mut events, CONNECT_TIMEOUT).await?;
        println!(
            "PUBLISHING {}",
            serde_json::json!({ "resource": session.resource() })
        );
        send(spec, &mut senders, &mut events, args.seconds).await
    }
    .await;
    // First, because a session that ends with its peer cannot be deleted any more.
    if let Err(error) = session.delete().await {
        tracing::warn!(error = %error, "could not end the WHIP session");
    }
    peer.close().await;
    outcome
}

/// Sends each unit when it is due, counted from the first.
async fn send(
    spec: SourceSpec,
    senders: &mut HashMap<SourceMedia, LayerSender>,
    events: &mut mpsc::Receiver<PeerEvent>,
    seconds: Option<u64>,
) -> Result<(), PublishError> {
    let (units, mut made) = mpsc::channel(UNITS_AHEAD_MAX);
    let (requests, requested) = mpsc::channel(REQUESTS_MAX);
    let source = tokio::task::spawn_blocking(move || make(spec, &units, requested));
    let end = seconds.map(Duration::from_secs);
    let mut interrupted = std::pin::pin!(interrupted());
    let start = Instant::now();
    let mut reports = tokio::time::interval_at(start + FIRST_REPORT, REPORT_PERIOD);
    let mut next: Option<SourceUnit> = None;
    loop {
        let due = next.as_ref().map(|unit| start + unit.pts);
        tokio::select! {
            unit = made.recv(), if next.is_none() => match unit {
                Some(unit) if end.is_none_or(|end| unit.pts < end) => next = Some(unit),
                Some(_) => break,
                None => return Ok(source.await.expect("the source does not panic")?),
            },
            () = tokio::time::sleep_until(due.unwrap_or(start)), if due.is_some() => {
                let unit = next.take().expect("due only with a unit");
                if let Some(sender) = senders.get_mut(&unit.media) {
                    sender.send(&unit).await?;
                }
            }
            _ = reports.tick() => {
                for sender in senders.values() {
                    sender.report(start.elapsed()).await?;
                }
            }
            event = events.recv() => match event {
                // A full queue means that a keyframe is coming anyway.
                Some(PeerEvent::KeyframeWanted(media)) => drop(requests.try_send(media)),
                Some(PeerEvent::Connected) => {}
                Some(PeerEvent::Disconnected(why)) => return Err(PublishError::Disconnected(why)),
                None => return Err(PublishError::Disconnected("peer gone".to_owned())),
            },
            () = &mut interrupted => break,
        }
    }
    Ok(())
}

/// Encodes until nobody takes the units any more.
fn make(
    spec: SourceSpec,
    units: &mpsc::Sender<SourceUnit>,
    mut requested: mpsc::Receiver<SourceMedia>,
) -> Result<(), SourceError> {
    let mut source = Source::open(spec)?;
    loop {
        while let Ok(media) = requested.try_recv() {
            source.request_keyframe(media);
        }
        let Some(unit) = source.next_unit()? else {
            return Ok(());
        };
        if units.blocking_send(unit).is_err() {
            return Ok(());
        }
    }
}

async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(error) => {
            tracing::warn!(%error, "cannot listen for SIGTERM");
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
