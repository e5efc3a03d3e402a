//! Why somebody may not play: the words and the status codes.

use crate::limits::PLAYBACK_TOKEN_BYTES_MAX;

/// Why a request for playback is refused. The text is for the developer of the player's application; it never tells
/// which key failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the channel is private: a playback token is needed as ?token=")]
    TokenMissing,
    #[error("the token has {0} bytes, at most {PLAYBACK_TOKEN_BYTES_MAX} are allowed")]
    TokenTooLong(usize),
    #[error("the token is not a JWT")]
    TokenMalformed,
    #[error("the token's header must be {{\"alg\":\"ES384\",\"typ\":\"JWT\"}}")]
    TokenHeader,
    #[error("no playback key of the channel's account verifies the token")]
    TokenSignature,
    #[error("claim {claim}: {rule}")]
    Claim {
        claim: &'static str,
        rule: &'static str,
    },
    #[error("claim aws:channel-arn: names another channel")]
    OtherChannel,
    #[error("claim exp: the token has expired")]
    Expired,
    #[error("claim aws:single-use-uuid: the token has been used")]
    Used,
    #[error("the viewer session is revoked")]
    Revoked,
    #[error("the request has no Origin header, which strict origin enforcement needs")]
    OriginMissing,
    #[error("origin {0} is not allowed")]
    OriginNotAllowed(String),
    #[error("playback is not allowed in country {0}")]
    CountryNotAllowed(String),
    #[error(
        "claim aws:maximum-resolution: {maximum} allows {allowed} lines, every rendition of the stream has more: {lines}"
    )]
    Resolution {
        maximum: &'static str,
        allowed: u32,
        lines: u32,
    },
    #[error("the viewer session is over or never was: begin with the playback URL")]
    NoSession,
    #[error("the account's {limit} concurrent views are all taken")]
    TooManyViewers { limit: usize },
    #[error("too many viewer sessions are waiting to begin")]
    TooManySessions,
    #[error("the rules of playback cannot be looked up now")]
    Unavailable,
}

impl Refusal {
    /// For programs; the `error_code` of the body.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::TokenMissing => "token_missing",
            Self::TokenTooLong(_) | Self::TokenMalformed | Self::TokenHeader => "token_malformed",
            Self::TokenSignature => "token_signature",
            Self::Claim { .. } => "token_claim",
            Self::OtherChannel => "token_channel",
            Self::Expired => "token_expired",
            Self::Used => "token_used",
            Self::Revoked => "session_revoked",
            Self::OriginMissing => "origin_missing",
            Self::OriginNotAllowed(_) => "origin_not_allowed",
            Self::CountryNotAllowed(_) => "country_not_allowed",
            Self::Resolution { .. } => "resolution_not_allowed",
            Self::NoSession => "session_unknown",
            Self::TooManyViewers { .. } => "viewer_limit",
            Self::TooManySessions => "session_limit",
            Self::Unavailable => "unavailable",
        }
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::TooManyViewers { .. } => 429,
            Self::TooManySessions | Self::Unavailable => 503,
            Self::TokenMissing
            | Self::TokenTooLong(_)
            | Self::TokenMalformed
            | Self::TokenHeader
            | Self::TokenSignature
            | Self::Claim { .. }
            | Self::OtherChannel
            | Self::Expired
            | Self::Used
            | Self::Revoked
            | Self::OriginMissing
            | Self::OriginNotAllowed(_)
            | Self::CountryNotAllowed(_)
            | Self::Resolution { .. }
            | Self::NoSession => 403,
        }
    }

    /// Whether it is the page that may not play; such a page may not read the answer either.
    pub(crate) fn is_about_origin(&self) -> bool {
        matches!(self, Self::OriginMissing | Self::OriginNotAllowed(_))
    }
}
