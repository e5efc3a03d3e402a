//! The part of an H.264 sequence parameter set that says how large the pictures are (ITU-T H.264, 7.3.2.1.1).

/// What the pictures of a stream look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sps {
    /// `profile_idc`.
    pub(crate) profile: u8,
    /// The constraint flags.
    pub(crate) constraints: u8,
    /// `level_idc`.
    pub(crate) level: u8,
    /// Visible columns.
    pub(crate) width: u32,
    /// Visible rows.
    pub(crate) height: u32,
    pub(crate) chroma_format: u8,
    pub(crate) bit_depth_luma_minus8: u8,
    pub(crate) bit_depth_chroma_minus8: u8,
}

/// Why a sequence parameter set cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum SpsError {
    #[error("it ends early")]
    Short,
    #[error("a number in it has more than 32 bits")]
    Number,
    #[error("{0} is out of range")]
    Range(&'static str),
}

/// Largest picture edge that level 6.2 allows, in macroblocks.
const EDGE_MACROBLOCKS_MAX: u32 = 1056;

impl Sps {
    /// Reads a NAL unit of type 7.
    pub(crate) fn parse(nal: &[u8]) -> Result<Self, SpsError> {
        let &[_, profile, constraints, level, ref rest @ ..] = nal else {
            return Err(SpsError::Short);
        };
        let payload = without_emulation_prevention(rest);
        let mut bits = Bits {
            data: &payload,
            at: 0,
        };
        bits.ue()?;
        let chroma = if has_chroma(profile) {
            Chroma::parse(&mut bits)?
        } else {
            Chroma::default()
        };
        skip_order_count(&mut bits)?;
        bits.ue()?;
        bits.bit()?;
        let (width, height) = picture_size(&mut bits, chroma)?;
        Ok(Self {
            profile,
            constraints,
            level,
            width,
            height,
            chroma_format: chroma.format,
            bit_depth_luma_minus8: chroma.luma_minus8,
            bit_depth_chroma_minus8: chroma.chroma_minus8,
        })
    }

    /// The codec string of RFC 6381.
    pub(crate) fn codec(&self) -> String {
        format!(
            "avc1.{:02X}{:02X}{:02X}",
            self.profile, self.constraints, self.level
        )
    }
}

#[derive(Clone, Copy)]
struct Chroma {
    format: u8,
    luma_minus8: u8,
    chroma_minus8: u8,
}

impl Default for Chroma {
    fn default() -> Self {
        Self {
            format: 1,
            luma_minus8: 0,
            chroma_minus8: 0,
        }
    }
}

impl Chroma {
    fn parse(bits: &mut Bits<'_>) -> Result<Self, SpsError> {
        let format = ranged(bits.ue()?, 3, "chroma_format_idc")?;
        if format == 3 {
            bits.bit()?;
        }
        let luma_minus8 = ranged(bits.ue()?, 6, "bit_depth_luma")?;
        let chroma_minus8 = ranged(bits.ue()?, 6, "bit_depth_chroma")?;
        bits.bit()?;
        if bits.bit()? {
            for list in 0..if format == 3 { 12 } else { 8 } {
                if bits.bit()? {
                    skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
        Ok(Self {
            format,
            luma_minus8,
            chroma_minus8,
        })
    }
}

fn has_chroma(profile: u8) -> bool {
    matches!(
        profile,
        100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
    )
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Result<(), SpsError> {
    let (mut last, mut next) = (8i64, 8i64);
    for _ in 0..size {
        if next != 0 {
            next = (last + i64::from(bits.se()?)).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Ok(())
}

fn skip_order_count(bits: &mut Bits<'_>) -> Result<(), SpsError> {
    bits.ue()?;
    match bits.ue()? {
        0 => {
            bits.ue()?;
        }
        1 => {
            bits.bit()?;
            bits.se()?;
            bits.se()?;
            for _ in 0..ranged(bits.ue()?, 255, "num_ref_frames_in_pic_order_cnt_cycle")? {
                bits.se()?;
            }
        }
        2 => {}
        _ => return Err(SpsError::Range("pic_order_cnt_type")),
    }
    Ok(())
}

fn picture_size(bits: &mut Bits<'_>, chroma: Chroma) -> Result<(u32, u32), SpsError> {
    let columns = bits.ue()?;
    let rows = bits.ue()?;
    if columns >= EDGE_MACROBLOCKS_MAX || rows >= EDGE_MACROBLOCKS_MAX {
        return Err(SpsError::Range("the picture size"));
    }
    let frames_only = bits.bit()?;
    if !frames_only {
        bits.bit()?;
    }
    bits.bit()?;
    let field_factor = if frames_only { 1 } else { 2 };
    let (unit_x, unit_y) = match chroma.format {
        0 | 3 => (1, field_factor),
        1 => (2, 2 * field_factor),
        _ => (2, field_factor),
    };
    let (mut crop_x, mut crop_y) = (0u64, 0u64);
    if bits.bit()? {
        crop_x = unit_x * (u64::from(bits.ue()?) + u64::from(bits.ue()?));
        crop_y = unit_y * (u64::from(bits.ue()?) + u64::from(bits.ue()?));
    }
    let width = u64::from(columns + 1) * 16;
    let height = u64::from(rows + 1) * 16 * field_factor;
    let visible = |full: u64, crop: u64| match full.checked_sub(crop) {
        Some(edge @ 1..) => u32::try_from(edge).map_err(|_| SpsError::Range("the picture size")),
        Some(0) | None => Err(SpsError::Range("the cropping")),
    };
    Ok((visible(width, crop_x)?, visible(height, crop_y)?))
}

fn ranged(value: u32, max: u8, name: &'static str) -> Result<u8, SpsError> {
    u8::try_from(value)
        .ok()
        .filter(|value| *value <= max)
        .ok_or(SpsError::Range(name))
}

/// `00 00 03` stands for `00 00` (ITU-T H.264, 7.4.1).
fn without_emulation_prevention(data: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(data.len());
    let mut zeros = 0;
    for &byte in data {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        payload.push(byte);
    }
    payload
}

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Result<bool, SpsError> {
        let byte = self.data.get(self.at / 8).ok_or(SpsError::Short)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Ok(bit == 1)
    }

    /// An unsigned Exp-Golomb number (ITU-T H.264, 9.1).
    fn ue(&mut self) -> Result<u32, SpsError> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return Err(SpsError::Number);
            }
        }
        let mut value = 1u64;
        for _ in 0..zeros {
            value = value << 1 | u64::from(self.bit()?);
        }
        u32::try_from(value - 1).map_err(|_| SpsError::Number)
    }

    fn se(&mut self) -> Result<i32, SpsError> {
        let code = i64::from(self.ue()?);
        let value = if code % 2 == 1 {
            (code + 1) / 2
        } else {
            -(code / 2)
        };
        i32::try_from(value).map_err(|_| SpsError::Number)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// High profile, level 3.1, as x264 writes it for 1280x720.
    pub(crate) const SPS_1280X720: [u8; 24] = [
        0x67, 0x64, 0x00, 0x1F, 0xAC, 0xD9, 0x40, 0x50, 0x05, 0xBB, 0x01, 0x10, 0x00, 0x00, 0x03,
        0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xC0, 0xF1, 0x83,
    ];

    #[test]
    fn size_and_codec_are_read() {
        let sps = Sps::parse(&SPS_1280X720).unwrap();
        assert_eq!((sps.width, sps.height), (1280, 720));
        assert_eq!(sps.codec(), "avc1.64001F");
    }

    #[test]
    fn truncations_and_garbage_are_errors_not_panics() {
        for length in 0..8 {
            assert!(
                Sps::parse(&SPS_1280X720[..length]).is_err(),
                "{length} bytes"
            );
        }
        assert!(Sps::parse(&[0; 64]).is_err());
        assert_eq!(
            Sps::parse(&[0x67, 66, 0, 30, 0, 0, 0, 0, 0]),
            Err(SpsError::Number)
        );
    }
}
