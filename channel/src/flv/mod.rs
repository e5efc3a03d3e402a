//! How RTMP carries H.264 and AAC: FLV tag bodies, the AVC configuration record, the AudioSpecificConfig.

pub(crate) mod aac;
pub(crate) mod avc;
pub(crate) mod sps;
pub(crate) mod tag;
