//! From the colours of a picture to those of the canvas: BT.601, limited range.
//!
//! Both are linear in Y, Cb and Cr, so the way through R, G, B is one matrix. Luma enters only luma, chroma enters both.

use compositor_core::bitstream::colour::{Colour, Matrix, Range};
use compositor_core::layout::Rect;

use super::band::Band;
use super::scale::Region;

/// What the canvas has.
const CANVAS: Colour = Colour {
    matrix: Matrix::Bt601,
    range: Range::Limited,
};

/// Bits behind the point of the coefficients.
const SHIFT: u32 = 14;

/// Coefficients of Y, Cb and Cr, to be applied to what was scaled already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Conversion {
    /// Luma of black.
    black: i32,
    luma: [i32; 3],
    chroma: [[i32; 2]; 2],
}

/// How a range stores luma from 0 to 1, and chroma from -1/2 to 1/2.
struct Scale {
    black: f64,
    luma: f64,
    chroma: f64,
}

fn scale(range: Range) -> Scale {
    let (black, luma, chroma) = match range {
        Range::Limited => (16.0, 219.0, 224.0),
        Range::Full => (0.0, 255.0, 255.0),
    };
    Scale {
        black,
        luma,
        chroma,
    }
}

/// The shares of red and blue in luma (ITU-R BT.601-7 2.5.1, BT.709-6 3.2).
fn shares(matrix: Matrix) -> (f64, f64) {
    match matrix {
        Matrix::Bt601 => (0.299, 0.114),
        Matrix::Bt709 => (0.2126, 0.0722),
    }
}

impl Conversion {
    /// `None` if pictures of this kind need none.
    pub(super) fn to_canvas(from: Colour) -> Option<Self> {
        if from == CANVAS {
            return None;
        }
        let (kr, kb) = shares(from.matrix);
        let kg = 1.0 - kr - kb;
        // R, G, B of one unit of Cb and of Cr; a unit of Y is one of each.
        let cb = [0.0, -2.0 * kb * (1.0 - kb) / kg, 2.0 * (1.0 - kb)];
        let cr = [2.0 * (1.0 - kr), -2.0 * kr * (1.0 - kr) / kg, 0.0];
        let (to_kr, to_kb) = shares(CANVAS.matrix);
        let luma = |[r, g, b]: [f64; 3]| to_kr * r + (1.0 - to_kr - to_kb) * g + to_kb * b;
        let to_cb = |rgb: [f64; 3]| (rgb[2] - luma(rgb)) / (2.0 * (1.0 - to_kb));
        let to_cr = |rgb: [f64; 3]| (rgb[0] - luma(rgb)) / (2.0 * (1.0 - to_kr));
        let (source, canvas) = (scale(from.range), scale(CANVAS.range));
        let fixed = |value: f64| (value * f64::from(1 << SHIFT)).round() as i32;
        let of_chroma = |value: f64| fixed(value * canvas.chroma / source.chroma);
        Some(Self {
            black: source.black as i32,
            luma: [
                fixed(canvas.luma / source.luma),
                fixed(luma(cb) * canvas.luma / source.chroma),
                fixed(luma(cr) * canvas.luma / source.chroma),
            ],
            chroma: [
                [of_chroma(to_cb(cb)), of_chroma(to_cb(cr))],
                [of_chroma(to_cr(cb)), of_chroma(to_cr(cr))],
            ],
        })
    }

    /// Converts what `band` holds of `rect`.
    pub(super) fn apply(&self, band: &mut Band<'_>, rect: Rect) {
        let [luma, u, v] = band.planes();
        let chroma = Region::of(rect, true);
        let mut luma = luma.rows_of(Region::of(rect, false));
        for ((_, u), (_, v)) in u.rows_of(chroma).zip(v.rows_of(chroma)) {
            for (_, row) in luma.by_ref().take(2) {
                let (pairs, _) = row.as_chunks_mut::<2>();
                for ((pair, &u), &v) in pairs.iter_mut().zip(&*u).zip(&*v) {
                    let chroma = self.luma_of_chroma(u, v);
                    *pair = pair.map(|y| self.luma_of(y, chroma));
                }
            }
            for (u, v) in u.iter_mut().zip(v) {
                [*u, *v] = self.chroma_of(*u, *v);
            }
        }
    }

    /// Converts one pixel.
    #[cfg(test)]
    pub(super) fn convert(&self, [y, u, v]: [u8; 3]) -> [u8; 3] {
        let luma = self.luma_of(y, self.luma_of_chroma(u, v));
        let [u, v] = self.chroma_of(u, v);
        [luma, u, v]
    }

    fn luma_of_chroma(&self, u: u8, v: u8) -> i32 {
        self.luma[1] * (i32::from(u) - 128) + self.luma[2] * (i32::from(v) - 128)
    }

    fn luma_of(&self, y: u8, chroma: i32) -> u8 {
        let canvas_black = scale(CANVAS.range).black as i32;
        byte(
            self.luma[0] * (i32::from(y) - self.black) + chroma,
            canvas_black,
        )
    }

    fn chroma_of(&self, u: u8, v: u8) -> [u8; 2] {
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        self.chroma
            .map(|[of_u, of_v]| byte(of_u * u + of_v * v, 128))
    }
}

fn byte(sum: i32, zero: i32) -> u8 {
    (((sum + (1 << (SHIFT - 1))) >> SHIFT) + zero).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(from: Colour, yuv: [u8; 3]) -> [u8; 3] {
        let conversion = Conversion::to_canvas(from).expect("it is another kind");
        conversion.convert(yuv)
    }

    #[test]
    fn the_canvas_own_colours_need_no_conversion() {
        assert_eq!(Conversion::to_canvas(CANVAS), None);
    }

    #[test]
    fn full_range_becomes_limited() {
        let full = Colour {
            matrix: Matrix::Bt601,
            range: Range::Full,
        };
        assert_eq!(converted(full, [0, 128, 128]), [16, 128, 128]);
        assert_eq!(converted(full, [255, 128, 128]), [235, 128, 128]);
        assert_eq!(converted(full, [128, 0, 255]), [126, 16, 240]);
    }

    #[test]
    fn bt709_primaries_become_those_of_bt601() {
        let bt709 = Colour {
            matrix: Matrix::Bt709,
            range: Range::Limited,
        };
        // Full red, green, blue and white, as both recommendations code them in eight bits.
        for (code, expected) in [
            ([63, 102, 240], [81, 90, 240]),
            ([173, 42, 26], [145, 54, 34]),
            ([32, 240, 118], [41, 240, 110]),
            ([235, 128, 128], [235, 128, 128]),
        ] {
            let pairs = converted(bt709, code).into_iter().zip(expected);
            let off = pairs.map(|(a, b): (u8, u8)| a.abs_diff(b)).max();
            assert!(off <= Some(1), "{code:?}: off by {off:?}");
        }
    }
}
