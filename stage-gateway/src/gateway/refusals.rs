//! Offers that are refused are remembered by the session, so that one can see afterwards why somebody was not there.

use compositor_core::id::StageId;

use super::{Answer, Inner};
use crate::error::OfferError;
use crate::history::{Attempt, ClientAttributes, FailureCode, Visitor};
use crate::limits::HISTORY_BACKLOG_MAX;
use crate::session::SessionInput;
use crate::token::Grant;

/// Who makes an offer.
#[derive(Debug)]
pub(super) struct Caller {
    /// What its token allows.
    pub(super) grant: Grant,
    /// What it says of its software.
    pub(super) client: ClientAttributes,
}

impl Caller {
    pub(super) fn new(grant: &Grant, client: ClientAttributes) -> Self {
        Self {
            grant: grant.clone(),
            client,
        }
    }
}

impl Inner {
    /// Closes the door while the history of the stage is too far behind, before the offer is looked at: nothing of what
    /// is refused here would be remembered.
    pub(super) fn admit(&self, stage: &StageId) -> Result<(), OfferError> {
        let session = self.sessions.get(stage);
        if session.is_some_and(|session| session.is_history_full()) {
            let limit = HISTORY_BACKLOG_MAX;
            return Err(OfferError::HistoryBehind { limit });
        }
        Ok(())
    }

    /// Lets the session remember a refusal. Who was refused to publish has come to the stage: that opens a session where
    /// there is none. Players ask for publishers all the time, which does not.
    pub(super) async fn note(
        &self,
        caller: Caller,
        attempt: Attempt,
        answered: Result<Answer, OfferError>,
    ) -> Result<Answer, OfferError> {
        let Some(code) = answered.as_ref().err().and_then(failure_code) else {
            return answered;
        };
        let Caller { grant, client } = caller;
        let session = match attempt {
            Attempt::Subscribe(_) => self.sessions.get(&grant.stage),
            Attempt::Join | Attempt::Publish => self.session(&grant.stage).await.ok(),
        };
        if let Some(session) = session {
            let server_full = matches!(answered, Err(OfferError::ServerFull { .. }));
            let attempt = if server_full { Attempt::Join } else { attempt };
            let visitor = Visitor {
                participant: grant.participant,
                user_id: grant.user_id,
                attributes: grant.attributes,
                client,
            };
            let refused = SessionInput::Refused {
                visitor,
                attempt,
                code,
            };
            session.tell(refused).await;
        }
        answered
    }
}

/// How the API names the reason; `None` where nothing is to be remembered.
fn failure_code(error: &OfferError) -> Option<FailureCode> {
    Some(match error {
        OfferError::Token(_) => FailureCode::InsufficientCapabilities,
        OfferError::Malformed { .. }
        | OfferError::TooLarge { .. }
        | OfferError::Unacceptable { .. } => FailureCode::InvalidInput,
        OfferError::UnsupportedCodec { kind: "audio", .. } => FailureCode::InvalidAudioCodec,
        OfferError::UnsupportedCodec { .. } => FailureCode::InvalidVideoCodec,
        OfferError::StageFull { .. } | OfferError::ServerFull { .. } => FailureCode::QuotaExceeded,
        OfferError::PublisherNotFound { .. } => FailureCode::PublisherNotFound,
        OfferError::Internal { .. } => FailureCode::Internal,
        OfferError::HistoryBehind { .. } | OfferError::Session(_) => return None,
    })
}
