//! The picture of a failover slate.

use image::{Rgb, RgbImage};

use super::font;
use super::placeholder::draw_glyph;
use super::thumbnail::to_i420;
use crate::codec::picture::Picture;

const TEXT: [&str; 2] = ["WE WILL BE", "RIGHT BACK"];

const BACKGROUND: Rgb<u8> = Rgb([24, 26, 32]);

/// Dots of a line: all have ten letters, each with a column between.
const LINE_DOTS: u32 = 10 * (font::WIDTH as u32 + 1);

/// The text is this part of the picture's width.
const WIDTH_SHARE: (u32, u32) = (1, 2);

/// A picture of `width` x `height` (even) that asks for patience.
pub(crate) fn slate(width: u32, height: u32) -> Picture {
    let mut picture = RgbImage::from_pixel(width, height, BACKGROUND);
    let dot = (width * WIDTH_SHARE.0 / WIDTH_SHARE.1 / LINE_DOTS).max(1);
    let line_height = (font::HEIGHT as u32 + 3) * dot;
    let top = height.saturating_sub(line_height * TEXT.len() as u32) / 2;
    let left = width.saturating_sub(LINE_DOTS * dot) / 2;
    for (line, text) in (0..).zip(TEXT) {
        for (column, letter) in (0..).zip(text.chars()) {
            let at = (
                left + column * (font::WIDTH as u32 + 1) * dot,
                top + line * line_height,
            );
            if let Some(glyph) = font::glyph(letter) {
                draw_glyph(&mut picture, &glyph, at, dot);
            }
        }
    }
    to_i420(&picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_long_as_they_are_taken_to_be_and_every_letter_is_in_the_font() {
        for line in TEXT {
            assert_eq!(line.len(), 10);
            let missing = line.chars().filter(|letter| font::glyph(*letter).is_none());
            assert!(missing.eq(line.chars().filter(|letter| *letter == ' ')));
        }
    }

    #[test]
    fn a_slate_has_the_size_of_its_stream_even_when_tiny() {
        for (width, height) in [(2, 2), (640, 360), (90, 160)] {
            let picture = slate(width, height);
            assert_eq!((picture.width(), picture.height()), (width, height));
        }
    }
}
