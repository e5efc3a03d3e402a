//! Random identifiers and secrets, in the alphabets and lengths of IVS.

use rand::Rng;
use rand::distr::Alphanumeric;

/// Resource, participant and destination identifiers have this many alphanumerics.
const ID_CHARS: usize = 12;

/// Recording sessions of channels have this many alphanumerics.
const RECORDING_SESSION_CHARS: usize = 16;

/// Length of an SRT passphrase.
const PASSPHRASE_CHARS: usize = 70;

/// A resource, participant or destination identifier.
pub fn resource_id() -> String {
    alphanumeric(ID_CHARS)
}

/// The identifier of a recording session of a channel.
pub fn recording_session_id() -> String {
    alphanumeric(RECORDING_SESSION_CHARS)
}

/// A stream key value: `sk_<region>_<12>_<secret>`.
pub fn stream_key_value(region: &str) -> String {
    // 32 alphanumerics: 190 bits, nobody guesses them over RTMP.
    format!(
        "sk_{region}_{}_{}",
        alphanumeric(ID_CHARS),
        alphanumeric(32)
    )
}

/// The stream key value of an ingest configuration: `rt_<account>_<region>_<configuration>_<secret>`.
pub fn ingest_key_value(account: &str, region: &str, configuration: &str) -> String {
    format!("rt_{account}_{region}_{configuration}_{}", alphanumeric(32))
}

/// An SRT passphrase.
pub fn srt_passphrase() -> String {
    alphanumeric(PASSPHRASE_CHARS)
}

/// A request identifier in UUID form.
pub fn request_id() -> String {
    uuid()
}

/// The `id` of an event.
pub fn event_id() -> String {
    uuid()
}

/// A random UUID, version 4.
fn uuid() -> String {
    let mut bytes: [u8; 16] = rand::rng().random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

/// A key for signing.
pub fn secret_key() -> [u8; 32] {
    rand::rng().random()
}

fn alphanumeric(chars: usize) -> String {
    let rng = rand::rng();
    rng.sample_iter(Alphanumeric)
        .take(chars)
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_key_names_its_region_and_is_never_repeated() {
        let key = stream_key_value("us-east-1");
        assert!(key.starts_with("sk_us-east-1_"));
        assert_eq!(key.len(), "sk_us-east-1_".len() + 12 + 1 + 32);
        assert_ne!(key, stream_key_value("us-east-1"));
    }

    #[test]
    fn a_request_id_looks_like_a_uuid() {
        let lengths: Vec<usize> = request_id().split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
    }
}
