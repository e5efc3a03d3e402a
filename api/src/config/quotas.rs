//! `[limits.quotas]`: one whole number for each quota that is not to be what AWS documents.

use toml::Value;

use super::layers::QUOTAS_TOML;
use super::problem::ConfigProblems;
use crate::quotas::{QUOTA_MAX, Quotas};

/// The documented quotas with what the table changes.
pub(super) fn resolve(given: Option<&Value>, problems: &mut ConfigProblems) -> Quotas {
    let mut quotas = Quotas::default();
    let Some(given) = given else {
        return quotas;
    };
    let Some(table) = given.as_table() else {
        problems.add(QUOTAS_TOML, given.to_string(), "must be a table");
        return quotas;
    };
    for (name, value) in table {
        let key = format!("{QUOTAS_TOML}.{name}");
        let Some(quota) = quotas.by_name(name) else {
            problems.add(key, "", "unknown key");
            continue;
        };
        let number = value.as_integer().and_then(|n| u32::try_from(n).ok());
        match number.filter(|n| (1..=QUOTA_MAX).contains(n)) {
            Some(number) => *quota = number,
            None => problems.add(
                key,
                value.to_string(),
                format!("must be a whole number from 1 to {QUOTA_MAX}"),
            ),
        }
    }
    quotas
}
