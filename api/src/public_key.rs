//! P-384 public keys as applications import them, for participant and for playback tokens.

use md5::{Digest, Md5};
use p384::PublicKey;
use p384::pkcs8::{DecodePublicKey, EncodePublicKey, LineEnding};

use crate::error::ApiError;
use crate::validate::shown;

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";
/// Characters of a PEM line (RFC 7468).
const LINE_CHARS: usize = 64;

/// A point on P-384 that may verify ES384 signatures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct P384PublicKey(PublicKey);

impl P384PublicKey {
    /// Reads the member `publicKeyMaterial` of a request.
    pub fn read(material: &str) -> Result<Self, ApiError> {
        Self::from_pem(material).ok_or_else(|| {
            ApiError::validation(format!(
                "`publicKeyMaterial`: '{}' given, must be a P-384 (secp384r1) SubjectPublicKeyInfo in PEM form",
                shown(material)
            ))
        })
    }

    /// Reads SubjectPublicKeyInfo in PEM form. Lines may have any length; what stands around the block is ignored.
    pub fn from_pem(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once(BEGIN)?;
        let (body, _) = rest.split_once(END)?;
        let body: Vec<u8> = body.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        let body = std::str::from_utf8(&body).ok()?;
        let mut pem = format!("{BEGIN}\n");
        let mut rest = body;
        while !rest.is_empty() {
            let (line, after) = rest.split_at_checked(LINE_CHARS).unwrap_or((rest, ""));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem.push_str(END);
        PublicKey::from_public_key_pem(&pem).ok().map(Self)
    }

    /// The key in PEM form, equal for equal keys.
    pub fn to_pem(&self) -> String {
        let pem = self.0.to_public_key_pem(LineEnding::LF);
        pem.expect("a valid key encodes")
    }

    /// MD5 of its DER form, in pairs of hexadecimal digits between colons; equal for equal keys.
    pub fn fingerprint(&self) -> String {
        let der = self.0.to_public_key_der().expect("a valid key encodes");
        let pairs: Vec<String> = Md5::digest(der.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        pairs.join(":")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl ecparam -name secp384r1 -genkey -noout | openssl ec -pubout`.
    const P384: &str = "-----BEGIN PUBLIC KEY-----\n\
        MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE6PyLujTdrZt3mqB1ZVRv+g0HN21Aeh1c\n\
        X1LJhdU3+DpP1g8d3zxg09RxQ0FNknK7btHB+swDkvZ0Uer/uTp58/QPIi9JYSPB\n\
        4THr0rzpu3I9RFu73QpH9A2g3dYsdNOC\n\
        -----END PUBLIC KEY-----\n";
    /// The same with `-name prime256v1`.
    const P256: &str = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEkHlOJaRaOGOLbikJa4oYQBwy+eTW\n\
        ufx+JAlv2B+EjHrOdBP1dXjdO1XXIyO6ah3tBrGDw4ZqRguiCWqF/Rj3NQ==\n\
        -----END PUBLIC KEY-----\n";
    /// What `openssl ec -pubin -outform DER | md5sum` says of the first.
    const FINGERPRINT: &str = "4a:77:62:b8:9c:d7:06:88:a8:d6:9a:7f:99:fc:c2:49";

    #[test]
    fn a_key_of_openssl_has_the_fingerprint_of_its_der_form() {
        let key = P384PublicKey::from_pem(P384).unwrap();
        assert_eq!(key.fingerprint(), FINGERPRINT);
        assert_eq!(key.to_pem(), P384);
    }

    #[test]
    fn line_ends_and_surroundings_do_not_matter() {
        let key = P384PublicKey::from_pem(P384).unwrap();
        let body: String = P384.lines().filter(|line| !line.starts_with('-')).collect();
        let one_line = format!("{BEGIN}\n{body}\n{END}");
        for text in [
            P384.replace('\n', "\r\n"),
            one_line,
            format!("mine: {P384} x"),
        ] {
            assert_eq!(P384PublicKey::from_pem(&text), Some(key), "{text}");
        }
    }

    #[test]
    fn other_curves_and_garbage_are_refused() {
        let off_curve = P384.replace("dNOC", "dNOD");
        for text in ["", P256, &P384[..100], &off_curve, &P384.replace(END, "")] {
            assert_eq!(P384PublicKey::from_pem(text), None, "{text}");
        }
        let refused = P384PublicKey::read(P256).unwrap_err();
        assert!(refused.message().contains("must be a P-384"), "{refused}");
    }
}
