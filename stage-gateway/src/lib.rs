//! The stage gateway: browsers publish over WHIP and subscribe, media is forwarded without transcoding, and each stage
//! session is written to a journal from which compositions read.
//!
//! [`Gateway`] is the handle; everything it does is per stage session, an actor that owns the roster. Media goes from the
//! track readers straight to the journal and to the subscribers; only keyframe requests and layer wishes flow back.

mod clock;
mod counters;
pub mod error;
pub mod event;
mod feed;
mod forward;
pub mod gateway;
pub mod journal;
mod keyframe;
mod layers;
pub mod limits;
mod mux;
mod peer;
mod peer_limits;
mod publisher;
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
