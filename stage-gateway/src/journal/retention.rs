//! Which segment files may go. Pure.

use compositor_core::journal::JournalSeq;
use compositor_core::time::MediaTime;

/// One segment file, as retention sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentSize {
    /// Its first record.
    pub first: JournalSeq,
    /// Its size on disk.
    pub bytes: u64,
    /// When it was begun.
    pub since: MediaTime,
}

/// What has to go.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Expendable {
    /// How many of the oldest segments.
    pub segments: usize,
    /// Whether some of them still had a reader, so that the disk cap alone decided.
    pub forced: bool,
}

/// Decides about `segments`, oldest first. A segment goes when all of it lies before `needed`, the lowest checkpoint of
/// all readers, and nothing of it is younger than `kept_since`; beyond `disk_bytes_max` the oldest go anyway. The newest is
/// being written and stays.
pub fn expendable(
    segments: &[SegmentSize],
    needed: Option<JournalSeq>,
    kept_since: Option<MediaTime>,
    disk_bytes_max: u64,
) -> Expendable {
    let mut verdict = Expendable::default();
    let mut bytes: u64 = segments.iter().map(|segment| segment.bytes).sum();
    for pair in segments.windows(2) {
        let &[oldest, next] = pair else { break };
        let unneeded = needed.is_some_and(|needed| next.first <= needed);
        let kept = kept_since.is_some_and(|since| next.since >= since);
        if (!unneeded || kept) && bytes <= disk_bytes_max {
            break;
        }
        verdict.segments += 1;
        verdict.forced |= !unneeded;
        bytes -= oldest.bytes;
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments() -> Vec<SegmentSize> {
        [0, 10, 20, 30]
            .map(|first| SegmentSize {
                first: JournalSeq(first),
                bytes: 100,
                since: MediaTime(first),
            })
            .to_vec()
    }

    fn check(needed: u64, cap: u64, segments_gone: usize, forced: bool) {
        let verdict = expendable(&segments(), Some(JournalSeq(needed)), None, cap);
        assert_eq!(
            verdict,
            Expendable {
                segments: segments_gone,
                forced
            },
            "{needed} {cap}"
        );
    }

    #[test]
    fn a_segment_goes_when_its_successor_begins_at_the_checkpoint() {
        check(9, 1000, 0, false);
        check(10, 1000, 1, false);
        check(19, 1000, 1, false);
        check(20, 1000, 2, false);
    }

    #[test]
    fn the_newest_segment_stays() {
        check(1000, 1000, 3, false);
        check(0, 0, 3, true);
        assert_eq!(expendable(&[], None, None, 0), Expendable::default());
    }

    #[test]
    fn the_cap_takes_the_oldest_and_says_so() {
        check(0, 400, 0, false);
        check(0, 399, 1, true);
        check(10, 299, 2, true);
        check(20, 200, 2, false);
    }

    #[test]
    fn what_is_kept_stays_until_all_of_it_is_old_or_the_cap_takes_it() {
        let gone = |since, cap| {
            let since = Some(MediaTime(since));
            expendable(&segments(), Some(JournalSeq(1000)), since, cap).segments
        };
        assert_eq!(gone(10, 1000), 0);
        assert_eq!(gone(11, 1000), 1);
        assert_eq!(gone(0, 299), 2);
        let verdict = expendable(&segments(), Some(JournalSeq(1000)), Some(MediaTime(0)), 299);
        assert!(!verdict.forced, "no reader needed it");
    }

    #[test]
    fn without_a_reader_only_the_cap_counts() {
        assert_eq!(
            expendable(&segments(), None, None, 400),
            Expendable::default()
        );
        let verdict = expendable(&segments(), None, None, 250);
        assert_eq!(
            verdict,
            Expendable {
                segments: 2,
                forced: true
            }
        );
    }
}
