//! Reads bit fields, most significant bit first. Past the end everything is `None`.

/// A cursor over bits.
#[derive(Clone, Debug)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> BitReader<'a> {
    /// At the first bit of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// One bit.
    pub fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.position / 8)?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Some(bit == 1)
    }

    /// `count` bits, at most 32, as a number.
    pub fn bits(&mut self, count: u32) -> Option<u32> {
        let mut value = 0_u32;
        for _ in 0..count.min(32) {
            value = value << 1 | u32::from(self.bit()?);
        }
        Some(value)
    }

    /// Passes over `count` bits.
    pub fn skip(&mut self, count: u32) -> Option<()> {
        (0..count).try_for_each(|_| self.bit().map(|_| ()))
    }

    /// An unsigned Exp-Golomb number (H.264 9.1).
    pub fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.bits(zeros)?;
        (1_u32 << zeros).checked_sub(1)?.checked_add(rest)
    }

    /// A signed Exp-Golomb number (H.264 9.1.1).
    pub fn se(&mut self) -> Option<i32> {
        let code = i64::from(self.ue()?);
        let magnitude = (code + 1) / 2;
        i32::try_from(if code % 2 == 0 { -magnitude } else { magnitude }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_numbers_are_read_as_the_standard_lists_them() {
        // 1, 010, 011, 00100, 00101
        let bytes = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut bits = BitReader::new(&bytes);
        let numbers: Vec<u32> = (0..5).filter_map(|_| bits.ue()).collect();
        assert_eq!(numbers, vec![0, 1, 2, 3, 4]);
        let mut bits = BitReader::new(&bytes);
        let numbers: Vec<i32> = (0..5).filter_map(|_| bits.se()).collect();
        assert_eq!(numbers, vec![0, 1, -1, 2, -2]);
    }

    #[test]
    fn nothing_is_read_past_the_end() {
        let mut bits = BitReader::new(&[0]);
        assert_eq!(bits.bits(8), Some(0));
        assert_eq!(bits.bit(), None);
        assert_eq!(BitReader::new(&[0; 8]).ue(), None);
    }
}
