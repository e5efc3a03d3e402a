//! What S3 accepts as the name of a bucket, beyond the pattern of the models.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>

use std::net::Ipv4Addr;

use crate::error::{ApiError, ErrorKind};

/// Beginnings that S3 keeps for itself.
const RESERVED_PREFIXES: [&str; 2] = ["xn--", "sthree-"];

/// Ends that S3 keeps for itself.
const RESERVED_SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/// Knows of no bucket with a name that none can have; `path` names the member, which keeps the model's length and alphabet.
pub fn check_bucket_name(path: &str, name: &str) -> Result<(), ApiError> {
    match broken_rule(name) {
        None => Ok(()),
        Some(rule) => Err(ApiError::new(
            ErrorKind::ResourceNotFound,
            format!("`{path}`: bucket '{name}' does not exist: a bucket's name {rule}"),
        )),
    }
}

fn broken_rule(name: &str) -> Option<String> {
    let is_edge = |edge: Option<char>| edge.is_some_and(|c| c.is_ascii_alphanumeric());
    if !is_edge(name.chars().next()) || !is_edge(name.chars().next_back()) {
        return Some("must begin and end with a letter or digit".to_owned());
    }
    if name.contains("..") {
        return Some("must not contain two adjacent periods".to_owned());
    }
    if name.parse::<Ipv4Addr>().is_ok() {
        return Some("must not be an IP address".to_owned());
    }
    let prefix = RESERVED_PREFIXES.iter().find(|p| name.starts_with(**p));
    if let Some(prefix) = prefix {
        return Some(format!("must not begin with {prefix}"));
    }
    let suffix = RESERVED_SUFFIXES.iter().find(|s| name.ends_with(**s));
    suffix.map(|suffix| format!("must not end with {suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_s3_refuses_is_refused_and_the_rule_named() {
        for (name, rule) in [
            ("-ab", "begin and end"),
            ("ab.", "begin and end"),
            ("a..b", "adjacent periods"),
            ("1.2.3.4", "IP address"),
            ("xn--abc", "begin with xn--"),
            ("abc--ol-s3", "end with --ol-s3"),
        ] {
            let refused = check_bucket_name("s3.bucketName", name).unwrap_err();
            assert!(refused.message().contains(rule), "{refused}");
            assert!(refused.message().starts_with("`s3.bucketName`: bucket '"));
        }
    }

    #[test]
    fn a_name_that_s3_takes_is_taken() {
        for name in [
            "abc",
            "1.2.3",
            "1.2.3.4.5",
            "a-.b",
            "recordings.example.com",
            "256.1.1.1",
        ] {
            assert!(check_bucket_name("s3.bucketName", name).is_ok(), "{name}");
        }
    }
}
