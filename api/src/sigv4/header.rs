//! The `Authorization` header and the rules for what it must sign.

use compositor_core::time::WallTime;
use http::HeaderMap;
use time::PrimitiveDateTime;
use time::macros::format_description;

use crate::error::{ApiError, ErrorKind};

/// More signed headers than any SDK sends; each is walked once per request.
const SIGNED_HEADERS_MAX: usize = 64;

/// A parsed `AWS4-HMAC-SHA256` authorization.
#[derive(Debug)]
pub(super) struct Authorization {
    pub(super) access_key: String,
    pub(super) scope: Scope,
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: Vec<u8>,
    /// `x-amz-date` as it was sent.
    pub(super) date_text: String,
    pub(super) signed_at: WallTime,
}

/// The credential scope.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) day: String,
    pub(super) region: String,
    pub(super) service: String,
}

impl Authorization {
    /// Reads `Authorization` and `x-amz-date`.
    pub(super) fn parse(headers: &HeaderMap) -> Result<Self, ApiError> {
        let Some(value) = headers.get(http::header::AUTHORIZATION) else {
            return Err(ApiError::new(
                ErrorKind::MissingAuthenticationToken,
                "Missing Authentication Token: the request has no `Authorization` header",
            ));
        };
        let value = value
            .to_str()
            .map_err(|_| incomplete("`Authorization`: must be visible ASCII"))?;
        let fields = value
            .strip_prefix("AWS4-HMAC-SHA256 ")
            .ok_or_else(|| incomplete("`Authorization`: must begin with 'AWS4-HMAC-SHA256 '"))?;
        let (access_key, scope) = parse_credential(field(fields, "Credential")?)?;
        let signed_headers = parse_signed_headers(field(fields, "SignedHeaders")?)?;
        let signature = hex::decode(field(fields, "Signature")?)
            .ok()
            .filter(|bytes| bytes.len() == 32)
            .ok_or_else(|| incomplete("`Authorization`: Signature must be 64 hex digits"))?;
        let (date_text, signed_at) = parse_date(headers)?;
        if !date_text.starts_with(&scope.day) {
            return Err(ApiError::new(
                ErrorKind::InvalidSignature,
                format!(
                    "Date in Credential scope does not match `x-amz-date`: '{}' against '{date_text}'",
                    scope.day
                ),
            ));
        }
        Ok(Self {
            access_key,
            scope,
            signed_headers,
            signature,
            date_text,
            signed_at,
        })
    }

    /// `host` and every `x-amz-*` header of the request must be signed. A session token may be left out, as some
    /// services of AWS have it added after signing; it is compared as it is.
    pub(super) fn check_signed_headers(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let signed = |name: &str| self.signed_headers.iter().any(|s| s == name);
        let forgotten = headers
            .keys()
            .map(http::HeaderName::as_str)
            .filter(|name| name.starts_with("x-amz-") && *name != "x-amz-security-token")
            .chain(["host"])
            .find(|name| !signed(name));
        if let Some(name) = forgotten {
            return Err(ApiError::new(
                ErrorKind::InvalidSignature,
                format!("'{name}' must be a signed header"),
            ));
        }
        match self
            .signed_headers
            .iter()
            .find(|name| !headers.contains_key(name.as_str()))
        {
            Some(name) => Err(ApiError::new(
                ErrorKind::InvalidSignature,
                format!("'{name}' is signed, but the request has no such header"),
            )),
            None => Ok(()),
        }
    }
}

fn field<'a>(fields: &'a str, name: &str) -> Result<&'a str, ApiError> {
    let mut found = fields
        .split(',')
        .filter_map(|part| part.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value.trim());
    match (found.next(), found.next()) {
        (Some(value), None) => Ok(value),
        (None, _) => Err(incomplete(format!(
            "`Authorization`: requires '{name}' parameter"
        ))),
        (Some(_), Some(_)) => Err(incomplete(format!(
            "`Authorization`: '{name}' parameter given twice"
        ))),
    }
}

fn parse_credential(credential: &str) -> Result<(String, Scope), ApiError> {
    let mut parts = credential.rsplitn(5, '/');
    let mut next = || parts.next().filter(|part| !part.is_empty());
    match (next(), next(), next(), next(), next()) {
        (Some("aws4_request"), Some(service), Some(region), Some(day), Some(key))
            if day.len() == 8 && day.bytes().all(|b| b.is_ascii_digit()) =>
        {
            let scope = Scope {
                day: day.to_owned(),
                region: region.to_owned(),
                service: service.to_owned(),
            };
            Ok((key.to_owned(), scope))
        }
        _ => Err(incomplete(
            "`Authorization`: Credential must be <key>/<yyyymmdd>/<region>/<service>/aws4_request",
        )),
    }
}

fn parse_signed_headers(list: &str) -> Result<Vec<String>, ApiError> {
    let names: Vec<String> = list.split(';').map(str::to_owned).collect();
    let lowercase = names
        .iter()
        .all(|n| !n.is_empty() && !n.bytes().any(|b| b.is_ascii_uppercase()));
    let sorted_once = names.windows(2).all(|pair| pair[0] < pair[1]);
    if lowercase && sorted_once && names.len() <= SIGNED_HEADERS_MAX {
        return Ok(names);
    }
    Err(incomplete(format!(
        "`Authorization`: SignedHeaders must be at most {SIGNED_HEADERS_MAX} lowercase names, sorted, each once"
    )))
}

fn parse_date(headers: &HeaderMap) -> Result<(String, WallTime), ApiError> {
    let text = headers
        .get("x-amz-date")
        .and_then(|value| value.to_str().ok())
        .ok_or_else(|| {
            incomplete("Authorization header requires existence of an 'X-Amz-Date' header")
        })?;
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let parsed = PrimitiveDateTime::parse(text, &format).map_err(|_| {
        incomplete(format!(
            "`x-amz-date`: '{text}' given, must be like 20260101T000000Z"
        ))
    })?;
    let seconds = parsed.assume_utc().unix_timestamp();
    Ok((text.to_owned(), WallTime(seconds.saturating_mul(1_000_000))))
}

fn incomplete(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorKind::IncompleteSignature, message)
}
