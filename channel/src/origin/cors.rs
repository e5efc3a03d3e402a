//! Which web pages may read an answer (Fetch, "CORS protocol"). Nothing here depends on cookies.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, VARY,
};
use axum::http::{HeaderMap, HeaderValue};

use crate::playback::{Pass, Refusal};

const EXPOSED: HeaderValue = HeaderValue::from_static("Content-Length, Content-Range, Date");

/// The pages that may read an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Readers {
    /// All of them.
    All,
    /// The one that asked, because its origin is allowed.
    Asking(HeaderValue),
    /// None: the page's origin is not allowed, or a player asked that has none.
    Nobody,
}

impl Readers {
    /// Of a multivariant playlist.
    pub(crate) fn of_beginning(pass: &Pass, origin: Option<&str>) -> Self {
        if !pass.origins.is_restricted() {
            return Self::All;
        }
        let allowed = origin.filter(|origin| pass.origins.allow(origin));
        allowed
            .and_then(|origin| HeaderValue::from_str(origin).ok())
            .map_or(Self::Nobody, Self::Asking)
    }

    /// Of media playlists and segments.
    pub(crate) fn of_parts(pass: &Pass, origin: Option<&str>) -> Self {
        if pass.strict_origin {
            Self::of_beginning(pass, origin)
        } else {
            Self::All
        }
    }

    /// Of a refusal.
    pub(crate) fn of_refusal(refusal: &Refusal) -> Self {
        if refusal.is_about_origin() {
            Self::Nobody
        } else {
            Self::All
        }
    }

    /// As headers.
    pub(crate) fn headers(self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let origin = match self {
            Self::All => Some(HeaderValue::from_static("*")),
            Self::Asking(origin) => Some(origin),
            Self::Nobody => None,
        };
        if origin.as_ref().is_none_or(|origin| origin != "*") {
            headers.insert(VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(origin) = origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
        headers
    }

    /// As the headers that answer a preflight.
    pub(crate) fn preflight_headers(self) -> HeaderMap {
        let mut headers = self.headers();
        if headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            let allowed = [
                (ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
                (ACCESS_CONTROL_ALLOW_HEADERS, "*"),
                (ACCESS_CONTROL_MAX_AGE, "600"),
            ];
            for (name, value) in allowed {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
        headers
    }
}
