//! Where values come from: flags before environment before file. Every layer is parsed, also where a stronger one wins,
//! so that a broken value never hides.

use std::collections::BTreeMap;
use std::ffi::OsString;

use toml::{Table, Value};

use super::problem::ConfigProblems;

/// Prefix of every environment variable of this program; unknown ones with it refuse to start.
const ENV_PREFIX: &str = "PROSCENIUM_";

/// One setting and the three names that it has.
#[derive(Debug)]
pub(super) struct Key {
    /// Dotted TOML key.
    pub(super) toml: &'static str,
    /// Second spelling in TOML: `s3 = "ADDR"` beside `[s3] listen`.
    pub(super) toml_short: Option<&'static str>,
    /// Environment variable.
    pub(super) env: &'static str,
    /// Whether the value must not be shown in a problem.
    pub(super) secret: bool,
}

const fn key(toml: &'static str, env: &'static str) -> Key {
    Key {
        toml,
        toml_short: None,
        env,
        secret: false,
    }
}

pub(super) const HTTP: Key = key("http", "PROSCENIUM_HTTP");
pub(super) const RTMP: Key = key("rtmp", "PROSCENIUM_RTMP");
pub(super) const S3: Key = Key {
    toml: "s3.listen",
    toml_short: Some("s3"),
    env: "PROSCENIUM_S3",
    secret: false,
};
pub(super) const WEBRTC: Key = key("webrtc", "PROSCENIUM_WEBRTC");
pub(super) const WEBRTC_ADVERTISED: Key = key("webrtc_advertised", "PROSCENIUM_WEBRTC_ADVERTISED");
pub(super) const PUBLIC_URL: Key = key("public_url", "PROSCENIUM_PUBLIC_URL");
pub(super) const DATA_DIR: Key = key("data_dir", "PROSCENIUM_DATA_DIR");
pub(super) const STORE_URL: Key = Key {
    secret: true,
    ..key("store.url", "PROSCENIUM_STORE_URL")
};
pub(super) const EVENTS_KEEP_DAYS: Key = key("events.keep_days", "PROSCENIUM_EVENTS_KEEP_DAYS");
pub(super) const STAGES_KEEP_DAYS: Key = key("stages.keep_days", "PROSCENIUM_STAGES_KEEP_DAYS");
pub(super) const EVENTS_KEEP_MAX: Key = key("events.keep_max", "PROSCENIUM_EVENTS_KEEP_MAX");
pub(super) const JOURNAL_KEEP_HOURS: Key =
    key("journal.keep_hours", "PROSCENIUM_JOURNAL_KEEP_HOURS");
pub(super) const SPOOL_MAX_MIB: Key = key("spool.max_mib", "PROSCENIUM_SPOOL_MAX_MIB");
pub(super) const LOG: Key = key("log", "PROSCENIUM_LOG");
pub(super) const LOG_FORMAT: Key = key("log_format", "PROSCENIUM_LOG_FORMAT");
pub(super) const DEVELOPMENT_KEY: Key = key("development_key", "PROSCENIUM_DEVELOPMENT_KEY");
pub(super) const ADMIN_PASSWORD: Key = Key {
    secret: true,
    ..key("admin_password", "PROSCENIUM_ADMIN_PASSWORD")
};
pub(super) const METRICS_TOKEN: Key = Key {
    secret: true,
    ..key("metrics_token", "PROSCENIUM_METRICS_TOKEN")
};
pub(super) const TRUSTED_PROXIES: Key = key("trusted_proxies", "PROSCENIUM_TRUSTED_PROXIES");
pub(super) const GEOIP_DATABASE: Key = key("geoip.database", "PROSCENIUM_GEOIP_DATABASE");
pub(super) const TLS_CERTIFICATE: Key = key("tls.certificate", "PROSCENIUM_TLS_CERTIFICATE");
pub(super) const TLS_KEY: Key = key("tls.key", "PROSCENIUM_TLS_KEY");
pub(super) const S3_MODE: Key = key("s3.mode", "PROSCENIUM_S3_MODE");
pub(super) const S3_PUBLIC_READ: Key = key("s3.public_read", "PROSCENIUM_S3_PUBLIC_READ");
pub(super) const S3_ENDPOINT: Key = key("s3.endpoint", "PROSCENIUM_S3_ENDPOINT");
pub(super) const S3_REGION: Key = key("s3.region", "PROSCENIUM_S3_REGION");
pub(super) const S3_PATH_STYLE: Key = key("s3.path_style", "PROSCENIUM_S3_PATH_STYLE");
pub(super) const S3_CREDENTIALS: Key = key("s3.credentials", "PROSCENIUM_S3_CREDENTIALS");
pub(super) const S3_ACCESS_KEY_ID: Key = key("s3.access_key_id", "PROSCENIUM_S3_ACCESS_KEY_ID");
pub(super) const S3_SECRET_ACCESS_KEY: Key = Key {
    secret: true,
    ..key("s3.secret_access_key", "PROSCENIUM_S3_SECRET_ACCESS_KEY")
};
pub(super) const LIMITS_CPU_PERCENT: Key =
    key("limits.cpu_percent", "PROSCENIUM_LIMITS_CPU_PERCENT");
pub(super) const LIMITS_PROFILE: Key = key("limits.profile", "PROSCENIUM_LIMITS_PROFILE");

const KEYS: [&Key; 32] = [
    &HTTP,
    &RTMP,
    &S3,
    &WEBRTC,
    &WEBRTC_ADVERTISED,
    &PUBLIC_URL,
    &DATA_DIR,
    &STORE_URL,
    &STAGES_KEEP_DAYS,
    &EVENTS_KEEP_DAYS,
    &EVENTS_KEEP_MAX,
    &JOURNAL_KEEP_HOURS,
    &SPOOL_MAX_MIB,
    &LOG,
    &LOG_FORMAT,
    &DEVELOPMENT_KEY,
    &ADMIN_PASSWORD,
    &METRICS_TOKEN,
    &TRUSTED_PROXIES,
    &GEOIP_DATABASE,
    &TLS_CERTIFICATE,
    &TLS_KEY,
    &S3_MODE,
    &S3_PUBLIC_READ,
    &S3_ENDPOINT,
    &S3_REGION,
    &S3_PATH_STYLE,
    &S3_CREDENTIALS,
    &S3_ACCESS_KEY_ID,
    &S3_SECRET_ACCESS_KEY,
    &LIMITS_CPU_PERCENT,
    &LIMITS_PROFILE,
];

/// Names the configuration file; the only variable that is no setting.
pub(super) const CONFIG_ENV: &str = "PROSCENIUM_CONFIG";
/// Variables that are no settings of the server: the file above, and the token of `proscenium publish`.
const OTHER_VARIABLES: [&str; 2] = [CONFIG_ENV, "PROSCENIUM_TOKEN"];
/// TOML keys that are no plain values.
pub(super) const CREDENTIALS_TOML: &str = "credentials";
pub(super) const WEBHOOKS_TOML: &str = "webhooks";
pub(super) const EXTERNAL_CHANNELS_TOML: &str = "external_channels";
pub(super) const QUOTAS_TOML: &str = "limits.quotas";

/// A value and the name under which the user gave it.
#[derive(Debug)]
struct Given {
    name: String,
    value: Value,
}

/// All values that were given, strongest layer first for each key.
#[derive(Debug, Default)]
pub(super) struct Layers {
    given: BTreeMap<&'static str, Vec<Given>>,
    /// The `[[credentials]]` tables of the file.
    pub(super) credentials: Option<Value>,
    /// The `[[webhooks]]` tables of the file.
    pub(super) webhooks: Option<Value>,
    /// The `[[external_channels]]` tables of the file.
    pub(super) external_channels: Option<Value>,
    /// The `[limits.quotas]` table of the file.
    pub(super) quotas: Option<Value>,
}

impl Layers {
    /// Adds a flag; call this before the weaker layers.
    pub(super) fn add_flag(&mut self, key: &'static Key, flag: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.push(key, flag.to_owned(), Value::String(value.to_owned()));
        }
    }

    /// Adds the environment.
    pub(super) fn add_env(&mut self, env: &[(OsString, OsString)], problems: &mut ConfigProblems) {
        for (name, value) in env {
            let Some(name) = name.to_str().filter(|name| name.starts_with(ENV_PREFIX)) else {
                continue;
            };
            if OTHER_VARIABLES.contains(&name) {
                continue;
            }
            let Some(key) = KEYS.into_iter().find(|key| key.env == name) else {
                problems.add(
                    name,
                    "",
                    "unknown variable; variables that begin with PROSCENIUM_ are settings",
                );
                continue;
            };
            match value.to_str() {
                Some(value) => self.push(key, name.to_owned(), Value::String(value.to_owned())),
                None => problems.add(name, "", "must be UTF-8 text"),
            }
        }
    }

    /// Adds the file, the weakest layer.
    pub(super) fn add_file(&mut self, table: Table, problems: &mut ConfigProblems) {
        for (name, value) in table {
            if name == CREDENTIALS_TOML {
                self.credentials = Some(value);
            } else if name == WEBHOOKS_TOML {
                self.webhooks = Some(value);
            } else if name == EXTERNAL_CHANNELS_TOML {
                self.external_channels = Some(value);
            } else {
                self.add_toml(name, value, problems);
            }
        }
    }

    fn add_toml(&mut self, name: String, value: Value, problems: &mut ConfigProblems) {
        if name == QUOTAS_TOML {
            self.quotas = Some(value);
            return;
        }
        let inside = format!("{name}.");
        let mut known = KEYS.iter().map(|key| key.toml).chain([QUOTAS_TOML]);
        match value {
            Value::Table(table) if known.any(|key| key.starts_with(&inside)) => {
                for (inner, value) in table {
                    self.add_toml(format!("{inside}{inner}"), value, problems);
                }
            }
            value => match KEYS
                .into_iter()
                .find(|key| key.toml == name || key.toml_short == Some(&name))
            {
                Some(key) => self.push(key, name, value),
                None => problems.add(name, "", "unknown key"),
            },
        }
    }

    fn push(&mut self, key: &'static Key, name: String, value: Value) {
        self.given
            .entry(key.toml)
            .or_default()
            .push(Given { name, value });
    }

    /// The strongest value of `key`. Every given value is parsed; each that breaks `parse`'s rule becomes a problem.
    pub(super) fn take<T>(
        &self,
        key: &Key,
        problems: &mut ConfigProblems,
        parse: impl Fn(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let mut strongest = None;
        for given in self.given.get(key.toml).into_iter().flatten() {
            match parse(&given.value) {
                Ok(value) if strongest.is_none() => strongest = Some(value),
                Ok(_) => {}
                Err(rule) => {
                    let shown = if key.secret {
                        "(hidden)".to_owned()
                    } else {
                        given.value.to_string()
                    };
                    problems.add(given.name.as_str(), shown, rule);
                }
            }
        }
        strongest
    }

    /// The name under which the strongest value of `key` was given; the TOML key when nobody gave one.
    pub(super) fn name_of(&self, key: &Key) -> &str {
        self.given
            .get(key.toml)
            .and_then(|given| given.first())
            .map_or(key.toml, |given| &given.name)
    }

    /// Whether any layer has a value for `key`.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.given.contains_key(key.toml)
    }
}
