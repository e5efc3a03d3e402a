//! From typed requests to what the core works from.

pub mod channel;
pub mod composition;
pub mod encoder_configuration;
pub mod layout;
