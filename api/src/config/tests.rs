//! What a configuration means, and what refuses to start.

use std::ffi::OsString;

use super::{
    ACCOUNT, Config, ConfigProblems, ExternalS3Credentials, Flags, Retention, S3Config, Secret,
    Sources, config_file,
};
use crate::event::DetailType;

fn env(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)))
        .collect()
}

fn from_file(file: &str) -> Result<Config, ConfigProblems> {
    Config::from_sources(&Sources {
        file: Some(file.to_owned()),
        ..Sources::default()
    })
}

#[track_caller]
fn refused(sources: &Sources, expected: &[&str]) {
    let problems = Config::from_sources(sources).expect_err("the configuration is wrong");
    let mut found: Vec<_> = problems
        .problems()
        .iter()
        .map(ToString::to_string)
        .collect();
    found.sort();
    let mut expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
    expected.sort();
    assert_eq!(found, expected);
}

#[track_caller]
fn file_refused(file: &str, expected: &[&str]) {
    refused(
        &Sources {
            file: Some(file.to_owned()),
            ..Sources::default()
        },
        expected,
    );
}

#[test]
fn nothing_given_means_the_documented_defaults() {
    let config = Config::from_sources(&Sources::default()).unwrap();
    assert_eq!(config.http.to_string(), "127.0.0.1:8080");
    assert_eq!(config.rtmp.to_string(), "127.0.0.1:1935");
    assert_eq!(config.webrtc.to_string(), "127.0.0.1:8189");
    assert_eq!(config.data_dir.to_str(), Some("./data"));
    assert_eq!(config.public_url, None);
    let S3Config::Embedded {
        listen,
        public_read,
    } = config.s3
    else {
        panic!("embedded by default")
    };
    assert_eq!(
        (listen.to_string().as_str(), public_read),
        ("127.0.0.1:9000", true)
    );
    assert_eq!(config.credentials.len(), 1);
    assert_eq!(config.credentials[0].access_key_id, "PROSCENIUMDEV");
    assert_eq!(
        config.credentials[0].secret_access_key,
        Secret::new("proscenium-development-secret")
    );
    assert_eq!(config.credentials[0].account, "123456789012");
}

#[test]
fn flag_beats_environment_beats_file() {
    let mut sources = Sources {
        flags: Flags {
            http: Some("127.0.0.1:1".to_owned()),
            ..Flags::default()
        },
        env: env(&[("PROSCENIUM_HTTP", "127.0.0.1:2"), ("PATH", "/bin")]),
        file: Some("http = \"127.0.0.1:3\"\nrtmp = \"127.0.0.1:4\"".to_owned()),
    };
    let config = Config::from_sources(&sources).unwrap();
    assert_eq!((config.http.port(), config.rtmp.port()), (1, 4));
    sources.flags.http = None;
    assert_eq!(Config::from_sources(&sources).unwrap().http.port(), 2);
    sources.env.clear();
    assert_eq!(Config::from_sources(&sources).unwrap().http.port(), 3);
}

#[test]
fn all_problems_of_all_layers_are_listed_at_once() {
    let sources = Sources {
        flags: Flags {
            http: Some("nowhere".to_owned()),
            ..Flags::default()
        },
        env: env(&[
            ("PROSCENIUM_RTMP", "1935"),
            ("PROSCENIUM_HTPP", "127.0.0.1:1"),
            ("PROSCENIUM_S3_MODE", "none"),
            ("PROSCENIUM_ADMIN_PASSWORD", "short"),
        ]),
        file: Some("http = 8080\ncolour = \"red\"\n[s3]\nbucket = \"x\"\n".to_owned()),
    };
    let address = "must be an address and a port like 127.0.0.1:8080 (port 0: any free one)";
    refused(
        &sources,
        &[
            &format!("--http = \"nowhere\": {address}"),
            "http = 8080: must be text, not integer",
            &format!("PROSCENIUM_RTMP = \"1935\": {address}"),
            "PROSCENIUM_HTPP: unknown variable; variables that begin with PROSCENIUM_ are settings",
            "PROSCENIUM_S3_MODE = \"none\": must be embedded or external",
            "PROSCENIUM_ADMIN_PASSWORD = (hidden): must have at least 8 characters",
            "colour: unknown key",
            "s3.bucket: unknown key",
        ],
    );
}

#[test]
fn a_broken_value_in_the_file_refuses_although_a_flag_overrides_it() {
    let sources = Sources {
        flags: Flags {
            http: Some("127.0.0.1:0".to_owned()),
            ..Flags::default()
        },
        file: Some("http = \"x\"".to_owned()),
        ..Sources::default()
    };
    assert_eq!(
        Config::from_sources(&sources).unwrap_err().problems().len(),
        1
    );
}

#[test]
fn a_file_that_is_no_toml_is_one_problem() {
    let problems = from_file("http = ").unwrap_err();
    assert_eq!(problems.problems().len(), 1);
    assert_eq!(problems.problems()[0].key, "configuration file");
}

#[test]
fn the_s3_address_has_a_short_and_a_long_spelling() {
    for file in ["s3 = \"127.0.0.1:7\"", "[s3]\nlisten = \"127.0.0.1:7\""] {
        let S3Config::Embedded { listen, .. } = from_file(file).unwrap().s3 else {
            panic!("embedded")
        };
        assert_eq!(listen.port(), 7);
    }
}

const LOOPBACK_RULE: &str = "must be a loopback address while the development key is enabled; to listen elsewhere set \
                             development_key = false and configure [[credentials]]";

#[test]
fn the_development_key_refuses_every_listener_beyond_loopback() {
    file_refused(
        "http = \"0.0.0.0:8080\"\ns3 = \"192.0.2.2:9000\"",
        &[
            &format!("http = 0.0.0.0:8080: {LOOPBACK_RULE}"),
            &format!("s3 = 192.0.2.2:9000: {LOOPBACK_RULE}"),
        ],
    );
    file_refused(
        "http = \"[::]:0\"",
        &[&format!("http = [::]:0: {LOOPBACK_RULE}")],
    );
    from_file("http = \"[::1]:0\"\ns3 = \"127.9.9.9:0\"").unwrap();
    from_file("rtmp = \"0.0.0.0:1935\"\nwebrtc = \"0.0.0.0:8189\"").unwrap();
}

#[test]
fn configured_keys_beside_the_development_key_do_not_open_other_listeners() {
    let file = "http = \"0.0.0.0:1\"\n[[credentials]]\naccess_key_id = \"KEY\"\nsecret_access_key = \"secret-secret\"";
    file_refused(file, &[&format!("http = 0.0.0.0:1: {LOOPBACK_RULE}")]);
}

#[test]
fn without_the_development_key_configured_keys_open_any_listener() {
    let file = "http = \"0.0.0.0:1\"\ns3 = \"0.0.0.0:2\"\ndevelopment_key = false\n[[credentials]]\n\
                access_key_id = \"KEY\"\nsecret_access_key = \"secret-secret\"\naccount = \"210987654321\"";
    let config = from_file(file).unwrap();
    assert_eq!(config.credentials.len(), 1);
    assert_eq!(config.credentials[0].account, "210987654321");
    assert!(!config.session_api_allowed());
    let S3Config::Embedded { public_read, .. } = config.s3 else {
        panic!("embedded")
    };
    assert!(!public_read);
    file_refused(
        "development_key = false",
        &[
            "development_key = false: without the development key at least one [[credentials]] entry is needed",
        ],
    );
}

#[test]
fn an_external_s3_frees_the_s3_address_from_the_loopback_rule() {
    let file = "s3 = { listen = \"0.0.0.0:1\", mode = \"external\", credentials = \"aws-chain\" }";
    let S3Config::External(external) = from_file(file).unwrap().s3 else {
        panic!("external")
    };
    assert!(matches!(
        external.credentials,
        ExternalS3Credentials::AwsChain
    ));
    assert_eq!((external.endpoint, external.path_style), (None, false));
    assert_eq!(external.region, "us-east-1");
}

#[test]
fn an_external_s3_needs_its_key_unless_the_aws_chain_gives_one() {
    let rule = "is needed for s3.mode = \"external\", unless s3.credentials = \"aws-chain\"";
    file_refused(
        "[s3]\nmode = \"external\"\nendpoint = \"http://127.0.0.1:9001\"",
        &[
            &format!("s3.access_key_id: {rule}"),
            &format!("s3.secret_access_key: {rule}"),
        ],
    );
    file_refused(
        "[s3]\nmode = \"external\"\ncredentials = \"aws-chain\"\naccess_key_id = \"KEY\"",
        &["s3.access_key_id: must be absent with s3.credentials = \"aws-chain\""],
    );
    let sources = Sources {
        env: env(&[
            ("PROSCENIUM_S3_MODE", "external"),
            ("PROSCENIUM_S3_ENDPOINT", "http://127.0.0.1:9001/"),
            ("PROSCENIUM_S3_ACCESS_KEY_ID", "KEY"),
            ("PROSCENIUM_S3_SECRET_ACCESS_KEY", "secret-secret"),
            ("AWS_SECRET_ACCESS_KEY", "ignored"),
        ]),
        ..Sources::default()
    };
    let S3Config::External(external) = Config::from_sources(&sources).unwrap().s3 else {
        panic!("external")
    };
    assert!(external.path_style);
    assert_eq!(external.endpoint.unwrap().as_str(), "http://127.0.0.1:9001");
}

#[test]
fn keys_of_an_external_s3_are_refused_in_embedded_mode() {
    file_refused(
        "[s3]\nregion = \"eu-west-1\"",
        &["s3.region: is for s3.mode = \"external\" only"],
    );
}

#[test]
fn wrong_credentials_name_entry_and_rule_but_never_the_secret() {
    file_refused(
        "[[credentials]]\naccess_key_id = \"PROSCENIUMDEV\"\nsecret_access_key = \"longenough\"\n\
         [[credentials]]\nsecret_access_key = \"tiny\"\nrole = \"x\"\n\
         [[credentials]]\naccess_key_id = \"A B\"\nsecret_access_key = \"longenough\"\naccount = \"12\"",
        &[
            "credentials[0].access_key_id = PROSCENIUMDEV: is the name of the development key",
            "credentials[1].role: unknown key",
            "credentials[1].access_key_id: is missing",
            "credentials[1].secret_access_key = (hidden): must be 8 to 256 visible ASCII characters",
            "credentials[2].access_key_id = \"A B\": must be 3 to 128 letters, digits or underscores",
            "credentials[2].account = \"12\": must be 12 digits",
        ],
    );
}

#[test]
fn debug_of_a_configuration_shows_no_secret() {
    let file = "admin_password = \"open sesame\"\nmetrics_token = \"scrape-scrape-scrape\"\n[[credentials]]\naccess_key_id = \"KEY\"\n\
                secret_access_key = \"do-not-show\"";
    let shown = format!("{:?}", from_file(file).unwrap());
    for secret in [
        "open sesame",
        "scrape-scrape-scrape",
        "do-not-show",
        "proscenium-development-secret",
    ] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

#[test]
fn the_config_flag_beats_its_variable() {
    let env = env(&[("PROSCENIUM_CONFIG", "b.toml")]);
    assert_eq!(config_file(None, &env).unwrap().to_str(), Some("b.toml"));
    assert_eq!(
        config_file(Some("a.toml".into()), &env).unwrap().to_str(),
        Some("a.toml")
    );
    assert!(
        Config::from_sources(&Sources {
            env,
            ..Sources::default()
        })
        .is_ok()
    );
}

#[test]
fn quotas_are_the_documented_ones_unless_the_file_says_otherwise() {
    let config =
        from_file("[limits.quotas]\nstages = 20000\ncompositions_per_stage = 1\n").unwrap();
    assert_eq!(config.quotas.stages, 20_000);
    assert_eq!(config.quotas.compositions_per_stage, 1);
    assert_eq!(config.quotas.channels, 5000);
    file_refused(
        "[limits.quotas]\nrooms = 1\nstages = 0\nchannels = \"many\"\n",
        &[
            "limits.quotas.rooms: unknown key",
            "limits.quotas.stages = 0: must be a whole number from 1 to 1000000000",
            "limits.quotas.channels = \"many\": must be a whole number from 1 to 1000000000",
        ],
    );
    file_refused(
        "[limits]\nquotas = 3\n",
        &["limits.quotas = 3: must be a table"],
    );
    assert_eq!(config.cpu_percent, 90);
    let config = from_file("[limits]\ncpu_percent = 250\n").unwrap();
    assert_eq!(config.cpu_percent, 250);
    file_refused(
        "[limits]\ncpu_percent = 0\n",
        &["limits.cpu_percent = 0: must be a whole number from 1 to 1000"],
    );
    file_refused("[limits]\nother = 3\n", &["limits.other: unknown key"]);
}

#[test]
fn a_credential_may_be_temporary_and_may_allow_less() {
    let config = from_file(
        r#"
        limits.profile = "aws"
        [[credentials]]
        access_key_id = "ASIAEXAMPLE"
        secret_access_key = "secret-secret"
        session_token = "token-token"
        account = "111122223333"
        allow = [{ actions = ["ivs:Get*"], resources = ["arn:aws:ivs:*:*:stage/*"] }]
        "#,
    )
    .unwrap();
    assert_eq!(config.limits_profile, super::LimitsProfile::Aws);
    let key = &config.credentials[0];
    assert!(key.session_token.as_ref().unwrap().matches("token-token"));
    let stage = "arn:aws:ivs:us-east-1:111122223333:stage/a";
    assert!(key.policy.allows("ivs:GetStage", stage));
    assert!(!key.policy.allows("ivs:DeleteStage", stage));
}

#[test]
fn a_policy_that_cannot_be_meant_refuses_to_start() {
    for allow in [
        "5",
        "[{ actions = [\"ivs:*\"] }]",
        "[{ actions = [], resources = [\"*\"] }]",
    ] {
        let file = format!(
            "[[credentials]]\naccess_key_id = \"KEYKEYKEY\"\nsecret_access_key = \"secret-secret\"\nallow = {allow}"
        );
        let problems = from_file(&file).expect_err(allow);
        let problem = problems.problems()[0].to_string();
        assert!(problem.contains("credentials[0].allow"), "{problem}");
        assert!(problem.contains("must be a list of tables"), "{problem}");
    }
}

#[test]
fn a_store_has_a_url_that_is_never_shown() {
    let config = from_file("[store]\nurl = 'postgres://me:hunter2@db/stages'").unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    assert_eq!(
        config.store.unwrap().to_string(),
        "postgres://db:5432/stages"
    );
    let problems = from_file("[store]\nurl = 'mysql://me:hunter2@db/stages'").unwrap_err();
    assert!(problems.to_string().contains("store.url"));
    assert!(!problems.to_string().contains("hunter2"));
}

#[test]
fn stage_sessions_are_kept_for_days_that_can_be_set() {
    assert_eq!(from_file("").unwrap().stage_history_days, 60);
    let config = from_file("[journal]\nkeep_hours = 48").unwrap();
    assert_eq!(config.journal_keep_hours, 48);
    assert_eq!(from_file("").unwrap().journal_keep_hours, 0);
    let config = from_file("[stages]\nkeep_days = 3").unwrap();
    assert_eq!(config.stage_history_days, 3);
    let problems = from_file("[stages]\nkeep_days = 0").unwrap_err();
    assert!(problems.to_string().contains("stages.keep_days"));
}

#[test]
fn webhooks_and_retention_are_read_and_every_mistake_is_listed() {
    let config = from_file(
        "[events]\nkeep_days = 3\n[[webhooks]]\nurl = 'https://h/p?token=hunter2'\nsecret = 'abcdefgh'\n\
         detail_types = ['IVS Stage Update']",
    )
    .unwrap();
    assert_eq!(
        config.events,
        Retention {
            days: 3,
            ..Retention::default()
        }
    );
    assert_eq!(config.webhooks[0].account, ACCOUNT);
    assert_eq!(
        config.webhooks[0].detail_types,
        Some(vec![DetailType::StageUpdate])
    );
    let shown = format!("{config:?}");
    assert!(
        !shown.contains("hunter2") && !shown.contains("abcdefgh"),
        "{shown}"
    );
    let problems = from_file(
        "[events]\nkeep_max = 0\n[[webhooks]]\nurl = 'ftp://h'\nsecret = 'short'\ndetail_types = ['Stage']\nx = 1",
    )
    .unwrap_err()
    .to_string();
    for name in [
        "events.keep_max",
        "webhooks[0].url",
        "webhooks[0].secret",
        "webhooks[0].detail_types",
        "webhooks[0].x",
    ] {
        assert!(problems.contains(name), "{name}: {problems}");
    }
}

#[test]
fn spools_and_external_channels_are_read_and_every_mistake_is_listed() {
    let arn = "arn:aws:ivs:us-east-1:123456789012:channel/AbCdEfGhIjKl";
    let config = from_file(&format!(
        "[spool]\nmax_mib = 2\n[[external_channels]]\narn = '{arn}'\nurl = 'rtmp://h:19350/app/hunter2'"
    ))
    .unwrap();
    assert_eq!(config.spool_bytes_max, 2 << 20);
    assert_eq!(
        config.external_channels[arn].expose(),
        "rtmp://h:19350/app/hunter2"
    );
    assert!(!format!("{config:?}").contains("hunter2"));
    let defaults = from_file("").unwrap();
    assert_eq!(defaults.spool_bytes_max, recorder::limits::SPOOL_BYTES_MAX);
    let problems = from_file(&format!(
        "[spool]\nmax_mib = 0\n[[external_channels]]\narn = 'arn:aws:ivs:us-east-1:123456789012:stage/AbCdEfGhIjKl'\n\
         url = 'http://h/app/hunter2'\nx = 1\n\
         [[external_channels]]\narn = '{arn}'\nurl = 'rtmp://h/app/k'\n\
         [[external_channels]]\narn = '{arn}'\nurl = 'rtmp://h/app/k'"
    ))
    .unwrap_err()
    .to_string();
    for name in [
        "spool.max_mib",
        "external_channels[0].arn",
        "external_channels[0].url",
        "external_channels[0].x",
        "external_channels[2]",
    ] {
        assert!(problems.contains(name), "{name}: {problems}");
    }
    assert!(!problems.contains("hunter2"), "{problems}");
}

#[test]
fn tls_needs_both_files() {
    let files = "[tls]\ncertificate = \"a.pem\"\nkey = \"b.pem\"\n";
    let config = from_file(files).unwrap();
    assert_eq!(config.scheme().as_str(), "https");
    let files = config.tls.unwrap();
    assert_eq!(files.key.to_str(), Some("b.pem"));
    let without = Config::from_sources(&Sources::default()).unwrap();
    assert_eq!(without.scheme().as_str(), "http");
    file_refused(
        "[tls]\ncertificate = \"a.pem\"\n",
        &["tls.certificate: needs tls.key beside it"],
    );
    let env = env(&[("PROSCENIUM_TLS_KEY", "b.pem")]);
    refused(
        &Sources {
            env,
            ..Sources::default()
        },
        &["PROSCENIUM_TLS_KEY: needs tls.certificate beside it"],
    );
}
