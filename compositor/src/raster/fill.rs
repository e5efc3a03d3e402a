//! One colour onto a part of a plane.

use super::scale::Region;

/// Sets every sample of `region` to `value`.
pub(super) fn fill(plane: &mut [u8], stride: usize, region: Region, value: u8) {
    for row in plane.chunks_mut(stride).skip(region.y).take(region.height) {
        row[region.x..region.x + region.width].fill(value);
    }
}
