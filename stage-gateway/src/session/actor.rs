//! The session's actor: one loop over one enum of inputs, the pure stage in the middle.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use compositor_core::id::{CompositionId, ParticipantId};
use compositor_core::journal::{JournalSeq, RecordBody};
use compositor_core::limits::{PUBLISHERS_PER_STAGE_MAX, WATERMARK_INTERVAL};
use compositor_core::roster::RosterChange;
use compositor_core::sink::JournalError;
use compositor_core::time::MonotonicTime;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::backlog::Backlog;
use super::{Joining, Role, SessionInput, SessionShared, StopReason};
use crate::clock::WallAnchor;
use crate::error::OfferError;
use crate::event::{GatewayEvent, GatewayEventKind};
use crate::history::{Attempt, FailureCode, HistoryEvent, HistoryKind, Visitor};
use crate::journal::{Follower, Journal, JournalEvent};
use crate::stage::{Departure, Identity, PeerId, Stage, StageOutput};

/// A session without peers and readers ends after this long; participants that reload a page find it again.
const LINGER: Duration = Duration::from_secs(60);

/// After a restart of the server compositions have this long to continue reading.
const RESUME_WAIT: Duration = Duration::from_secs(120);

/// Starts the actor.
pub(super) fn spawn(
    shared: Arc<SessionShared>,
    inputs: mpsc::Receiver<SessionInput>,
    backlog: Backlog,
    resumed: bool,
) {
    let now = shared.now();
    let actor = Actor {
        shared,
        stage: Stage::default(),
        peers: HashMap::new(),
        backlog,
        wall: WallAnchor::new(now),
        empty_since: Some(now),
        hold_until: resumed.then(|| now.plus(RESUME_WAIT)),
    };
    tokio::spawn(actor.run(inputs));
}

struct Actor {
    shared: Arc<SessionShared>,
    stage: Stage,
    peers: HashMap<PeerId, Member>,
    backlog: Backlog,
    wall: WallAnchor,
    empty_since: Option<MonotonicTime>,
    hold_until: Option<MonotonicTime>,
}

struct Member {
    joining: Joining,
    connected: bool,
}

impl Actor {
    async fn run(mut self, mut inputs: mpsc::Receiver<SessionInput>) {
        self.report(self.shared.now(), GatewayEventKind::SessionStarted);
        self.remember(self.shared.now(), HistoryKind::SessionStarted);
        if self.hold_until.is_some() {
            self.write_roster(RosterChange::Snapshot(Vec::new()));
        }
        let mut ticker = tokio::time::interval(WATERMARK_INTERVAL);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shared = self.shared.clone();
        let closed = loop {
            tokio::select! {
                input = inputs.recv() => match input {
                    Some(SessionInput::Close { reply }) => break Some(reply),
                    Some(input) => self.handle(input),
                    None => break None,
                },
                () = self.backlog.hand_over(&shared.history_full) => {}
                _ = ticker.tick() => if self.on_tick() { break None },
            }
            self.act();
        };
        inputs.close();
        // A session that the gateway closes is the gateway's to keep.
        let is_over = closed.is_none();
        self.finish().await;
        if is_over && shared.kept_folder().is_some() {
            shared.retire_journal().await;
        }
        if let Some(reply) = closed {
            let _ = reply.send(());
        }
    }

    fn handle(&mut self, input: SessionInput) {
        let now = self.shared.now();
        match input {
            SessionInput::Join { joining, reply } => {
                let _ = reply.send(self.join(joining));
            }
            SessionInput::Connected(peer) => self.on_connected(now, peer),
            SessionInput::OverLimit { peer, code } => self.on_over_limit(now, peer, code),
            SessionInput::Refused {
                visitor,
                attempt,
                code,
            } => {
                let failed = HistoryKind::Failed {
                    visitor,
                    attempt,
                    code,
                };
                self.remember(now, failed);
            }
            SessionInput::Left { peer, departure } => self.on_left(now, peer, departure),
            SessionInput::TrackStarted {
                participant,
                peer,
                track,
            } => {
                self.stage.start_track(&participant, peer, track);
            }
            SessionInput::TrackStopped { track, stopped } => self.stage.set_stopped(track, stopped),
            SessionInput::LayersChanged { track, layers } => self.stage.set_layers(track, layers),
            SessionInput::Attach {
                composition,
                from,
                reply,
            } => {
                let _ = reply.send(self.attach(&composition, from));
            }
            SessionInput::Detached(composition) => self.stage.forget_composition(&composition),
            SessionInput::Wish {
                composition,
                track,
                height,
            } => {
                self.stage.wish(&composition, track, height);
            }
            SessionInput::Disconnect { participant, reply } => {
                let _ = reply.send(self.disconnect(&participant));
            }
            SessionInput::Close { reply } => drop(reply),
        }
    }

    fn join(&mut self, joining: Joining) -> Result<(), OfferError> {
        let participant = &joining.identity.participant;
        match &joining.role {
            Role::Publisher => {
                let mut publishers: Vec<&ParticipantId> = self
                    .peers
                    .values()
                    .filter(|member| member.joining.role == Role::Publisher)
                    .map(|member| &member.joining.identity.participant)
                    .collect();
                publishers.sort_unstable();
                publishers.dedup();
                let known = publishers.contains(&participant);
                if !known && publishers.len() >= PUBLISHERS_PER_STAGE_MAX {
                    return Err(OfferError::StageFull {
                        limit: PUBLISHERS_PER_STAGE_MAX,
                    });
                }
            }
            Role::Subscriber(publisher) => {
                let publishes = self.peers.values().any(|member| {
                    member.joining.role == Role::Publisher
                        && member.joining.identity.participant == *publisher
                });
                if !publishes {
                    return Err(OfferError::PublisherNotFound {
                        publisher: publisher.clone(),
                    });
                }
            }
        }
        self.peers.insert(
            joining.peer,
            Member {
                joining,
                connected: false,
            },
        );
        self.empty_since = None;
        Ok(())
    }

    fn on_connected(&mut self, now: MonotonicTime, peer: PeerId) {
        let Some(member) = self.peers.get(&peer).filter(|member| !member.connected) else {
            return;
        };
        let identity = member.joining.identity.clone();
        let role = member.joining.role.clone();
        let participant = identity.participant.clone();
        if !self.is_connected(&participant, |_| true) {
            let user_id = identity.user_id.clone();
            let participant = participant.clone();
            let visitor = visitor_of(&member.joining);
            self.remember(now, HistoryKind::Joined(visitor));
            self.report(
                now,
                GatewayEventKind::ParticipantJoined {
                    participant,
                    user_id,
                },
            );
        }
        let published_already = self.is_connected(&participant, |role| *role == Role::Publisher);
        if let Some(member) = self.peers.get_mut(&peer) {
            member.connected = true;
        }
        match role {
            Role::Publisher => {
                self.stage.connect(now, &identity, peer);
                self.act();
                if !published_already {
                    self.remember(now, HistoryKind::PublishStarted(participant.clone()));
                    self.report(now, GatewayEventKind::PublishStarted { participant });
                }
            }
            Role::Subscriber(publisher) => {
                let started = HistoryKind::SubscribeStarted {
                    participant: participant.clone(),
                    publisher: publisher.clone(),
                };
                self.remember(now, started);
                self.report(
                    now,
                    GatewayEventKind::SubscribeStarted {
                        participant,
                        publisher,
                    },
                );
            }
        }
    }

    fn on_left(&mut self, now: MonotonicTime, peer: PeerId, departure: Departure) {
        let Some(Member { joining, connected }) = self.peers.remove(&peer) else {
            return;
        };
        if self.peers.is_empty() {
            self.empty_since = Some(now);
        }
        let peers = &self.peers;
        self.shared.sweep_feeds(|participant| {
            peers
                .values()
                .any(|member| member.joining.identity.participant == *participant)
        });
        if !connected {
            return;
        }
        let participant = joining.identity.participant;
        let at = match departure {
            Departure::Ended => now,
            Departure::Lost { last_packet } => last_packet,
        };
        match joining.role {
            Role::Publisher => {
                self.stage.disconnect(now, &participant, peer, departure);
                self.act();
                if !self.is_connected(&participant, |role| *role == Role::Publisher) {
                    self.remember(at, HistoryKind::PublishStopped(participant.clone()));
                    let participant = participant.clone();
                    self.report(at, GatewayEventKind::PublishStopped { participant });
                }
            }
            Role::Subscriber(publisher) => {
                let stopped = HistoryKind::SubscribeStopped {
                    participant: participant.clone(),
                    publisher: publisher.clone(),
                };
                self.remember(at, stopped);
                let participant = participant.clone();
                self.report(
                    now,
                    GatewayEventKind::SubscribeStopped {
                        participant,
                        publisher,
                    },
                );
            }
        }
        if !self.is_connected(&participant, |_| true) {
            self.remember(at, HistoryKind::Left(participant.clone()));
            self.report(at, GatewayEventKind::ParticipantLeft { participant });
        }
    }

    fn on_over_limit(&mut self, now: MonotonicTime, peer: PeerId, code: FailureCode) {
        let Some(Member { joining, .. }) = self.peers.get(&peer) else {
            return;
        };
        let attempt = match &joining.role {
            Role::Publisher => Attempt::Publish,
            Role::Subscriber(publisher) => Attempt::Subscribe(publisher.clone()),
        };
        let visitor = visitor_of(joining);
        let failed = HistoryKind::Failed {
            visitor,
            attempt,
            code,
        };
        self.remember(now, failed);
    }

    fn is_connected(&self, participant: &ParticipantId, role: impl Fn(&Role) -> bool) -> bool {
        self.peers.values().any(|member| {
            member.connected
                && member.joining.identity.participant == *participant
                && role(&member.joining.role)
        })
    }

    fn attach(
        &mut self,
        composition: &CompositionId,
        from: Option<JournalSeq>,
    ) -> Result<Follower, JournalError> {
        let shared = self.shared.clone();
        let now = shared.media_now();
        let mut journal = shared.journal.lock();
        let journal = journal.as_mut().ok_or(JournalError::Closed)?;
        let stage = &self.stage;
        let follower = journal.attach(now, composition, from, || {
            let mut snapshot = vec![RecordBody::Roster(RosterChange::Snapshot(
                stage.publishers(),
            ))];
            let mappings = shared.mappings.lock();
            snapshot.extend(mappings.values().copied().map(RecordBody::ClockMapping));
            snapshot.extend(
                stage
                    .choices(composition)
                    .into_iter()
                    .map(RecordBody::LayerChoice),
            );
            snapshot
        })?;
        shared.journaling.store(true, Ordering::Relaxed);
        if from.is_none() {
            shared.want_all_keyframes();
        }
        Ok(follower)
    }

    fn disconnect(&mut self, participant: &ParticipantId) -> bool {
        let mut connected = false;
        for member in self.peers.values() {
            if member.joining.identity.participant == *participant {
                connected = true;
                // A full queue holds a reason to stop already.
                let _ = member.joining.stop.try_send(StopReason::Ended);
            }
        }
        self.stage.forget(participant);
        self.act();
        connected
    }

    /// Does what the stage decided. Where somebody is told of the reason, that comes first, so that he sees it done.
    fn act(&mut self) {
        while let Some(output) = self.stage.poll_output() {
            match output {
                StageOutput::Roster(change) => {
                    // Before it is journaled, so that whoever listens now and reads after that misses nothing.
                    *self.shared.roster.write() = self.stage.publishers();
                    self.write_roster(change);
                }
                StageOutput::LayerChoice(choice) => {
                    let now = self.shared.media_now();
                    self.shared.append(now, RecordBody::LayerChoice(choice));
                }
                StageOutput::RequestKeyframe(track, layer) => {
                    self.shared.want_keyframe(track, layer);
                }
                StageOutput::Replaced(peer) => {
                    if let Some(member) = self.peers.get(&peer) {
                        let _ = member.joining.stop.try_send(StopReason::Replaced);
                    }
                }
                StageOutput::PublishersChanged { count, at } => {
                    self.report(at, GatewayEventKind::PublishersChanged { count });
                }
            }
        }
    }

    /// Every 20 ms; true when the session is over.
    fn on_tick(&mut self) -> bool {
        let now = self.shared.now();
        if self.stage.poll_timeout().is_some_and(|due| due <= now) {
            self.stage.handle_timeout(now);
        }
        let shared = self.shared.clone();
        let mut journal = shared.journal.lock();
        let Some(journal) = journal.as_mut() else {
            return true;
        };
        if self.hold_until.is_some_and(|until| until <= now) {
            self.hold_until = None;
            journal.release();
        }
        journal.tick(shared.clock.media(now));
        shared
            .journaling
            .store(journal.is_active(), Ordering::Relaxed);
        self.take_journal_events(now, journal);
        let unread = !journal.is_active();
        unread
            && self
                .empty_since
                .is_some_and(|since| now.since(since) >= LINGER)
    }

    fn take_journal_events(&self, now: MonotonicTime, journal: &mut Journal) {
        while let Some(event) = journal.poll_event() {
            let kind = match event {
                JournalEvent::UnitsDropped {
                    units,
                    bytes,
                    layers,
                } => {
                    for (track, layer) in layers {
                        self.shared.want_keyframe(track, layer);
                    }
                    GatewayEventKind::JournalUnitsDropped { units, bytes }
                }
                JournalEvent::CapForced { oldest, behind } => {
                    GatewayEventKind::JournalCapForced { oldest, behind }
                }
                JournalEvent::WriteFailed { error } => GatewayEventKind::JournalWriteFailed {
                    error: error.to_string(),
                },
                JournalEvent::WriteRecovered => GatewayEventKind::JournalWriteRecovered,
            };
            tracing::warn!(stage = %self.shared.stage, ?kind, "the journal is in trouble");
            self.report(now, kind);
        }
    }

    fn write_roster(&self, change: RosterChange) {
        self.shared
            .append(self.shared.media_now(), RecordBody::Roster(change));
    }

    fn report(&self, at: MonotonicTime, kind: GatewayEventKind) {
        let (stage, session) = (self.shared.stage.clone(), self.shared.session.clone());
        // An error means that nobody listens.
        let _ = self.shared.events.send(GatewayEvent {
            stage,
            session,
            at,
            kind,
        });
    }

    fn remember(&mut self, at: MonotonicTime, kind: HistoryKind) {
        let event = HistoryEvent {
            stage: self.shared.stage.clone(),
            session: self.shared.session.clone(),
            at: self.wall.of(self.shared.now(), at),
            kind,
        };
        self.backlog.push(event, &self.shared.history_full);
    }

    async fn finish(mut self) {
        let now = self.shared.now();
        for member in self.peers.values() {
            let _ = member.joining.stop.try_send(StopReason::Ended);
        }
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        for peer in peers {
            self.on_left(now, peer, Departure::Ended);
        }
        self.act();
        let journal = self.shared.journal.lock().take();
        self.shared.journaling.store(false, Ordering::Relaxed);
        if let Some(journal) = journal {
            journal.close().await;
        }
        self.report(now, GatewayEventKind::SessionEnded);
        self.remember(now, HistoryKind::SessionEnded);
        self.backlog.drain(&self.shared.history_full).await;
    }
}

fn visitor_of(joining: &Joining) -> Visitor {
    let Identity {
        participant,
        user_id,
        attributes,
    } = joining.identity.clone();
    Visitor {
        participant,
        user_id,
        attributes,
        client: joining.client.clone(),
    }
}
