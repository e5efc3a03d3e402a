//! The stage gateway: browsers publish over WHIP and subscribe, media is forwarded without transcoding, and each stage
//! session is written to a journal from which compositions read.
//!
//! [`Gateway`] is the handle; everything it does is per stage session, an actor that owns the roster. Media goes from the
//! track readers straight to the journal and to the subscribers; only keyframe requests and layer wishes flow back.
//!
//! ```no_run
//! # use std::{net::SocketAddr, time::Instant};
//! # use compositor_core::{id::{CompositionId, StageId}, sink::{JournalReader, StageJournal}, time::WallTime};
//! # use stage_gateway::{Gateway, GatewayConfig, history::ClientAttributes, kept::KeptJournals, limits::StreamLimits};
//! # use stage_gateway::token::TokenIssuer;
//! # async fn serve(token: &str, offer: &str, now: WallTime) -> Result<(), Box<dyn std::error::Error>> {
//! let gateway = Gateway::start(GatewayConfig {
//!     listen: SocketAddr::from(([127, 0, 0, 1], 8189)),
//!     advertised: None,
//!     journal_dir: "data/journal".into(),
//!     kept_journals: KeptJournals { dir: "data/kept-journals".into(), keep: std::time::Duration::ZERO },
//!     token_key_file: "data/token.pem".into(),
//!     issuer: TokenIssuer {
//!         region: "us-east-1".into(),
//!         whip_url: "http://127.0.0.1:8080/whip".into(),
//!         events_url: "ws://127.0.0.1:8080/events".into(),
//!     },
//!     process_start: Instant::now(),
//!     history: None,
//!     limits: StreamLimits::default(),
//! })
//! .await?;
//! let grant = gateway.verify_token(now, token, None)?;
//! let answer = gateway.publish(&grant, ClientAttributes::default(), offer).await?;
//! let media = gateway.stage_journal(&grant.stage).await?;
//! let mut records = media.attach(&CompositionId::new("c"), None).await?;
//! let batch = records.next_batch().await?;
//! # Ok(())
//! # }
//! ```

mod bitrate;
mod clock;
mod counters;
pub mod error;
pub mod event;
mod feed;
mod forward;
#[cfg(test)]
mod fuzz;
pub mod gateway;
pub mod history;
pub mod journal;
pub mod kept;
mod keyframe;
mod lane;
mod layers;
pub mod limits;
mod mux;
mod outbound;
mod peer;
mod peer_config;
mod peer_limits;
mod publisher;
mod publisher_shared;
mod rtcp;
pub mod rtp;
mod sdp;
mod session;
mod stage;
pub mod stage_media;
mod subscriber;
pub mod token;
mod track_reader;

pub use counters::Drops;
pub use gateway::{Answer, Gateway, GatewayConfig, PatchAnswer};
