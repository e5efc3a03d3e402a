//! SCTE 35 splice_info_section with a splice_insert, as playlists carry it in hexadecimal.

use std::time::Duration;

use crate::mux::crc32_mpeg;

const TABLE_ID: u8 = 0xFC;
const SPLICE_INSERT: u8 = 0x05;

/// Bytes between the section's length field and the command: protocol version to command type.
const FIXED_BYTES: usize = 11;

/// Descriptor loop length and CRC.
const TAIL_BYTES: usize = 6;

/// Which way the splice goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Splice {
    /// Out of the network, back after this long.
    Out(Duration),
    /// Back into the network.
    In,
}

/// `0x` and the section of an immediate splice. Both splices of a break have the same event id.
pub(crate) fn splice_insert_hex(event_id: u32, splice: Splice) -> String {
    use std::fmt::Write;
    let mut text = String::from("0x");
    for byte in section(&command(event_id, splice)) {
        write!(text, "{byte:02X}").expect("writing to a String cannot fail");
    }
    text
}

/// SCTE 35 9.7.3.
fn command(event_id: u32, splice: Splice) -> Vec<u8> {
    let mut command = event_id.to_be_bytes().to_vec();
    // Not cancelled; reserved bits are ones.
    command.push(0x7F);
    // out_of_network, program_splice, duration, splice_immediate, event_id_compliance and reserved bits.
    match splice {
        Splice::Out(duration) => {
            command.push(0b1111_1111);
            command.extend_from_slice(&break_duration(duration));
        }
        Splice::In => command.push(0b0101_1111),
    }
    // unique_program_id, avail_num, avails_expected.
    command.extend_from_slice(&[0, 1, 0, 0]);
    command
}

/// auto_return, six reserved bits, 33 bits of the 90 kHz clock.
fn break_duration(duration: Duration) -> [u8; 5] {
    let ticks = (duration.as_millis() as u64 * 90) & 0x1_FFFF_FFFF;
    let field = 0xFE_0000_0000 | ticks;
    let [_, _, _, bytes @ ..] = field.to_be_bytes();
    bytes
}

/// SCTE 35 9.6, unencrypted.
fn section(command: &[u8]) -> Vec<u8> {
    let length = FIXED_BYTES + command.len() + TAIL_BYTES;
    // No section syntax, not private, sap_type unspecified.
    let mut section = vec![TABLE_ID, 0x30 | (length >> 8) as u8, length as u8];
    // protocol_version, encryption and pts_adjustment, cw_index.
    section.extend_from_slice(&[0; 7]);
    // tier 0xFFF, then the command's length in twelve bits.
    section.extend_from_slice(&[0xFF, 0xF0 | (command.len() >> 8) as u8, command.len() as u8]);
    section.push(SPLICE_INSERT);
    section.extend_from_slice(command);
    section.extend_from_slice(&[0, 0]);
    let checksum = crc32_mpeg(&section);
    section.extend_from_slice(&checksum.to_be_bytes());
    section
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.strip_prefix("0x").unwrap().as_bytes();
        let pairs = digits
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).unwrap());
        pairs
            .map(|pair| u8::from_str_radix(pair, 16).unwrap())
            .collect()
    }

    #[test]
    fn section_is_as_long_as_it_says_and_its_checksum_is_right() {
        for splice in [Splice::Out(Duration::from_secs(20)), Splice::In] {
            let section = bytes(&splice_insert_hex(0x0102_0304, splice));
            let length = usize::from(section[1] & 0x0F) << 8 | usize::from(section[2]);
            assert_eq!(section.len(), 3 + length);
            assert_eq!(
                crc32_mpeg(&section),
                0,
                "over the whole section with its checksum"
            );
            let command = usize::from(section[11] & 0x0F) << 8 | usize::from(section[12]);
            assert_eq!(section[13], SPLICE_INSERT);
            assert_eq!(14 + command + TAIL_BYTES, section.len());
        }
    }

    #[test]
    fn way_out_says_how_long_and_the_way_in_does_not() {
        let out = bytes(&splice_insert_hex(7, Splice::Out(Duration::from_secs(20))));
        assert_eq!(out[14..20], [0, 0, 0, 7, 0x7F, 0xFF]);
        assert_eq!(
            out[20..25],
            [0xFE, 0x00, 0x1B, 0x77, 0x40],
            "1 800 000 ticks, auto return"
        );
        let back = bytes(&splice_insert_hex(7, Splice::In));
        assert_eq!(back[14..20], [0, 0, 0, 7, 0x7F, 0x5F]);
        assert_eq!(out.len(), back.len() + 5);
    }
}
