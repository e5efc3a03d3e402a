//! What the canvases show of one track, scaled ahead of drawing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::raster::Picture;
use crate::raster::tile::{Look, Tile};

/// A tile for each canvas that shows the track, by the number of its encoder.
#[derive(Debug, Default)]
pub(super) struct Tiles(BTreeMap<usize, Tile>);

impl Tiles {
    /// Makes the tile of the picture that the canvas of `encoder` will show next.
    pub(super) fn make(&mut self, encoder: usize, picture: &Arc<Picture>) {
        if let Some(tile) = self.0.get_mut(&encoder) {
            tile.make(picture);
        }
    }

    /// The picture for a slot of the canvas of `encoder`: its tile, where one was made; the next ones look like this slot.
    pub(super) fn take(
        &mut self,
        encoder: usize,
        look: Look,
        picture: Arc<Picture>,
    ) -> Arc<Picture> {
        let tile = self.0.entry(encoder).or_insert_with(|| Tile::new(look));
        if tile.look() != look {
            *tile = Tile::new(look);
        }
        tile.take(&picture).unwrap_or(picture)
    }
}
