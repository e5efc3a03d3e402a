//! Which simulcast layer a slot needs.

use crate::id::Layer;

/// A layer that is shown stays while it lacks no more than this part of the slot's height, so that sizes that move around a
/// layer's height do not switch to and fro.
const LACK_MAX: u16 = 8;

/// Of layers that bring pictures, each with its height: the smallest at least `height` tall, else the tallest. The one that
/// is shown now may lack an eighth.
pub fn layer_for(
    active: impl IntoIterator<Item = (u16, Layer)>,
    height: u16,
    shown: Option<Layer>,
) -> Option<Layer> {
    let mut by_height: Vec<(u16, Layer)> = active.into_iter().collect();
    by_height.sort_unstable();
    let nearly = height - height / LACK_MAX;
    let is_enough = |&&(tall, layer): &&(u16, Layer)| {
        let needed = if shown == Some(layer) { nearly } else { height };
        tall >= needed
    };
    let enough = by_height.iter().find(is_enough);
    enough.or(by_height.last()).map(|(_, layer)| *layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYERS: [(u16, Layer); 3] = [(720, Layer(0)), (180, Layer(1)), (360, Layer(2))];

    #[test]
    fn the_smallest_layer_that_is_tall_enough_is_chosen() {
        for (height, layer) in [(100, 1), (180, 1), (181, 2), (360, 2), (361, 0), (1080, 0)] {
            assert_eq!(layer_for(LAYERS, height, None), Some(Layer(layer)));
        }
        assert_eq!(layer_for([], 100, None), None);
    }

    #[test]
    fn the_shown_layer_stays_while_it_is_nearly_tall_enough() {
        let shown = |height, layer| layer_for(LAYERS, height, Some(Layer(layer)));
        assert_eq!(shown(411, 2), Some(Layer(2)));
        assert_eq!(shown(412, 2), Some(Layer(0)));
        assert_eq!(shown(411, 0), Some(Layer(0)));
        assert_eq!(shown(360, 0), Some(Layer(2)));
        assert_eq!(shown(180, 2), Some(Layer(1)));
    }
}
