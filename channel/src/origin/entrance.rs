//! Where viewers come in: asks the gate what it knows, lets the rules decide, and keeps the viewer session.

use std::net::IpAddr;
use std::sync::Arc;

use compositor_core::error_chain::error_chain;

use crate::hub::{Hub, Playable, random_name};
use crate::origin::cors::Readers;
use crate::origin::viewers::{Room, Watched};
use crate::playback::{
    GateError, Pass, PlaybackGate, PlaybackRequest, PlaybackTerms, Refusal, SingleUse,
    ViewerBreach, admit_by_policy, admit_by_token,
};

/// Characters of a viewer session's name, which is all that protects its segments: 142 bits.
pub(crate) const SESSION_CHARS: usize = 24;

/// Decides who comes in.
#[derive(Clone)]
pub(crate) struct Entrance {
    pub(crate) hub: Arc<Hub>,
    pub(crate) gate: Arc<dyn PlaybackGate>,
}

/// Somebody who wants to play.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guest<'a> {
    pub(crate) token: Option<&'a str>,
    pub(crate) origin: Option<&'a str>,
    pub(crate) client: Option<IpAddr>,
}

impl Entrance {
    /// Begins a viewer session; returns the media playlist's URI below the playback URL, and who may read that.
    pub(crate) async fn begin(
        &self,
        playable: &Playable,
        guest: Guest<'_>,
    ) -> Result<(String, Readers), Refusal> {
        let pass = self.judge(playable, guest).await?;
        self.check_room(&playable.watched).await?;
        let session = random_name(SESSION_CHARS);
        let uri = media_uri(playable, &session, pass.is_some());
        let Some(pass) = pass else {
            return Ok((uri, Readers::All));
        };
        pass.check_resolution(playable.origin.lock().resolution())?;
        let readers = Readers::of_beginning(&pass, guest.origin);
        let now = self.hub.clock.now().monotonic;
        let of = (playable.watched.clone(), Some(pass.clone()));
        self.hub.viewers.lock().open(now, session.clone(), of)?;
        // Only now: a revocation meanwhile either is seen here, or finds the session that was just opened.
        if let Err(refusal) = self.check_token_use(&playable.watched, &pass).await {
            self.hub.viewers.lock().close(&session);
            return Err(refusal);
        }
        Ok((uri, readers))
    }

    /// What [`Self::begin`] would answer as far as the rules go. Changes nothing: the session is never there, and a token
    /// that is for one use is not used up.
    pub(crate) async fn look(
        &self,
        playable: &Playable,
        guest: Guest<'_>,
    ) -> Result<(String, Readers), Refusal> {
        let pass = self.judge(playable, guest).await?;
        let uri = media_uri(playable, &random_name(SESSION_CHARS), pass.is_some());
        let Some(pass) = pass else {
            return Ok((uri, Readers::All));
        };
        pass.check_resolution(playable.origin.lock().resolution())?;
        Ok((uri, Readers::of_beginning(&pass, guest.origin)))
    }

    /// Who may read the answer to this guest; changes nothing.
    pub(crate) async fn readers(&self, playable: &Playable, guest: Guest<'_>) -> Readers {
        match self.judge(playable, guest).await {
            Ok(Some(pass)) => Readers::of_beginning(&pass, guest.origin),
            Ok(None) => Readers::All,
            Err(refusal) => Readers::of_refusal(&refusal),
        }
    }

    /// The rules alone; `None` where everybody may play.
    async fn judge(&self, playable: &Playable, guest: Guest<'_>) -> Result<Option<Pass>, Refusal> {
        let Guest {
            token,
            origin,
            client,
        } = guest;
        let now = self.hub.clock.now().wall;
        let request = PlaybackRequest { token, origin, now };
        let Watched {
            channel_arn,
            account,
            ..
        } = &playable.watched;
        match &playable.terms {
            PlaybackTerms::Open => Ok(None),
            PlaybackTerms::Authorized => {
                let keys = self.gate.playback_keys(account).await;
                admit_by_token(
                    &keys.map_err(|error| unavailable(&error))?,
                    channel_arn,
                    request,
                )
                .map(Some)
            }
            PlaybackTerms::Restricted { policy_arn } => {
                let policy = self.gate.restriction_policy(policy_arn).await;
                let policy = policy
                    .map_err(|error| unavailable(&error))?
                    .unwrap_or_default();
                let country = client.and_then(|client| self.gate.country_of(client));
                admit_by_policy(&policy, country.as_ref(), request).map(Some)
            }
        }
    }

    async fn check_token_use(&self, watched: &Watched, pass: &Pass) -> Result<(), Refusal> {
        let channel_arn = &watched.channel_arn;
        if let Some(viewer) = &pass.viewer {
            let revoked = self.gate.revoked_up_to(channel_arn, &viewer.id).await;
            let revoked = revoked.map_err(|error| unavailable(&error))?;
            if revoked.is_some_and(|version| viewer.version <= version) {
                return Err(Refusal::Revoked);
            }
        }
        if let Some((uuid, until)) = &pass.single_use {
            let token = SingleUse {
                channel_arn: channel_arn.clone(),
                uuid: uuid.clone(),
                until: *until,
            };
            let is_first = self.gate.use_once(&token).await;
            if !is_first.map_err(|error| unavailable(&error))? {
                return Err(Refusal::Used);
            }
        }
        Ok(())
    }

    async fn check_room(&self, watched: &Watched) -> Result<(), Refusal> {
        let now = self.hub.clock.now().monotonic;
        let room = self.hub.viewers.lock().room(now, &watched.account);
        self.refuse_if_full(room, watched).await
    }

    /// A session fetched the media playlist of a live stream and becomes a view, if there is room.
    pub(crate) async fn view(&self, watched: &Watched, session: &str) -> Result<(), Refusal> {
        let now = self.hub.clock.now().monotonic;
        let room = self.hub.viewers.lock().view(now, session);
        self.refuse_if_full(room, watched).await
    }

    /// The same for a session of an open stream, which its first fetch makes.
    pub(crate) async fn view_open(&self, watched: &Watched, session: &str) -> Result<(), Refusal> {
        let now = self.hub.clock.now().monotonic;
        let room = {
            let mut viewers = self.hub.viewers.lock();
            if !viewers.knows(session) {
                let of = (watched.clone(), None);
                viewers.open(now, session.to_owned(), of)?;
            }
            let room = viewers.view(now, session);
            if room != Room::Free {
                viewers.close(session);
            }
            room
        };
        self.refuse_if_full(room, watched).await
    }

    async fn refuse_if_full(&self, room: Room, watched: &Watched) -> Result<(), Refusal> {
        let Room::None { begins } = room else {
            return Ok(());
        };
        let limit = self.hub.viewers.lock().limit();
        if begins {
            let breach = ViewerBreach {
                account: watched.account.clone(),
                limit,
                exceeded_by: 1,
                at: self.hub.clock.now().wall,
            };
            self.gate.viewers_exceeded(breach).await;
        }
        Err(Refusal::TooManyViewers { limit })
    }
}

/// The media playlist of a viewer session, below the playback URL.
fn media_uri(playable: &Playable, session: &str, is_bound: bool) -> String {
    let stream = &playable.watched.stream_id;
    if is_bound {
        format!("live/{stream}/{session}/live.m3u8")
    } else {
        format!("live/{stream}/{session}.m3u8")
    }
}

/// Nobody comes in while the rules are not known.
fn unavailable(error: &GateError) -> Refusal {
    tracing::error!(error = %error_chain(error), "nobody can begin to play");
    Refusal::Unavailable
}
