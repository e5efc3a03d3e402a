//! Datagrams for one address that leave together. Pure.
//!
//! Consecutive datagrams of one size are one run, which the kernel cuts up itself (UDP segmentation offload, udp(7)
//! `UDP_SEGMENT`): one walk through the network stack instead of one for each. A frame is such a run but for its end.

use std::io::{self, ErrorKind};

/// Largest datagram that may be one of several in a run. The kernel refuses segments that exceed the device's MTU.
const SEGMENT_BYTES_MAX: usize = 1_400;

/// Largest run: what fits into one IPv4 datagram (RFC 768, RFC 791).
const RUN_BYTES_MAX: usize = 65_507;

/// Datagrams one behind the other; kept and cleared, so that its memory is used again.
#[derive(Debug, Default)]
pub(crate) struct Burst {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// Datagrams to be sent by one call: all but the last have `segment` bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Run<'a> {
    /// How many datagrams.
    pub(super) count: usize,
    /// Bytes of each; the last may have fewer.
    pub(super) segment: usize,
    /// All of them.
    pub(super) bytes: &'a [u8],
}

impl Burst {
    /// Adds the datagram that `write` appends; nothing when that fails.
    pub(crate) fn push<T, E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<T, E>,
    ) -> Result<T, E> {
        let start = self.bytes.len();
        let written = write(&mut self.bytes);
        match written {
            Ok(_) => self.ends.push(self.bytes.len()),
            Err(_) => self.bytes.truncate(start),
        }
        written
    }

    /// Forgets everything but its memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// How many datagrams.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Every datagram by itself.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map_while(|index| self.run(index, 1).map(|run| run.bytes))
    }

    /// Sends everything from datagram `from` on, in order, until the socket is full. Returns up to where it came: that is
    /// `len()` unless the socket is full. Other errors may be of segmentation, so what follows is sent one by one; those of a
    /// single datagram are given to `failed`.
    pub(super) fn send(
        &self,
        from: usize,
        mut segments_max: usize,
        mut send: impl FnMut(Run<'_>) -> io::Result<()>,
        mut failed: impl FnMut(&io::Error),
    ) -> usize {
        let mut next = from;
        while let Some(run) = self.run(next, segments_max) {
            match send(run) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) if run.count > 1 => {
                    segments_max = 1;
                    continue;
                }
                Err(error) => failed(&error),
            }
            next += run.count;
        }
        next
    }

    fn run(&self, from: usize, segments_max: usize) -> Option<Run<'_>> {
        let start = match from.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        let mut end = *self.ends.get(from)?;
        let segment = end - start;
        let mut count = 1;
        if segment <= SEGMENT_BYTES_MAX {
            for &next in self.ends.get(from + 1..)? {
                let size = next - end;
                if count == segments_max || size > segment || next - start > RUN_BYTES_MAX {
                    break;
                }
                (end, count) = (next, count + 1);
                if size < segment {
                    break;
                }
            }
        }
        let bytes = self.bytes.get(start..end)?;
        Some(Run {
            count,
            segment,
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burst(sizes: &[usize]) -> Burst {
        let mut burst = Burst::default();
        for (index, size) in sizes.iter().enumerate() {
            let datagram = vec![index as u8; *size];
            let write = |bytes: &mut Vec<u8>| {
                bytes.extend(datagram);
                Ok::<_, ()>(())
            };
            burst.push(write).unwrap();
        }
        burst
    }

    /// How many datagrams each call sends.
    fn runs(burst: &Burst, segments_max: usize) -> Vec<usize> {
        let mut counts = Vec::new();
        let sent = burst.send(
            0,
            segments_max,
            |run| {
                assert_eq!(run.bytes.len().div_ceil(run.segment), run.count);
                counts.push(run.count);
                Ok(())
            },
            |error| panic!("{error}"),
        );
        assert_eq!(sent, burst.len());
        counts
    }

    #[test]
    fn a_run_ends_with_its_first_smaller_datagram() {
        assert_eq!(runs(&burst(&[100, 100, 40, 40, 100, 100]), 64), [3, 1, 2]);
    }

    #[test]
    fn runs_keep_to_what_the_kernel_takes() {
        assert_eq!(runs(&burst(&[100; 5]), 2), [2, 2, 1]);
        assert_eq!(runs(&burst(&[100; 3]), 1), [1, 1, 1]);
        assert_eq!(runs(&burst(&[1_401, 1_401]), 64), [1, 1]);
        assert_eq!(runs(&burst(&[1_400; 60]), 64), [46, 14]);
        assert!(runs(&burst(&[]), 64).is_empty());
    }

    #[test]
    fn a_datagram_that_cannot_be_written_leaves_nothing() {
        let mut burst = burst(&[4]);
        let fail = |bytes: &mut Vec<u8>| {
            bytes.extend([9; 7]);
            Err::<(), _>(())
        };
        assert!(burst.push(fail).is_err());
        assert_eq!((burst.len(), burst.bytes.len()), (1, 4));
    }

    #[test]
    fn every_datagram_is_sent_once_and_in_order() {
        let burst = burst(&[3, 3, 2, 5, 5, 5, 9]);
        let mut sent = Vec::new();
        burst.send(
            0,
            64,
            |run| {
                sent.extend_from_slice(run.bytes);
                Ok(())
            },
            |error| panic!("{error}"),
        );
        assert_eq!(sent, burst.bytes);
        assert_eq!(burst.datagrams().collect::<Vec<_>>().concat(), burst.bytes);
    }

    #[test]
    fn a_full_socket_stops_before_what_it_did_not_take() {
        let burst = burst(&[10, 10, 5, 20, 20, 5]);
        let mut calls = 0;
        let full_at_second = |_: Run<'_>| {
            calls += 1;
            if calls == 2 {
                return Err(ErrorKind::WouldBlock.into());
            }
            Ok(())
        };
        let reached = burst.send(0, 64, full_at_second, |error| panic!("{error}"));
        assert_eq!(reached, 3);
        let mut rest = Vec::new();
        let take = |run: Run<'_>| {
            rest.extend_from_slice(run.bytes);
            Ok(())
        };
        assert_eq!(burst.send(reached, 64, take, |error| panic!("{error}")), 6);
        assert_eq!(rest, burst.bytes[25..]);
    }

    #[test]
    fn what_fails_together_is_sent_one_by_one_and_a_failed_one_does_not_hold_up_the_next() {
        let burst = burst(&[10, 5, 10, 5]);
        let (mut counts, mut failures) = (Vec::new(), 0);
        let refuse_two = |run: Run<'_>| {
            counts.push(run.count);
            if counts.len() <= 2 {
                return Err(ErrorKind::InvalidInput.into());
            }
            Ok(())
        };
        assert_eq!(burst.send(0, 64, refuse_two, |_| failures += 1), 4);
        assert_eq!((counts, failures), (vec![2, 1, 1, 1, 1], 1));
    }
}
