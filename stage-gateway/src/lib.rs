//! The stage gateway: browsers publish over WHIP and subscribe, media is forwarded without transcoding, and each stage
//! session is written to a journal from which compositions read.
//!
//! [`Gateway`] is the handle; everything it does is per stage session, an actor that owns the roster. Media goes from the
//! track readers straight to the journal and to the subscribers; only keyframe requests and layer wishes flow back.

pub mod error;
pub mod event;
pub mod gateway;
pub mod limits;
pub mod rtp;
pub mod stage_media;
pub mod token;

pub use gateway::{Answer, Gateway, GatewayConfig, PatchAnswer};
