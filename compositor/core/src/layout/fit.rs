//! How a picture meets its slot.

use super::rect::{Rect, SIDE_MIN, floor_even, inscribe};
use super::spec::VideoFillMode;

/// What of a picture is shown, and where; both even-aligned.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fit {
    /// The part of the picture that is shown, in its own pixels.
    pub source: Rect,
    /// Where it is shown, in canvas pixels.
    pub destination: Rect,
}

/// Fits a picture of `source` pixels (width, height) into `slot`: FILL stretches, COVER crops, CONTAIN leaves bars. `None`
/// when one of the two has not even 2 x 2 pixels.
pub fn fit(source: (u32, u32), slot: Rect, mode: VideoFillMode) -> Option<Fit> {
    let whole = Rect {
        x: 0,
        y: 0,
        width: floor_even(source.0),
        height: floor_even(source.1),
    };
    if [whole.width, whole.height, slot.width, slot.height]
        .into_iter()
        .any(|s| s < SIDE_MIN)
    {
        return None;
    }
    Some(match mode {
        VideoFillMode::Fill => Fit {
            source: whole,
            destination: slot,
        },
        VideoFillMode::Cover => Fit {
            source: inscribed_in(whole, (slot.width, slot.height)),
            destination: slot,
        },
        VideoFillMode::Contain => Fit {
            source: whole,
            destination: inscribed_in(slot, source),
        },
    })
}

/// The largest rectangle of an aspect in the middle of `outer`. A bar of one pixel on each side is only the rounding of
/// `outer` itself to even pixels, so then it is all of `outer`.
fn inscribed_in(outer: Rect, aspect: (u32, u32)) -> Rect {
    let (width, height) = inscribe((outer.width, outer.height), aspect);
    let snap = |inner: u32, outer: u32| {
        if outer - inner <= 2 && outer > 16 {
            outer
        } else {
            inner
        }
    };
    outer.centred(snap(width, outer.width), snap(height, outer.height))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Rect = Rect {
        x: 100,
        y: 50,
        width: 640,
        height: 360,
    };

    #[track_caller]
    fn check(source: (u32, u32), slot: Rect, mode: VideoFillMode, expected: [[u32; 4]; 2]) {
        let fit = fit(source, slot, mode).expect("both have pixels");
        let numbers = |rect: Rect| [rect.x, rect.y, rect.width, rect.height];
        assert_eq!([numbers(fit.source), numbers(fit.destination)], expected);
    }

    #[test]
    fn the_same_aspect_is_neither_cropped_nor_letterboxed() {
        for mode in [
            VideoFillMode::Fill,
            VideoFillMode::Cover,
            VideoFillMode::Contain,
        ] {
            check(
                (1280, 720),
                SLOT,
                mode,
                [[0, 0, 1280, 720], [100, 50, 640, 360]],
            );
        }
    }

    #[test]
    fn a_portrait_picture_in_a_landscape_slot() {
        let picture = (720, 1280);
        check(
            picture,
            SLOT,
            VideoFillMode::Fill,
            [[0, 0, 720, 1280], [100, 50, 640, 360]],
        );
        // 720 x 405 would be exact.
        check(
            picture,
            SLOT,
            VideoFillMode::Cover,
            [[0, 438, 720, 404], [100, 50, 640, 360]],
        );
        // 202.5 x 360 would be exact.
        check(
            picture,
            SLOT,
            VideoFillMode::Contain,
            [[0, 0, 720, 1280], [318, 50, 202, 360]],
        );
    }

    #[test]
    fn a_landscape_picture_in_a_square_slot() {
        let slot = Rect {
            x: 0,
            y: 0,
            width: 300,
            height: 300,
        };
        check(
            (640, 360),
            slot,
            VideoFillMode::Cover,
            [[140, 0, 360, 360], [0, 0, 300, 300]],
        );
        check(
            (640, 360),
            slot,
            VideoFillMode::Contain,
            [[0, 0, 640, 360], [0, 66, 300, 168]],
        );
    }

    #[test]
    fn a_slot_that_is_rounded_16_to_9_gets_no_thin_bars() {
        let slot = Rect {
            x: 0,
            y: 0,
            width: 638,
            height: 358,
        };
        check(
            (1280, 720),
            slot,
            VideoFillMode::Contain,
            [[0, 0, 1280, 720], [0, 0, 638, 358]],
        );
    }

    #[test]
    fn odd_pictures_lose_their_last_column_or_row() {
        check(
            (427, 241),
            SLOT,
            VideoFillMode::Fill,
            [[0, 0, 426, 240], [100, 50, 640, 360]],
        );
    }

    #[test]
    fn nothing_fits_into_nothing() {
        assert_eq!(fit((1, 100), SLOT, VideoFillMode::Cover), None);
        assert_eq!(fit((0, 0), SLOT, VideoFillMode::Contain), None);
        assert_eq!(
            fit((640, 360), Rect { width: 0, ..SLOT }, VideoFillMode::Fill),
            None
        );
    }
}
