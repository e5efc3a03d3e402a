//! Names of resources: `arn:aws:ivs:<region>:<account>:<type>/<id>`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error as _, IntoDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest ARN the models allow.
pub const ARN_CHARS_MAX: usize = 128;

/// The resource types of both services.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ArnKind {
    /// IVS Real-Time.
    Stage,
    /// IVS Real-Time.
    Composition,
    /// IVS Real-Time.
    EncoderConfiguration,
    /// IVS Real-Time.
    StorageConfiguration,
    /// IVS Real-Time.
    IngestConfiguration,
    /// IVS Real-Time.
    PublicKey,
    /// IVS.
    Channel,
    /// IVS.
    StreamKey,
    /// IVS.
    PlaybackKey,
    /// IVS.
    PlaybackRestrictionPolicy,
    /// IVS.
    RecordingConfiguration,
    /// IVS.
    AdConfiguration,
    /// IVS.
    FailoverSlateConfiguration,
}

impl ArnKind {
    const ALL: [Self; 13] = [
        Self::Stage,
        Self::Composition,
        Self::EncoderConfiguration,
        Self::StorageConfiguration,
        Self::IngestConfiguration,
        Self::PublicKey,
        Self::Channel,
        Self::StreamKey,
        Self::PlaybackKey,
        Self::PlaybackRestrictionPolicy,
        Self::RecordingConfiguration,
        Self::AdConfiguration,
        Self::FailoverSlateConfiguration,
    ];

    /// The type as ARNs spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stage => "stage",
            Self::Composition => "composition",
            Self::EncoderConfiguration => "encoder-configuration",
            Self::StorageConfiguration => "storage-configuration",
            Self::IngestConfiguration => "ingest-configuration",
            Self::PublicKey => "public-key",
            Self::Channel => "channel",
            Self::StreamKey => "stream-key",
            Self::PlaybackKey => "playback-key",
            Self::PlaybackRestrictionPolicy => "playback-restriction-policy",
            Self::RecordingConfiguration => "recording-configuration",
            Self::AdConfiguration => "ad-configuration",
            Self::FailoverSlateConfiguration => "failover-slate-configuration",
        }
    }

    /// Whether the type belongs to the low-latency service, whose tags have a smaller alphabet.
    pub fn is_low_latency(self) -> bool {
        match self {
            Self::Stage
            | Self::Composition
            | Self::EncoderConfiguration
            | Self::StorageConfiguration
            | Self::IngestConfiguration
            | Self::PublicKey => false,
            Self::Channel
            | Self::StreamKey
            | Self::PlaybackKey
            | Self::PlaybackRestrictionPolicy
            | Self::RecordingConfiguration
            | Self::AdConfiguration
            | Self::FailoverSlateConfiguration => true,
        }
    }
}

/// A well-formed ARN.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Arn {
    region: String,
    account: String,
    kind: ArnKind,
    id: String,
}

impl Arn {
    /// The name of a resource of this server.
    pub fn new(region: &str, account: &str, kind: ArnKind, id: &str) -> Self {
        Self {
            region: region.to_owned(),
            account: account.to_owned(),
            kind,
            id: id.to_owned(),
        }
    }

    /// Takes `text` apart; `None` if it is not an ARN of a known type.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > ARN_CHARS_MAX {
            return None;
        }
        let rest = text.strip_prefix("arn:aws:ivs:")?;
        let (region, rest) = rest.split_once(':')?;
        let (account, resource) = rest.split_once(':')?;
        let (kind, id) = resource.split_once('/')?;
        let kind = ArnKind::ALL.into_iter().find(|k| k.as_str() == kind)?;
        let region_ok = all(region, |c| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
        });
        let account_ok = all(account, |c| c.is_ascii_digit());
        let id_ok = all(id, |c| c.is_ascii_alphanumeric() || c == '-');
        (region_ok && account_ok && id_ok).then(|| Self::new(region, account, kind, id))
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The account that has it.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The resource type.
    pub fn kind(&self) -> ArnKind {
        self.kind
    }

    /// The part after the slash.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            region,
            account,
            kind,
            id,
        } = self;
        write!(f, "arn:aws:ivs:{region}:{account}:{}/{id}", kind.as_str())
    }
}

impl Serialize for Arn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Arn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "'{text}' given, must be arn:aws:ivs:<region>:<account>:<type>/<id>"
            ))
        })
    }
}

/// A reference that may be none; the service spells that as the empty string, in requests and in answers.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ArnOrEmpty(pub Option<Arn>);

impl Serialize for ArnOrEmpty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(arn) => arn.serialize(serializer),
            None => serializer.serialize_str(""),
        }
    }
}

impl<'de> Deserialize<'de> for ArnOrEmpty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self(None));
        }
        Arn::deserialize(text.into_deserializer()).map(|arn| Self(Some(arn)))
    }
}

fn all(text: &str, allowed: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_survives_text() {
        let text = "arn:aws:ivs:us-east-1:123456789012:encoder-configuration/AbC123";
        assert_eq!(
            Arn::parse(text).map(|arn| arn.to_string()).as_deref(),
            Some(text)
        );
    }

    #[test]
    fn the_empty_string_is_no_reference() {
        let read = |text: &str| serde_json::from_str::<ArnOrEmpty>(text).ok();
        assert_eq!(read("\"\""), Some(ArnOrEmpty(None)));
        let text = "\"arn:aws:ivs:us-east-1:123456789012:channel/AbC123\"";
        let arn = read(text).unwrap();
        assert_eq!(serde_json::to_string(&arn).unwrap(), text);
        assert_eq!(read("\"channel/AbC123\""), None);
    }

    #[test]
    fn what_is_no_arn_is_refused() {
        for text in [
            "",
            "stage/abc",
            "arn:aws:ivs:us-east-1:123456789012:stage/",
            "arn:aws:ivs:us-east-1:123456789012:room/abc",
            "arn:aws:ivs:us-east-1:12345678901x:stage/abc",
            "arn:aws:ivs:us-east-1:123456789012:stage/a/b",
            "arn:aws:ivs:US:123456789012:stage/abc",
        ] {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
        let long = format!(
            "arn:aws:ivs:us-east-1:123456789012:stage/{}",
            "a".repeat(100)
        );
        assert_eq!(Arn::parse(&long), None);
    }
}
