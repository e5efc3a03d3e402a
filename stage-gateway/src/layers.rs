//! Which simulcast layer to show or forward. Pure.

use compositor_core::id::Layer;
use compositor_core::layer_choice::layer_for;

/// What is known of a layer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LayerState {
    /// Which.
    pub(crate) layer: Layer,
    /// Width and height of its last keyframe.
    pub(crate) size: Option<(u16, u16)>,
    /// Whether packets arrive.
    pub(crate) active: bool,
}

/// The active layer for a slot `height` tall while `shown` is shown; `None` while no picture size is known.
pub(crate) fn for_height(
    layers: &[LayerState],
    height: u16,
    shown: Option<Layer>,
) -> Option<Layer> {
    let active = layers.iter().filter(|layer| layer.active);
    let known = active.filter_map(|layer| layer.size.map(|(_, height)| (height, layer.layer)));
    layer_for(known, height, shown)
}

/// The tallest active layer after `steps_down` taller ones are given up; at least the smallest. A layer whose size is
/// unknown still counts as the smallest.
pub(crate) fn for_bandwidth(layers: &[LayerState], steps_down: usize) -> Option<Layer> {
    let mut active: Vec<&LayerState> = layers.iter().filter(|layer| layer.active).collect();
    active.sort_by_key(|layer| (layer.size.map_or(0, |(_, height)| height), layer.layer));
    let index = active.len().checked_sub(1)?.saturating_sub(steps_down);
    active.get(index).map(|layer| layer.layer)
}

/// How many layers a subscriber has to go down, judged by the loss that it reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct LossGovernor {
    steps_down: usize,
    bad_in_a_row: u32,
    good_in_a_row: u32,
    good_needed: u32,
}

/// A report is bad from 10 % of loss on (of 256), as WebRTC's own loss-based control has it.
const BAD_FRACTION: u8 = 26;
/// A report is good up to 2 % of loss.
const GOOD_FRACTION: u8 = 5;
/// Bad reports before a step down; one may be an accident.
const BAD_REPORTS: u32 = 2;
/// Good reports before a step up; about one comes each second. Doubles when the step up was wrong.
const GOOD_REPORTS_MIN: u32 = 8;
const GOOD_REPORTS_MAX: u32 = 64;
/// The lowest of as many layers as browsers send.
const STEPS_DOWN_MAX: usize = 2;

impl LossGovernor {
    /// Takes in a report; true when the answer of [`Self::steps_down`] changed.
    pub(crate) fn report(&mut self, fraction: u8) -> bool {
        self.good_needed = self.good_needed.max(GOOD_REPORTS_MIN);
        if fraction >= BAD_FRACTION {
            self.good_in_a_row = 0;
            self.bad_in_a_row += 1;
            if self.bad_in_a_row >= BAD_REPORTS && self.steps_down < STEPS_DOWN_MAX {
                self.bad_in_a_row = 0;
                self.steps_down += 1;
                self.good_needed = (self.good_needed * 2).min(GOOD_REPORTS_MAX);
                return true;
            }
        } else if fraction <= GOOD_FRACTION {
            self.bad_in_a_row = 0;
            self.good_in_a_row += 1;
            if self.good_in_a_row >= self.good_needed && self.steps_down > 0 {
                self.good_in_a_row = 0;
                self.steps_down -= 1;
                return true;
            }
        } else {
            self.bad_in_a_row = 0;
            self.good_in_a_row = 0;
        }
        false
    }

    /// How many of the tallest layers to give up.
    pub(crate) fn steps_down(self) -> usize {
        self.steps_down
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(heights: &[(u16, bool)]) -> Vec<LayerState> {
        heights
            .iter()
            .enumerate()
            .map(|(index, (height, active))| LayerState {
                layer: Layer(index as u8),
                size: (*height > 0).then_some((height * 16 / 9, *height)),
                active: *active,
            })
            .collect()
    }

    #[test]
    fn idle_and_unknown_layers_are_not_shown() {
        assert_eq!(
            for_height(&layers(&[(720, false), (180, true)]), 700, None),
            Some(Layer(1))
        );
        assert_eq!(for_height(&layers(&[(0, true)]), 700, None), None);
        assert_eq!(for_bandwidth(&layers(&[(0, true)]), 0), Some(Layer(0)));
        assert_eq!(for_bandwidth(&layers(&[(0, false)]), 0), None);
    }

    #[test]
    fn steps_down_end_at_the_smallest_layer() {
        let layers = layers(&[(180, true), (360, true), (720, false)]);
        assert_eq!(for_bandwidth(&layers, 0), Some(Layer(1)));
        assert_eq!(for_bandwidth(&layers, 1), Some(Layer(0)));
        assert_eq!(for_bandwidth(&layers, 2), Some(Layer(0)));
    }

    #[test]
    fn lasting_loss_steps_down_and_a_wrong_step_up_waits_longer() {
        let mut governor = LossGovernor::default();
        assert!(!governor.report(100));
        assert!(governor.report(100));
        assert_eq!(governor.steps_down(), 1);
        let ups = (1..=100).find(|_| governor.report(0));
        assert_eq!(ups, Some(16));
        assert_eq!(governor.steps_down(), 0);
        governor.report(100);
        governor.report(100);
        assert_eq!((1..=100).find(|_| governor.report(0)), Some(32));
    }
}
