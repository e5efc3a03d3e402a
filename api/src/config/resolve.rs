//! From layers of raw values to one valid [`Config`]: defaults, and the rules that span several keys.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use recorder::limits::SPOOL_BYTES_MAX;
use toml::Table;

use super::layers::{self, Layers};
use super::problem::ConfigProblems;
use super::value::{self, S3CredentialSource, S3Mode};
use super::{
    Config, ExternalS3, ExternalS3Credentials, LimitsProfile, REGION, Retention, S3Config, Sources,
    TlsFiles, credentials, external_channels, quotas, webhooks,
};

const DEFAULT_DATA_DIR: &str = "./data";
const DEFAULT_LOG: &str = "info";
const DEFAULT_HTTP_PORT: u16 = 8080;
const DEFAULT_RTMP_PORT: u16 = 1935;
const DEFAULT_S3_PORT: u16 = 9000;
const DEFAULT_WEBRTC_PORT: u16 = 8189;
/// More days are an archive, which is not kept here.
const KEEP_DAYS_MAX: u32 = 3650;
/// Compositions leave a tenth of the machine to the gateway, the channels and the store.
const CPU_PERCENT_DEFAULT: u32 = 90;
/// More than the machine has: who knows that its publishers never all speak at once.
const CPU_PERCENT_MAX: u32 = 1000;
/// As long as IVS keeps the sessions of channels.
const STAGE_HISTORY_DAYS_DEFAULT: u32 = 60;
/// A pebibyte: more than a disk has.
const SPOOL_MIB_MAX: u32 = 1 << 30;
/// Some 10 GB of envelopes.
const EVENTS_KEEP_EVENTS_MAX: u32 = 10_000_000;

pub(super) fn resolve(sources: &Sources) -> Result<Config, ConfigProblems> {
    let mut problems = ConfigProblems::default();
    let layers = read_layers(sources, &mut problems);
    let p = &mut problems;
    let http = layers
        .take(&layers::HTTP, p, value::listen_address)
        .unwrap_or(loopback(DEFAULT_HTTP_PORT));
    let rtmp = layers
        .take(&layers::RTMP, p, value::listen_address)
        .unwrap_or(loopback(DEFAULT_RTMP_PORT));
    let webrtc = layers
        .take(&layers::WEBRTC, p, value::listen_address)
        .unwrap_or(loopback(DEFAULT_WEBRTC_PORT));
    let webrtc_advertised = layers.take(&layers::WEBRTC_ADVERTISED, p, value::advertised_address);
    let public_url = layers.take(&layers::PUBLIC_URL, p, value::base_url);
    let data_dir = layers.take(&layers::DATA_DIR, p, value::folder);
    let store = layers.take(&layers::STORE_URL, p, value::store_url);
    let stage_history_days = layers.take(&layers::STAGES_KEEP_DAYS, p, |given| {
        value::number(given, 1..=KEEP_DAYS_MAX)
    });
    let events = resolve_retention(&layers, p);
    let journal_keep_hours = layers.take(&layers::JOURNAL_KEEP_HOURS, p, |given| {
        value::number(given, 0..=KEEP_DAYS_MAX * 24)
    });
    let spool_max_mib = layers.take(&layers::SPOOL_MAX_MIB, p, |given| {
        value::number(given, 1..=SPOOL_MIB_MAX)
    });
    let external_channels = external_channels::resolve(layers.external_channels.as_ref(), p);
    let webhooks = webhooks::resolve(layers.webhooks.as_ref(), p);
    let log = layers.take(&layers::LOG, p, value::log_filter);
    let log_format = layers.take(&layers::LOG_FORMAT, p, value::log_format);
    let admin_password = layers.take(&layers::ADMIN_PASSWORD, p, value::admin_password);
    let metrics_token = layers.take(&layers::METRICS_TOKEN, p, value::metrics_token);
    let trusted_proxies = layers.take(&layers::TRUSTED_PROXIES, p, value::networks);
    let geoip_database = layers.take(&layers::GEOIP_DATABASE, p, value::file);
    let tls = resolve_tls(&layers, p);
    let s3 = resolve_s3(&layers, p);
    let credentials = credentials::resolve(&layers, http, &s3, p);
    let quotas = quotas::resolve(layers.quotas.as_ref(), p);
    let limits_profile = layers.take(&layers::LIMITS_PROFILE, p, value::limits_profile);
    let cpu_percent = layers.take(&layers::LIMITS_CPU_PERCENT, p, |given| {
        value::number(given, 1..=CPU_PERCENT_MAX)
    });
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Config {
        data_dir: data_dir.unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR)),
        http,
        tls,
        rtmp,
        webrtc,
        webrtc_advertised,
        public_url,
        s3,
        credentials,
        limits_profile: limits_profile.unwrap_or(LimitsProfile::Off),
        cpu_percent: cpu_percent.unwrap_or(CPU_PERCENT_DEFAULT),
        admin_password,
        metrics_token,
        trusted_proxies: trusted_proxies.unwrap_or_default(),
        geoip_database,
        quotas,
        store,
        stage_history_days: stage_history_days.unwrap_or(STAGE_HISTORY_DAYS_DEFAULT),
        journal_keep_hours: journal_keep_hours.unwrap_or_default(),
        spool_bytes_max: spool_max_mib.map_or(SPOOL_BYTES_MAX, |mib| u64::from(mib) << 20),
        external_channels,
        events,
        webhooks,
        log: log.unwrap_or_else(|| DEFAULT_LOG.to_owned()),
        log_format: log_format.unwrap_or_default(),
    })
}

fn resolve_retention(layers: &Layers, problems: &mut ConfigProblems) -> Retention {
    let default = Retention::default();
    let days = layers.take(&layers::EVENTS_KEEP_DAYS, problems, |given| {
        value::number(given, 1..=KEEP_DAYS_MAX)
    });
    let events = layers.take(&layers::EVENTS_KEEP_MAX, problems, |given| {
        value::number(given, 1..=EVENTS_KEEP_EVENTS_MAX)
    });
    Retention {
        days: days.unwrap_or(default.days),
        events: events.unwrap_or(default.events),
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)
}

fn read_layers(sources: &Sources, problems: &mut ConfigProblems) -> Layers {
    let flags = &sources.flags;
    let mut layers = Layers::default();
    layers.add_flag(&layers::DATA_DIR, "--data-dir", flags.data_dir.as_deref());
    layers.add_flag(&layers::HTTP, "--http", flags.http.as_deref());
    layers.add_flag(&layers::RTMP, "--rtmp", flags.rtmp.as_deref());
    layers.add_flag(&layers::S3, "--s3", flags.s3.as_deref());
    layers.add_flag(&layers::WEBRTC, "--webrtc", flags.webrtc.as_deref());
    layers.add_flag(
        &layers::PUBLIC_URL,
        "--public-url",
        flags.public_url.as_deref(),
    );
    layers.add_env(&sources.env, problems);
    if let Some(file) = &sources.file {
        match file.parse::<Table>() {
            Ok(table) => layers.add_file(table, problems),
            Err(error) => problems.add("configuration file", "", error.message()),
        }
    }
    layers
}

/// Both files, or none.
fn resolve_tls(layers: &Layers, problems: &mut ConfigProblems) -> Option<TlsFiles> {
    let [certificate, key] = [&layers::TLS_CERTIFICATE, &layers::TLS_KEY]
        .map(|name| (name, layers.take(name, problems, value::file)));
    for ((name, given), (other, _)) in [(&certificate, &key), (&key, &certificate)] {
        if given.is_some() && !layers.has(other) {
            let rule = format!("needs {} beside it", other.toml);
            problems.add(layers.name_of(name), "", rule);
        }
    }
    Some(TlsFiles {
        certificate: certificate.1?,
        key: key.1?,
    })
}

fn resolve_s3(layers: &Layers, problems: &mut ConfigProblems) -> S3Config {
    let listen = layers
        .take(&layers::S3, problems, value::listen_address)
        .unwrap_or(loopback(DEFAULT_S3_PORT));
    let mode = layers
        .take(&layers::S3_MODE, problems, value::s3_mode)
        .unwrap_or(S3Mode::Embedded);
    let public_read = layers.take(&layers::S3_PUBLIC_READ, problems, value::switch);
    let external = resolve_external_s3(layers, mode, problems);
    match (mode, external) {
        (S3Mode::External, Some(external)) => S3Config::External(external),
        _ => S3Config::Embedded {
            listen,
            public_read: public_read.unwrap_or(listen.ip().is_loopback()),
        },
    }
}

/// `None` in embedded mode, and when something is missing, which is then a problem.
fn resolve_external_s3(
    layers: &Layers,
    mode: S3Mode,
    problems: &mut ConfigProblems,
) -> Option<ExternalS3> {
    let endpoint = layers.take(&layers::S3_ENDPOINT, problems, value::base_url);
    let region = layers.take(&layers::S3_REGION, problems, value::s3_region);
    let path_style = layers.take(&layers::S3_PATH_STYLE, problems, value::switch);
    let source = layers.take(
        &layers::S3_CREDENTIALS,
        problems,
        value::s3_credential_source,
    );
    let access_key_id = layers.take(&layers::S3_ACCESS_KEY_ID, problems, value::access_key_id);
    let secret = layers.take(
        &layers::S3_SECRET_ACCESS_KEY,
        problems,
        value::secret_access_key,
    );
    let keys = [&layers::S3_ACCESS_KEY_ID, &layers::S3_SECRET_ACCESS_KEY];
    if mode == S3Mode::Embedded {
        let others = [
            &layers::S3_ENDPOINT,
            &layers::S3_REGION,
            &layers::S3_PATH_STYLE,
            &layers::S3_CREDENTIALS,
        ];
        for key in others.into_iter().chain(keys).filter(|key| layers.has(key)) {
            problems.add(
                layers.name_of(key),
                "",
                "is for s3.mode = \"external\" only",
            );
        }
        return None;
    }
    if layers.has(&layers::S3_PUBLIC_READ) {
        problems.add(
            layers.name_of(&layers::S3_PUBLIC_READ),
            "",
            "is for s3.mode = \"embedded\" only",
        );
    }
    let credentials = match source.unwrap_or(S3CredentialSource::Static) {
        S3CredentialSource::AwsChain => {
            for key in keys.into_iter().filter(|key| layers.has(key)) {
                problems.add(
                    layers.name_of(key),
                    "",
                    "must be absent with s3.credentials = \"aws-chain\"",
                );
            }
            ExternalS3Credentials::AwsChain
        }
        S3CredentialSource::Static => {
            for key in keys.into_iter().filter(|key| !layers.has(key)) {
                let rule =
                    "is needed for s3.mode = \"external\", unless s3.credentials = \"aws-chain\"";
                problems.add(key.toml, "", rule);
            }
            ExternalS3Credentials::Static {
                access_key_id: access_key_id?,
                secret_access_key: secret?,
            }
        }
    };
    Some(ExternalS3 {
        path_style: path_style.unwrap_or(endpoint.is_some()),
        endpoint,
        region: region.unwrap_or_else(|| REGION.to_owned()),
        credentials,
    })
}
