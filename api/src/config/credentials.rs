//! Access keys: who they act for, and what they may do.

use std::net::SocketAddr;

use toml::{Table, Value};

use super::layers::{self, Layers};
use super::problem::ConfigProblems;
use super::{
    ACCOUNT, ApiCredential, DEVELOPMENT_ACCESS_KEY_ID, DEVELOPMENT_SECRET_ACCESS_KEY, S3Config,
    Secret, value,
};
use crate::access::Policy;

/// More configured keys than this are surely a mistake.
const CREDENTIALS_MAX: usize = 100;

/// Configured keys, and the development key while everything that would accept it listens on loopback.
pub(super) fn resolve(
    layers: &Layers,
    http: SocketAddr,
    s3: &S3Config,
    problems: &mut ConfigProblems,
) -> Vec<ApiCredential> {
    let mut credentials = configured_credentials(layers.credentials.as_ref(), problems);
    let enabled = layers
        .take(&layers::DEVELOPMENT_KEY, problems, value::switch)
        .unwrap_or(true);
    if enabled {
        let s3_listen = match s3 {
            S3Config::Embedded { listen, .. } => Some(*listen),
            S3Config::External(_) => None,
        };
        let listeners = [(&layers::HTTP, Some(http)), (&layers::S3, s3_listen)];
        for (key, address) in listeners {
            if let Some(address) = address.filter(|address| !address.ip().is_loopback()) {
                let rule = "must be a loopback address while the development key is enabled; to listen elsewhere \
                            set development_key = false and configure [[credentials]]";
                problems.add(layers.name_of(key), address.to_string(), rule);
            }
        }
        credentials.push(ApiCredential {
            access_key_id: DEVELOPMENT_ACCESS_KEY_ID.to_owned(),
            secret_access_key: Secret::new(DEVELOPMENT_SECRET_ACCESS_KEY),
            session_token: None,
            account: ACCOUNT.to_owned(),
            policy: Policy::everything(),
        });
    } else if layers.credentials.is_none() {
        let rule = "without the development key at least one [[credentials]] entry is needed";
        problems.add(layers.name_of(&layers::DEVELOPMENT_KEY), "false", rule);
    }
    credentials
}

fn configured_credentials(
    given: Option<&Value>,
    problems: &mut ConfigProblems,
) -> Vec<ApiCredential> {
    let Some(given) = given else {
        return Vec::new();
    };
    let tables = given
        .as_array()
        .filter(|tables| (1..=CREDENTIALS_MAX).contains(&tables.len()));
    let Some(tables) = tables else {
        problems.add(
            "credentials",
            "",
            format!("must be 1 to {CREDENTIALS_MAX} [[credentials]] tables"),
        );
        return Vec::new();
    };
    let mut credentials: Vec<ApiCredential> = Vec::new();
    for (index, table) in tables.iter().enumerate() {
        let name = format!("credentials[{index}]");
        let Some(credential) = configured_credential(&name, table, problems) else {
            continue;
        };
        let reserved = credential.access_key_id == DEVELOPMENT_ACCESS_KEY_ID;
        let twice = credentials
            .iter()
            .any(|other| other.access_key_id == credential.access_key_id);
        if reserved || twice {
            let rule = if reserved {
                "is the name of the development key"
            } else {
                "is there twice"
            };
            problems.add(
                format!("{name}.access_key_id"),
                credential.access_key_id,
                rule,
            );
        } else {
            credentials.push(credential);
        }
    }
    credentials
}

fn configured_credential(
    name: &str,
    table: &Value,
    problems: &mut ConfigProblems,
) -> Option<ApiCredential> {
    const KNOWN: [&str; 5] = [
        "access_key_id",
        "secret_access_key",
        "session_token",
        "account",
        "allow",
    ];
    let Some(table) = table.as_table() else {
        problems.add(
            name,
            "",
            "must be a table with access_key_id and secret_access_key",
        );
        return None;
    };
    for unknown in table.keys().filter(|key| !KNOWN.contains(&key.as_str())) {
        problems.add(format!("{name}.{unknown}"), "", "unknown key");
    }
    let access_key_id = required(name, table, "access_key_id", problems, value::access_key_id);
    let secret_access_key = required(
        name,
        table,
        "secret_access_key",
        problems,
        value::secret_access_key,
    );
    let account = match table.get("account") {
        None => Some(ACCOUNT.to_owned()),
        Some(_) => required(name, table, "account", problems, value::account),
    };
    let session_token = match table.get("session_token") {
        None => Some(None),
        Some(_) => required(name, table, "session_token", problems, value::session_token).map(Some),
    };
    let policy = match table.get("allow") {
        None => Some(Policy::everything()),
        Some(_) => required(name, table, "allow", problems, value::policy),
    };
    Some(ApiCredential {
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
        session_token: session_token?,
        account: account?,
        policy: policy?,
    })
}

fn required<T>(
    name: &str,
    table: &Table,
    key: &str,
    problems: &mut ConfigProblems,
    parse: impl Fn(&Value) -> Result<T, String>,
) -> Option<T> {
    let name = format!("{name}.{key}");
    let Some(given) = table.get(key) else {
        problems.add(name, "", "is missing");
        return None;
    };
    match parse(given) {
        Ok(value) => Some(value),
        Err(rule) => {
            let secret = ["secret_access_key", "session_token"].contains(&key);
            problems.add(
                name,
                if secret {
                    "(hidden)".to_owned()
                } else {
                    given.to_string()
                },
                rule,
            );
            None
        }
    }
}
