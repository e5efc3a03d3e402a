//! A silent AAC-LC frame, written bit by bit: nothing in it depends on the sample rate.

use bytes::Bytes;

const SINGLE_CHANNEL_ELEMENT: (u32, u32) = (0, 3);
const CHANNEL_PAIR_ELEMENT: (u32, u32) = (1, 3);
const END: (u32, u32) = (7, 3);
const ELEMENT_TAG: (u32, u32) = (0, 4);

/// One raw data block without spectrum (ISO/IEC 14496-3, 4.4.2.1). More channels than two are not made.
pub(crate) fn frame(channels: u8) -> Bytes {
    let mut bits = Bits::default();
    if channels == 1 {
        bits.put(SINGLE_CHANNEL_ELEMENT);
        bits.put(ELEMENT_TAG);
        channel_stream(&mut bits);
    } else {
        bits.put(CHANNEL_PAIR_ELEMENT);
        bits.put(ELEMENT_TAG);
        // Each channel has a window of its own.
        bits.put((0, 1));
        channel_stream(&mut bits);
        channel_stream(&mut bits);
    }
    bits.put(END);
    bits.bytes.into()
}

/// individual_channel_stream() of a long window whose bands are all empty.
fn channel_stream(bits: &mut Bits) {
    // global_gain; reserved bit, window sequence, window shape, max_sfb, no prediction.
    bits.put((0, 8));
    bits.put((0, 1 + 2 + 1 + 6 + 1));
    // No pulses, no temporal noise shaping, no gain control.
    bits.put((0, 3));
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    /// Appends the lowest `width` bits of a value.
    fn put(&mut self, (value, width): (u32, u32)) {
        for shift in (0..width).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> shift & 1) as u8) << (7 - self.used % 8);
            }
            self.used += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_an_element_without_spectrum_and_an_end() {
        // 3 + 4 + 22 bits of zeros, then three ones, padded.
        assert_eq!(frame(1), [0, 0, 0, 0b0000_0111].as_slice());
        // 3 + 4 + 1 + 44 bits, then three ones.
        assert_eq!(frame(2), [0x20, 0, 0, 0, 0, 0, 0b0000_1110].as_slice());
    }
}
