//! What is shown for publishers without a picture, drawn once for each size.

use std::collections::BTreeMap;
use std::sync::Arc;

use compositor_core::id::ParticipantId;
use compositor_core::layout::Slot;
use compositor_core::roster::Publisher;

use crate::codec::picture::Picture;
use crate::raster::placeholder::placeholder;

/// Placeholders that are kept; a few per publisher and canvas.
const PLACEHOLDERS_MAX: usize = 64;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Key {
    participant: ParticipantId,
    user_id: String,
    width: u32,
    height: u32,
}

/// Those drawn so far.
#[derive(Debug, Default)]
pub(super) struct Placeholders(BTreeMap<Key, Arc<Picture>>);

impl Placeholders {
    /// The one of a publisher in the size of its slot.
    pub(super) fn of(&mut self, publisher: &Publisher, slot: &Slot) -> Arc<Picture> {
        let (width, height) = (slot.rect.width, slot.rect.height);
        let key = Key {
            participant: publisher.participant.clone(),
            user_id: publisher.user_id.clone(),
            width,
            height,
        };
        if self.0.len() > PLACEHOLDERS_MAX {
            self.0.clear();
        }
        let make = || {
            let (participant, user_id) = (&publisher.participant, &publisher.user_id);
            Arc::new(placeholder(participant, user_id, width, height))
        };
        Arc::clone(self.0.entry(key).or_insert_with(make))
    }
}
