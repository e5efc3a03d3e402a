//! What holds for every layout, whatever is asked.

use std::collections::{BTreeMap, BTreeSet};

use compositor_core::id::ParticipantId;
use compositor_core::layout::{
    Candidate, Canvas, GridSpec, LayoutSpec, PipBehavior, PipPosition, PipSpec, Rect, Slot,
    VideoAspectRatio, VideoFillMode, fit, layout,
};
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::test_runner::TestCaseError;

#[derive(Clone, Debug)]
struct Person {
    id: ParticipantId,
    attributes: BTreeMap<String, String>,
    has_video: bool,
    video_size: Option<(u32, u32)>,
}

fn people() -> impl Strategy<Value = Vec<Person>> {
    let person = (
        any::<[bool; 3]>(),
        -3..3_i64,
        proptest::option::of((0..3000_u32, 0..3000_u32)),
    );
    proptest::collection::vec(person, 0..20).prop_map(|people| {
        (0..)
            .zip(people)
            .map(
                |(number, ([featured, pip, has_video], order, video_size))| Person {
                    id: ParticipantId::new(format!("p{number}")),
                    attributes: BTreeMap::from([
                        ("featured".to_owned(), featured.to_string()),
                        ("pip".to_owned(), pip.to_string()),
                        ("order".to_owned(), order.to_string()),
                    ]),
                    has_video,
                    video_size,
                },
            )
            .collect()
    })
}

fn pixels() -> impl Strategy<Value = u32> {
    prop_oneof![0..50_u32, 0..3000_u32, Just(u32::MAX), Just(u32::MAX - 1)]
}

fn canvas() -> impl Strategy<Value = Canvas> {
    prop_oneof![
        (1..=960_u32, 1..=960_u32),
        (0..40_u32, 0..40_u32),
        Just((640, 360)),
        Just((360, 640))
    ]
    .prop_map(|(width, height)| Canvas {
        width: width * 2,
        height: height * 2,
    })
}

fn attribute(name: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just(name.to_owned())]
}

fn aspect() -> impl Strategy<Value = VideoAspectRatio> {
    prop_oneof![
        Just(VideoAspectRatio::Auto),
        Just(VideoAspectRatio::Video),
        Just(VideoAspectRatio::Square),
        Just(VideoAspectRatio::Portrait)
    ]
}

fn fill_mode() -> impl Strategy<Value = VideoFillMode> {
    prop_oneof![
        Just(VideoFillMode::Fill),
        Just(VideoFillMode::Cover),
        Just(VideoFillMode::Contain)
    ]
}

fn grid() -> impl Strategy<Value = GridSpec> {
    let attributes = (attribute("featured"), attribute("order"));
    (
        attributes,
        pixels(),
        any::<bool>(),
        aspect(),
        proptest::option::of(fill_mode()),
    )
        .prop_map(
            |(
                (featured, order),
                grid_gap,
                omit_stopped_video,
                video_aspect_ratio,
                video_fill_mode,
            )| {
                GridSpec {
                    featured_participant_attribute: featured,
                    grid_gap,
                    omit_stopped_video,
                    participant_order_attribute: order,
                    video_aspect_ratio,
                    video_fill_mode,
                }
            },
        )
}

fn pip() -> impl Strategy<Value = PipSpec> {
    let size = (
        proptest::option::of(pixels()),
        proptest::option::of(pixels()),
    );
    let position = prop_oneof![
        Just(PipPosition::TopLeft),
        Just(PipPosition::TopRight),
        Just(PipPosition::BottomLeft),
        Just(PipPosition::BottomRight)
    ];
    (
        grid(),
        attribute("pip"),
        any::<bool>(),
        pixels(),
        position,
        size,
        fill_mode(),
    )
        .prop_map(
            |(grid, pip, dynamic, pip_offset, pip_position, (pip_width, pip_height), fill_mode)| {
                PipSpec {
                    featured_participant_attribute: grid.featured_participant_attribute,
                    grid_gap: grid.grid_gap,
                    omit_stopped_video: grid.omit_stopped_video,
                    participant_order_attribute: grid.participant_order_attribute,
                    pip_behavior: if dynamic {
                        PipBehavior::Dynamic
                    } else {
                        PipBehavior::Static
                    },
                    pip_offset,
                    pip_participant_attribute: pip,
                    pip_position,
                    pip_width,
                    pip_height,
                    video_fill_mode: fill_mode,
                }
            },
        )
}

fn laid_out(spec: &LayoutSpec, canvas: Canvas, people: &[Person]) -> Vec<Slot> {
    let candidates: Vec<_> = people
        .iter()
        .map(|person| Candidate {
            participant: &person.id,
            attributes: &person.attributes,
            has_video: person.has_video,
            video_size: person.video_size,
        })
        .collect();
    layout(spec, canvas, &candidates)
}

fn is_even(rect: Rect) -> bool {
    [rect.x, rect.y, rect.width, rect.height]
        .iter()
        .all(|number| number % 2 == 0)
}

/// What holds for the slots of both layouts.
fn check_slots(
    slots: &[Slot],
    canvas: Canvas,
    people: &[Person],
    omit: bool,
) -> Result<(), TestCaseError> {
    let whole = Rect {
        x: 0,
        y: 0,
        width: canvas.width,
        height: canvas.height,
    };
    for slot in slots {
        prop_assert!(is_even(slot.rect), "odd: {slot:?}");
        prop_assert!(
            slot.rect.width >= 2 && slot.rect.height >= 2,
            "empty: {slot:?}"
        );
        prop_assert!(whole.contains(slot.rect), "outside: {slot:?}");
    }
    let shown: BTreeSet<_> = slots.iter().map(|slot| &slot.participant).collect();
    prop_assert_eq!(shown.len(), slots.len(), "somebody is shown twice");
    let wanted: BTreeSet<_> = people
        .iter()
        .filter(|p| p.has_video || !omit)
        .map(|p| &p.id)
        .collect();
    prop_assert!(shown.is_subset(&wanted));
    if canvas.width >= 128 && canvas.height >= 128 {
        prop_assert_eq!(shown, wanted, "there is room for everybody");
    }
    Ok(())
}

fn check_apart(slots: &[Slot]) -> Result<(), TestCaseError> {
    for (index, slot) in slots.iter().enumerate() {
        for other in &slots[..index] {
            prop_assert!(!slot.rect.overlaps(other.rect), "{slot:?} and {other:?}");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn grid_slots_are_even_inside_and_apart(
        spec in grid(), canvas in canvas(), people in people(),
    ) {
        let omit = spec.omit_stopped_video;
        let slots = laid_out(&LayoutSpec::Grid(spec), canvas, &people);
        check_slots(&slots, canvas, &people, omit)?;
        check_apart(&slots)?;
    }

    #[test]
    fn tiles_of_a_plain_grid_have_one_size_and_keep_the_gap(
        spec in grid(), canvas in canvas(), people in people(), gap in 0..20_u32,
    ) {
        let spec = GridSpec {
            featured_participant_attribute: String::new(),
            grid_gap: gap,
            ..spec
        };
        let slots = laid_out(&LayoutSpec::Grid(spec), canvas, &people);
        if canvas.width < 512 || canvas.height < 512 {
            return Ok(());
        }
        for pair in slots.windows(2) {
            let (rect, next) = (pair[0].rect, pair[1].rect);
            prop_assert_eq!((rect.width, rect.height), (next.width, next.height));
            let space = if rect.y == next.y { next.x - rect.right() } else { next.y - rect.bottom() };
            prop_assert_eq!(space, gap.next_multiple_of(2));
        }
    }

    #[test]
    fn pip_slots_are_even_inside_and_only_the_last_lies_over_others(
        spec in pip(), canvas in canvas(), people in people(),
    ) {
        let omit = spec.omit_stopped_video;
        let slots = laid_out(&LayoutSpec::Pip(spec), canvas, &people);
        check_slots(&slots, canvas, &people, omit)?;
        if let Some((_, tiles)) = slots.split_last() {
            check_apart(tiles)?;
        }
    }

    #[test]
    fn a_fit_is_even_and_inside_both(
        source in (0..4000_u32, 0..4000_u32),
        place in (0..500_u32, 0..500_u32, 0..1000_u32, 0..1000_u32),
        mode in fill_mode(),
    ) {
        let (x, y, width, height) = place;
        let slot = Rect { x: 2 * x, y: 2 * y, width: 2 * width, height: 2 * height };
        let Some(fit) = fit(source, slot, mode) else {
            prop_assert!(source.0 < 2 || source.1 < 2 || width == 0 || height == 0);
            return Ok(());
        };
        let picture = Rect { x: 0, y: 0, width: source.0, height: source.1 };
        prop_assert!(is_even(fit.source) && is_even(fit.destination), "{fit:?}");
        prop_assert!(fit.source.width >= 2 && fit.source.height >= 2, "{fit:?}");
        prop_assert!(fit.destination.width >= 2 && fit.destination.height >= 2, "{fit:?}");
        prop_assert!(picture.contains(fit.source), "{fit:?}");
        prop_assert!(slot.contains(fit.destination), "{fit:?}");
        if mode != VideoFillMode::Contain {
            prop_assert_eq!(fit.destination, slot);
        }
        // Unless it stretches, a picture keeps its aspect, but for rounding to even pixels.
        if mode != VideoFillMode::Fill && source.0.min(source.1) > 100 && width.min(height) > 50 {
            let x = f64::from(fit.destination.width) / f64::from(fit.source.width);
            let y = f64::from(fit.destination.height) / f64::from(fit.source.height);
            let shortest = [fit.source, fit.destination]
                .iter()
                .map(|rect| rect.width.min(rect.height))
                .min()
                .unwrap_or(0);
            prop_assert!((x / y - 1.0).abs() <= 6.0 / f64::from(shortest), "{fit:?}");
        }
    }
}
