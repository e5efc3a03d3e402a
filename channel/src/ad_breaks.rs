//! The ad breaks of one stream, one at a time. Pure; time is an argument.

use std::time::Duration;

use compositor_core::time::WallTime;
use recorder::AdBreak;

use crate::limits::AD_BREAK_IDS_MAX;

/// An ad break that somebody wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdBreakRequest {
    /// Twelve alphanumerics.
    pub id: String,
    /// When it shall begin; without, or in the past, it is now.
    pub start: Option<WallTime>,
    /// How long it shall take.
    pub duration: Duration,
}

/// Why an ad break is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AdBreakRefusal {
    /// ChannelNotBroadcasting.
    #[error("the channel is not live")]
    NotLive,
    /// Another one is planned or running.
    #[error("ad break {0} is not over, and a stream has one at a time")]
    Busy(String),
    /// An id names one break of a stream.
    #[error("ad break {0} was inserted before, with another start or duration")]
    IdTaken(String),
}

/// What [`AdBreaks::insert`] came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Inserted {
    New(AdBreak),
    /// The request was repeated.
    Known(AdBreak),
}

/// The breaks of a stream.
#[derive(Debug, Default)]
pub(crate) struct AdBreaks {
    current: Option<Current>,
    past: Vec<String>,
}

#[derive(Debug)]
struct Current {
    request: AdBreakRequest,
    ad_break: AdBreak,
    began: bool,
}

impl AdBreaks {
    /// Plans a break. The same request again changes nothing.
    pub(crate) fn insert(
        &mut self,
        now: WallTime,
        request: AdBreakRequest,
    ) -> Result<Inserted, AdBreakRefusal> {
        if let Some(current) = &self.current {
            return if current.request == request {
                Ok(Inserted::Known(current.ad_break.clone()))
            } else if current.request.id == request.id {
                Err(AdBreakRefusal::IdTaken(request.id))
            } else {
                Err(AdBreakRefusal::Busy(current.request.id.clone()))
            };
        }
        if self.past.contains(&request.id) {
            return Err(AdBreakRefusal::IdTaken(request.id));
        }
        let ad_break = AdBreak {
            id: request.id.clone(),
            start: request.start.map_or(now, |start| start.max(now)),
            planned: request.duration,
            ended: None,
        };
        self.current = Some(Current {
            request,
            ad_break: ad_break.clone(),
            began: false,
        });
        Ok(Inserted::New(ad_break))
    }

    /// What begins or ends by now, which goes into the stream.
    pub(crate) fn poll(&mut self, now: WallTime) -> Option<AdBreak> {
        let current = self.current.as_mut()?;
        let AdBreak { start, planned, .. } = current.ad_break;
        let end = WallTime(start.0 + i64::try_from(planned.as_micros()).unwrap_or(0));
        if !current.began && start <= now {
            current.began = true;
            return Some(current.ad_break.clone());
        }
        if now < end {
            return None;
        }
        self.finish(end)
    }

    /// The stream is over: a running break ends with it.
    pub(crate) fn end(&mut self, now: WallTime) -> Option<AdBreak> {
        self.finish(now)
    }

    fn finish(&mut self, ended: WallTime) -> Option<AdBreak> {
        let Current {
            ad_break, began, ..
        } = self.current.take()?;
        if self.past.len() >= AD_BREAK_IDS_MAX {
            self.past.remove(0);
        }
        self.past.push(ad_break.id.clone());
        let ended = Some(ended);
        began.then_some(AdBreak { ended, ..ad_break })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn request(id: &str, start: i64) -> AdBreakRequest {
        AdBreakRequest {
            id: id.to_owned(),
            start: Some(WallTime(start * SECOND)),
            duration: Duration::from_secs(20),
        }
    }

    fn at(seconds: i64) -> WallTime {
        WallTime(seconds * SECOND)
    }

    #[test]
    fn a_break_begins_and_ends_once_at_its_times() {
        let mut breaks = AdBreaks::default();
        breaks.insert(at(100), request("a", 110)).unwrap();
        assert_eq!(breaks.poll(at(109)), None);
        let begun = breaks.poll(at(110)).unwrap();
        assert_eq!((begun.start, begun.ended), (at(110), None));
        assert_eq!(breaks.poll(at(129)), None);
        let over = breaks.poll(at(131)).unwrap();
        assert_eq!(
            over.ended,
            Some(at(130)),
            "when it should, not when it was looked at"
        );
        assert_eq!(breaks.poll(at(200)), None);
    }

    #[test]
    fn one_at_a_time_and_an_id_names_one() {
        let mut breaks = AdBreaks::default();
        let first = breaks.insert(at(100), request("a", 90)).unwrap();
        assert!(matches!(&first, Inserted::New(ad_break) if ad_break.start == at(100)));
        let again = breaks.insert(at(105), request("a", 90)).unwrap();
        assert!(matches!(&again, Inserted::Known(ad_break) if ad_break.start == at(100)));
        let refused = |result: Result<Inserted, AdBreakRefusal>| result.unwrap_err();
        assert_eq!(
            refused(breaks.insert(at(105), request("b", 105))),
            AdBreakRefusal::Busy("a".into())
        );
        assert_eq!(
            refused(breaks.insert(at(105), request("a", 300))),
            AdBreakRefusal::IdTaken("a".into())
        );
        while breaks.poll(at(500)).is_some() {}
        assert_eq!(
            refused(breaks.insert(at(500), request("a", 90))),
            AdBreakRefusal::IdTaken("a".into())
        );
        assert!(breaks.insert(at(500), request("b", 500)).is_ok());
    }

    #[test]
    fn stream_that_ends_ends_a_running_break_and_forgets_a_planned_one() {
        let mut breaks = AdBreaks::default();
        breaks.insert(at(0), request("a", 10)).unwrap();
        assert_eq!(breaks.end(at(5)), None);
        breaks.insert(at(10), request("b", 10)).unwrap();
        breaks.poll(at(10)).unwrap();
        assert_eq!(breaks.end(at(15)).unwrap().ended, Some(at(15)));
    }
}
