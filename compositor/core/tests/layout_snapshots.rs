//! The exact rectangles of every layout, as text: `tests/snapshots/layout.txt`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use compositor_core::id::ParticipantId;
use compositor_core::layout::{
    Candidate, Canvas, GridSpec, LayoutSpec, PipBehavior, PipPosition, PipSpec, VideoAspectRatio,
    VideoFillMode, layout,
};

const HD: Canvas = Canvas {
    width: 1280,
    height: 720,
};
const PORTRAIT: Canvas = Canvas {
    width: 720,
    height: 1280,
};

/// Somebody with the attributes of a word such as `featured` or `pip`; `off` has no video.
struct Person {
    id: ParticipantId,
    attributes: BTreeMap<String, String>,
    has_video: bool,
}

fn people(words: &[&str]) -> Vec<Person> {
    ('a'..)
        .zip(words)
        .map(|(id, word)| Person {
            id: ParticipantId::new(id),
            attributes: BTreeMap::from([((*word).to_owned(), "true".to_owned())]),
            has_video: *word != "off",
        })
        .collect()
}

fn grid() -> GridSpec {
    GridSpec {
        featured_participant_attribute: "featured".to_owned(),
        grid_gap: 2,
        omit_stopped_video: false,
        participant_order_attribute: String::new(),
        video_aspect_ratio: VideoAspectRatio::Video,
        video_fill_mode: None,
    }
}

fn pip() -> PipSpec {
    PipSpec {
        featured_participant_attribute: "featured".to_owned(),
        grid_gap: 0,
        omit_stopped_video: false,
        participant_order_attribute: String::new(),
        pip_behavior: PipBehavior::Static,
        pip_offset: 0,
        pip_participant_attribute: "pip".to_owned(),
        pip_position: PipPosition::BottomRight,
        pip_width: None,
        pip_height: None,
        video_fill_mode: VideoFillMode::Cover,
    }
}

/// All cases, written one after the other.
#[derive(Default)]
struct Sheet(String);

impl Sheet {
    fn add(&mut self, title: &str, spec: &LayoutSpec, canvas: Canvas, words: &[&str]) {
        self.add_sized(title, spec, canvas, words, (1280, 720));
    }

    fn add_sized(
        &mut self,
        title: &str,
        spec: &LayoutSpec,
        canvas: Canvas,
        words: &[&str],
        size: (u32, u32),
    ) {
        let people = people(words);
        let candidates: Vec<_> = people
            .iter()
            .map(|person| Candidate {
                participant: &person.id,
                attributes: &person.attributes,
                has_video: person.has_video,
                video_size: Some(size),
            })
            .collect();
        writeln!(self.0, "{title}").expect("a string takes everything");
        for slot in layout(spec, canvas, &candidates) {
            let rect = slot.rect;
            let place = format!("{}x{}+{}+{}", rect.width, rect.height, rect.x, rect.y);
            writeln!(
                self.0,
                "  {} {place} {:?}",
                slot.participant, slot.fill_mode
            )
            .expect("a string takes everything");
        }
    }
}

#[test]
fn rectangles_are_exactly_as_written_down() {
    let mut sheet = Sheet::default();
    grids(&mut sheet);
    featured(&mut sheet);
    pips(&mut sheet);
    let expected = include_str!("snapshots/layout.txt");
    if sheet.0 != expected {
        for (line, (found, wanted)) in sheet.0.lines().zip(expected.lines()).enumerate() {
            assert_eq!(found, wanted, "line {}; all of it:\n{}", line + 1, sheet.0);
        }
        panic!("the number of lines differs; all of it:\n{}", sheet.0);
    }
}

fn grids(sheet: &mut Sheet) {
    let plain = LayoutSpec::Grid(grid());
    for count in 0..=12 {
        sheet.add(&format!("grid of {count}"), &plain, HD, &vec!["x"; count]);
    }
    for count in [2, 3, 12] {
        let gapless = LayoutSpec::Grid(GridSpec {
            grid_gap: 0,
            ..grid()
        });
        sheet.add(
            &format!("grid of {count}, no gap"),
            &gapless,
            HD,
            &vec!["x"; count],
        );
        sheet.add(
            &format!("grid of {count}, portrait canvas"),
            &plain,
            PORTRAIT,
            &vec!["x"; count],
        );
    }
    for aspect in [
        VideoAspectRatio::Square,
        VideoAspectRatio::Portrait,
        VideoAspectRatio::Auto,
    ] {
        let spec = LayoutSpec::Grid(GridSpec {
            video_aspect_ratio: aspect,
            ..grid()
        });
        for count in [1, 2, 3, 5] {
            sheet.add(
                &format!("grid of {count}, {aspect:?}"),
                &spec,
                HD,
                &vec!["x"; count],
            );
        }
    }
    let odd = LayoutSpec::Grid(GridSpec {
        grid_gap: 3,
        ..grid()
    });
    sheet.add("grid of 4, gap 3", &odd, HD, &["x"; 4]);
    let huge = LayoutSpec::Grid(GridSpec {
        grid_gap: u32::MAX,
        ..grid()
    });
    sheet.add("grid of 4, the largest gap", &huge, HD, &["x"; 4]);
    let tiny = Canvas {
        width: 4,
        height: 2,
    };
    sheet.add("grid of 3 on 4x2 pixels", &plain, tiny, &["x"; 3]);
    sheet.add(
        "grid of 3, one without video",
        &plain,
        HD,
        &["x", "off", "x"],
    );
    let omit = LayoutSpec::Grid(GridSpec {
        omit_stopped_video: true,
        ..grid()
    });
    sheet.add(
        "grid of 3, one without video omitted",
        &omit,
        HD,
        &["x", "off", "x"],
    );
    let fill = Some(VideoFillMode::Fill);
    let stretched = LayoutSpec::Grid(GridSpec {
        video_fill_mode: fill,
        ..grid()
    });
    sheet.add(
        "featured and tile with a fill mode",
        &stretched,
        HD,
        &["x", "featured"],
    );
}

fn featured(sheet: &mut Sheet) {
    let plain = LayoutSpec::Grid(grid());
    sheet.add("featured alone", &plain, HD, &["featured"]);
    sheet.add("two featured alone", &plain, HD, &["featured", "featured"]);
    for others in [1, 2, 4, 5, 11] {
        let mut words = vec!["x"; others];
        words.insert(others / 2, "featured");
        sheet.add(&format!("featured above {others}"), &plain, HD, &words);
    }
    sheet.add(
        "two featured above 2",
        &plain,
        HD,
        &["x", "featured", "x", "featured"],
    );
    sheet.add(
        "featured above 3, portrait canvas",
        &plain,
        PORTRAIT,
        &["featured", "x", "x", "x"],
    );
    for aspect in [
        VideoAspectRatio::Square,
        VideoAspectRatio::Portrait,
        VideoAspectRatio::Auto,
    ] {
        let spec = LayoutSpec::Grid(GridSpec {
            video_aspect_ratio: aspect,
            ..grid()
        });
        sheet.add(
            &format!("featured above 2, {aspect:?}"),
            &spec,
            HD,
            &["featured", "x", "x"],
        );
    }
}

fn pips(sheet: &mut Sheet) {
    let plain = LayoutSpec::Pip(pip());
    sheet.add("pip over 1", &plain, HD, &["pip", "x"]);
    sheet.add("pip over 3", &plain, HD, &["x", "pip", "x", "x"]);
    sheet.add("two pips", &plain, HD, &["x", "pip", "pip"]);
    sheet.add(
        "pip over featured and 2",
        &plain,
        HD,
        &["x", "pip", "x", "featured"],
    );
    sheet.add("no pip among 2", &plain, HD, &["x", "x"]);
    sheet.add("pip alone, STATIC", &plain, HD, &["pip"]);
    let dynamic = LayoutSpec::Pip(PipSpec {
        pip_behavior: PipBehavior::Dynamic,
        ..pip()
    });
    sheet.add("pip alone, DYNAMIC", &dynamic, HD, &["pip"]);
    sheet.add_sized("portrait pip", &plain, HD, &["x", "pip"], (720, 1280));
    for position in [
        PipPosition::TopLeft,
        PipPosition::TopRight,
        PipPosition::BottomLeft,
        PipPosition::BottomRight,
    ] {
        let spec = PipSpec {
            pip_position: position,
            pip_offset: 17,
            ..pip()
        };
        sheet.add(
            &format!("pip {position:?}, offset 17"),
            &LayoutSpec::Pip(spec),
            HD,
            &["pip"],
        );
    }
    for (width, height) in [
        (Some(300), None),
        (None, Some(300)),
        (Some(301), Some(99)),
        (Some(9999), Some(1)),
    ] {
        let spec = PipSpec {
            pip_width: width,
            pip_height: height,
            pip_offset: 10,
            ..pip()
        };
        let title = format!("pip of width {width:?} and height {height:?}, offset 10");
        sheet.add(&title, &LayoutSpec::Pip(spec), HD, &["pip"]);
    }
    let far = LayoutSpec::Pip(PipSpec {
        pip_offset: u32::MAX,
        ..pip()
    });
    sheet.add("pip with the largest offset", &far, HD, &["pip"]);
}
