//! Sends a composition to an RTMP server, as any broadcaster does.
//!
//! One [`Publisher`] makes one attempt at a time: it connects, publishes, and says so; when that fails it says so too and
//! waits to be told to try again. What to do about failures is decided by the composition's driver.

mod acks;
mod attempt;
mod protocol;
mod queue;
mod url;

use std::sync::Arc;

use bytes::Bytes;
use compositor_core::limits::{AAC_FRAME_SAMPLES, AUDIO_SAMPLE_RATE};
use compositor_core::time::FrameRate;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use crate::limits::FINISH_TIMEOUT;
use crate::publish::acks::Acknowledgements;
pub use crate::publish::attempt::PublishError;
use crate::publish::attempt::{Attempt, End};
use crate::publish::queue::PublishQueue;
use crate::publish::url::PublishUrl;
pub use crate::publish::url::UrlError;

/// What the pictures of a composition look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VideoParams {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The frame grid; frame `k` is sent with the timestamp round(k x 1000 / fps).
    pub fps: FrameRate,
    /// Bits per second that the encoder aims at.
    pub bitrate: u32,
}

/// What became of an attempt.
#[derive(Debug)]
pub enum PublisherEvent {
    /// Publishing was accepted and a keyframe is written: the broadcast runs.
    FirstKeyframeWritten,
    /// The attempt failed, before or after that. The publisher waits for [`Publisher::reconnect`].
    Interrupted {
        /// Why.
        error: PublishError,
    },
    /// The server does not want this publisher: bad key, or the key is in use. The publisher waits for
    /// [`Publisher::reconnect`].
    Refused {
        /// The status code, such as `NetStream.Publish.BadName`, or what the server said instead.
        code: String,
    },
}

/// Publishes one composition to one RTMP URL. Dropping it closes the connection at once; [`Publisher::finish`] says
/// goodbye first.
#[derive(Debug)]
pub struct Publisher {
    fps: FrameRate,
    shared: Arc<Shared>,
    control: watch::Sender<Control>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<PublishQueue>,
    changed: Notify,
}

/// What the publisher's task is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Control {
    attempt: u64,
    priority: Option<u32>,
}

impl Publisher {
    /// Whether a URL can be published to.
    pub fn check_url(url: &str) -> Result<(), UrlError> {
        PublishUrl::parse(url).map(drop)
    }

    /// Starts the first attempt, to `rtmp://host[:port]/app/key[?priority=N]`. On a channel of this server, whoever gives
    /// no priority is refused while somebody else publishes, and a session whose connection broke waits for a takeover: so
    /// give none here, and reconnect with 2, 3 and so on.
    pub fn start(
        url: &str,
        params: VideoParams,
        events: mpsc::Sender<PublisherEvent>,
    ) -> Result<Self, UrlError> {
        let url = PublishUrl::parse(url)?;
        let shared = Arc::new(Shared::default());
        let (control, controlled) = watch::channel(Control::default());
        let task = run(url, params, events, Arc::clone(&shared), controlled);
        Ok(Self {
            fps: params.fps,
            shared,
            control,
            task: tokio::spawn(task),
        })
    }

    /// Takes picture `k`, in order: Annex B, a keyframe with its SPS and PPS. Never waits; when the peer is too slow or
    /// away, pictures are dropped up to the next keyframe.
    pub fn video(&self, k: u64, keyframe: bool, annexb: Bytes) {
        let FrameRate { num, den } = self.fps;
        let (num, den) = (u64::from(num.max(1)), u64::from(den));
        let ms = (k * 1000 * den + num / 2) / num;
        self.shared.queue.lock().push_video(ms, keyframe, annexb);
        self.shared.changed.notify_one();
    }

    /// Takes AAC frame `n`, in order: raw, 48 kHz stereo.
    pub fn audio(&self, n: u64, aac: Bytes) {
        let rate = u64::from(AUDIO_SAMPLE_RATE);
        let ms = (n * AAC_FRAME_SAMPLES * 1000 + rate / 2) / rate;
        self.shared.queue.lock().push_audio(ms, aac);
        self.shared.changed.notify_one();
    }

    /// Tries (again) with `?priority=<priority>`, ending the attempt that may be going on. Media that was not sent is
    /// kept from the last keyframe on.
    pub fn reconnect(&self, priority: u32) {
        self.control.send_modify(|control| {
            control.attempt += 1;
            control.priority = Some(priority);
        });
    }

    /// Sends what is queued, says goodbye and closes; gives up after [`FINISH_TIMEOUT`].
    pub async fn finish(mut self) {
        self.shared.queue.lock().finish();
        self.shared.changed.notify_one();
        if tokio::time::timeout(FINISH_TIMEOUT, &mut self.task)
            .await
            .is_err()
        {
            tracing::warn!("the RTMP publisher could not send everything in time");
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    mut url: PublishUrl,
    params: VideoParams,
    events: mpsc::Sender<PublisherEvent>,
    shared: Arc<Shared>,
    mut control: watch::Receiver<Control>,
) {
    let mut acks = Acknowledgements::default();
    loop {
        if let Some(priority) = control.borrow_and_update().priority {
            url.set_priority(priority);
        }
        let attempt = Attempt {
            url: &url,
            params,
            events: &events,
            shared: &shared,
        };
        let end = tokio::select! {
            end = attempt.run(&mut acks) => Some(end),
            changed = control.changed() => changed.is_err().then_some(End::Finished),
        };
        shared.queue.lock().disconnected();
        let event = match end {
            // Told to try again meanwhile.
            None => continue,
            Some(End::Finished) => return,
            Some(End::Interrupted(error)) => PublisherEvent::Interrupted { error },
            Some(End::Refused(code)) => PublisherEvent::Refused { code },
        };
        tracing::info!(?event, "RTMP publishing ended");
        // Nobody may be listening any more.
        let _closed: Result<_, _> = events.send(event).await;
        let again = tokio::select! {
            changed = control.changed() => changed.is_ok(),
            () = shared.finished() => false,
        };
        if !again {
            return;
        }
    }
}

impl Shared {
    /// Waits until the publisher is told to finish.
    async fn finished(&self) {
        while !self.queue.lock().is_finishing() {
            self.changed.notified().await;
        }
    }
}
