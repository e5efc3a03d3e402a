//! LayoutConfiguration: defaults filled in, then the core's layout spec.

use compositor_core::layout::{self as core, LayoutSpec};

use crate::dto::layout::{
    GridConfiguration, LayoutConfiguration, PipBehavior, PipConfiguration, PipPosition,
    VideoAspectRatio, VideoFillMode,
};
use crate::error::ApiError;
use crate::validate::{Members, TextRule};

/// Pixels: the longest edge of any canvas; more could only say the same.
const PIXELS_MAX: u32 = 1_000_000;

/// Pixels between tiles of a grid.
const GRID_GAP_DEFAULT: u32 = 2;

/// Reads `layout`; the grid with its defaults when it is absent.
pub fn read(members: Option<&Members<'_>>) -> Result<LayoutConfiguration, ApiError> {
    let Some(members) = members else {
        return Ok(LayoutConfiguration::Grid(default_grid()));
    };
    match (members.object("grid")?, members.object("pip")?) {
        (Some(_), Some(_)) => Err(ApiError::validation(
            "`layout`: grid and pip given, at most one of them allowed",
        )),
        (None, Some(pip)) => read_pip(&pip).map(LayoutConfiguration::Pip),
        (Some(grid), None) => read_grid(&grid).map(LayoutConfiguration::Grid),
        (None, None) => Ok(LayoutConfiguration::Grid(default_grid())),
    }
}

/// What the compositor works from.
pub fn to_spec(configuration: &LayoutConfiguration) -> LayoutSpec {
    match configuration.clone() {
        LayoutConfiguration::Grid(grid) => LayoutSpec::Grid(grid_spec(grid)),
        LayoutConfiguration::Pip(pip) => LayoutSpec::Pip(pip_spec(pip)),
    }
}

fn default_grid() -> GridConfiguration {
    GridConfiguration {
        featured_participant_attribute: String::new(),
        grid_gap: GRID_GAP_DEFAULT,
        omit_stopped_video: false,
        participant_order_attribute: String::new(),
        video_aspect_ratio: VideoAspectRatio::Video,
        video_fill_mode: VideoFillMode::Unset,
    }
}

fn read_grid(members: &Members<'_>) -> Result<GridConfiguration, ApiError> {
    let default = default_grid();
    Ok(GridConfiguration {
        featured_participant_attribute: attribute(members, "featuredParticipantAttribute")?,
        grid_gap: members
            .integer("gridGap", 0..=PIXELS_MAX)?
            .unwrap_or(default.grid_gap),
        omit_stopped_video: members.boolean("omitStoppedVideo")?.unwrap_or(false),
        participant_order_attribute: attribute(members, "participantOrderAttribute")?,
        video_aspect_ratio: members
            .choice("videoAspectRatio")?
            .unwrap_or(default.video_aspect_ratio),
        video_fill_mode: members
            .choice("videoFillMode")?
            .unwrap_or(default.video_fill_mode),
    })
}

fn read_pip(members: &Members<'_>) -> Result<PipConfiguration, ApiError> {
    let fill_mode: VideoFillMode = members
        .choice("videoFillMode")?
        .unwrap_or(VideoFillMode::Unset);
    Ok(PipConfiguration {
        featured_participant_attribute: attribute(members, "featuredParticipantAttribute")?,
        grid_gap: members.integer("gridGap", 0..=PIXELS_MAX)?.unwrap_or(0),
        omit_stopped_video: members.boolean("omitStoppedVideo")?.unwrap_or(false),
        participant_order_attribute: attribute(members, "participantOrderAttribute")?,
        pip_behavior: members
            .choice("pipBehavior")?
            .unwrap_or(PipBehavior::Static),
        pip_offset: members.integer("pipOffset", 0..=PIXELS_MAX)?.unwrap_or(0),
        pip_participant_attribute: attribute(members, "pipParticipantAttribute")?,
        pip_position: members
            .choice("pipPosition")?
            .unwrap_or(PipPosition::BottomRight),
        pip_width: members.integer("pipWidth", 1..=PIXELS_MAX)?,
        pip_height: members.integer("pipHeight", 1..=PIXELS_MAX)?,
        video_fill_mode: match fill_mode {
            VideoFillMode::Unset => VideoFillMode::Cover,
            VideoFillMode::Fill | VideoFillMode::Cover | VideoFillMode::Contain => fill_mode,
        },
    })
}

fn attribute(members: &Members<'_>, name: &str) -> Result<String, ApiError> {
    Ok(members
        .text(name, &TextRule::ATTRIBUTE_KEY)?
        .unwrap_or_default())
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
        grid_gap,
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
        grid_gap,
        omit_stopped_video,
        participant_order_attribute,
        pip_behavior: match pip_behavior {
            PipBehavior::Static => core::PipBehavior::Static,
            PipBehavior::Dynamic => core::PipBehavior::Dynamic,
        },
        pip_offset,
        pip_participant_attribute,
        pip_position: match pip_position {
            PipPosition::TopLeft => core::PipPosition::TopLeft,
            PipPosition::TopRight => core::PipPosition::TopRight,
            PipPosition::BottomLeft => core::PipPosition::BottomLeft,
            PipPosition::BottomRight => core::PipPosition::BottomRight,
        },
        pip_width,
        pip_height,
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
