//! What is uploaded next, and when it is tried again. Sans-IO: no store, no files, no clock.
//!
//! The contract: give one input to [`UploadQueue::handle`], drain [`UploadQueue::poll_output`] until `None`, then wait until
//! [`UploadQueue::poll_timeout`]. Every `Put` and `Confirm` must be answered once.
//!
//! The order is: `recording-started.json`, alone; segments and thumbnails as they were added, several at a time; the
//! playlist, which names only what is stored; when all is stored, the final playlists; the closing document.

mod io;
mod jitter;
#[cfg(test)]
mod tests;
mod versions;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use compositor_core::time::MonotonicTime;

use crate::key_layout::ObjectName;

use jitter::Jitter;
use versions::Versions;

pub use io::{UploadInput, UploadOutput, UploadPolicy};

/// The upload queue of one recording; see the module.
#[derive(Debug)]
pub struct UploadQueue {
    policy: UploadPolicy,
    jitter: Jitter,
    /// Objects to upload, by the order in which they were added.
    waiting: BTreeMap<u64, Waiting>,
    added: u64,
    in_flight: BTreeMap<ObjectName, InFlight>,
    started: bool,
    segments_added: u64,
    /// Stored segments behind the first one that is not stored.
    segments_ahead: BTreeSet<u64>,
    segments_stored: u64,
    playlist: Versions<(u64, bool)>,
    playlist_put_at: Option<MonotonicTime>,
    multivariant: Versions<bool>,
    latest_thumbnail: Versions<u64>,
    closing: Closing,
    objects: u64,
    health: Health,
    outputs: VecDeque<UploadOutput>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    object: ObjectName,
    bytes: u64,
    unconfirmed: bool,
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    /// Where it waits again if it fails; `None` for playlists and the latest thumbnail.
    position: Option<u64>,
    bytes: u64,
    /// Which failure it may add to; several requests that fail together count once.
    round: u32,
}

#[derive(Clone, Copy, Debug)]
enum Closing {
    /// More may be added.
    Open,
    /// The closing document waits for everything else.
    Waiting(Waiting),
    /// The closing document is on its way.
    Last,
}

#[derive(Clone, Copy, Debug)]
enum Health {
    /// The last request succeeded.
    Good,
    /// The last `failures` requests failed; one is tried at `retry_at`.
    Failing {
        failures: u32,
        retry_at: MonotonicTime,
    },
    /// Refused for good, or drained.
    Stopped,
}

impl UploadQueue {
    /// An empty queue. `seed` starts the jitter of the waits.
    pub fn new(policy: UploadPolicy, seed: u64) -> Self {
        Self {
            policy,
            jitter: Jitter::new(seed),
            waiting: BTreeMap::new(),
            added: 0,
            in_flight: BTreeMap::new(),
            started: false,
            segments_added: 0,
            segments_ahead: BTreeSet::new(),
            segments_stored: 0,
            playlist: Versions::default(),
            playlist_put_at: None,
            multivariant: Versions::default(),
            latest_thumbnail: Versions::default(),
            closing: Closing::Open,
            objects: 0,
            health: Health::Good,
            outputs: VecDeque::new(),
        }
    }

    /// Takes one input.
    pub fn handle(&mut self, now: MonotonicTime, input: UploadInput) {
        match input {
            UploadInput::Added {
                object,
                bytes,
                unconfirmed,
            } => {
                self.segments_added += u64::from(matches!(object, ObjectName::Segment(_)));
                self.wait(Waiting {
                    object,
                    bytes,
                    unconfirmed,
                });
            }
            UploadInput::Restored(object) => {
                self.segments_added += u64::from(matches!(object, ObjectName::Segment(_)));
                self.count_stored(object);
                // The rest is still to come: a playlist made now could be shorter than the one in the bucket.
                return;
            }
            UploadInput::LatestThumbnail => {
                let version = self.latest_thumbnail.wanted.unwrap_or(0) + 1;
                self.latest_thumbnail.wanted = Some(version);
            }
            UploadInput::Closed {
                object,
                bytes,
                unconfirmed,
            } => {
                self.closing = Closing::Waiting(Waiting {
                    object,
                    bytes,
                    unconfirmed,
                });
            }
            UploadInput::Stored(object) => self.stored(now, object),
            UploadInput::Absent(object) => {
                if self.in_flight.contains_key(&object) {
                    self.outputs.push_back(UploadOutput::Put(object));
                }
            }
            UploadInput::Failed(object) => self.failed(now, object),
            UploadInput::Refused(reason) => {
                self.health = Health::Stopped;
                self.outputs.push_back(UploadOutput::Rejected(reason));
            }
            UploadInput::Timeout => {}
        }
        self.schedule(now);
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<UploadOutput> {
        self.outputs.pop_front()
    }

    /// When [`UploadInput::Timeout`] is due.
    pub fn poll_timeout(&self) -> Option<MonotonicTime> {
        match self.health {
            Health::Failing { retry_at, .. } => self.in_flight.is_empty().then_some(retry_at),
            Health::Good => {
                let (wanted, due) = (self.playlist.is_behind(), self.playlist_due());
                due.filter(|_| wanted && self.has_room())
            }
            Health::Stopped => None,
        }
    }

    /// Whether `recording-started.json` is stored.
    pub fn is_started(&self) -> bool {
        self.started
    }

    fn wait(&mut self, waiting: Waiting) {
        self.waiting.insert(self.added, waiting);
        self.added += 1;
    }

    fn stored(&mut self, now: MonotonicTime, object: ObjectName) {
        self.in_flight.remove(&object);
        match object {
            ObjectName::Playlist => {
                if self.playlist.stored() {
                    self.objects += self.policy.playlists;
                }
                self.playlist_put_at = Some(now);
            }
            ObjectName::Multivariant => {
                if self.multivariant.stored() {
                    self.objects += self.policy.playlists;
                }
            }
            ObjectName::LatestThumbnail => {
                self.objects += u64::from(self.latest_thumbnail.stored());
            }
            ObjectName::Started
            | ObjectName::Segment(_)
            | ObjectName::Thumbnail(_)
            | ObjectName::Ended
            | ObjectName::Failed
            | ObjectName::ByteRangePlaylist
            | ObjectName::ByteRangeMultivariant => self.count_stored(object),
        }
        if let Health::Failing { failures, .. } = self.health {
            if failures >= self.policy.failures_until_interrupted {
                self.outputs.push_back(UploadOutput::Recovered);
            }
            self.health = Health::Good;
        }
        if matches!(object, ObjectName::Ended | ObjectName::Failed) {
            self.health = Health::Stopped;
            self.outputs.push_back(UploadOutput::Drained {
                objects: self.objects,
            });
        }
    }

    fn count_stored(&mut self, object: ObjectName) {
        self.objects += 1;
        match object {
            ObjectName::Started => self.started = true,
            ObjectName::Segment(i) => {
                self.segments_ahead.insert(i);
                while self.segments_ahead.remove(&self.segments_stored) {
                    self.segments_stored += 1;
                }
            }
            ObjectName::Thumbnail(_)
            | ObjectName::Ended
            | ObjectName::Failed
            | ObjectName::Playlist
            | ObjectName::ByteRangePlaylist
            | ObjectName::Multivariant
            | ObjectName::ByteRangeMultivariant
            | ObjectName::LatestThumbnail => {}
        }
    }

    fn failed(&mut self, now: MonotonicTime, object: ObjectName) {
        let Some(InFlight {
            position,
            bytes,
            round,
        }) = self.in_flight.remove(&object)
        else {
            return;
        };
        match position {
            Some(at) => {
                self.waiting.insert(
                    at,
                    Waiting {
                        object,
                        bytes,
                        unconfirmed: true,
                    },
                );
            }
            None => match object {
                ObjectName::Playlist => self.playlist.storing = None,
                ObjectName::Multivariant => self.multivariant.storing = None,
                _ => self.latest_thumbnail.storing = None,
            },
        }
        let failures = match self.health {
            Health::Good => 1,
            Health::Failing { failures, .. } if failures == round => failures + 1,
            // It was under way together with one that is counted already.
            Health::Failing { .. } | Health::Stopped => return,
        };
        let retry_at = now.plus(self.delay(failures));
        self.health = Health::Failing { failures, retry_at };
        if failures == self.policy.failures_until_interrupted {
            self.outputs.push_back(UploadOutput::Interrupted);
        }
    }

    /// Doubles with each failure; between half of it and all of it, so that many recordings do not knock together.
    fn delay(&mut self, failures: u32) -> Duration {
        let UploadPolicy {
            retry_delay_min,
            retry_delay_max,
            ..
        } = self.policy;
        let doubled = retry_delay_min.saturating_mul(1 << (failures - 1).min(20));
        doubled
            .min(retry_delay_max)
            .mul_f64(0.5 + 0.5 * self.jitter.next())
    }

    fn schedule(&mut self, now: MonotonicTime) {
        self.want_playlists();
        while self.may_start(now) && self.start_next(now) {}
    }

    /// Derives from what is stored which playlists should be.
    fn want_playlists(&mut self) {
        if self.policy.playlists == 0 {
            return;
        }
        let closing = !matches!(self.closing, Closing::Open);
        let all_stored = self.segments_stored == self.segments_added
            && self.waiting.is_empty()
            && self
                .in_flight
                .values()
                .all(|in_flight| in_flight.position.is_none());
        let was_ended = self.playlist.wanted.is_some_and(|(_, ended)| ended);
        let ended = was_ended || closing && all_stored;
        if self.segments_stored > 0 || ended {
            self.playlist.wanted = Some((self.segments_stored, ended));
        }
        // It names the playlist, so it follows it.
        self.multivariant.wanted = self.playlist.stored.map(|(_, ended)| ended);
    }

    fn has_room(&self) -> bool {
        self.in_flight.len() < self.policy.in_flight_max
    }

    fn may_start(&self, now: MonotonicTime) -> bool {
        match self.health {
            Health::Good => self.has_room(),
            // One request shows whether the store is back.
            Health::Failing { retry_at, .. } => self.in_flight.is_empty() && now >= retry_at,
            Health::Stopped => false,
        }
    }

    fn playlist_due(&self) -> Option<MonotonicTime> {
        let (segments, ended) = self.playlist.wanted?;
        let eager = ended || segments < self.policy.eager_segments;
        match self.playlist_put_at {
            Some(at) if !eager => Some(at.plus(self.policy.playlist_interval)),
            _ => Some(MonotonicTime(0)),
        }
    }

    /// Starts the most urgent request, if there is one.
    fn start_next(&mut self, now: MonotonicTime) -> bool {
        if !self.started {
            return self.start_waiting();
        }
        if self.playlist_due().is_some_and(|due| now >= due)
            && let Some((segments, ended)) = self.playlist.store()
        {
            self.fly(ObjectName::Playlist);
            self.outputs
                .push_back(UploadOutput::PutPlaylist { segments, ended });
            return true;
        }
        if let Some(ended) = self.multivariant.store() {
            self.fly(ObjectName::Multivariant);
            self.outputs
                .push_back(UploadOutput::PutMultivariant { ended });
            return true;
        }
        if self.start_waiting() {
            return true;
        }
        if self.latest_thumbnail.store().is_some() {
            self.fly(ObjectName::LatestThumbnail);
            self.outputs
                .push_back(UploadOutput::Put(ObjectName::LatestThumbnail));
            return true;
        }
        self.start_closing()
    }

    fn start_waiting(&mut self) -> bool {
        let Some((&position, &waiting)) = self.waiting.first_key_value() else {
            return false;
        };
        // Everything else waits for the first document, which is added first.
        let alone = !self.started && !self.in_flight.is_empty();
        let in_flight: u64 = self
            .in_flight
            .values()
            .map(|in_flight| in_flight.bytes)
            .sum();
        let too_much = in_flight > 0 && in_flight + waiting.bytes > self.policy.bytes_in_flight_max;
        if alone || too_much {
            return false;
        }
        self.waiting.remove(&position);
        self.launch(position, waiting);
        true
    }

    fn start_closing(&mut self) -> bool {
        let Closing::Waiting(waiting) = self.closing else {
            return false;
        };
        let has_playlists = self.policy.playlists > 0;
        let settled = (!has_playlists || self.multivariant.stored == Some(true))
            && self.latest_thumbnail.stored == self.latest_thumbnail.wanted
            && self.waiting.is_empty()
            && self.in_flight.is_empty();
        if !settled {
            return false;
        }
        self.closing = Closing::Last;
        let position = self.added;
        self.added += 1;
        self.launch(position, waiting);
        true
    }

    fn launch(&mut self, position: u64, waiting: Waiting) {
        let Waiting {
            object,
            bytes,
            unconfirmed,
        } = waiting;
        let round = self.round();
        self.in_flight.insert(
            object,
            InFlight {
                position: Some(position),
                bytes,
                round,
            },
        );
        self.outputs.push_back(if unconfirmed {
            UploadOutput::Confirm(object)
        } else {
            UploadOutput::Put(object)
        });
    }

    fn fly(&mut self, object: ObjectName) {
        let round = self.round();
        self.in_flight.insert(
            object,
            InFlight {
                position: None,
                bytes: 0,
                round,
            },
        );
    }

    fn round(&self) -> u32 {
        match self.health {
            Health::Failing { failures, .. } => failures,
            Health::Good | Health::Stopped => 0,
        }
    }
}
