//! How a receiver knows that an event is from here, and not an old one. Pure.

use compositor_core::time::WallTime;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::config::Secret;

/// The `Proscenium-Signature` header: `t=<Unix seconds>,v1=<HMAC-SHA256 of "<t>.<body>" in hex>`.
pub fn signature(secret: &Secret, now: WallTime, body: &str) -> String {
    let seconds = now.0.div_euclid(1_000_000);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .expect("HMAC takes any key length");
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body.as_bytes());
    format!(
        "t={seconds},v1={}",
        hex::encode(mac.finalize().into_bytes())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `printf '1700000000.{}' | openssl dgst -sha256 -hmac secret-of-test`.
    #[test]
    fn it_is_what_openssl_computes() {
        let signature = signature(
            &Secret::new("secret-of-test"),
            WallTime(1_700_000_000_999_999),
            "{}",
        );
        assert_eq!(
            signature,
            "t=1700000000,v1=a2f58b9471ab7aad9456e9efe144a362de48af6f1e6d9edf1698459f6a61bf57"
        );
    }
}
