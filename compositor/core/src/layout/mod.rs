//! Where each publisher is shown (DESIGN.md 3.5). Pure: a spec, the publishers and a canvas in, slots out.
//!
//! Every rectangle is even-aligned, at least 2 x 2 and within the canvas; only the PiP slot lies over others. An odd gap counts
//! as the next even one; a gap too large for the canvas shrinks until every tile has room. Publishers for whom there is no
//! room at all, on a canvas of a few pixels, get no slot.

mod featured;
mod fit;
mod grid;
mod order;
mod pip;
mod rect;
mod spec;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::ParticipantId;

pub use self::fit::{Fit, fit};
pub use self::rect::{Canvas, Rect};
pub use self::spec::{
    GridSpec, LayoutSpec, PipBehavior, PipPosition, PipSpec, VideoAspectRatio, VideoFillMode,
};

/// What the layout needs to know of a publisher, in order of arrival.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate<'a> {
    /// Who.
    pub participant: &'a ParticipantId,
    /// The token's attributes.
    pub attributes: &'a BTreeMap<String, String>,
    /// Whether it shows a picture now.
    pub has_video: bool,
    /// Width and height of its picture, when known.
    pub video_size: Option<(u32, u32)>,
}

/// One rectangle of the picture. Later slots lie over earlier ones.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Slot {
    /// Who is shown.
    pub participant: ParticipantId,
    /// Where.
    pub rect: Rect,
    /// How its picture meets the slot.
    pub fill_mode: VideoFillMode,
}

/// Arranges `candidates`, given in order of arrival, on `canvas`.
pub fn layout(spec: &LayoutSpec, canvas: Canvas, candidates: &[Candidate<'_>]) -> Vec<Slot> {
    let canvas = canvas.rect();
    match spec {
        LayoutSpec::Grid(spec) => {
            let GridSpec {
                featured_participant_attribute,
                grid_gap,
                omit_stopped_video,
                participant_order_attribute,
                video_aspect_ratio,
                video_fill_mode,
            } = spec;
            let shown = order::shown(candidates, *omit_stopped_video, participant_order_attribute);
            let tiling = Tiling {
                featured_attribute: featured_participant_attribute,
                gap: *grid_gap,
                aspect: *video_aspect_ratio,
                tile_fill_mode: video_fill_mode.unwrap_or(VideoFillMode::Cover),
                featured_fill_mode: video_fill_mode.unwrap_or(VideoFillMode::Contain),
            };
            tiling.slots(canvas, &shown)
        }
        LayoutSpec::Pip(spec) => {
            let shown = order::shown(
                candidates,
                spec.omit_stopped_video,
                &spec.participant_order_attribute,
            );
            let tiling = Tiling {
                featured_attribute: &spec.featured_participant_attribute,
                gap: spec.grid_gap,
                aspect: VideoAspectRatio::Video,
                tile_fill_mode: spec.video_fill_mode,
                featured_fill_mode: spec.video_fill_mode,
            };
            pip::slots(spec, &tiling, canvas, shown)
        }
    }
}

/// How everybody but the PiP participant is arranged.
struct Tiling<'a> {
    featured_attribute: &'a str,
    gap: u32,
    aspect: VideoAspectRatio,
    tile_fill_mode: VideoFillMode,
    featured_fill_mode: VideoFillMode,
}

impl Tiling<'_> {
    /// The featured participants first, then all others, each in the given order.
    fn slots(&self, canvas: Rect, shown: &[&Candidate<'_>]) -> Vec<Slot> {
        let (featured, others): (Vec<&Candidate<'_>>, Vec<&Candidate<'_>>) = shown
            .iter()
            .partition(|candidate| candidate.has(self.featured_attribute));
        let rects = featured::rects(
            canvas,
            [featured.len(), others.len()],
            self.gap,
            self.aspect,
        );
        let slot = |fill_mode| {
            move |(candidate, rect): (&Candidate<'_>, Rect)| Slot {
                participant: candidate.participant.clone(),
                rect,
                fill_mode,
            }
        };
        let featured = featured
            .into_iter()
            .zip(rects.featured)
            .map(slot(self.featured_fill_mode));
        let others = others
            .into_iter()
            .zip(rects.others)
            .map(slot(self.tile_fill_mode));
        featured.chain(others).collect()
    }
}

impl Candidate<'_> {
    /// Whether the token says "true" for `attribute`; the empty attribute is nobody's.
    fn has(&self, attribute: &str) -> bool {
        !attribute.is_empty()
            && self
                .attributes
                .get(attribute)
                .is_some_and(|value| value == "true")
    }
}
