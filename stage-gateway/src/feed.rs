//! A participant's media on its way to subscribers. It outlives the participant's peer connections, so that a subscriber
//! goes on when the participant returns.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use compositor_core::access_unit::{Codec, MediaKind};
use compositor_core::id::{Layer, TrackId};
use parking_lot::Mutex;
use tokio::sync::{Notify, broadcast, watch};

use crate::forward::Forwarded;
use crate::layers::LayerState;

/// Batches that a subscriber may be behind before it loses the oldest: two seconds of 3 layers at 30 frames a second.
const BATCH_QUEUE: usize = 256;

/// Packets that go to the subscribers together.
#[derive(Debug)]
pub(crate) struct Batch {
    /// How many packets this feed gave out before.
    pub(crate) before: u64,
    /// At least one.
    pub(crate) packets: Vec<Forwarded>,
}

/// Both kinds of a participant's media.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    audio: KindFeed,
    video: KindFeed,
}

impl Feed {
    /// The feed of one kind.
    pub(crate) fn of(&self, kind: MediaKind) -> &KindFeed {
        match kind {
            MediaKind::Audio => &self.audio,
            MediaKind::Video => &self.video,
        }
    }
}

/// One kind of a participant's media.
#[derive(Debug)]
pub(crate) struct KindFeed {
    batches: broadcast::Sender<Arc<Batch>>,
    packets: AtomicU64,
    current: watch::Sender<Option<Arc<TrackControl>>>,
    expected: watch::Sender<bool>,
}

impl Default for KindFeed {
    fn default() -> Self {
        Self {
            batches: broadcast::Sender::new(BATCH_QUEUE),
            packets: AtomicU64::new(0),
            current: watch::Sender::new(None),
            expected: watch::Sender::new(false),
        }
    }
}

impl KindFeed {
    /// Whether there are subscribers.
    pub(crate) fn is_heard(&self) -> bool {
        self.batches.receiver_count() > 0
    }

    /// Gives packets to all subscribers.
    pub(crate) fn send(&self, packets: Vec<Forwarded>) {
        let count = packets.len() as u64;
        let before = self.packets.fetch_add(count, Ordering::Relaxed);
        // An error means that nobody listens any more.
        let _ = self.batches.send(Arc::new(Batch { before, packets }));
    }

    /// The packets from now on.
    pub(crate) fn batches(&self) -> broadcast::Receiver<Arc<Batch>> {
        self.batches.subscribe()
    }

    /// Whether the participant negotiated this kind, so that a track will come.
    pub(crate) fn expect(&self, expected: bool) {
        self.expected.send_replace(expected);
    }

    /// A new track feeds this from now on.
    pub(crate) fn begin(&self, track: Arc<TrackControl>) {
        self.current.send_replace(Some(track));
    }

    /// That track has ended.
    pub(crate) fn end(&self, track: TrackId) {
        self.current.send_if_modified(|current| {
            let ours = current.as_ref().is_some_and(|current| current.id == track);
            if ours {
                *current = None;
            }
            ours
        });
    }

    /// The track that feeds this.
    pub(crate) fn current(&self) -> Option<Arc<TrackControl>> {
        self.current.borrow().clone()
    }

    /// The track that feeds this, waiting for it when one is expected.
    pub(crate) async fn current_when_expected(&self) -> Option<Arc<TrackControl>> {
        if !*self.expected.borrow() {
            return self.current();
        }
        let mut current = self.current.subscribe();
        current
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|current| current.clone())
    }
}

/// What others may know and ask of a track that is being read.
#[derive(Debug)]
pub(crate) struct TrackControl {
    /// Which track.
    pub(crate) id: TrackId,
    /// How it is coded.
    pub(crate) codec: Codec,
    /// The negotiated format parameters, as SDP has them.
    pub(crate) fmtp: String,
    layers: Mutex<Vec<LayerState>>,
    wanted: AtomicU32,
    wake: Notify,
}

impl TrackControl {
    /// A track without layers yet.
    pub(crate) fn new(id: TrackId, codec: Codec, fmtp: String) -> Self {
        Self {
            id,
            codec,
            fmtp,
            layers: Mutex::default(),
            wanted: AtomicU32::new(0),
            wake: Notify::new(),
        }
    }

    /// The layers that have been seen.
    pub(crate) fn layers(&self) -> Vec<LayerState> {
        self.layers.lock().clone()
    }

    /// Says which layers there are.
    pub(crate) fn set_layers(&self, layers: Vec<LayerState>) {
        *self.layers.lock() = layers;
    }

    /// Somebody needs a keyframe of `layer`; the reader asks the publisher, not too often.
    pub(crate) fn want_keyframe(&self, layer: Layer) {
        self.wanted.fetch_or(1 << (layer.0 & 31), Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Somebody needs a keyframe of every layer.
    pub(crate) fn want_all_keyframes(&self) {
        self.wanted.store(u32::MAX, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// The wishes since the last call, one bit for each layer.
    pub(crate) fn take_wanted(&self) -> u32 {
        self.wanted.swap(0, Ordering::Relaxed)
    }

    /// Waits for a wish.
    pub(crate) async fn wished(&self) {
        self.wake.notified().await;
    }
}
