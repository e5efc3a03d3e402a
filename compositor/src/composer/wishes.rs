//! How tall each track is shown, which decides what layer of it is journaled for this composition.

use std::collections::BTreeMap;

use compositor_core::id::TrackId;

use super::stage::Shown;

/// The tallest slot of each track, over all encoders.
#[derive(Debug)]
pub(super) struct Wishes {
    of_encoders: Vec<BTreeMap<TrackId, u16>>,
    told: BTreeMap<TrackId, u16>,
}

impl Wishes {
    pub(super) fn new(encoders: usize) -> Self {
        Self {
            of_encoders: vec![BTreeMap::new(); encoders],
            told: BTreeMap::new(),
        }
    }

    /// Takes what an encoder shows now, each slot as if it were lower by `divisor`; gives the wishes that changed.
    pub(super) fn update(
        &mut self,
        encoder: usize,
        scene: &[Shown],
        divisor: u16,
    ) -> Vec<(TrackId, u16)> {
        let heights: BTreeMap<TrackId, u16> = scene
            .iter()
            .filter_map(|shown| Some((shown.track?, shown.slot.rect.height as u16 / divisor)))
            .collect();
        if heights == self.of_encoders[encoder] {
            return Vec::new();
        }
        self.of_encoders[encoder] = heights;
        let mut wishes: BTreeMap<TrackId, u16> = BTreeMap::new();
        for (track, height) in self.of_encoders.iter().flatten() {
            let wish = wishes.entry(*track).or_default();
            *wish = (*wish).max(*height);
        }
        let changed = wishes
            .iter()
            .filter(|(track, height)| self.told.get(track) != Some(height))
            .map(|(track, height)| (*track, *height))
            .collect();
        self.told = wishes;
        changed
    }
}
