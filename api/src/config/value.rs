//! Small typed values, each with its own parser. An error is the rule that the value breaks.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use http::Uri;
use ipnet::IpNet;
use toml::Value;

use super::secret::Secret;
use super::{LimitsProfile, LogFormat};
use crate::access::{Pattern, Policy, Statement};
use crate::store::Database;

/// Most entries in a list of networks.
const NETWORKS_MAX: usize = 1000;
/// Shortest admin password accepted.
const ADMIN_PASSWORD_CHARS_MIN: usize = 8;
/// As long as it takes to make guessing hopeless.
const METRICS_TOKEN_CHARS_MIN: usize = 16;

/// Statements of one key.
const STATEMENTS_MAX: usize = 50;
/// Patterns of one statement.
const PATTERNS_MAX: usize = 50;

/// An `http` or `https` base URL without trailing slash, query or fragment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Parses `text`; the error is the rule.
    pub fn parse(text: &str) -> Result<Self, String> {
        const RULE: &str =
            "must be a URL like https://stage.example.com, without query or fragment";
        let uri: Uri = text.parse().map_err(|_| RULE.to_owned())?;
        let http = matches!(uri.scheme_str(), Some("http" | "https"));
        let host = uri.host().is_some_and(|host| !host.is_empty());
        let user = uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'));
        if !http || !host || user || uri.query().is_some() || text.contains('#') {
            return Err(RULE.to_owned());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// The URL that a listener on `address` has.
    pub fn of_listener(scheme: Scheme, address: SocketAddr) -> Self {
        Self(format!("{}://{address}", scheme.as_str()))
    }

    /// The URL as text, without trailing slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Host and port as they stand in the URL, the `Host` header that a browser sends.
    pub fn authority(&self) -> &str {
        let rest = self
            .0
            .split_once("://")
            .map_or(self.0.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    /// The host without its port.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        }
    }

    /// Scheme and authority, the `Origin` that a browser sends.
    pub fn origin(&self) -> String {
        let scheme = self
            .0
            .split_once("://")
            .map_or("http", |(scheme, _)| scheme);
        format!("{scheme}://{}", self.authority())
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a listener speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// As it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that a URL leaves out.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The address that WebRTC peers outside of a NAT reach; the bound port when it names none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AdvertisedAddress {
    /// The public address.
    pub ip: IpAddr,
    /// The public port, when it differs from the bound one.
    pub port: Option<u16>,
}

/// Whether recordings go to the embedded S3 server or to another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum S3Mode {
    Embedded,
    External,
}

/// Where the keys for an external S3 come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum S3CredentialSource {
    Static,
    AwsChain,
}

pub(super) fn text(value: &Value) -> Result<&str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("must be text, not {}", value.type_str()))
}

pub(super) fn listen_address(value: &Value) -> Result<SocketAddr, String> {
    const RULE: &str = "must be an address and a port like 127.0.0.1:8080 (port 0: any free one)";
    let text = text(value)?;
    if let Some(port) = text.strip_prefix("localhost:") {
        let port = port.parse().map_err(|_| RULE.to_owned())?;
        return Ok(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
    }
    text.parse().map_err(|_| RULE.to_owned())
}

pub(super) fn advertised_address(value: &Value) -> Result<AdvertisedAddress, String> {
    const RULE: &str = "must be an address like 203.0.113.7 or 203.0.113.7:8189";
    let text = text(value)?;
    let address = match (text.parse::<IpAddr>(), text.parse::<SocketAddr>()) {
        (Ok(ip), _) => AdvertisedAddress { ip, port: None },
        (_, Ok(address)) if address.port() != 0 => AdvertisedAddress {
            ip: address.ip(),
            port: Some(address.port()),
        },
        _ => return Err(RULE.to_owned()),
    };
    if address.ip.is_unspecified() || address.ip.is_multicast() {
        return Err(format!("{RULE}, one that a peer can reach"));
    }
    Ok(address)
}

pub(super) fn base_url(value: &Value) -> Result<BaseUrl, String> {
    BaseUrl::parse(text(value)?)
}

pub(super) fn folder(value: &Value) -> Result<PathBuf, String> {
    match text(value)? {
        "" => Err("must not be empty".to_owned()),
        path => Ok(PathBuf::from(path)),
    }
}

pub(super) fn file(value: &Value) -> Result<PathBuf, String> {
    folder(value)
}

/// A list, or text with commas as it stands in the environment.
pub(super) fn networks(value: &Value) -> Result<Vec<IpNet>, String> {
    let entries: Vec<&str> = match value {
        Value::Array(entries) => entries.iter().map(text).collect::<Result<_, _>>()?,
        value => text(value)?.split(',').map(str::trim).collect(),
    };
    if entries.len() > NETWORKS_MAX {
        return Err(format!("must be at most {NETWORKS_MAX} networks"));
    }
    let network = |entry: &str| {
        let address = || entry.parse::<IpAddr>().map(IpNet::from);
        entry.parse().or_else(|_| address()).map_err(|_| {
            format!("must be networks like 10.0.0.0/8 or addresses like 192.0.2.1, not {entry}")
        })
    };
    entries.into_iter().map(network).collect()
}

pub(super) fn store_url(value: &Value) -> Result<Database, String> {
    Database::parse(text(value)?)
}

/// A whole number; as text in the environment.
pub(super) fn number(value: &Value, allowed: RangeInclusive<u32>) -> Result<u32, String> {
    let number = match value {
        Value::Integer(number) => u32::try_from(*number).ok(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number
        .filter(|number| allowed.contains(number))
        .ok_or_else(|| {
            let (first, last) = allowed.into_inner();
            format!("must be a whole number from {first} to {last}")
        })
}

pub(super) fn switch(value: &Value) -> Result<bool, String> {
    match value {
        Value::Boolean(on) => Ok(*on),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

pub(super) fn log_filter(value: &Value) -> Result<String, String> {
    let text = text(value)?;
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(
            "must be a level (error, warn, info, debug, trace) or a filter like info,api=debug"
                .to_owned(),
        ),
    }
}

pub(super) fn log_format(value: &Value) -> Result<LogFormat, String> {
    match text(value)? {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be text or json".to_owned()),
    }
}

pub(super) fn admin_password(value: &Value) -> Result<Secret, String> {
    let text = text(value)?;
    if text.chars().count() < ADMIN_PASSWORD_CHARS_MIN {
        return Err(format!(
            "must have at least {ADMIN_PASSWORD_CHARS_MIN} characters"
        ));
    }
    Ok(Secret::new(text))
}

pub(super) fn metrics_token(value: &Value) -> Result<Secret, String> {
    let text = text(value)?;
    if text.len() < METRICS_TOKEN_CHARS_MIN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "must be at least {METRICS_TOKEN_CHARS_MIN} visible ASCII characters"
        ));
    }
    Ok(Secret::new(text))
}

pub(super) fn s3_mode(value: &Value) -> Result<S3Mode, String> {
    match text(value)? {
        "embedded" => Ok(S3Mode::Embedded),
        "external" => Ok(S3Mode::External),
        _ => Err("must be embedded or external".to_owned()),
    }
}

pub(super) fn s3_credential_source(value: &Value) -> Result<S3CredentialSource, String> {
    match text(value)? {
        "static" => Ok(S3CredentialSource::Static),
        "aws-chain" => Ok(S3CredentialSource::AwsChain),
        _ => Err("must be static or aws-chain".to_owned()),
    }
}

pub(super) fn s3_region(value: &Value) -> Result<String, String> {
    let text = text(value)?;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
        return Err("must be a region name like us-east-1".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn access_key_id(value: &Value) -> Result<String, String> {
    let text = text(value)?;
    if !(3..=128).contains(&text.len())
        || !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    {
        return Err("must be 3 to 128 letters, digits or underscores".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn secret_access_key(value: &Value) -> Result<Secret, String> {
    let text = text(value)?;
    if !(8..=256).contains(&text.len()) || !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err("must be 8 to 256 visible ASCII characters".to_owned());
    }
    Ok(Secret::new(text))
}

pub(super) fn session_token(value: &Value) -> Result<Secret, String> {
    let text = text(value)?;
    if !(8..=2048).contains(&text.len()) || !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err("must be 8 to 2048 visible ASCII characters".to_owned());
    }
    Ok(Secret::new(text))
}

pub(super) fn limits_profile(value: &Value) -> Result<LimitsProfile, String> {
    match text(value)? {
        "off" => Ok(LimitsProfile::Off),
        "aws" => Ok(LimitsProfile::Aws),
        _ => Err("must be off or aws".to_owned()),
    }
}

pub(super) fn policy(value: &Value) -> Result<Policy, String> {
    const RULE: &str = "must be a list of tables like { actions = [\"ivs:Get*\"], resources = [\"arn:aws:ivs:*:*:stage/*\"] }";
    let tables = value
        .as_array()
        .filter(|tables| tables.len() <= STATEMENTS_MAX)
        .ok_or_else(|| format!("{RULE}, at most {STATEMENTS_MAX}"))?;
    let statements = tables.iter().map(|table| {
        let table = table.as_table().filter(|table| table.len() == 2);
        let patterns = |key: &str| {
            let texts = table?.get(key)?.as_array()?;
            let texts = texts.iter().map(|text| text.as_str().map(Pattern::new));
            texts
                .collect::<Option<Vec<_>>>()
                .filter(|patterns| (1..=PATTERNS_MAX).contains(&patterns.len()))
        };
        Some(Statement {
            actions: patterns("actions")?,
            resources: patterns("resources")?,
        })
    });
    let statements = statements.collect::<Option<_>>();
    statements
        .map(|statements| Policy { statements })
        .ok_or_else(|| format!("{RULE}, with 1 to {PATTERNS_MAX} patterns each"))
}

pub(super) fn account(value: &Value) -> Result<String, String> {
    match text(value)? {
        text if text.len() == 12 && text.chars().all(|c| c.is_ascii_digit()) => Ok(text.to_owned()),
        _ => Err("must be 12 digits".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    #[test]
    fn listen_addresses_are_numeric_or_localhost() {
        assert_eq!(
            listen_address(&string("0.0.0.0:0")).unwrap().to_string(),
            "0.0.0.0:0"
        );
        assert_eq!(
            listen_address(&string("[::1]:9000")).unwrap().to_string(),
            "[::1]:9000"
        );
        assert_eq!(
            listen_address(&string("localhost:1")).unwrap().to_string(),
            "127.0.0.1:1"
        );
        for wrong in [
            "",
            "8080",
            ":8080",
            "127.0.0.1",
            "127.0.0.1:65536",
            "example.com:80",
        ] {
            assert!(listen_address(&string(wrong)).is_err(), "{wrong}");
        }
        assert_eq!(
            listen_address(&Value::Integer(8080)).unwrap_err(),
            "must be text, not integer"
        );
    }

    #[test]
    fn base_urls_lose_their_trailing_slash_and_know_their_origin() {
        let url = BaseUrl::parse("https://stage.example.com:8443/live/").unwrap();
        assert_eq!(url.as_str(), "https://stage.example.com:8443/live");
        assert_eq!(url.authority(), "stage.example.com:8443");
        assert_eq!(url.origin(), "https://stage.example.com:8443");
        for wrong in [
            "",
            "example.com",
            "ftp://example.com",
            "http://",
            "http://a/?b",
            "http://u@a/",
            "http://a/#c",
        ] {
            assert!(BaseUrl::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn networks_are_a_list_or_text_with_commas() {
        let list = Value::Array(vec![string("10.0.0.0/8"), string("2001:db8::1")]);
        let found = networks(&list).unwrap();
        assert_eq!(found[1].to_string(), "2001:db8::1/128");
        assert_eq!(networks(&string("10.0.0.0/8, 2001:db8::1")).unwrap(), found);
        for wrong in ["", "10.0.0.0/33", "proxy.example.com", "10.0.0.0/8,"] {
            assert!(networks(&string(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_advertised_address_may_have_its_own_port() {
        let plain = advertised_address(&string("203.0.113.7")).unwrap();
        assert_eq!(
            (plain.ip.to_string().as_str(), plain.port),
            ("203.0.113.7", None)
        );
        assert_eq!(
            advertised_address(&string("203.0.113.7:5000"))
                .unwrap()
                .port,
            Some(5000)
        );
        for wrong in ["0.0.0.0", "example.com", "203.0.113.7:0", "224.0.0.1"] {
            assert!(advertised_address(&string(wrong)).is_err(), "{wrong}");
        }
    }
}
