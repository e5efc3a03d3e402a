//! Rules for strings.

use crate::error::ApiError;
use crate::validate::shown;

/// Length and alphabet of a string.
#[derive(Clone, Copy, Debug)]
pub struct TextRule {
    /// Fewest characters.
    pub min: usize,
    /// Most characters.
    pub max: usize,
    /// Which characters.
    pub charset: Charset,
}

/// The alphabets of the models.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Charset {
    /// Everything.
    Any,
    /// `[a-zA-Z0-9-_]`.
    Name,
    /// `[a-z0-9-.]`.
    Bucket,
    /// `[a-zA-Z0-9+/=_-]`.
    PageToken,
    /// Letters, separators, digits and `_.:/=+-@`.
    Tag,
}

impl TextRule {
    /// Resource names.
    pub const NAME: Self = Self {
        min: 0,
        max: 128,
        charset: Charset::Name,
    };
    /// Names of token attributes in layouts.
    pub const ATTRIBUTE_KEY: Self = Self::NAME;
    /// `nextToken`.
    pub const PAGE_TOKEN: Self = Self {
        min: 0,
        max: 1024,
        charset: Charset::PageToken,
    };
    /// `idempotencyToken`.
    pub const IDEMPOTENCY_TOKEN: Self = Self {
        min: 1,
        max: 64,
        charset: Charset::Name,
    };
    /// `participantId`.
    pub const PARTICIPANT_ID: Self = Self {
        min: 0,
        max: 64,
        charset: Charset::Name,
    };
    /// A key in `tagKeys`.
    pub const TAG_KEY: Self = Self {
        min: 1,
        max: 128,
        charset: Charset::Any,
    };
    /// `userId` of a token.
    pub const USER_ID: Self = Self {
        min: 0,
        max: 128,
        charset: Charset::Any,
    };
    /// `reason` of DisconnectParticipant.
    pub const REASON: Self = Self {
        min: 0,
        max: 128,
        charset: Charset::Any,
    };
    /// `bucketName`.
    pub const BUCKET: Self = Self {
        min: 3,
        max: 63,
        charset: Charset::Bucket,
    };

    /// Whether `text`, which stands at `path`, keeps the rule.
    pub fn check(&self, path: &str, text: &str) -> Result<(), ApiError> {
        let chars = text.chars().count();
        let (min, max) = (self.min, self.max);
        if !(min..=max).contains(&chars) {
            return Err(ApiError::validation(format!(
                "`{path}`: '{}' given, {chars} characters long, must be {min} to {max}",
                shown(text)
            )));
        }
        match text.chars().find(|c| !self.charset.allows(*c)) {
            Some(_) => Err(ApiError::validation(format!(
                "`{path}`: '{}' given, must match {}",
                shown(text),
                self.charset.pattern()
            ))),
            None => Ok(()),
        }
    }
}

impl Charset {
    fn allows(self, c: char) -> bool {
        match self {
            Self::Any => true,
            Self::Name => c.is_ascii_alphanumeric() || matches!(c, '-' | '_'),
            Self::Bucket => c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'),
            Self::PageToken => {
                c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '-')
            }
            Self::Tag => {
                let separator = c.is_whitespace() && !c.is_control();
                let sign = matches!(c, '_' | '.' | ':' | '/' | '=' | '+' | '-' | '@');
                c.is_alphanumeric() || separator || sign
            }
        }
    }

    fn pattern(self) -> &'static str {
        match self {
            Self::Any => ".*",
            Self::Name => "[a-zA-Z0-9-_]*",
            Self::Bucket => "[a-z0-9-.]+",
            Self::PageToken => "[a-zA-Z0-9+/=_-]*",
            Self::Tag => r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*",
        }
    }
}
