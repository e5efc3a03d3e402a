//! The server's own key for participant tokens, and the public keys that applications import.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use compositor_core::time::WallTime;
use jsonwebtoken::errors::ErrorKind as JwtErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use p384::pkcs8::{
    DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, LineEnding,
};
use p384::{PublicKey, SecretKey};

use super::claims::Claims;
use super::{Grant, TokenIssuer, TokenSpec, TokenText, malformed};
use crate::error::{TokenError, TokenKeyError};

/// Largest token accepted; claims with the 1 KB of attributes that IVS allows stay far below.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// The server's P-384 key for participant tokens.
pub struct TokenKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

impl TokenKey {
    /// Reads the key from `path`, or makes one and keeps it there, readable by the owner only.
    pub fn load_or_create(path: &Path) -> Result<Self, TokenKeyError> {
        let file_error = |source: io::Error| TokenKeyError::File {
            path: path.display().to_string(),
            source,
        };
        let pem = match fs::read_to_string(path) {
            Ok(pem) => pem,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let pem = fresh_key_pem();
                write_private(path, &pem).map_err(file_error)?;
                pem
            }
            Err(error) => return Err(file_error(error)),
        };
        Self::from_pem(&pem).ok_or_else(|| TokenKeyError::Format {
            path: path.display().to_string(),
        })
    }

    pub(super) fn from_pem(pem: &str) -> Option<Self> {
        let secret = SecretKey::from_pkcs8_pem(pem).ok()?;
        let public = secret.public_key().to_public_key_pem(LineEnding::LF).ok()?;
        Some(Self {
            encoding: EncodingKey::from_ec_pem(pem.as_bytes()).ok()?,
            decoding: DecodingKey::from_ec_pem(public.as_bytes()).ok()?,
        })
    }

    /// Signs a new token.
    pub fn mint(&self, issuer: &TokenIssuer, spec: &TokenSpec) -> String {
        let claims = Claims::of(issuer, spec);
        jsonwebtoken::encode(&Header::new(Algorithm::ES384), &claims, &self.encoding)
            .expect("plain claims serialize and a P-384 key signs them")
    }

    /// Checks form, signature, time and stage of a token of this server; capabilities are the caller's to require.
    pub fn verify(
        &self,
        now: WallTime,
        issuer: &TokenIssuer,
        token: &str,
    ) -> Result<Grant, TokenError> {
        decode(token, &self.decoding)?.grant(now, issuer)
    }
}

/// A public key that an account imported, to sign participant tokens of its own.
pub struct ImportedKey {
    account: String,
    decoding: DecodingKey,
}

impl fmt::Debug for ImportedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = &self.account;
        f.debug_struct("ImportedKey")
            .field("account", account)
            .finish_non_exhaustive()
    }
}

impl ImportedKey {
    /// The key of an account from SubjectPublicKeyInfo in PEM form; `None` unless it is on P-384.
    pub fn from_pem(account: impl Into<String>, pem: &str) -> Option<Self> {
        PublicKey::from_public_key_pem(pem).ok()?;
        Some(Self {
            account: account.into(),
            decoding: DecodingKey::from_ec_pem(pem.as_bytes()).ok()?,
        })
    }

    /// Checks a token that the application signed: form, signature, and the rules of IVS for its claims.
    pub fn verify(
        &self,
        now: WallTime,
        issuer: &TokenIssuer,
        token: &str,
    ) -> Result<Grant, TokenError> {
        decode(token, &self.decoding)?.self_signed_grant(now, issuer, &self.account)
    }
}

/// The imported key that a token says it is signed with; `None` for the server's own tokens. Nothing is verified yet.
pub fn key_id(token: &str) -> Result<Option<String>, TokenError> {
    check_length(token)?;
    let header =
        jsonwebtoken::decode_header(token).map_err(|error| malformed(error.to_string()))?;
    Ok(header.kid)
}

fn decode(token: &str, key: &DecodingKey) -> Result<Claims, TokenError> {
    check_length(token)?;
    let mut validation = Validation::new(Algorithm::ES384);
    // Time is checked against the caller's clock.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let decoded = jsonwebtoken::decode::<Claims>(token, key, &validation);
    let decoded = decoded.map_err(|error| match error.kind() {
        JwtErrorKind::InvalidSignature => TokenError::BadSignature,
        _ => malformed(error.to_string()),
    })?;
    let mut claims = decoded.claims;
    claims.token = TokenText::new(token);
    Ok(claims)
}

fn check_length(token: &str) -> Result<(), TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(malformed(format!(
            "at most {TOKEN_BYTES_MAX} bytes are allowed"
        )));
    }
    Ok(())
}

pub(super) fn fresh_key_pem() -> String {
    // All but a vanishing share of 48-byte strings are valid P-384 scalars.
    let secret = loop {
        let mut bytes = [0_u8; 48];
        rand::fill(&mut bytes[..]);
        if let Ok(secret) = SecretKey::from_slice(&bytes) {
            break secret;
        }
    };
    let pem = secret
        .to_pkcs8_pem(LineEnding::LF)
        .expect("a valid key encodes");
    pem.to_string()
}

fn write_private(path: &Path, pem: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Under another name first: a process that dies meanwhile leaves no half of a key.
    let unfinished = path.with_extension("pem.new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(pem.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
