//! One picture into its slot: crop, scale, convert colours.

use compositor_core::bitstream::colour::Colour;
use compositor_core::layout::{Rect, VideoFillMode, fit};

use super::band::Band;
use super::colour::Conversion;
use super::kernel::Kernel;
use super::scale::{Line, PlaneScaler, Region};
use super::taps::Scaling;
use crate::codec::picture::Picture;

/// The tables that bring pictures of one kind into one slot; kept as long as neither changes.
#[derive(Debug)]
pub(super) struct SlotScaler {
    picture: (u32, u32),
    colour: Colour,
    scaling: Scaling,
    slot: Rect,
    /// `None` if the slot or the picture is too small for anything to be seen.
    planes: Option<Planes>,
    conversion: Option<Conversion>,
}

#[derive(Debug)]
struct Planes {
    luma: PlaneScaler,
    chroma: PlaneScaler,
    destination: Rect,
}

impl SlotScaler {
    pub(super) fn new(
        picture: &Picture,
        slot: Rect,
        fill_mode: VideoFillMode,
        scaling: Scaling,
    ) -> Self {
        let size = (picture.width(), picture.height());
        let planes = fit(size, slot, fill_mode).map(|fit| {
            let [luma, chroma] = [false, true].map(|chroma| {
                PlaneScaler::new(
                    Region::of(fit.source, chroma),
                    Region::of(fit.destination, chroma),
                    scaling,
                )
            });
            Planes {
                luma,
                chroma,
                destination: fit.destination,
            }
        });
        Self {
            picture: size,
            colour: picture.colour(),
            scaling,
            slot,
            planes,
            conversion: Conversion::to_canvas(picture.colour()),
        }
    }

    /// Whether it was made for pictures of this kind, to be scaled like this.
    pub(super) fn fits(&self, picture: &Picture, scaling: Scaling) -> bool {
        let size = (picture.width(), picture.height());
        (self.picture, self.colour, self.scaling) == (size, picture.colour(), scaling)
    }

    /// Whether pictures leave a part of the slot free.
    pub(super) fn leaves_bars(&self) -> bool {
        self.planes
            .as_ref()
            .is_none_or(|planes| planes.destination != self.slot)
    }

    /// Draws what `band` holds of the slot.
    pub(super) fn draw(
        &self,
        kernel: Kernel,
        picture: &Picture,
        band: &mut Band<'_>,
        line: &mut Line,
    ) {
        let Some(planes) = &self.planes else {
            return;
        };
        let sources = picture.planes();
        for (index, (plane, source)) in band.planes().iter_mut().zip(sources).enumerate() {
            let scaler = if index > 0 {
                &planes.chroma
            } else {
                &planes.luma
            };
            for (y, row) in plane.rows_of(Region::of(planes.destination, index > 0)) {
                scaler.scale_row(kernel, source, y, line, row);
            }
        }
        if let Some(conversion) = &self.conversion {
            conversion.apply(band, planes.destination);
        }
    }
}
