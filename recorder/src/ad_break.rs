//! Ad breaks as playlists signal them (RFC 8216 4.3.2.7.1).

use std::time::Duration;

use compositor_core::time::WallTime;

use crate::mux::crc32_mpeg;
use crate::rfc3339::rfc3339_millis;
use crate::scte35::{Splice, splice_insert_hex};

/// A break for ads in a stream. Nothing is replaced: it is a signal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdBreak {
    /// Twelve alphanumerics.
    pub id: String,
    /// When it begins.
    pub start: WallTime,
    /// How long it shall take.
    pub planned: Duration,
    /// When it ended.
    pub ended: Option<WallTime>,
}

impl AdBreak {
    /// The tag that begins it.
    pub fn out_tag(&self) -> String {
        let planned = self.planned.as_secs_f64();
        let splice = splice_insert_hex(self.event_id(), Splice::Out(self.planned));
        let head = self.head();
        format!("{head},PLANNED-DURATION={planned:.3},SCTE35-OUT={splice}")
    }

    /// The tag that ends it, once it is over.
    pub fn in_tag(&self) -> Option<String> {
        let ended = self.ended?;
        let millis = (whole_millis(ended) - whole_millis(self.start)).max(0);
        let (seconds, fraction) = (millis / 1000, millis % 1000);
        let splice = splice_insert_hex(self.event_id(), Splice::In);
        let (head, end) = (self.head(), rfc3339_millis(ended));
        Some(format!(
            "{head},END-DATE=\"{end}\",DURATION={seconds}.{fraction:03},SCTE35-IN={splice}"
        ))
    }

    fn head(&self) -> String {
        let start = rfc3339_millis(self.start);
        format!("#EXT-X-DATERANGE:ID=\"{}\",START-DATE=\"{start}\"", self.id)
    }

    /// The same in both splices, and most likely another for another break.
    fn event_id(&self) -> u32 {
        crc32_mpeg(self.id.as_bytes())
    }
}

/// What is left of a time when it is written to the millisecond, so that end minus start is the duration.
fn whole_millis(time: WallTime) -> i64 {
    time.0.div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tags_name_the_break_and_the_end_fits_the_duration() {
        let mut ad_break = AdBreak {
            id: "AAAABBBBCCCC".to_owned(),
            start: WallTime(1_500_900),
            planned: Duration::from_secs(20),
            ended: None,
        };
        let out = ad_break.out_tag();
        let head = "#EXT-X-DATERANGE:ID=\"AAAABBBBCCCC\",START-DATE=\"1970-01-01T00:00:01.500Z\",";
        assert!(out.starts_with(&format!("{head}PLANNED-DURATION=20.000,SCTE35-OUT=0xFC30")));
        assert_eq!(ad_break.in_tag(), None);
        ad_break.ended = Some(WallTime(21_500_100));
        let back = ad_break.in_tag().expect("it ended");
        let middle = "END-DATE=\"1970-01-01T00:00:21.500Z\",DURATION=20.000,SCTE35-IN=0xFC30";
        assert!(back.starts_with(&format!("{head}{middle}")), "{back}");
    }
}
