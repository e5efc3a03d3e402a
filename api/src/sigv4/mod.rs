//! AWS Signature Version 4, header form: who sent this request, and is it what they signed.
//!
//! The signature is checked against the raw request path. IVS clients encode the path once more for the canonical
//! request (`%3A` becomes `%253A`), as every service except S3 does. Pure: the time is an argument.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

mod canonical;
mod header;

use std::fmt;
use std::sync::Arc;

use compositor_core::time::WallTime;
use hmac::{Hmac, Mac};
use http::{HeaderMap, Method};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::access::Policy;
use crate::config::Secret;
use crate::error::{ApiError, ErrorKind};
use crate::sigv4::canonical::canonical_request;
use crate::sigv4::header::Authorization;
use crate::wall_clock::iso8601;

/// How far a request's date may be from the server's clock, either way.
pub const CLOCK_SKEW_MAX_MICROS: i64 = 5 * 60 * 1_000_000;

const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// The signing name of both IVS services.
pub const SERVICE: &str = "ivs";

/// An access key that the server accepts.
#[derive(Clone)]
pub struct AccessKey {
    /// The public half.
    pub id: String,
    /// The secret half.
    pub secret: String,
    /// Whose resources it reaches.
    pub account: String,
    /// Requests signed with a temporary key must carry this.
    pub session_token: Option<Secret>,
    /// What it may do.
    pub policy: Arc<Policy>,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, account, .. } = self;
        write!(f, "AccessKey({id}, {account}, ..)")
    }
}

/// Who is asking.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    /// The key that signed, for messages.
    pub access_key: String,
    /// The account whose resources are meant.
    pub account: String,
    /// What it may do.
    pub policy: Arc<Policy>,
}

/// The parts of a request that a signature covers.
#[derive(Debug)]
pub struct SignedParts<'a> {
    /// Its method.
    pub method: &'a Method,
    /// The path as it was sent, not decoded.
    pub raw_path: &'a str,
    /// The query as it was sent, without the question mark.
    pub raw_query: &'a str,
    /// All headers. HTTP/2's `:authority` must have become `host`.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a [u8],
}

/// Verifies signatures for one region.
#[derive(Clone, Copy, Debug)]
pub struct Verifier<'a> {
    /// The region that requests must be signed for.
    pub region: &'a str,
    /// The accepted keys.
    pub keys: &'a [AccessKey],
    /// Whether a signed `x-amz-content-sha256: UNSIGNED-PAYLOAD` stands for any body. AWS wants TLS for that.
    pub unsigned_payload: bool,
}

impl Verifier<'_> {
    /// Whose request this is, or why it cannot be said.
    pub fn verify(&self, now: WallTime, parts: &SignedParts<'_>) -> Result<Principal, ApiError> {
        let authorization = Authorization::parse(parts.headers)?;
        self.check_scope(&authorization)?;
        check_date(now, &authorization)?;
        authorization.check_signed_headers(parts.headers)?;
        let body_hash = self.body_hash(parts)?;
        let key = self
            .keys
            .iter()
            .find(|key| key.id == authorization.access_key)
            .ok_or_else(|| {
                ApiError::new(
                    ErrorKind::UnrecognizedClient,
                    format!("access key {} is not known here", authorization.access_key),
                )
            })?;
        check_session_token(key, parts.headers)?;
        let canonical = canonical_request(parts, &authorization.signed_headers, &body_hash);
        let expected = sign(&key.secret, &authorization, &canonical);
        if bool::from(expected.as_slice().ct_eq(&authorization.signature)) {
            return Ok(Principal {
                access_key: key.id.clone(),
                account: key.account.clone(),
                policy: Arc::clone(&key.policy),
            });
        }
        Err(invalid(
            "The request signature we calculated does not match the signature you provided. Check your secret access \
             key, and that nothing between you and the server altered path, headers or body",
        ))
    }

    /// What the canonical request says of the body.
    fn body_hash(&self, parts: &SignedParts<'_>) -> Result<String, ApiError> {
        let actual = hex::encode(Sha256::digest(parts.body));
        match parts.headers.get("x-amz-content-sha256") {
            Some(claimed) if claimed == UNSIGNED_PAYLOAD && self.unsigned_payload => {
                Ok(UNSIGNED_PAYLOAD.to_owned())
            }
            Some(claimed) if claimed == UNSIGNED_PAYLOAD => Err(invalid(format!(
                "`x-amz-content-sha256`: {UNSIGNED_PAYLOAD} is accepted over HTTPS only"
            ))),
            Some(claimed) if claimed.as_bytes() != actual.as_bytes() => Err(invalid(
                "`x-amz-content-sha256`: must be the SHA-256 of the body in lowercase hex",
            )),
            Some(_) | None => Ok(actual),
        }
    }

    fn check_scope(&self, authorization: &Authorization) -> Result<(), ApiError> {
        let scope = &authorization.scope;
        if scope.region != self.region {
            return Err(invalid(format!(
                "Credential should be scoped to a valid region: '{}' given, must be '{}'",
                scope.region, self.region
            )));
        }
        if scope.service != SERVICE {
            return Err(invalid(format!(
                "Credential should be scoped to the correct service: '{}' given, must be '{SERVICE}'",
                scope.service
            )));
        }
        Ok(())
    }
}

fn check_date(now: WallTime, authorization: &Authorization) -> Result<(), ApiError> {
    let signed_at = authorization.signed_at;
    let (signed, here) = (iso8601(signed_at), iso8601(now));
    if signed_at.0 < now.0 - CLOCK_SKEW_MAX_MICROS {
        return Err(invalid(format!(
            "Signature expired: {signed} is more than 5 minutes before {here}"
        )));
    }
    if signed_at.0 > now.0 + CLOCK_SKEW_MAX_MICROS {
        return Err(invalid(format!(
            "Signature not yet current: {signed} is more than 5 minutes after {here}"
        )));
    }
    Ok(())
}

fn check_session_token(key: &AccessKey, headers: &HeaderMap) -> Result<(), ApiError> {
    let given = headers.get("x-amz-security-token");
    let fits = match (&key.session_token, given) {
        (None, None) => true,
        (Some(wanted), Some(given)) => given.to_str().is_ok_and(|given| wanted.matches(given)),
        (Some(_), None) | (None, Some(_)) => false,
    };
    if fits {
        return Ok(());
    }
    let rule = match key.session_token {
        Some(_) => "is missing or not the one that belongs to it",
        None => "is given, but it has none",
    };
    Err(ApiError::new(
        ErrorKind::UnrecognizedClient,
        format!("access key {}: the session token {rule}", key.id),
    ))
}

fn sign(secret: &str, authorization: &Authorization, canonical: &str) -> Vec<u8> {
    let scope = &authorization.scope;
    let string_to_sign = format!(
        "AWS4-HMAC-SHA256\n{}\n{}/{}/{}/aws4_request\n{}",
        authorization.date_text,
        scope.day,
        scope.region,
        scope.service,
        hex::encode(Sha256::digest(canonical.as_bytes())),
    );
    let mut key = hmac(format!("AWS4{secret}").as_bytes(), &scope.day);
    for step in [
        scope.region.as_str(),
        scope.service.as_str(),
        "aws4_request",
    ] {
        key = hmac(&key, step);
    }
    hmac(&key, &string_to_sign)
}

fn hmac(key: &[u8], data: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes any key length");
    mac.update(data.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorKind::InvalidSignature, message)
}
