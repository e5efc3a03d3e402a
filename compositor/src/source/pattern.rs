//! The drawn part of the test pattern: background, circling disc, flash.

use std::f64::consts::TAU;

/// Seconds that the disc needs for one turn.
const TURN_SECONDS: f64 = 4.0;
/// The flash lasts this part of a second.
const FLASH_SECONDS: f64 = 0.1;
/// Radius of the flash, of the picture height.
const FLASH_RADIUS: f64 = 0.15;
/// Radius of the disc, of the picture height.
const DISC_RADIUS: f64 = 0.08;

/// An I420 picture without padding.
#[derive(Debug)]
pub(super) struct Pattern {
    width: usize,
    height: usize,
    background: [u8; 3],
}

impl Pattern {
    /// Both sides must be even.
    pub(super) fn new(width: u16, height: u16, color: [u8; 3]) -> Self {
        Self {
            width: width.into(),
            height: height.into(),
            background: yuv(color),
        }
    }

    /// Draws the picture that is due `seconds` after the start.
    pub(super) fn draw(&self, seconds: f64, out: &mut Vec<u8>) {
        let luma = self.width * self.height;
        out.clear();
        out.resize(luma, self.background[0]);
        out.resize(luma + luma / 4, self.background[1]);
        out.resize(luma + luma / 2, self.background[2]);
        let (width, height) = (self.width as f64, self.height as f64);
        let angle = seconds / TURN_SECONDS * TAU;
        let center = (
            width * (0.5 + 0.38 * angle.cos()),
            height * (0.5 + 0.3 * angle.sin()),
        );
        let bright = [
            235 - self.background[0] / 4,
            self.background[1],
            self.background[2],
        ];
        self.disc(out, center, height * DISC_RADIUS, bright);
        if seconds.fract() < FLASH_SECONDS - 1e-6 {
            self.disc(
                out,
                (width / 2.0, height / 2.0),
                height * FLASH_RADIUS,
                [235, 128, 128],
            );
        }
    }

    fn disc(&self, out: &mut [u8], center: (f64, f64), radius: f64, color: [u8; 3]) {
        let (luma, chroma) = out.split_at_mut(self.width * self.height);
        let (u, v) = chroma.split_at_mut(self.width * self.height / 4);
        fill_disc(luma, self.width, center, radius, color[0]);
        let half = (center.0 / 2.0, center.1 / 2.0);
        fill_disc(u, self.width / 2, half, radius / 2.0, color[1]);
        fill_disc(v, self.width / 2, half, radius / 2.0, color[2]);
    }
}

fn fill_disc(plane: &mut [u8], width: usize, center: (f64, f64), radius: f64, value: u8) {
    for (y, row) in plane.chunks_exact_mut(width).enumerate() {
        let dy = y as f64 + 0.5 - center.1;
        let reach = radius * radius - dy * dy;
        if reach > 0.0 {
            let from = (center.0 - reach.sqrt()).max(0.0) as usize;
            let to = ((center.0 + reach.sqrt()).max(0.0) as usize).min(width);
            row[from.min(to)..to].fill(value);
        }
    }
}

/// BT.601, limited range.
fn yuv([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (r, g, b) = (f64::from(r), f64::from(g), f64::from(b));
    let y = 16.0 + (65.738 * r + 129.057 * g + 25.064 * b) / 256.0;
    let u = 128.0 + (-37.945 * r - 74.494 * g + 112.439 * b) / 256.0;
    let v = 128.0 + (112.439 * r - 94.154 * g - 18.285 * b) / 256.0;
    [y, u, v].map(|part| part.round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_flashes_in_the_first_tenth_of_each_second() {
        let pattern = Pattern::new(320, 180, [0, 0, 200]);
        let mut picture = Vec::new();
        let mut middle = |seconds| {
            pattern.draw(seconds, &mut picture);
            picture[90 * 320 + 160]
        };
        assert_eq!(middle(5.0), 235);
        assert_eq!(middle(5.0 + 2.0 / 30.0), 235);
        assert_ne!(middle(5.0 + 3.0 / 30.0), 235);
        assert_ne!(middle(5.9), 235);
    }

    #[test]
    fn colors_are_bt601_limited_range() {
        assert_eq!(yuv([255, 255, 255]), [235, 128, 128]);
        assert_eq!(yuv([0, 0, 0]), [16, 128, 128]);
        assert_eq!(yuv([255, 0, 0]), [81, 90, 240]);
    }
}
