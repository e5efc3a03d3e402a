//! Unwraps 16-bit sequence numbers and 32-bit RTP timestamps into 64 bits.

/// Follows the wrap-arounds of a sequence number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SeqUnwrapper {
    highest: Option<u64>,
}

impl SeqUnwrapper {
    /// The unwrapped number nearest to the highest seen so far.
    pub fn unwrap(&mut self, seq: u16) -> u64 {
        // One cycle above zero, so that packets from before the first one seen stay positive.
        let Some(highest) = self.highest else {
            let first = (1 << 16) + u64::from(seq);
            self.highest = Some(first);
            return first;
        };
        let ahead = seq.wrapping_sub(highest as u16) as i16;
        let unwrapped = highest.saturating_add_signed(i64::from(ahead));
        self.highest = Some(highest.max(unwrapped));
        unwrapped
    }
}

/// Follows the wrap-arounds of an RTP timestamp.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RtpTsUnwrapper {
    last: Option<u64>,
}

impl RtpTsUnwrapper {
    /// The unwrapped timestamp nearest to the last one.
    pub fn unwrap(&mut self, rtp_ts: u32) -> u64 {
        let unwrapped = self.peek(rtp_ts);
        self.last = Some(unwrapped);
        unwrapped
    }

    /// As [`Self::unwrap`], without moving on: for the timestamp of a report, which may lie far ahead.
    pub fn peek(&self, rtp_ts: u32) -> u64 {
        // Far above zero, so that a source that jumps backward again and again stays positive.
        let Some(last) = self.last else {
            return (1 << 40) + u64::from(rtp_ts);
        };
        let ahead = rtp_ts.wrapping_sub(last as u32) as i32;
        last.saturating_add_signed(i64::from(ahead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_count_on_over_the_wrap_and_back() {
        let mut seq = SeqUnwrapper::default();
        let first = seq.unwrap(65_534);
        assert_eq!(seq.unwrap(65_535), first + 1);
        assert_eq!(seq.unwrap(1), first + 3);
        assert_eq!(seq.unwrap(65_535), first + 1);
        assert_eq!(seq.unwrap(2), first + 4);
    }

    #[test]
    fn a_packet_from_before_the_first_one_stays_below_it() {
        let mut seq = SeqUnwrapper::default();
        let first = seq.unwrap(0);
        assert_eq!(seq.unwrap(65_535), first - 1);
    }

    #[test]
    fn timestamps_count_on_over_the_wrap_and_jump_back() {
        let mut ts = RtpTsUnwrapper::default();
        let first = ts.unwrap(u32::MAX - 10);
        assert_eq!(ts.unwrap(10), first + 21);
        assert_eq!(ts.unwrap(u32::MAX - 10), first);
        assert_eq!(ts.peek(10), first + 21);
    }

    #[test]
    fn endless_backward_jumps_do_not_underflow() {
        let mut ts = RtpTsUnwrapper::default();
        let mut value = 0_u32;
        for _ in 0..2000 {
            value = value.wrapping_sub(0x7fff_ffff);
            ts.unwrap(value);
        }
    }
}
