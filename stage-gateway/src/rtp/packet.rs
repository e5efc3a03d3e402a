//! What this crate needs of an RTP packet and of an RTCP sender report, free of any library's types.

use std::time::Duration;

use bytes::Bytes;

/// One RTP packet, padding and header extensions already taken off.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RtpPacket {
    /// Negotiated payload type.
    pub payload_type: u8,
    /// For video the last packet of a picture.
    pub marker: bool,
    /// Sequence number as received.
    pub seq: u16,
    /// RTP timestamp as received.
    pub rtp_ts: u32,
    /// Synchronization source.
    pub ssrc: u32,
    /// The abs-capture-time extension, when the packet carries one.
    pub abs_capture_time: Option<NtpTime>,
    /// What follows the header; empty for padding.
    pub payload: Bytes,
}

/// The two clocks that a sender report ties together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SenderReport {
    /// The sender's wall clock when it sent the report.
    pub ntp: NtpTime,
    /// The RTP timestamp of the same instant.
    pub rtp_ts: u32,
}

/// A sender's wall clock, seconds since 1900 as unsigned 32.32 fixed point (RFC 5905).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NtpTime(pub u64);

/// From 1900, where NTP counts from, to 1970 (RFC 868).
const NTP_TO_UNIX: Duration = Duration::from_secs(2_208_988_800);

impl NtpTime {
    /// The time that lies `since_1970` after the Unix epoch.
    pub fn from_unix(since_1970: Duration) -> Self {
        Self::from_duration(NTP_TO_UNIX + since_1970)
    }

    /// The time that lies `since_1900` after the epoch, modulo 2^32 seconds.
    pub fn from_duration(since_1900: Duration) -> Self {
        let fraction = (u64::from(since_1900.subsec_nanos()) << 32) / 1_000_000_000;
        Self((since_1900.as_secs() << 32) | fraction)
    }

    /// Nanoseconds since 1900.
    pub(crate) fn nanos(self) -> i128 {
        let seconds = i128::from(self.0 >> 32) * 1_000_000_000;
        let fraction = (i128::from(self.0 & 0xffff_ffff) * 1_000_000_000) >> 32;
        seconds + fraction
    }
}
