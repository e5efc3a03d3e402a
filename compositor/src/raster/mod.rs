//! Pictures onto a canvas, in I420. Nothing here knows participants or time.

mod fill;
mod font;
pub(crate) mod placeholder;
mod scale;
pub(crate) mod slate;
pub(crate) mod thumbnail;

use compositor_core::layout::{Canvas, Rect, VideoFillMode, fit};

use self::fill::fill;
use self::scale::{PlaneScaler, Region};
use crate::codec::picture::{Picture, i420_len};

/// Luma and chroma of black (BT.601, limited range).
const BLACK: [u8; 3] = [16, 128, 128];

/// An I420 picture that is drawn upon.
#[derive(Debug)]
pub(crate) struct Raster {
    size: Canvas,
    /// Y, U, V back to back, without padding.
    data: Vec<u8>,
}

/// The tables that scale one picture size into one slot; kept as long as neither changes.
#[derive(Debug)]
pub(crate) struct SlotScaler {
    key: Key,
    luma: PlaneScaler,
    chroma: PlaneScaler,
    destination: Rect,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Key {
    picture: (u32, u32),
    slot: Rect,
    mode: VideoFillMode,
}

impl Raster {
    /// A black canvas with even sides.
    pub(crate) fn new(size: Canvas) -> Self {
        let mut raster = Self {
            size,
            data: vec![0; i420_len(size.width, size.height)],
        };
        raster.clear();
        raster
    }

    /// Y, U, V back to back, without padding.
    pub(crate) fn data(&self) -> &[u8] {
        &self.data
    }

    /// Makes all of it black.
    pub(crate) fn clear(&mut self) {
        self.blacken(self.size.rect());
    }

    fn blacken(&mut self, rect: Rect) {
        for (index, value) in BLACK.into_iter().enumerate() {
            let (plane, stride) = self.plane_mut(index);
            fill(plane, stride, Region::of(rect, index > 0), value);
        }
    }

    /// Draws `picture` into `slot`. `scaler` is reused when it fits and replaced when not.
    pub(crate) fn draw(
        &mut self,
        picture: &Picture,
        slot: Rect,
        mode: VideoFillMode,
        scaler: &mut Option<SlotScaler>,
    ) {
        let key = Key {
            picture: (picture.width(), picture.height()),
            slot,
            mode,
        };
        if scaler.as_ref().is_none_or(|scaler| scaler.key != key) {
            // What the picture leaves free of its slot is black.
            self.blacken(slot);
            *scaler = SlotScaler::new(key);
        }
        let Some(scaler) = scaler else {
            return;
        };
        for (index, source) in picture.planes().into_iter().enumerate() {
            let region = Region::of(scaler.destination, index > 0);
            let plane_scaler = if index > 0 {
                &scaler.chroma
            } else {
                &scaler.luma
            };
            let (plane, stride) = self.plane_mut(index);
            plane_scaler.scale(source, plane, stride, region);
        }
    }

    fn plane_mut(&mut self, index: usize) -> (&mut [u8], usize) {
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        let luma = width * height;
        match index {
            0 => (&mut self.data[..luma], width),
            1 => (&mut self.data[luma..luma + luma / 4], width / 2),
            _ => (&mut self.data[luma + luma / 4..], width / 2),
        }
    }
}

impl SlotScaler {
    fn new(key: Key) -> Option<Self> {
        let fit = fit(key.picture, key.slot, key.mode)?;
        let [luma, chroma] = [false, true].map(|chroma| {
            PlaneScaler::new(
                Region::of(fit.source, chroma),
                Region::of(fit.destination, chroma),
            )
        });
        Some(Self {
            key,
            luma,
            chroma,
            destination: fit.destination,
        })
    }
}
