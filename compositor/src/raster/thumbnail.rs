//! Between I420 and the `image` crate: placeholders come in, thumbnails go out.

use bytes::Bytes;
use compositor_core::layout::Canvas;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, RgbImage};

use crate::codec::picture::{Picture, i420_len};

const JPEG_QUALITY: u8 = 80;

/// A canvas (I420 without padding, even sides) as a JPEG.
pub(crate) fn jpeg(canvas: &[u8], size: Canvas) -> Result<Bytes, image::ImageError> {
    let (width, height) = (size.width as usize, size.height as usize);
    let (luma, chroma) = canvas.split_at(width * height);
    let (u, v) = chroma.split_at(chroma.len() / 2);
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let c = y / 2 * (width / 2) + x / 2;
            rgb.extend(yuv_to_rgb(luma[y * width + x], u[c], v[c]));
        }
    }
    let mut out = Vec::new();
    JpegEncoder::new_with_quality(&mut out, JPEG_QUALITY).encode(
        &rgb,
        size.width,
        size.height,
        ExtendedColorType::Rgb8,
    )?;
    Ok(out.into())
}

/// BT.601, limited range, in 1/256.
fn yuv_to_rgb(y: u8, u: u8, v: u8) -> [u8; 3] {
    let (y, u, v) = (
        298 * (i32::from(y) - 16),
        i32::from(u) - 128,
        i32::from(v) - 128,
    );
    [409 * v, -100 * u - 208 * v, 516 * u]
        .map(|colour| ((y + colour + 128) >> 8).clamp(0, 255) as u8)
}

/// BT.601, limited range, in 1/256.
fn rgb_to_yuv([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (r, g, b) = (i32::from(r), i32::from(g), i32::from(b));
    let y = ((66 * r + 129 * g + 25 * b + 128) >> 8) + 16;
    let u = ((-38 * r - 74 * g + 112 * b + 128) >> 8) + 128;
    let v = ((112 * r - 94 * g - 18 * b + 128) >> 8) + 128;
    [y, u, v].map(|value| value.clamp(0, 255) as u8)
}

/// A picture with even sides in I420; chroma is taken from the upper left pixel of each four.
pub(crate) fn to_i420(picture: &RgbImage) -> Picture {
    let (width, height) = picture.dimensions();
    let mut data = Vec::with_capacity(i420_len(width, height));
    data.extend(picture.pixels().map(|pixel| rgb_to_yuv(pixel.0)[0]));
    for component in [1, 2] {
        for y in (0..height).step_by(2) {
            data.extend(
                (0..width)
                    .step_by(2)
                    .map(|x| rgb_to_yuv(picture.get_pixel(x, y).0)[component]),
            );
        }
    }
    Picture::own(width, height, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_survive_the_way_to_yuv_and_back() {
        for colour in [[0, 0, 0], [255, 255, 255], [200, 30, 60], [10, 120, 250]] {
            let [y, u, v] = rgb_to_yuv(colour);
            for (there, back) in colour.into_iter().zip(yuv_to_rgb(y, u, v)) {
                assert!(there.abs_diff(back) <= 4, "{colour:?}");
            }
        }
    }

    #[test]
    fn a_thumbnail_is_a_jpeg_of_the_canvas() {
        let size = Canvas {
            width: 64,
            height: 32,
        };
        let bytes = jpeg(&vec![128; i420_len(64, 32)], size).expect("it encodes");
        assert_eq!(&bytes[..3], [0xff, 0xd8, 0xff]);
    }
}
