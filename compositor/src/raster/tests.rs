//! The raster against a naive one, on random scenes.

use std::sync::Arc;

use compositor_core::bitstream::colour::{Colour, Matrix, Range};
use compositor_core::layout::{Canvas, Rect, VideoFillMode, fit};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::colour::Conversion;
use super::scalar::{COLUMN_SHIFT, MIDDLE};
use super::scale::Region;
use super::taps::{Scaling, Taps};
use super::tile::{Look, Tile};
use super::{Item, Picture, Raster};
use crate::codec::picture::i420_len;

const CANVAS: Canvas = Canvas {
    width: 176,
    height: 100,
};

/// Draws everything anew, sample by sample, straight from the definitions.
fn naive(scene: &[Item], scaling: Scaling) -> Vec<u8> {
    let mut canvas = vec![128; i420_len(CANVAS.width, CANVAS.height)];
    canvas[..(CANVAS.width * CANVAS.height) as usize].fill(16);
    for item in scene {
        naive_item(&mut canvas, item, scaling);
    }
    canvas
}

fn naive_item(canvas: &mut [u8], item: &Item, scaling: Scaling) {
    let size = (item.picture.width(), item.picture.height());
    let fitted = fit(size, item.slot, item.fill_mode);
    let mut planes: [Vec<u8>; 3] = Default::default();
    for (index, plane) in planes.iter_mut().enumerate() {
        let chroma = index > 0;
        let slot = Region::of(item.slot, chroma);
        *plane = vec![[16, 128][usize::from(chroma)]; slot.width * slot.height];
        let Some(fitted) = fitted else { continue };
        let (from, to) = (
            Region::of(fitted.source, chroma),
            Region::of(fitted.destination, chroma),
        );
        let source = item.picture.planes()[index];
        let (rows, columns) = (
            Taps::of_rows(from.height, to.height, scaling),
            Taps::of_columns(from.width, to.width, scaling),
        );
        for y in 0..to.height {
            for x in 0..to.width {
                let mut sum = 0;
                for (j, &column) in columns.weights_of(x).iter().enumerate() {
                    let at = from.x + columns.first()[x] as usize + j;
                    let mut down = 0;
                    for (i, &row) in rows.weights_of(y).iter().enumerate() {
                        let line = from.y + rows.first()[y] as usize + i;
                        let sample = source.data.get(line * source.stride + at);
                        down += (i32::from(*sample.unwrap_or(&0)) - MIDDLE) * i32::from(row);
                    }
                    sum += down * i32::from(column);
                }
                let value = ((sum + (1 << (COLUMN_SHIFT - 1))) >> COLUMN_SHIFT) + MIDDLE;
                plane[(to.y - slot.y + y) * slot.width + to.x - slot.x + x] = value as u8;
            }
        }
    }
    if let (Some(fitted), Some(conversion)) = (fitted, Conversion::to_canvas(item.picture.colour()))
    {
        let (slot, to) = (item.slot, fitted.destination);
        for y in (to.y - slot.y..to.bottom() - slot.y).map(|y| y as usize) {
            for x in (to.x - slot.x..to.right() - slot.x).map(|x| x as usize) {
                let chroma = y / 2 * (slot.width as usize / 2) + x / 2;
                let luma = y * slot.width as usize + x;
                let mut all = [planes[0][luma], planes[1][chroma], planes[2][chroma]];
                all = conversion.convert(all);
                planes[0][luma] = all[0];
                if y % 2 == 1 && x % 2 == 1 {
                    (planes[1][chroma], planes[2][chroma]) = (all[1], all[2]);
                }
            }
        }
    }
    copy_planes(canvas, item.slot, &planes);
}

fn copy_planes(canvas: &mut [u8], slot: Rect, planes: &[Vec<u8>; 3]) {
    let mut start = 0;
    for (index, plane) in planes.iter().enumerate() {
        let shrink = if index > 0 { 2 } else { 1 };
        let (width, height) = (
            CANVAS.width as usize / shrink,
            CANVAS.height as usize / shrink,
        );
        let region = Region::of(slot, index > 0);
        for (y, row) in plane.chunks(region.width).enumerate() {
            let at = start + (region.y + y) * width + region.x;
            canvas[at..at + region.width].copy_from_slice(row);
        }
        start += width * height;
    }
}

fn random_picture(random: &mut StdRng) -> Arc<Picture> {
    let size = (
        random.random_range(1..=150) * 2,
        random.random_range(1..=100) * 2,
    );
    let colour = Colour {
        matrix: [Matrix::Bt601, Matrix::Bt709][random.random_range(0..2)],
        range: [Range::Limited, Range::Full][random.random_range(0..2)],
    };
    random_samples(random, size, colour)
}

fn random_samples(
    random: &mut StdRng,
    (width, height): (u32, u32),
    colour: Colour,
) -> Arc<Picture> {
    let data = (0..i420_len(width, height))
        .map(|_| random.random())
        .collect();
    Arc::new(Picture::own(width, height, data).with_colour(colour))
}

fn random_item(random: &mut StdRng) -> Item {
    let side = |random: &mut StdRng, all: u32| {
        let size = random.random_range(1..=all / 2) * 2;
        (random.random_range(0..=(all - size) / 2) * 2, size)
    };
    let (x, width) = side(random, CANVAS.width);
    let (y, height) = side(random, CANVAS.height);
    let modes = [
        VideoFillMode::Fill,
        VideoFillMode::Cover,
        VideoFillMode::Contain,
    ];
    Item {
        slot: Rect {
            x,
            y,
            width,
            height,
        },
        fill_mode: modes[random.random_range(0..3)],
        picture: random_picture(random),
    }
}

#[test]
fn whatever_changes_the_canvas_equals_that_of_a_naive_compositor() {
    let mut random = StdRng::seed_from_u64(4);
    for _ in 0..20 {
        let mut raster = Raster::new(CANVAS);
        let mut canvas = raster.black();
        let mut scene: Vec<Item> = Vec::new();
        let mut scaling = Scaling::Mean;
        for _ in 0..14 {
            match random.random_range(0..7) {
                0 => {
                    scene = (0..random.random_range(0..5))
                        .map(|_| random_item(&mut random))
                        .collect()
                }
                1 => {}
                2 => {
                    scaling = [Scaling::Mean, Scaling::Linear][random.random_range(0..2)];
                    raster.set_scaling(scaling);
                }
                3 => scene
                    .iter_mut()
                    .for_each(|item| item.picture = random_picture(&mut random)),
                _ if scene.is_empty() => {}
                _ => {
                    let index = random.random_range(0..scene.len());
                    scene[index].picture = random_picture(&mut random);
                }
            }
            raster.draw(&mut canvas, scene.clone());
            assert!(canvas == naive(&scene, scaling), "{scaling:?} {scene:?}");
        }
    }
}

#[test]
fn a_tile_is_drawn_as_its_picture_would_be() {
    let mut random = StdRng::seed_from_u64(6);
    let mut made = 0;
    for _ in 0..200 {
        let [mut item, mut above] = [0; 2].map(|_| random_item(&mut random));
        let Rect { width, height, .. } = item.slot;
        let scaling = [Scaling::Mean, Scaling::Linear][random.random_range(0..2)];
        let mut tile = Tile::new(Look {
            size: Canvas { width, height },
            fill_mode: item.fill_mode,
            scaling,
        });
        let mut raster = Raster::new(CANVAS);
        raster.set_scaling(scaling);
        let mut canvas = raster.black();
        for _ in 0..5 {
            item.picture = match random.random_range(0..3) {
                0 => random_picture(&mut random),
                1 => Arc::clone(&item.picture),
                _ => {
                    let size = (item.picture.width(), item.picture.height());
                    random_samples(&mut random, size, item.picture.colour())
                }
            };
            tile.make(&item.picture);
            let shown = tile.take(&item.picture);
            if random.random_range(0..4) == 0 {
                // As where this frame repeats the one before it: the canvas keeps what it has.
                continue;
            }
            made += usize::from(shown.is_some());
            let mut drawn = item.clone();
            drawn.picture = shown.unwrap_or(drawn.picture);
            if random.random() {
                above.picture = random_picture(&mut random);
            }
            raster.draw(&mut canvas, vec![drawn, above.clone()]);
            let scene = [item.clone(), above.clone()];
            assert!(canvas == naive(&scene, scaling), "{scene:?}");
        }
    }
    assert!(made > 200, "{made} tiles");
}

#[test]
fn a_tile_that_nobody_asks_for_is_not_made_again() {
    let mut random = StdRng::seed_from_u64(7);
    let size = Canvas {
        width: 16,
        height: 16,
    };
    let mut tile = Tile::new(Look {
        size,
        fill_mode: VideoFillMode::Cover,
        scaling: Scaling::Mean,
    });
    let pictures = [0; 3].map(|_| random_samples(&mut random, (64, 64), Colour::default()));
    tile.make(&pictures[0]);
    tile.make(&pictures[1]);
    assert!(tile.take(&pictures[1]).is_none());
    assert!(tile.take(&pictures[0]).is_some());
    tile.make(&pictures[2]);
    assert!(tile.take(&pictures[2]).is_some());
}

#[test]
fn nothing_is_drawn_when_nothing_changed() {
    let mut random = StdRng::seed_from_u64(5);
    let scene: Vec<Item> = (0..3).map(|_| random_item(&mut random)).collect();
    let mut raster = Raster::new(CANVAS);
    let mut canvas = raster.black();
    assert!(raster.draw(&mut canvas, scene.clone()));
    canvas.fill(1);
    assert!(!raster.draw(&mut canvas, scene));
    assert!(canvas.iter().all(|&sample| sample == 1));
}
