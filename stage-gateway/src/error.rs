//! What the gateway refuses, and why; the API turns each into a status and a message.

use compositor_core::id::ParticipantId;
use compositor_core::sink::JournalError;

/// Why the gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The WebRTC address cannot be bound.
    #[error("WebRTC address {address} cannot be bound")]
    Bind {
        /// The configured address.
        address: std::net::SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The network interfaces cannot be listed, which a wildcard address needs.
    #[error("the network interfaces cannot be listed")]
    Interfaces {
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The token key cannot be read, made or kept.
    #[error("the participant token key cannot be used")]
    TokenKey(#[from] TokenKeyError),
}

/// Why the key that signs participant tokens is unusable.
#[derive(Debug, thiserror::Error)]
pub enum TokenKeyError {
    /// The key file cannot be read or written.
    #[error("token key file {path} cannot be read or written")]
    File {
        /// Where it should be.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("token key file {path} does not hold a P-384 private key in PKCS#8 PEM form")]
    Format {
        /// Where it is.
        path: String,
    },
}

/// Why a participant token is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TokenError {
    /// It is not a JWT with the claims of a participant token.
    #[error("the participant token is malformed: {rule}")]
    Malformed {
        /// What it breaks.
        rule: String,
    },
    /// It was not signed by this server, or was changed since.
    #[error("the participant token's signature does not verify")]
    BadSignature,
    /// Its time is over.
    #[error("the participant token expired at {expired_at_s} s since the epoch")]
    Expired {
        /// The `exp` claim.
        expired_at_s: i64,
    },
    /// It names an imported key that is not there, or no more.
    #[error("the participant token is signed with {key_id}, which is not an imported public key")]
    UnknownKey {
        /// The `kid` of its header.
        key_id: String,
    },
    /// It belongs to a stage of another region or of another account than its key, or its claims contradict each other.
    #[error(
        "the participant token is for {resource}, which is not a stage that its key may sign for"
    )]
    ForeignStage {
        /// The `resource` claim.
        resource: String,
    },
    /// It does not allow what was tried.
    #[error("the participant token lacks the capability {capability}")]
    MissingCapability {
        /// `PUBLISH` or `SUBSCRIBE`.
        capability: &'static str,
    },
    /// DisconnectParticipant was called for it.
    #[error("participant {participant} was disconnected, its token is refused")]
    Revoked {
        /// Whose token.
        participant: ParticipantId,
    },
}

/// Why an offer is not answered.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// The token does not allow it.
    #[error("the participant token does not allow this")]
    Token(#[from] TokenError),
    /// The SDP is broken.
    #[error("the SDP offer is malformed: {rule}")]
    Malformed {
        /// The rule it breaks.
        rule: String,
    },
    /// The SDP is too long.
    #[error("the SDP offer has {bytes} bytes, at most {limit} are allowed")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The cap.
        limit: usize,
    },
    /// The SDP is well-formed but asks for something that is not offered here.
    #[error("the SDP offer cannot be accepted: {rule}")]
    Unacceptable {
        /// The rule it breaks.
        rule: String,
    },
    /// The SDP offers no codec that is understood here.
    #[error("the SDP offer cannot be accepted: m={kind} offers no {supported}")]
    UnsupportedCodec {
        /// `audio` or `video`.
        kind: &'static str,
        /// What is.
        supported: &'static str,
    },
    /// The stage has its full number of publishers.
    #[error("the stage has {limit} publishers already, the most allowed")]
    StageFull {
        /// The cap.
        limit: usize,
    },
    /// The server has its full number of peers.
    #[error("the server has {limit} WebRTC peers already, the most allowed")]
    ServerFull {
        /// The cap.
        limit: usize,
    },
    /// Nobody with that id is publishing.
    #[error("participant {publisher} is not publishing on this stage")]
    PublisherNotFound {
        /// The id asked for.
        publisher: ParticipantId,
    },
    /// More has happened on the stage than could be written down yet.
    #[error(
        "the history of the stage is {limit} events behind, nobody is let in until it has caught up"
    )]
    HistoryBehind {
        /// The cap.
        limit: usize,
    },
    /// The stage session cannot be opened.
    #[error("the stage session cannot be opened")]
    Session(#[from] SessionError),
    /// The peer connection failed inside.
    #[error("the peer connection cannot be made: {what}")]
    Internal {
        /// What failed.
        what: String,
    },
}

/// Why a stage session is not available.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The stage was deleted, or the server is shutting down.
    #[error("the stage session is closed")]
    Closed,
    /// The journal cannot be opened.
    #[error("the journal of the stage session cannot be opened")]
    Journal(#[from] JournalError),
}

/// Why a PATCH or DELETE of a WHIP resource is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ResourceError {
    /// No such resource, or it has ended. 404.
    #[error("WHIP resource {resource} does not exist")]
    NotFound {
        /// The id asked for.
        resource: String,
    },
    /// The token belongs to another participant. 403.
    #[error("WHIP resource {resource} belongs to another participant")]
    NotOwner {
        /// The id asked for.
        resource: String,
    },
    /// PATCH needs If-Match (RFC 9725 section 4.3). 428.
    #[error("PATCH needs an If-Match header with the resource's ETag, or * for an ICE restart")]
    PreconditionRequired,
    /// The ICE session has moved on. 412.
    #[error("If-Match {given} does not match the current ETag {current}")]
    PreconditionFailed {
        /// The header.
        given: String,
        /// The current entity tag.
        current: String,
    },
    /// The SDP fragment is broken. 400.
    #[error("the SDP fragment is malformed: {rule}")]
    Malformed {
        /// The rule it breaks.
        rule: String,
    },
    /// ICE cannot be restarted with this fragment. 422.
    #[error("ICE cannot be restarted: {rule}")]
    Unprocessable {
        /// The rule it breaks.
        rule: String,
    },
}
