//! Who may use the session API: the page that this server served, opened at an address of this server, and, with an admin
//! password, logged in.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use compositor_core::time::MonotonicTime;
use parking_lot::Mutex;
use rand::Rng;
use rand::distr::Alphanumeric;

use crate::config::{BaseUrl, Scheme, Secret};

const TOKEN_CHARS: usize = 43;
/// Logins that are remembered; the oldest is forgotten first.
const LOGINS_MAX: usize = 64;
/// Wrong passwords within [`ATTEMPT_WINDOW`], from anybody, before all must wait.
const ATTEMPTS_MAX: usize = 10;
const ATTEMPT_WINDOW: Duration = Duration::from_secs(60);

/// The rules of one server start; clones are the same guard.
#[derive(Clone, Debug)]
pub struct Guard(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hosts: Vec<String>,
    origins: Vec<String>,
    token: Secret,
    admin_password: Option<Secret>,
    logins: Mutex<Logins>,
}

#[derive(Debug, Default)]
struct Logins {
    cookies: VecDeque<Secret>,
    wrong: VecDeque<MonotonicTime>,
}

/// What a request shows of itself.
#[derive(Clone, Copy, Default, Debug)]
pub struct Shown<'a> {
    /// The `Host` header.
    pub host: &'a str,
    /// The `Origin` header.
    pub origin: Option<&'a str>,
    /// The `X-Session-Token` header.
    pub token: &'a str,
    /// The login cookie.
    pub cookie: Option<&'a str>,
}

/// Why a request is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The `Host` header names another server: a rebound name.
    Host,
    /// The `Origin` header names another page.
    Origin,
    /// No token, or one of another start.
    Token,
    /// The password has not been given yet.
    Login,
}

/// Why a login fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoginRefusal {
    /// Not the password.
    Wrong,
    /// Too many wrong ones lately.
    TooMany,
}

impl Guard {
    /// A guard with a fresh token for a server that listens on `bound`, speaks `scheme` there and calls itself `public_url`.
    pub fn new(
        (scheme, bound): (Scheme, SocketAddr),
        public_url: &BaseUrl,
        admin_password: Option<Secret>,
    ) -> Self {
        let port = bound.port();
        let mut hosts = vec![bound.to_string(), public_url.authority().to_owned()];
        if bound.ip().is_loopback() || bound.ip().is_unspecified() {
            hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}")));
        }
        if port == scheme.default_port() {
            let ending = format!(":{port}");
            let bare: Vec<_> = hosts
                .iter()
                .filter_map(|host| host.strip_suffix(&ending))
                .map(str::to_owned)
                .collect();
            hosts.extend(bare);
        }
        let origin = |host| format!("{}://{host}", scheme.as_str());
        let mut origins: Vec<_> = hosts.iter().map(origin).collect();
        origins.push(public_url.origin());
        let inner = Inner {
            hosts,
            origins,
            token: random_secret(),
            admin_password,
            logins: Mutex::default(),
        };
        Self(Arc::new(inner))
    }

    /// The token for the page.
    pub fn token(&self) -> &str {
        self.0.token.expose()
    }

    /// Whether a `Host` header names this server.
    pub fn host_allowed(&self, host: &str) -> bool {
        self.0
            .hosts
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(host))
    }

    /// Whether a password must be given.
    pub fn login_required(&self) -> bool {
        self.0.admin_password.is_some()
    }

    /// Whether `cookie` is one that a login was given.
    pub fn logged_in(&self, cookie: Option<&str>) -> bool {
        if !self.login_required() {
            return true;
        }
        let logins = self.0.logins.lock();
        cookie.is_some_and(|cookie| logins.cookies.iter().any(|known| known.matches(cookie)))
    }

    /// Checks everything but the login.
    pub fn check_page(&self, shown: Shown<'_>) -> Result<(), Refusal> {
        let own = |origin: &str| {
            self.0
                .origins
                .iter()
                .any(|own| own.eq_ignore_ascii_case(origin))
        };
        if !self.host_allowed(shown.host) {
            Err(Refusal::Host)
        } else if !shown.origin.is_none_or(own) {
            Err(Refusal::Origin)
        } else if !self.0.token.matches(shown.token) {
            Err(Refusal::Token)
        } else {
            Ok(())
        }
    }

    /// Checks everything.
    pub fn check(&self, shown: Shown<'_>) -> Result<(), Refusal> {
        self.check_page(shown)?;
        if self.logged_in(shown.cookie) {
            Ok(())
        } else {
            Err(Refusal::Login)
        }
    }

    /// Exchanges the password for a cookie value.
    pub fn login(&self, now: MonotonicTime, password: &str) -> Result<Secret, LoginRefusal> {
        let mut logins = self.0.logins.lock();
        while logins
            .wrong
            .front()
            .is_some_and(|&then| now.since(then) >= ATTEMPT_WINDOW)
        {
            logins.wrong.pop_front();
        }
        if logins.wrong.len() >= ATTEMPTS_MAX {
            return Err(LoginRefusal::TooMany);
        }
        if !self
            .0
            .admin_password
            .as_ref()
            .is_some_and(|known| known.matches(password))
        {
            logins.wrong.push_back(now);
            return Err(LoginRefusal::Wrong);
        }
        if logins.cookies.len() >= LOGINS_MAX {
            logins.cookies.pop_front();
        }
        let cookie = random_secret();
        logins.cookies.push_back(cookie.clone());
        Ok(cookie)
    }
}

fn random_secret() -> Secret {
    let secret: String = rand::rng()
        .sample_iter(&Alphanumeric)
        .take(TOKEN_CHARS)
        .map(char::from)
        .collect();
    Secret::new(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(password: Option<&str>) -> Guard {
        let url = BaseUrl::parse("https://stage.example.com").unwrap();
        Guard::new(
            (Scheme::Http, "127.0.0.1:8080".parse().unwrap()),
            &url,
            password.map(Secret::new),
        )
    }

    #[test]
    fn the_own_page_passes_under_each_of_its_names() {
        let guard = guard(None);
        let token = guard.token().to_owned();
        for (host, origin) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("localhost:8080", "http://localhost:8080"),
            ("stage.example.com", "https://stage.example.com"),
        ] {
            let shown = Shown {
                host,
                origin: Some(origin),
                token: &token,
                cookie: None,
            };
            assert_eq!(guard.check(shown), Ok(()));
            assert_eq!(
                guard.check(Shown {
                    origin: None,
                    ..shown
                }),
                Ok(())
            );
        }
    }

    #[test]
    fn rebound_names_other_pages_and_other_tokens_are_refused() {
        let guard = guard(None);
        let token = guard.token().to_owned();
        let good = Shown {
            host: "127.0.0.1:8080",
            origin: None,
            token: &token,
            cookie: None,
        };
        for host in ["", "evil.example:8080", "127.0.0.1", "127.0.0.1:9000"] {
            assert_eq!(
                guard.check(Shown { host, ..good }),
                Err(Refusal::Host),
                "{host}"
            );
        }
        for origin in [
            "null",
            "http://evil.example",
            "http://127.0.0.1:9000",
            "https://127.0.0.1:8080",
        ] {
            assert_eq!(
                guard.check(Shown {
                    origin: Some(origin),
                    ..good
                }),
                Err(Refusal::Origin),
                "{origin}"
            );
        }
        assert_eq!(
            guard.check(Shown { token: "", ..good }),
            Err(Refusal::Token)
        );
        let other = super::tests::guard(None);
        assert_eq!(other.check(good), Err(Refusal::Token));
    }

    #[test]
    fn with_a_password_only_a_login_opens() {
        let guard = guard(Some("open sesame"));
        let token = guard.token().to_owned();
        let shown = Shown {
            host: "localhost:8080",
            origin: None,
            token: &token,
            cookie: None,
        };
        assert_eq!(guard.check(shown), Err(Refusal::Login));
        assert_eq!(
            guard.check(Shown {
                cookie: Some("guess"),
                ..shown
            }),
            Err(Refusal::Login)
        );
        let cookie = guard.login(MonotonicTime(0), "open sesame").unwrap();
        assert_eq!(
            guard.check(Shown {
                cookie: Some(cookie.expose()),
                ..shown
            }),
            Ok(())
        );
    }

    #[test]
    fn ten_wrong_passwords_close_the_door_for_a_minute() {
        let guard = guard(Some("open sesame"));
        for _ in 0..ATTEMPTS_MAX {
            assert_eq!(
                guard.login(MonotonicTime(5), "guess").unwrap_err(),
                LoginRefusal::Wrong
            );
        }
        let minute = MonotonicTime(5).plus(ATTEMPT_WINDOW);
        let refused = guard.login(MonotonicTime(minute.0 - 1), "open sesame");
        assert_eq!(refused.unwrap_err(), LoginRefusal::TooMany);
        guard.login(minute, "open sesame").unwrap();
    }

    #[test]
    fn logins_are_bounded_and_the_oldest_goes_first() {
        let guard = guard(Some("open sesame"));
        let first = guard.login(MonotonicTime(0), "open sesame").unwrap();
        for _ in 0..LOGINS_MAX {
            guard.login(MonotonicTime(0), "open sesame").unwrap();
        }
        assert!(!guard.logged_in(Some(first.expose())));
    }
}
