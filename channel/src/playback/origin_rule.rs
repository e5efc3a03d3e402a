//! Web origins and the rules that allow them (RFC 6454; wildcards as IVS has them). Pure.

/// Which origins may play; without rules, all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct AllowedOrigins {
    rules: Vec<Option<OriginRule>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct OriginRule {
    /// `None` allows every origin, `null` too.
    origin: Option<HostRule>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct HostRule {
    scheme: String,
    /// With a wildcard: what the host must end with.
    host: String,
    wildcard: bool,
    port: Option<u16>,
}

impl AllowedOrigins {
    /// Reads rules: `https://a.com`, `https://a.com:8443`, `https://*.b.com`, `*`. What is none of these allows nothing,
    /// but counts as a rule.
    pub(crate) fn new<'a>(rules: impl IntoIterator<Item = &'a str>) -> Self {
        let rules = rules.into_iter().map(OriginRule::parse).collect();
        Self { rules }
    }

    /// Whether there are rules at all.
    pub(crate) fn is_restricted(&self) -> bool {
        let everything = Some(OriginRule { origin: None });
        !self.rules.is_empty() && !self.rules.contains(&everything)
    }

    /// Whether every rule could be read.
    pub(crate) fn is_readable(&self) -> bool {
        self.rules.iter().all(Option::is_some)
    }

    /// How many rules there are.
    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether the value of an Origin header is allowed.
    pub(crate) fn allow(&self, origin: &str) -> bool {
        if !self.is_restricted() {
            return true;
        }
        let Some(origin) = HostRule::parse(origin).filter(|origin| !origin.wildcard) else {
            return false;
        };
        let mut rules = self.rules.iter().flatten();
        rules.any(|rule| rule.origin.as_ref().is_none_or(|rule| rule.allows(&origin)))
    }
}

impl OriginRule {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "*" {
            return Some(Self { origin: None });
        }
        HostRule::parse(text).map(|origin| Self {
            origin: Some(origin),
        })
    }
}

impl HostRule {
    /// `scheme://host[:port]`; a slash at the end is forgiven, a path is not.
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
        let (scheme, rest) = text.split_once("://")?;
        let (host, port) = split_port(rest)?;
        let (host, wildcard) = match host.strip_prefix('*') {
            Some(suffix) => (suffix, true),
            None => (host, false),
        };
        let scheme_is_valid = !scheme.is_empty()
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        let host_is_valid = (wildcard || !host.is_empty())
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b) || !b.is_ascii());
        (scheme_is_valid && host_is_valid).then(|| Self {
            port: port.or(default_port(scheme)),
            scheme: scheme.to_owned(),
            host: host.to_owned(),
            wildcard,
        })
    }

    fn allows(&self, origin: &Self) -> bool {
        let host = if self.wildcard {
            origin.host.len() > self.host.len() && origin.host.ends_with(&self.host)
        } else {
            origin.host == self.host
        };
        host && self.scheme == origin.scheme && self.port == origin.port
    }
}

/// Takes `:port` off, minding IPv6 addresses in brackets.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let after_address = text.rfind(']').unwrap_or(0);
    match text[after_address..].find(':') {
        None => Some((text, None)),
        Some(colon) => {
            let (host, port) = text.split_at(after_address + colon);
            Some((host, Some(port[1..].parse().ok()?)))
        }
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(rule: &str, origin: &str, allowed: bool) {
        let rules = AllowedOrigins::new([rule]);
        assert_eq!(rules.allow(origin), allowed, "{rule} and {origin}");
    }

    #[test]
    fn exact_rule_allows_its_origin_alone() {
        check("https://a.com", "https://a.com", true);
        check("https://A.com/", "HTTPS://a.COM", true);
        check("https://a.com:443", "https://a.com", true);
        check("http://a.com", "http://a.com:80", true);
        check("https://a.com", "http://a.com", false);
        check("https://a.com", "https://a.com:8443", false);
        check("https://a.com:8443", "https://a.com:8443", true);
        check("https://a.com", "https://www.a.com", false);
        check("https://a.com", "https://a.com.evil.org", false);
        check("https://a.com", "null", false);
        check("http://[::1]:8080", "http://[::1]:8080", true);
        check("http://[::1]:8080", "http://[::1]", false);
    }

    #[test]
    fn wildcard_allows_every_depth_below_but_not_the_domain_itself() {
        check("https://*.b.com", "https://x.b.com", true);
        check("https://*.b.com", "https://x.y.b.com", true);
        check("https://*.b.com", "https://b.com", false);
        check("https://*.b.com", "https://evilb.com", false);
        check("https://*.b.com", "https://.b.com", false);
        check("https://*.b.com", "https://x.b.com.evil.org", false);
        check("https://*.b.com", "http://x.b.com", false);
        check("https://*", "https://any.org", true);
        check("https://*", "http://any.org", false);
        check("*", "null", true);
    }

    #[test]
    fn without_rules_everybody_is_allowed() {
        let none = AllowedOrigins::new([]);
        assert!(none.allow("https://a.com") && none.allow("null") && !none.is_restricted());
        assert!(!AllowedOrigins::new(["https://a.com", "*"]).is_restricted());
    }

    #[test]
    fn rule_that_cannot_be_read_allows_nothing() {
        for rule in [
            "",
            "a.com",
            "https://",
            "https://a.com/path",
            "https://a.*.com",
            "https://a.com:99999",
            "https://a b.com",
        ] {
            let rules = AllowedOrigins::new([rule]);
            assert!(!rules.is_readable() && rules.is_restricted(), "{rule}");
            assert!(!rules.allow("https://a.com"), "{rule}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(rule in ".{0,40}", origin in ".{0,40}") {
            AllowedOrigins::new([rule.as_str()]).allow(&origin);
        }

        #[test]
        fn a_wildcard_allows_exactly_what_lies_below(label in "[a-z]{1,8}", domain in "[a-z]{1,8}\\.[a-z]{2,3}") {
            let rules = AllowedOrigins::new([format!("https://*.{domain}").as_str()]);
            let below = format!("https://{label}.{domain}");
            prop_assert!(rules.allow(&below));
            let itself = format!("https://{domain}");
            prop_assert!(!rules.allow(&itself));
            let glued = format!("https://{label}{domain}");
            prop_assert!(!rules.allow(&glued));
        }
    }
}
