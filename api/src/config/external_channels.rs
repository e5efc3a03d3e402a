//! `[[external_channels]]`: channels whose compositions are broadcast to another RTMP server.

use std::collections::BTreeMap;
use std::fmt;

use channel::Publisher;
use toml::{Table, Value};

use super::layers::EXTERNAL_CHANNELS_TOML;
use super::problem::ConfigProblems;
use super::value;
use crate::arn::{Arn, ArnKind};

/// More belong into a database.
const EXTERNAL_CHANNELS_MAX: usize = 1000;

/// `rtmp://host[:port]/app/key`; nothing shows it, it holds a stream key.
#[derive(Clone, PartialEq, Eq)]
pub struct BroadcastUrl(String);

impl BroadcastUrl {
    /// Parses `text`; the error is the rule.
    pub fn parse(text: &str) -> Result<Self, String> {
        match Publisher::check_url(text) {
            Ok(()) => Ok(Self(text.to_owned())),
            Err(_) => Err("must be a URL like rtmp://live.example.com/app/key".to_owned()),
        }
    }

    /// The whole URL, for the one place that publishes to it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BroadcastUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BroadcastUrl(..)")
    }
}

pub(super) fn resolve(
    given: Option<&Value>,
    problems: &mut ConfigProblems,
) -> BTreeMap<String, BroadcastUrl> {
    let mut channels = BTreeMap::new();
    let Some(given) = given else {
        return channels;
    };
    let tables = given
        .as_array()
        .filter(|tables| tables.len() <= EXTERNAL_CHANNELS_MAX);
    let Some(tables) = tables else {
        let rule = format!("must be at most {EXTERNAL_CHANNELS_MAX} [[external_channels]] tables");
        problems.add(EXTERNAL_CHANNELS_TOML, "", rule);
        return channels;
    };
    for (index, table) in tables.iter().enumerate() {
        let name = format!("{EXTERNAL_CHANNELS_TOML}[{index}]");
        let Some(table) = table.as_table() else {
            problems.add(name, "", "must be a table with arn and url");
            continue;
        };
        if let Some((arn, url)) = external_channel(&name, table, problems)
            && channels.insert(arn.clone(), url).is_some()
        {
            problems.add(name, arn, "is there twice");
        }
    }
    channels
}

fn external_channel(
    name: &str,
    table: &Table,
    problems: &mut ConfigProblems,
) -> Option<(String, BroadcastUrl)> {
    for unknown in table
        .keys()
        .filter(|key| !["arn", "url"].contains(&key.as_str()))
    {
        problems.add(format!("{name}.{unknown}"), "", "unknown key");
    }
    let mut read = |key: &str, parse: fn(&str) -> Result<String, String>| {
        let given = table.get(key).ok_or_else(|| "is missing".to_owned());
        match given.and_then(value::text).and_then(parse) {
            Ok(value) => Some(value),
            Err(rule) => {
                problems.add(format!("{name}.{key}"), "(hidden)", rule);
                None
            }
        }
    };
    let arn = read("arn", channel_arn);
    let url = read("url", |text| {
        BroadcastUrl::parse(text).map(|url| url.expose().to_owned())
    });
    Some((arn?, BroadcastUrl(url?)))
}

fn channel_arn(text: &str) -> Result<String, String> {
    match Arn::parse(text) {
        Some(arn) if arn.kind() == ArnKind::Channel => Ok(text.to_owned()),
        _ => Err("must be the ARN of a channel".to_owned()),
    }
}
