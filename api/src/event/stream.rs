//! What channels report, in the words of the service.

use channel::{ChannelEvent, IngestLimit, LimitBreach, Report, StreamEvent};
use compositor_core::time::WallTime;
use recorder::AdBreak;
use serde::Serialize;

use crate::arn::Arn;
use crate::event::{DetailType, NewEvent};
use crate::store::{StreamChange, StreamEntry, StreamNews};
use crate::wall_clock::iso8601_seconds;

#[derive(Serialize)]
struct StateChange<'a> {
    event_name: &'a str,
    channel_name: &'a str,
    stream_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}

#[derive(Serialize)]
struct IngestBreach<'a> {
    limit_name: &'a str,
    limit_value: u64,
    exceeded_by: u64,
    limit_unit: &'a str,
    channel_name: &'a str,
    stream_id: &'a str,
}

#[derive(Serialize)]
struct AccountBreach {
    limit_name: &'static str,
    limit_value: u32,
    exceeded_by: u32,
    limit_unit: &'static str,
}

#[derive(Serialize)]
struct AdBreakInserted<'a> {
    event_name: &'a str,
    channel_name: &'a str,
    stream_id: &'a str,
    ad_break_id: &'a str,
    duration_seconds: u64,
    target_start_time: String,
}

/// What of a report is kept: news of a session, or an event of an account.
#[derive(Debug)]
pub enum Kept {
    /// News.
    Stream(Box<StreamNews>),
    /// An event.
    Account(NewEvent),
}

/// Translates a report; `None` for a channel whose ARN cannot be read, which no directory gives.
pub fn of(report: &Report) -> Option<Kept> {
    match report {
        Report::Stream(event) => Some(Kept::Stream(Box::new(news(event)?))),
        Report::BroadcastRefused { account, limit, at } => {
            let detail = AccountBreach {
                limit_name: "Concurrent Broadcasts",
                limit_value: *limit,
                exceeded_by: 1,
                limit_unit: "active streams",
            };
            let event = NewEvent::about_account(account, DetailType::LimitBreach, *at, &detail);
            Some(Kept::Account(event))
        }
    }
}

/// The end of a session that an earlier run of the server left open; first of its stream, if that began.
pub fn ends(
    channel: &Arn,
    name: &str,
    stream_id: &str,
    began: bool,
    at: WallTime,
) -> Vec<StreamNews> {
    let teller = Teller {
        channel,
        name,
        stream_id,
        at,
    };
    let end = began.then(|| teller.state("Stream End", None, StreamChange::Nothing));
    let over = teller.state("Session Ended", None, StreamChange::Ended);
    end.into_iter().chain([over]).collect()
}

fn news(event: &ChannelEvent) -> Option<StreamNews> {
    let channel = Arn::parse(&event.arn)?;
    let teller = Teller {
        channel: &channel,
        name: &event.name,
        stream_id: &event.stream_id,
        at: event.at,
    };
    let nothing = StreamChange::Nothing;
    Some(match &event.event {
        StreamEvent::SessionCreated => {
            let snapshot = event.snapshot.expose().to_owned();
            teller.state("Session Created", None, StreamChange::Begun { snapshot })
        }
        StreamEvent::StreamStart => teller.state("Stream Start", None, nothing),
        StreamEvent::StreamEnd => teller.state("Stream End", None, nothing),
        StreamEvent::SessionEnded => teller.state("Session Ended", None, StreamChange::Ended),
        StreamEvent::StreamTakeover => teller.state("Stream Takeover", None, nothing),
        StreamEvent::StreamTakeoverFailure(failure) => {
            teller.state("Stream Takeover Failure", Some(failure.code()), nothing)
        }
        StreamEvent::StarvationStart => teller.health("Starvation Start"),
        StreamEvent::StarvationEnd => teller.health("Starvation End"),
        StreamEvent::LimitBreach(breach) => teller.breach(breach),
        StreamEvent::AdBreakInserted(ad_break) => teller.ad_break(ad_break),
        StreamEvent::IngestDescribed(description) => StreamNews {
            change: StreamChange::Ingest {
                description: crate::dto::stream_session::ingest_json(description),
            },
            event: None,
            channel: channel.clone(),
            stream_id: event.stream_id.clone(),
            at: event.at,
        },
    })
}

struct Teller<'a> {
    channel: &'a Arn,
    name: &'a str,
    stream_id: &'a str,
    at: WallTime,
}

impl Teller<'_> {
    fn state(&self, event_name: &str, code: Option<&str>, change: StreamChange) -> StreamNews {
        let detail = self.detail(event_name, code);
        let (kind, named) = (DetailType::StreamStateChange, (event_name, code));
        self.tell(kind, named, &detail, change)
    }

    fn health(&self, event_name: &str) -> StreamNews {
        let detail = self.detail(event_name, None);
        let (kind, named) = (DetailType::StreamHealthChange, (event_name, None));
        self.tell(kind, named, &detail, StreamChange::Nothing)
    }

    fn detail<'a>(&'a self, event_name: &'a str, code: Option<&'a str>) -> StateChange<'a> {
        StateChange {
            event_name,
            channel_name: self.name,
            stream_id: self.stream_id,
            code,
        }
    }

    fn breach(&self, breach: &LimitBreach) -> StreamNews {
        let (limit_name, limit_unit) = match breach.limit {
            IngestLimit::Bitrate => ("Ingest Bitrate", "bits per second"),
            IngestLimit::TotalPixels => ("Ingest Resolution", "total pixels"),
            IngestLimit::EdgePixels => ("Ingest Resolution", "pixels per edge"),
        };
        let detail = IngestBreach {
            limit_name,
            limit_value: breach.value,
            exceeded_by: breach.exceeded_by,
            limit_unit,
            channel_name: self.name,
            stream_id: self.stream_id,
        };
        let (kind, named) = (DetailType::LimitBreach, (limit_name, None));
        self.tell(kind, named, &detail, StreamChange::Nothing)
    }

    fn ad_break(&self, ad_break: &AdBreak) -> StreamNews {
        let event_name = "Ad Break Inserted";
        let detail = AdBreakInserted {
            event_name,
            channel_name: self.name,
            stream_id: self.stream_id,
            ad_break_id: &ad_break.id,
            duration_seconds: ad_break.planned.as_secs(),
            target_start_time: iso8601_seconds(ad_break.start),
        };
        let (kind, named) = (DetailType::AdBreakStateChange, (event_name, None));
        self.tell(kind, named, &detail, StreamChange::Nothing)
    }

    fn tell(
        &self,
        detail_type: DetailType,
        (name, code): (&str, Option<&str>),
        detail: &impl Serialize,
        change: StreamChange,
    ) -> StreamNews {
        let event = NewEvent::about(self.channel, detail_type, self.at, detail);
        let entry = StreamEntry {
            at: self.at,
            detail_type: detail_type.as_str().to_owned(),
            name: name.to_owned(),
            code: code.map(str::to_owned),
        };
        StreamNews {
            channel: self.channel.clone(),
            stream_id: self.stream_id.to_owned(),
            at: self.at,
            change,
            event: Some((event, entry)),
        }
    }
}
