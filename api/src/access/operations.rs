//! The type of resource that an operation makes, lists or is about.

use crate::arn::ArnKind;

/// By the operation's name. `None` for those that are about no type.
pub fn new_resource_kind(operation: &str) -> Option<ArnKind> {
    // The longer name first: a channel's stream key is no channel, a stage's session is the stage's.
    const NAMES: [(&str, ArnKind); 15] = [
        ("StreamKey", ArnKind::StreamKey),
        ("PlaybackKeyPair", ArnKind::PlaybackKey),
        (
            "PlaybackRestrictionPolic",
            ArnKind::PlaybackRestrictionPolicy,
        ),
        ("RecordingConfiguration", ArnKind::RecordingConfiguration),
        ("AdConfiguration", ArnKind::AdConfiguration),
        (
            "FailoverSlateConfiguration",
            ArnKind::FailoverSlateConfiguration,
        ),
        ("EncoderConfiguration", ArnKind::EncoderConfiguration),
        ("StorageConfiguration", ArnKind::StorageConfiguration),
        ("IngestConfiguration", ArnKind::IngestConfiguration),
        ("PublicKey", ArnKind::PublicKey),
        ("Composition", ArnKind::Composition),
        ("Stage", ArnKind::Stage),
        ("Participant", ArnKind::Stage),
        ("Channel", ArnKind::Channel),
        ("Stream", ArnKind::Channel),
    ];
    let found = NAMES.iter().find(|(name, _)| operation.contains(name));
    found.map(|(_, kind)| *kind)
}
