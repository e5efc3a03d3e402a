//! One participant in a small slot over all others.

use super::rect::{Rect, SIDE_MIN, floor_even, inscribe};
use super::spec::{PipBehavior, PipPosition, PipSpec};
use super::{Candidate, Slot, Tiling};

/// The aspect of a PiP participant whose picture size is not known.
const ASPECT_UNKNOWN: (u32, u32) = (16, 9);

/// The slots of everybody else by `tiling`, then the PiP slot over them. Of several PiP participants the first in order gets
/// it, the others count as everybody else.
pub(super) fn slots(
    spec: &PipSpec,
    tiling: &Tiling<'_>,
    canvas: Rect,
    mut shown: Vec<&Candidate<'_>>,
) -> Vec<Slot> {
    let pip = shown
        .iter()
        .position(|candidate| candidate.has(&spec.pip_participant_attribute));
    let Some(pip) = pip.map(|index| shown.remove(index)) else {
        return tiling.slots(canvas, &shown);
    };
    let rect = match (spec.pip_behavior, shown.is_empty()) {
        (PipBehavior::Dynamic, true) => Some(canvas),
        (PipBehavior::Dynamic, false) | (PipBehavior::Static, _) => {
            place(spec, canvas, pip.video_size)
        }
    };
    let mut slots = tiling.slots(canvas, &shown);
    slots.extend(
        rect.filter(|rect| rect.width > 0 && rect.height > 0)
            .map(|rect| Slot {
                participant: pip.participant.clone(),
                rect,
                fill_mode: spec.video_fill_mode,
            }),
    );
    slots
}

/// The PiP slot; `None` on a canvas without room for it.
fn place(spec: &PipSpec, canvas: Rect, source: Option<(u32, u32)>) -> Option<Rect> {
    if canvas.width < SIDE_MIN || canvas.height < SIDE_MIN {
        return None;
    }
    let known = source.filter(|&(width, height)| width > 0 && height > 0);
    let aspect = known.unwrap_or(ASPECT_UNKNOWN);
    let even = |pixels: u32, most: u32| floor_even(pixels).clamp(SIDE_MIN, most);
    let (width, height) = match (spec.pip_width, spec.pip_height) {
        (Some(width), Some(height)) => (even(width, canvas.width), even(height, canvas.height)),
        (Some(width), None) => inscribe((even(width, canvas.width), canvas.height), aspect),
        (None, Some(height)) => inscribe((canvas.width, even(height, canvas.height)), aspect),
        (None, None) => inscribe(
            (even(canvas.width / 4, canvas.width), canvas.height),
            aspect,
        ),
    };
    let near_x = floor_even(spec.pip_offset).min(canvas.width - width);
    let near_y = floor_even(spec.pip_offset).min(canvas.height - height);
    let far_x = canvas.width - width - near_x;
    let far_y = canvas.height - height - near_y;
    let (x, y) = match spec.pip_position {
        PipPosition::TopLeft => (near_x, near_y),
        PipPosition::TopRight => (far_x, near_y),
        PipPosition::BottomLeft => (near_x, far_y),
        PipPosition::BottomRight => (far_x, far_y),
    };
    Some(Rect {
        x,
        y,
        width,
        height,
    })
}
