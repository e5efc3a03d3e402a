//! `[[webhooks]]`: who is told of events.

use std::fmt;

use http::Uri;
use toml::{Table, Value};

use super::layers::WEBHOOKS_TOML;
use super::problem::ConfigProblems;
use super::{ACCOUNT, Webhook, value};
use crate::event::DetailType;

/// Each is a task with connections of its own.
const WEBHOOKS_MAX: usize = 20;

/// An `http` or `https` URL with any path and query. Path and query may hold a token: nothing shows them.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(Uri);

impl WebhookUrl {
    /// Parses `text`; the error is the rule.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rule = || "must be a URL like https://example.com/ivs-events".to_owned();
        let uri: Uri = text.parse().map_err(|_| rule())?;
        let http = matches!(uri.scheme_str(), Some("http" | "https"));
        let plain =
            |host: &http::uri::Authority| !host.host().is_empty() && !host.as_str().contains('@');
        if !http || !uri.authority().is_some_and(plain) {
            return Err(rule());
        }
        Ok(Self(uri))
    }

    /// The whole URL, for the one place that sends to it.
    pub fn expose(&self) -> &Uri {
        &self.0
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.scheme_str().unwrap_or_default();
        let authority = self.0.authority().map_or("", |host| host.as_str());
        write!(f, "{scheme}://{authority}/...")
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({self})")
    }
}

pub(super) fn resolve(given: Option<&Value>, problems: &mut ConfigProblems) -> Vec<Webhook> {
    let Some(given) = given else {
        return Vec::new();
    };
    let tables = given
        .as_array()
        .filter(|tables| tables.len() <= WEBHOOKS_MAX);
    let Some(tables) = tables else {
        let rule = format!("must be at most {WEBHOOKS_MAX} [[webhooks]] tables");
        problems.add(WEBHOOKS_TOML, "", rule);
        return Vec::new();
    };
    let mut webhooks: Vec<Webhook> = Vec::new();
    for (index, table) in tables.iter().enumerate() {
        let name = format!("{WEBHOOKS_TOML}[{index}]");
        match table.as_table() {
            None => problems.add(name, "", "must be a table with url and secret"),
            Some(table) => {
                if let Some(webhook) = webhook(&name, table, problems) {
                    let same = |other: &Webhook| {
                        other.url == webhook.url && other.account == webhook.account
                    };
                    if webhooks.iter().any(same) {
                        problems.add(
                            name,
                            webhook.url.to_string(),
                            "is there twice for this account",
                        );
                    } else {
                        webhooks.push(webhook);
                    }
                }
            }
        }
    }
    webhooks
}

fn webhook(name: &str, table: &Table, problems: &mut ConfigProblems) -> Option<Webhook> {
    const KNOWN: [&str; 4] = ["url", "secret", "account", "detail_types"];
    for unknown in table.keys().filter(|key| !KNOWN.contains(&key.as_str())) {
        problems.add(format!("{name}.{unknown}"), "", "unknown key");
    }
    let url = read(name, table, "url", problems, |given| {
        WebhookUrl::parse(value::text(given)?)
    });
    let secret = read(name, table, "secret", problems, value::secret_access_key);
    let account = match table.get("account") {
        None => Some(ACCOUNT.to_owned()),
        Some(_) => read(name, table, "account", problems, value::account),
    };
    let detail_types = match table.get("detail_types") {
        None => Some(None),
        Some(_) => read(name, table, "detail_types", problems, detail_types).map(Some),
    };
    Some(Webhook {
        url: url?,
        secret: secret?,
        account: account?,
        detail_types: detail_types?,
    })
}

/// No value is shown: a URL may hold a token, a secret is one.
fn read<T>(
    name: &str,
    table: &Table,
    key: &str,
    problems: &mut ConfigProblems,
    parse: impl Fn(&Value) -> Result<T, String>,
) -> Option<T> {
    let parsed = table
        .get(key)
        .ok_or_else(|| "is missing".to_owned())
        .and_then(parse);
    match parsed {
        Ok(value) => Some(value),
        Err(rule) => {
            problems.add(format!("{name}.{key}"), "(hidden)", rule);
            None
        }
    }
}

fn detail_types(given: &Value) -> Result<Vec<DetailType>, String> {
    let known = |value: &Value| {
        let text = value.as_str()?;
        DetailType::ALL
            .into_iter()
            .find(|known| known.as_str() == text)
    };
    let rule = || {
        let all: Vec<&str> = DetailType::ALL.iter().map(|known| known.as_str()).collect();
        format!("must be a list of: {}", all.join(", "))
    };
    let array = given.as_array().filter(|array| !array.is_empty());
    let types: Option<Vec<DetailType>> = array.ok_or_else(rule)?.iter().map(known).collect();
    types.ok_or_else(rule)
}
