//! Transport packets: cutting PES packets into 188 bytes, adaptation fields, continuity counters.

use serde::{Deserialize, Serialize};

/// Bytes of a transport packet.
const PACKET_BYTES: usize = 188;

/// Bytes of a packet behind its header.
const PAYLOAD_BYTES: usize = 184;

/// Bytes of a clock reference in an adaptation field.
const PCR_BYTES: usize = 6;

/// Clock values have 33 bits and wrap after 26.5 h.
pub(super) const CLOCK_MASK: u64 = (1 << 33) - 1;

/// The next continuity counter of every stream; carried from one segment to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Continuity {
    pub(super) pat: u8,
    pub(super) pmt: u8,
    pub(super) video: u8,
    pub(super) audio: u8,
    pub(super) metadata: u8,
}

/// What the first packet of a PES packet says in its adaptation field.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Adaptation {
    /// Program clock reference, 90 kHz.
    pub(super) pcr: Option<u64>,
    /// A decoder can start here.
    pub(super) random_access: bool,
}

impl Adaptation {
    fn field_bytes(self) -> usize {
        match self {
            Self { pcr: Some(_), .. } => 2 + PCR_BYTES,
            Self {
                pcr: None,
                random_access: true,
            } => 2,
            Self {
                pcr: None,
                random_access: false,
            } => 0,
        }
    }
}

/// Writes `payload` (a PES packet or a padded section) as packets of `pid`.
pub(super) fn write_packets(
    out: &mut Vec<u8>,
    (pid, counter): (u16, &mut u8),
    adaptation: Adaptation,
    payload: &[u8],
) {
    let mut rest = payload;
    let mut adaptation = Some(adaptation);
    while !rest.is_empty() {
        let first = adaptation.is_some();
        let adaptation = adaptation.take().unwrap_or_default();
        let taken = rest.len().min(PAYLOAD_BYTES - adaptation.field_bytes());
        let (now, later) = rest.split_at(taken);
        let field = PAYLOAD_BYTES - taken;
        let control = if field == 0 { 0x10 } else { 0x30 };
        write_header(out, pid, first, control | *counter);
        *counter = (*counter + 1) & 0x0F;
        write_adaptation_field(out, adaptation, field);
        out.extend_from_slice(now);
        rest = later;
    }
}

/// Writes a packet that holds only a clock reference; it does not advance the counter.
pub(super) fn write_clock(out: &mut Vec<u8>, (pid, counter): (u16, u8), pcr: u64) {
    write_header(out, pid, false, 0x20 | (counter.wrapping_sub(1) & 0x0F));
    write_adaptation_field(
        out,
        Adaptation {
            pcr: Some(pcr),
            random_access: false,
        },
        PAYLOAD_BYTES,
    );
}

fn write_header(out: &mut Vec<u8>, pid: u16, starts_unit: bool, control: u8) {
    debug_assert_eq!(out.len() % PACKET_BYTES, 0, "packets are whole");
    let start = if starts_unit { 0x40 } else { 0 };
    out.extend_from_slice(&[0x47, start | (pid >> 8) as u8, pid as u8, control]);
}

/// An adaptation field of exactly `bytes` bytes; 0 is none, 1 is an empty one.
fn write_adaptation_field(out: &mut Vec<u8>, adaptation: Adaptation, bytes: usize) {
    let Some(length) = bytes.checked_sub(1) else {
        return;
    };
    let end = out.len() + bytes;
    out.push(length as u8);
    if length == 0 {
        return;
    }
    let random_access = if adaptation.random_access { 0x40 } else { 0 };
    let pcr = if adaptation.pcr.is_some() { 0x10 } else { 0 };
    out.push(random_access | pcr);
    if let Some(pcr) = adaptation.pcr {
        // 33 bits base, 6 reserved, 9 bits extension (ISO/IEC 13818-1 2.4.3.5).
        let field = (pcr & CLOCK_MASK) << 15 | 0x7E00;
        out.extend_from_slice(&field.to_be_bytes()[2..]);
    }
    out.resize(end, 0xFF);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(payload: usize, adaptation: Adaptation) -> Vec<u8> {
        let mut out = Vec::new();
        let mut counter = 15;
        write_packets(
            &mut out,
            (0x100, &mut counter),
            adaptation,
            &vec![0xAB; payload],
        );
        assert_eq!(out.len() % PACKET_BYTES, 0);
        assert_eq!(usize::from(counter), (15 + out.len() / PACKET_BYTES) % 16);
        let carried: usize = out
            .chunks(PACKET_BYTES)
            .map(|packet| match packet[3] & 0x30 {
                0x10 => PAYLOAD_BYTES,
                _ => PAYLOAD_BYTES - 1 - usize::from(packet[4]),
            })
            .sum();
        assert_eq!(
            carried, payload,
            "payload of {payload} bytes is carried whole"
        );
        out
    }

    #[test]
    fn every_payload_length_fills_whole_packets() {
        let with_clock = Adaptation {
            pcr: Some(1),
            random_access: true,
        };
        for payload in 1..=3 * PAYLOAD_BYTES {
            packets(payload, Adaptation::default());
            packets(payload, with_clock);
        }
    }

    #[test]
    fn one_missing_byte_is_filled_by_an_empty_adaptation_field() {
        let out = packets(183, Adaptation::default());
        assert_eq!(&out[..6], [0x47, 0x41, 0x00, 0x3F, 0, 0xAB]);
    }

    #[test]
    fn clock_reference_wraps_at_thirty_three_bits() {
        let mut out = Vec::new();
        write_clock(&mut out, (0x100, 0), (1 << 33) + 1);
        assert_eq!(out.len(), PACKET_BYTES);
        assert_eq!(
            &out[..12],
            [0x47, 0x01, 0, 0x2F, 183, 0x10, 0, 0, 0, 0, 0xFE, 0]
        );
    }
}
