//! Operations of the two IVS models that this server does not have yet. They answer so, and pretend nothing.

use crate::error::{ApiError, ErrorKind};

/// Their names.
pub const OPERATIONS: [&str; 53] = [
    "BatchGetChannel",
    "BatchGetStreamKey",
    "BatchStartViewerSessionRevocation",
    "CreateAdConfiguration",
    "CreateFailoverSlateConfiguration",
    "CreateIngestConfiguration",
    "CreatePlaybackRestrictionPolicy",
    "CreateRecordingConfiguration",
    "CreateStreamKey",
    "DeleteAdConfiguration",
    "DeleteFailoverSlateConfiguration",
    "DeleteIngestConfiguration",
    "DeletePlaybackKeyPair",
    "DeletePlaybackRestrictionPolicy",
    "DeletePublicKey",
    "DeleteRecordingConfiguration",
    "DeleteStreamKey",
    "GetAdConfiguration",
    "GetFailoverSlateConfiguration",
    "GetIngestConfiguration",
    "GetParticipant",
    "GetPlaybackKeyPair",
    "GetPlaybackRestrictionPolicy",
    "GetPublicKey",
    "GetRecordingConfiguration",
    "GetStageSession",
    "GetStreamSession",
    "ImportPlaybackKeyPair",
    "ImportPublicKey",
    "InsertAdBreak",
    "ListAdConfigurations",
    "ListFailoverSlateConfigurations",
    "ListIngestConfigurations",
    "ListParticipantEvents",
    "ListParticipantReplicas",
    "ListParticipants",
    "ListPlaybackKeyPairs",
    "ListPlaybackRestrictionPolicies",
    "ListPublicKeys",
    "ListRecordingConfigurations",
    "ListStageSessions",
    "ListStreamSessions",
    "PutMetadata",
    "RevokeConnectionToken",
    "StartParticipantReplication",
    "StartViewerSessionRevocation",
    "StopParticipantReplication",
    "UpdateAdConfiguration",
    "UpdateChannel",
    "UpdateFailoverSlateConfiguration",
    "UpdateIngestConfiguration",
    "UpdatePlaybackRestrictionPolicy",
    "UpdateStage",
];

/// The answer.
pub fn refuse(operation: &str) -> ApiError {
    ApiError::new(
        ErrorKind::NotImplemented,
        format!("{operation} is an operation of Amazon IVS that this server does not have yet"),
    )
}
