//! AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1): AAC-LC and nothing else.

use recorder::mux::{AudioConfig, AudioConfigError};

const OBJECT_TYPE_LC: u8 = 2;

/// Why a configuration is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum AacError {
    #[error("AAC object type {0} is not supported, only AAC-LC (2) is")]
    ObjectType(u8),
    #[error("the audio configuration cannot be read")]
    Config(#[source] AudioConfigError),
}

/// Reads the configuration of an AAC-LC stream.
pub(crate) fn lc_config(config: &[u8]) -> Result<AudioConfig, AacError> {
    match config.first().map(|byte| byte >> 3) {
        Some(OBJECT_TYPE_LC) | None => AudioConfig::parse(config).map_err(AacError::Config),
        Some(other) => Err(AacError::ObjectType(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn implicit_sbr_signalling_behind_the_config_is_still_lc() {
        let config = lc_config(&[0x12, 0x10, 0x56, 0xE5, 0x00]).unwrap();
        assert_eq!(config.sample_rate(), 44_100);
    }

    #[test]
    fn everything_but_lc_is_refused() {
        assert_eq!(lc_config(&[0x2B, 0x92]), Err(AacError::ObjectType(5)));
        assert!(matches!(lc_config(&[0x17, 0x90]), Err(AacError::Config(_))));
        assert!(matches!(lc_config(&[]), Err(AacError::Config(_))));
    }
}
