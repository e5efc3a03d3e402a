//! The task of one recording: units into the spool, objects into the bucket.
//!
//! The [`Spool`] knows what there is, the [`UploadQueue`] what to do next; this file does it. All file work runs on a
//! blocking thread, one piece at a time, so the spool's lock is never contended.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use compositor_core::time::MonotonicTime;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::error_chain::error_chain;
use super::event_queue::EventQueue;
use super::{Command, RecordingError, RecordingEvent, Rejection, Source, WallClock, blocking};
use crate::key_layout::{KeyLayout, ObjectName};
use crate::limits::{COMMANDS_MAX, SPOOL_FILLING_PERCENT, SPOOL_RELAXED_PERCENT, SYNC_INTERVAL};
use crate::s3::{Confirmation, ObjectStore, PutObject, StoreError, StoreFault};
use crate::spool::{News, Spool, SpoolError};
use crate::upload_queue::{UploadInput, UploadOutput, UploadPolicy, UploadQueue};

/// Where units come from, and the time for the closing document.
pub(super) type Intake = (mpsc::Receiver<Command>, WallClock);

/// See the module.
#[derive(Debug)]
pub(super) struct Actor {
    spool: Arc<Mutex<Spool>>,
    bucket: String,
    layout: KeyLayout,
    store: ObjectStore,
    queue: UploadQueue,
    uploads: JoinSet<(ObjectName, Answer)>,
    /// `None` once the recording is closed.
    intake: Option<Intake>,
    events: EventQueue,
    epoch: Instant,
    synced_at: MonotonicTime,
    first_output: FirstOutput,
    /// Whether it was told that the spool fills.
    is_filling: bool,
    last_error: String,
}

/// What is still missing for [`RecordingEvent::FirstOutput`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum FirstOutput {
    Unit,
    Document,
    Told,
}

/// How an upload went.
#[derive(Debug)]
enum Answer {
    Stored,
    Absent,
    Different,
    Failed(StoreError),
    Unreadable(io::Error),
}

/// Why the task ends.
#[derive(Debug)]
enum End {
    /// The handle was dropped without `finish`: as if the process had died.
    Abandoned,
    /// The store refuses us; already told.
    Rejected,
    /// Everything is in the bucket.
    Drained { objects: u64 },
}

impl Actor {
    pub(super) fn new(
        spool: Spool,
        store: ObjectStore,
        intake: Option<Intake>,
        events: mpsc::Sender<RecordingEvent>,
    ) -> Self {
        let spec = spool.spec();
        let policy = UploadPolicy {
            playlists: match &spec.source {
                Source::Composition { .. } => 1,
                Source::Channel(source) if source.has_rendition => 2,
                Source::Channel(_) => 0,
            },
            ..UploadPolicy::for_segments_of(spec.segment_duration())
        };
        let seed = RandomState::new().hash_one(&spec.prefix);
        Self {
            bucket: spec.bucket.clone(),
            layout: spec.key_layout(),
            queue: UploadQueue::new(policy, seed),
            spool: Arc::new(Mutex::new(spool)),
            store,
            uploads: JoinSet::new(),
            intake,
            events: EventQueue::new(events),
            epoch: Instant::now(),
            synced_at: MonotonicTime::default(),
            first_output: FirstOutput::Unit,
            is_filling: false,
            last_error: String::new(),
        }
    }

    pub(super) async fn run(mut self) {
        let end = self.work().await;
        let spool = Arc::clone(&self.spool);
        match end {
            Ok(End::Abandoned | End::Rejected) => {}
            Ok(End::Drained { objects }) => {
                let duration = spool.lock().duration();
                if let Err(error) = self.on_disk(|spool| spool.remove()).await {
                    tracing::warn!(error = error_chain(&error), "an empty spool stays");
                }
                self.events
                    .push(RecordingEvent::Finished { objects, duration });
            }
            Err(error) => self.events.push(failure(&error)),
        }
        // The folder is free before the last event is read.
        drop((spool, self.spool, self.uploads, self.intake));
        self.events.finish().await;
    }

    async fn work(&mut self) -> Result<End, RecordingError> {
        self.digest_news();
        self.tell(UploadInput::Timeout);
        let mut batch = Vec::with_capacity(COMMANDS_MAX);
        loop {
            while let Some(output) = self.queue.poll_output() {
                if let Some(end) = self.perform(output).await? {
                    return Ok(end);
                }
            }
            let wake = self
                .queue
                .poll_timeout()
                .map(|at| self.epoch + at.since(MonotonicTime(0)));
            tokio::select! {
                count = receive(self.intake.as_mut(), &mut batch) => {
                    if count == 0 {
                        return Ok(End::Abandoned);
                    }
                    self.take(std::mem::take(&mut batch)).await?;
                }
                Some(answered) = self.uploads.join_next() => {
                    let (object, answer) = answered?;
                    self.answered(object, answer).await?;
                }
                () = sleep_until(wake) => self.tell(UploadInput::Timeout),
                () = self.events.progress() => {}
            }
        }
    }

    /// Writes units to the spool, and closes it if asked to.
    async fn take(&mut self, batch: Vec<Command>) -> Result<(), RecordingError> {
        let Some((_, clock)) = &self.intake else {
            return Ok(());
        };
        let now = clock.now();
        let is_sync_due = self.now().since(self.synced_at) >= SYNC_INTERVAL;
        let written = self.on_disk(move |spool| {
            batch.into_iter().try_for_each(|command| match command {
                Command::Video { k, keyframe, data } => spool.video(k, keyframe, data),
                Command::Audio { n, data } => spool.audio(n, data),
                Command::Thumbnail { k, jpeg } => spool.thumbnail(k, &jpeg),
                Command::Timed(unit) => spool.timed(unit),
                Command::Finish { outcome, sealed } => {
                    spool.close(outcome, now)?;
                    // Whoever asked may have gone.
                    let _ = sealed.send(());
                    Ok(())
                }
            })?;
            if is_sync_due { spool.sync() } else { Ok(()) }
        });
        let written = written.await;
        // A batch may fill it entirely.
        self.look_at_spool();
        written?;
        if is_sync_due {
            self.synced_at = self.now();
        }
        if self.spool.lock().is_closed() {
            self.intake = None;
        }
        self.digest_news();
        Ok(())
    }

    /// Tells when the spool begins to be full.
    fn look_at_spool(&mut self) {
        let (bytes, bytes_max) = {
            let spool = self.spool.lock();
            (spool.bytes(), spool.spec().spool_bytes_max)
        };
        let is_above =
            |percent: u64| u128::from(bytes) * 100 > u128::from(bytes_max) * u128::from(percent);
        if self.is_filling {
            self.is_filling = is_above(SPOOL_RELAXED_PERCENT);
        } else if is_above(SPOOL_FILLING_PERCENT) {
            self.is_filling = true;
            self.events.push(RecordingEvent::SpoolFilling { bytes });
        }
    }

    fn digest_news(&mut self) {
        let news = self.spool.lock().take_news();
        for news in news {
            match news {
                News::Added {
                    object,
                    bytes,
                    unconfirmed,
                } => {
                    self.tell(UploadInput::Added {
                        object,
                        bytes,
                        unconfirmed,
                    });
                }
                News::Restored(object) => self.tell(UploadInput::Restored(object)),
                News::LatestThumbnail => self.tell(UploadInput::LatestThumbnail),
                News::Closed {
                    object,
                    bytes,
                    unconfirmed,
                } => {
                    self.tell(UploadInput::Closed {
                        object,
                        bytes,
                        unconfirmed,
                    });
                }
                News::FirstUnit => {
                    self.first_output = FirstOutput::Document;
                }
                News::Hole {
                    kind,
                    expected,
                    got,
                } => {
                    self.events.push(RecordingEvent::Hole {
                        kind,
                        expected,
                        got,
                    });
                }
            }
        }
        self.tell_first_output();
    }

    fn tell_first_output(&mut self) {
        if self.first_output == FirstOutput::Document && self.queue.is_started() {
            self.first_output = FirstOutput::Told;
            self.events.push(RecordingEvent::FirstOutput);
        }
    }

    async fn perform(&mut self, output: UploadOutput) -> Result<Option<End>, RecordingError> {
        match output {
            UploadOutput::Put(object) => {
                if !object.is_mutable() {
                    self.on_disk(move |spool| spool.uploading(object)).await?;
                }
                self.upload_file(object);
            }
            UploadOutput::Confirm(object) => self.confirm(object),
            UploadOutput::PutPlaylist { segments, ended } => {
                let texts = self.spool.lock().playlists(segments, ended);
                self.upload(ObjectName::Playlist, texts);
            }
            UploadOutput::PutMultivariant { ended } => {
                let texts = self.spool.lock().multivariants(ended);
                self.upload(ObjectName::Multivariant, texts);
            }
            UploadOutput::Interrupted => {
                self.events.push(RecordingEvent::Interrupted {
                    error: self.last_error.clone(),
                });
            }
            UploadOutput::Recovered => self.events.push(RecordingEvent::Recovered),
            UploadOutput::Rejected(reason) => {
                let error = self.last_error.clone();
                self.events.push(RecordingEvent::Rejected { reason, error });
                return Ok(Some(End::Rejected));
            }
            UploadOutput::Drained { objects } => return Ok(Some(End::Drained { objects })),
        }
        Ok(None)
    }

    fn upload_file(&mut self, object: ObjectName) {
        let (store, bucket) = (self.store.clone(), self.bucket.clone());
        let request = self.request(object);
        let reading = self.read(object);
        self.uploads.spawn(async move {
            let answer = match reading.await {
                Ok(body) => put(&store, &bucket, PutObject { body, ..request }).await,
                Err(error) => Answer::Unreadable(error),
            };
            (object, answer)
        });
    }

    /// Stores texts one after the other; the queue hears of them as of one object.
    fn upload(&mut self, object: ObjectName, texts: Vec<(ObjectName, String)>) {
        let (store, bucket) = (self.store.clone(), self.bucket.clone());
        let requests = texts.into_iter().map(|(object, text)| PutObject {
            body: text.into(),
            ..self.request(object)
        });
        let requests: Vec<PutObject> = requests.collect();
        self.uploads.spawn(async move {
            for request in requests {
                match put(&store, &bucket, request).await {
                    Answer::Stored => {}
                    answer => return (object, answer),
                }
            }
            (object, Answer::Stored)
        });
    }

    fn confirm(&mut self, object: ObjectName) {
        let (store, bucket) = (self.store.clone(), self.bucket.clone());
        let key = self.layout.key(object);
        let reading = self.read(object);
        self.uploads.spawn(async move {
            let answer = match reading.await {
                Ok(body) => match store.confirm(&bucket, &key, &body).await {
                    Ok(Confirmation::Same) => Answer::Stored,
                    Ok(Confirmation::Absent) => Answer::Absent,
                    Ok(Confirmation::Different) => Answer::Different,
                    Err(error) => Answer::Failed(error),
                },
                Err(error) => Answer::Unreadable(error),
            };
            (object, answer)
        });
    }

    /// The content of an object in the spool, if it is what was written.
    fn read(&self, object: ObjectName) -> impl Future<Output = io::Result<Bytes>> + use<> {
        let spool = self.spool.lock();
        let (path, checksum) = (spool.object_path(object), spool.checksum(object));
        async move {
            let content = tokio::fs::read(&path).await?;
            if checksum.is_some_and(|checksum| checksum != crc32c::crc32c(&content)) {
                let rule = "it has another checksum than when it was written";
                return Err(io::Error::new(io::ErrorKind::InvalidData, rule));
            }
            Ok(content.into())
        }
    }

    fn request(&self, object: ObjectName) -> PutObject {
        PutObject {
            key: self.layout.key(object),
            body: Bytes::new(),
            content_type: object.content_type(),
            cache_control: object.cache_control(),
        }
    }

    async fn answered(&mut self, object: ObjectName, answer: Answer) -> Result<(), RecordingError> {
        match answer {
            Answer::Stored => {
                if !object.is_mutable() {
                    // Before the queue names it in a playlist.
                    self.on_disk(move |spool| spool.uploaded(object)).await?;
                }
                self.tell(UploadInput::Stored(object));
                self.tell_first_output();
            }
            Answer::Absent => self.tell(UploadInput::Absent(object)),
            Answer::Different => {
                self.last_error = format!("{} has other content", self.layout.key(object));
                self.tell(UploadInput::Refused(Rejection::KeyTaken));
            }
            Answer::Failed(error) => {
                self.last_error = error_chain(&error);
                tracing::debug!(error = self.last_error, "an upload failed");
                self.tell(match error.fault {
                    StoreFault::AccessDenied => UploadInput::Refused(Rejection::AccessDenied),
                    StoreFault::BucketNotFound => UploadInput::Refused(Rejection::BucketNotFound),
                    StoreFault::KeyNotFound | StoreFault::Transient => UploadInput::Failed(object),
                });
            }
            Answer::Unreadable(source) => {
                let path = self.spool.lock().object_path(object);
                return Err(SpoolError::Io {
                    action: "read",
                    path,
                    source,
                }
                .into());
            }
        }
        Ok(())
    }

    fn tell(&mut self, input: UploadInput) {
        self.queue.handle(self.now(), input);
    }

    fn now(&self) -> MonotonicTime {
        MonotonicTime(0).plus(self.epoch.elapsed())
    }

    async fn on_disk(
        &self,
        work: impl FnOnce(&mut Spool) -> Result<(), SpoolError> + Send + 'static,
    ) -> Result<(), RecordingError> {
        let spool = Arc::clone(&self.spool);
        blocking(move || work(&mut spool.lock())).await
    }
}

/// Waits for commands; 0 when the handle is gone. For ever when the recording is closed.
async fn receive(intake: Option<&mut Intake>, batch: &mut Vec<Command>) -> usize {
    match intake {
        Some((commands, _)) => commands.recv_many(batch, COMMANDS_MAX).await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn put(store: &ObjectStore, bucket: &str, request: PutObject) -> Answer {
    match store.put(bucket, request).await {
        Ok(()) => Answer::Stored,
        Err(error) => Answer::Failed(error),
    }
}

fn failure(error: &RecordingError) -> RecordingEvent {
    match error {
        RecordingError::Spool(SpoolError::Full { bytes }) => {
            RecordingEvent::SpoolFull { bytes: *bytes }
        }
        RecordingError::Spool(_) | RecordingError::Interrupted(_) => RecordingEvent::SpoolFailed {
            error: error_chain(error),
        },
    }
}
