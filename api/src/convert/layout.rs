//! What the compositor works from.

use compositor_core::layout::{self as core, LayoutSpec};

use crate::dto::layout::{
    GridConfiguration, LayoutConfiguration, PipBehavior, PipConfiguration, PipPosition,
    VideoAspectRatio, VideoFillMode,
};

/// Pixels: the longest edge of any canvas; more could only say the same.
const PIXELS_MAX: u32 = 1_000_000;

/// What the compositor works from.
pub fn to_spec(configuration: &LayoutConfiguration) -> LayoutSpec {
    match configuration.clone() {
        LayoutConfiguration::Grid(grid) => LayoutSpec::Grid(grid_spec(grid)),
        LayoutConfiguration::Pip(pip) => LayoutSpec::Pip(pip_spec(pip)),
    }
}

fn grid_spec(grid: GridConfiguration) -> core::GridSpec {
    let GridConfiguration {
        featured_participant_attribute,
        grid_gap,
        omit_stopped_video,
        participant_order_attribute,
        video_aspect_ratio,
        video_fill_mode,
    } = grid;
    core::GridSpec {
        featured_participant_attribute,
        grid_gap: grid_gap.min(PIXELS_MAX),
        omit_stopped_video,
        participant_order_attribute,
        video_aspect_ratio: match video_aspect_ratio {
            VideoAspectRatio::Auto => core::VideoAspectRatio::Auto,
            VideoAspectRatio::Video => core::VideoAspectRatio::Video,
            VideoAspectRatio::Square => core::VideoAspectRatio::Square,
            VideoAspectRatio::Portrait => core::VideoAspectRatio::Portrait,
        },
        video_fill_mode: fill_mode(video_fill_mode),
    }
}

fn pip_spec(pip: PipConfiguration) -> core::PipSpec {
    let PipConfiguration {
        featured_participant_attribute,
        grid_gap,
        omit_stopped_video,
        participant_order_attribute,
        pip_behavior,
        pip_offset,
        pip_participant_attribute,
        pip_position,
        pip_width,
        pip_height,
        video_fill_mode,
    } = pip;
    core::PipSpec {
        featured_participant_attribute,
        grid_gap: grid_gap.min(PIXELS_MAX),
        omit_stopped_video,
        participant_order_attribute,
        pip_behavior: match pip_behavior {
            PipBehavior::Static => core::PipBehavior::Static,
            PipBehavior::Dynamic => core::PipBehavior::Dynamic,
        },
        pip_offset: pip_offset.min(PIXELS_MAX),
        pip_participant_attribute,
        pip_position: match pip_position {
            PipPosition::TopLeft => core::PipPosition::TopLeft,
            PipPosition::TopRight => core::PipPosition::TopRight,
            PipPosition::BottomLeft => core::PipPosition::BottomLeft,
            PipPosition::BottomRight => core::PipPosition::BottomRight,
        },
        pip_width: pip_width.map(|width| width.min(PIXELS_MAX)),
        pip_height: pip_height.map(|height| height.min(PIXELS_MAX)),
        video_fill_mode: fill_mode(video_fill_mode).unwrap_or(core::VideoFillMode::Cover),
    }
}

fn fill_mode(mode: VideoFillMode) -> Option<core::VideoFillMode> {
    match mode {
        VideoFillMode::Unset => None,
        VideoFillMode::Fill => Some(core::VideoFillMode::Fill),
        VideoFillMode::Cover => Some(core::VideoFillMode::Cover),
        VideoFillMode::Contain => Some(core::VideoFillMode::Contain),
    }
}

/// The layout configuration that means this.
pub fn from_spec(spec: &LayoutSpec) -> LayoutConfiguration {
    match spec.clone() {
        LayoutSpec::Grid(grid) => LayoutConfiguration::Grid(grid_configuration(grid)),
        LayoutSpec::Pip(pip) => LayoutConfiguration::Pip(pip_configuration(pip)),
    }
}

fn grid_configuration(grid: core::GridSpec) -> GridConfiguration {
    let core::GridSpec {
        featured_participant_attribute,
        grid_gap,
        omit_stopped_video,
        participant_order_attribute,
        video_aspect_ratio,
        video_fill_mode,
    } = grid;
    GridConfiguration {
        featured_participant_attribute,
        grid_gap,
        omit_stopped_video,
        participant_order_attribute,
        video_aspect_ratio: match video_aspect_ratio {
            core::VideoAspectRatio::Auto => VideoAspectRatio::Auto,
            core::VideoAspectRatio::Video => VideoAspectRatio::Video,
            core::VideoAspectRatio::Square => VideoAspectRatio::Square,
            core::VideoAspectRatio::Portrait => VideoAspectRatio::Portrait,
        },
        video_fill_mode: fill_mode_back(video_fill_mode),
    }
}

fn pip_configuration(pip: core::PipSpec) -> PipConfiguration {
    let core::PipSpec {
        featured_participant_attribute,
        grid_gap,
        omit_stopped_video,
        participant_order_attribute,
        pip_behavior,
        pip_offset,
        pip_participant_attribute,
        pip_position,
        pip_width,
        pip_height,
        video_fill_mode,
    } = pip;
    PipConfiguration {
        featured_participant_attribute,
        grid_gap,
        omit_stopped_video,
        participant_order_attribute,
        pip_behavior: match pip_behavior {
            core::PipBehavior::Static => PipBehavior::Static,
            core::PipBehavior::Dynamic => PipBehavior::Dynamic,
        },
        pip_offset,
        pip_participant_attribute,
        pip_position: match pip_position {
            core::PipPosition::TopLeft => PipPosition::TopLeft,
            core::PipPosition::TopRight => PipPosition::TopRight,
            core::PipPosition::BottomLeft => PipPosition::BottomLeft,
            core::PipPosition::BottomRight => PipPosition::BottomRight,
        },
        pip_width,
        pip_height,
        video_fill_mode: fill_mode_back(Some(video_fill_mode)),
    }
}

fn fill_mode_back(mode: Option<core::VideoFillMode>) -> VideoFillMode {
    match mode {
        None => VideoFillMode::Unset,
        Some(core::VideoFillMode::Fill) => VideoFillMode::Fill,
        Some(core::VideoFillMode::Cover) => VideoFillMode::Cover,
        Some(core::VideoFillMode::Contain) => VideoFillMode::Contain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_survives_the_way_back() {
        let grid = LayoutConfiguration::Grid(GridConfiguration {
            grid_gap: 7,
            featured_participant_attribute: "f".to_owned(),
            video_aspect_ratio: VideoAspectRatio::Portrait,
            ..GridConfiguration::default()
        });
        let pip = LayoutConfiguration::Pip(PipConfiguration {
            pip_behavior: PipBehavior::Dynamic,
            pip_position: PipPosition::TopLeft,
            pip_width: Some(100),
            video_fill_mode: VideoFillMode::Contain,
            ..PipConfiguration::default()
        });
        for layout in [grid, pip] {
            assert_eq!(from_spec(&to_spec(&layout)), layout);
        }
    }
}
