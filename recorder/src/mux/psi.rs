//! Program association and program map tables (ISO/IEC 13818-1 2.4.4).

/// Where the program map is.
pub(super) const PID_PMT: u16 = 0x1000;

/// The video stream, which also carries the clock.
pub(super) const PID_VIDEO: u16 = 0x100;

/// The audio stream.
pub(super) const PID_AUDIO: u16 = 0x101;

/// The stream of timed ID3 tags.
pub(super) const PID_METADATA: u16 = 0x102;

const PROGRAM: u16 = 1;
const STREAM_TYPE_H264: u8 = 0x1B;
const STREAM_TYPE_AAC_ADTS: u8 = 0x0F;
const STREAM_TYPE_METADATA: u8 = 0x15;

/// Metadata pointer descriptor that announces ID3 ("Timed Metadata for HTTP Live Streaming", Apple, 2.3.2).
const METADATA_POINTER: [u8; 17] = [
    0x25, 15, 0xFF, 0xFF, b'I', b'D', b'3', b' ', 0xFF, b'I', b'D', b'3', b' ', 0, 0x1F, 0, 1,
];

/// Metadata descriptor of the ID3 stream (same document, 2.3.3).
const METADATA_DESCRIPTOR: [u8; 15] = [
    0x26, 13, 0xFF, 0xFF, b'I', b'D', b'3', b' ', 0xFF, b'I', b'D', b'3', b' ', 0, 0x0F,
];

/// The program association table as the payload of one packet.
pub(super) fn program_association() -> Vec<u8> {
    let [hi, lo] = PID_PMT.to_be_bytes();
    section(
        0x00,
        1,
        &[PROGRAM.to_be_bytes()[0], PROGRAM as u8, 0xE0 | hi, lo],
    )
}

/// The program map table as the payload of one packet.
pub(super) fn program_map(has_metadata: bool) -> Vec<u8> {
    let program_info: &[u8] = if has_metadata { &METADATA_POINTER } else { &[] };
    let [hi, lo] = PID_VIDEO.to_be_bytes();
    let mut body = vec![0xE0 | hi, lo, 0xF0, program_info.len() as u8];
    body.extend_from_slice(program_info);
    stream(&mut body, STREAM_TYPE_H264, PID_VIDEO, &[]);
    stream(&mut body, STREAM_TYPE_AAC_ADTS, PID_AUDIO, &[]);
    if has_metadata {
        stream(
            &mut body,
            STREAM_TYPE_METADATA,
            PID_METADATA,
            &METADATA_DESCRIPTOR,
        );
    }
    section(0x02, PROGRAM, &body)
}

fn stream(body: &mut Vec<u8>, stream_type: u8, pid: u16, info: &[u8]) {
    let [hi, lo] = pid.to_be_bytes();
    body.extend_from_slice(&[stream_type, 0xE0 | hi, lo, 0xF0, info.len() as u8]);
    body.extend_from_slice(info);
}

/// A pointer field, one section, and stuffing to the end of the packet.
fn section(table_id: u8, id: u16, body: &[u8]) -> Vec<u8> {
    let length = 5 + body.len() + 4;
    let [id_hi, id_lo] = id.to_be_bytes();
    // Version 0, current, section 0 of 0.
    let mut payload = vec![0, table_id, 0xB0, length as u8, id_hi, id_lo, 0xC1, 0, 0];
    payload.extend_from_slice(body);
    let checksum = crc32_mpeg(&payload[1..]);
    payload.extend_from_slice(&checksum.to_be_bytes());
    payload.resize(184, 0xFF);
    payload
}

/// CRC-32/MPEG-2 (ISO/IEC 13818-1 annex A).
pub(crate) fn crc32_mpeg(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| {
            if crc & 0x8000_0000 == 0 {
                crc << 1
            } else {
                crc << 1 ^ 0x04C1_1DB7
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_has_the_catalogued_check_value() {
        assert_eq!(crc32_mpeg(b"123456789"), 0x0376_E6E7);
    }

    #[test]
    fn tables_fill_one_packet_with_and_without_metadata() {
        assert_eq!(program_association().len(), 184);
        assert_eq!(program_map(false).len(), 184);
        assert_eq!(program_map(true).len(), 184);
    }
}
