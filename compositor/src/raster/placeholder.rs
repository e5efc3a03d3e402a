//! What is shown of a participant without a picture: its initial letters on a colour of its own.

use compositor_core::id::ParticipantId;
use image::{Rgb, RgbImage};

use super::font;
use super::thumbnail::to_i420;
use crate::codec::picture::Picture;

/// More letters would be too small to read in a tile.
const LETTERS_MAX: usize = 2;

/// Letters are this part of the slot's shorter side.
const LETTER_SHARE: u32 = 3;

const INK: Rgb<u8> = Rgb([240, 240, 240]);

/// A picture of `width` x `height` (even) for a participant.
pub(crate) fn placeholder(
    participant: &ParticipantId,
    user_id: &str,
    width: u32,
    height: u32,
) -> Picture {
    let mut picture = RgbImage::from_pixel(width, height, colour(participant));
    let letters = initials(participant, user_id);
    let dot = (width.min(height) / LETTER_SHARE / font::HEIGHT as u32).max(1);
    let columns = (letters.len() * (font::WIDTH + 1)).saturating_sub(1) as u32;
    let left = width.saturating_sub(columns * dot) / 2;
    let top = height.saturating_sub(font::HEIGHT as u32 * dot) / 2;
    for (index, glyph) in letters.iter().enumerate() {
        let left = left + (index * (font::WIDTH + 1)) as u32 * dot;
        draw_glyph(&mut picture, glyph, (left, top), dot);
    }
    to_i420(&picture)
}

pub(super) fn draw_glyph(
    picture: &mut RgbImage,
    glyph: &[u8; font::HEIGHT],
    (left, top): (u32, u32),
    dot: u32,
) {
    for (row, bits) in glyph.iter().enumerate() {
        for column in (0..font::WIDTH).filter(|column| bits >> (font::WIDTH - 1 - column) & 1 == 1)
        {
            let (x, y) = (left + column as u32 * dot, top + row as u32 * dot);
            for (x, y) in (y..y + dot).flat_map(|y| (x..x + dot).map(move |x| (x, y))) {
                if x < picture.width() && y < picture.height() {
                    picture.put_pixel(x, y, INK);
                }
            }
        }
    }
}

/// The first letter of each of the first words of the user id; without any that the font has, of the participant id.
fn initials(participant: &ParticipantId, user_id: &str) -> Vec<[u8; font::HEIGHT]> {
    let of = |text: &str| -> Vec<_> {
        text.split(|c: char| !c.is_alphanumeric())
            .filter_map(|word| word.chars().next().and_then(font::glyph))
            .take(LETTERS_MAX)
            .collect()
    };
    let letters = of(user_id);
    if letters.is_empty() {
        of(participant.as_str())
    } else {
        letters
    }
}

/// A dark, saturated colour; the same participant always has the same.
fn colour(participant: &ParticipantId) -> Rgb<u8> {
    // FNV-1a: short, and the same on every machine.
    let hash = participant
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let hue = (hash >> 16) % 360;
    let ramp = |offset: u64| {
        let position = (hue + offset) % 360;
        // 1 around its own third of the circle, 0 opposite.
        let strength = match position {
            0..60 => position as f32 / 60.0,
            60..180 => 1.0,
            180..240 => (240 - position) as f32 / 60.0,
            _ => 0.0,
        };
        (48.0 + 96.0 * strength) as u8
    };
    Rgb([ramp(120), ramp(0), ramp(240)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dots(user_id: &str) -> Vec<[u8; font::HEIGHT]> {
        initials(&ParticipantId::new("x9"), user_id)
    }

    #[test]
    fn initials_come_from_the_user_id_then_from_the_participant() {
        let glyph = |letter| font::glyph(letter).expect("the font has it");
        assert_eq!(dots("ada lovelace"), [glyph('A'), glyph('L')]);
        assert_eq!(dots("Grace-Brewster.Hopper"), [glyph('G'), glyph('B')]);
        assert_eq!(dots(""), [glyph('X')]);
        assert_eq!(dots("雨"), [glyph('X')]);
    }

    #[test]
    fn a_placeholder_has_the_size_of_its_slot_even_when_tiny() {
        for (width, height) in [(2, 2), (320, 180), (90, 160)] {
            let picture = placeholder(&ParticipantId::new("p"), "someone", width, height);
            assert_eq!((picture.width(), picture.height()), (width, height));
        }
    }

    #[test]
    fn participants_differ_in_colour_and_keep_it() {
        let of = |id: &str| colour(&ParticipantId::new(id));
        assert_eq!(of("abcdefghijkl"), of("abcdefghijkl"));
        assert_ne!(of("abcdefghijkl"), of("abcdefghijkm"));
    }
}
