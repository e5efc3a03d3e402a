//! `rtmp://host[:port]/app/key[?query]`.

/// Port of RTMP.
const DEFAULT_PORT: u16 = 1935;

/// Where to publish. The name is a secret: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct PublishUrl {
    /// Host and port, as `connect` wants it.
    pub(super) address: String,
    pub(super) app: String,
    key: String,
    query: String,
}

/// Why a URL cannot be published to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UrlError {
    /// Another scheme, or none.
    #[error("the publish URL does not begin with rtmp://")]
    Scheme,
    /// No host, or a port that is none.
    #[error("the publish URL has no valid host and port")]
    Address,
    /// Not an application and a stream key.
    #[error("the publish URL does not end with /app/key")]
    Path,
}

impl PublishUrl {
    pub(super) fn parse(url: &str) -> Result<Self, UrlError> {
        let rest = url.strip_prefix("rtmp://").ok_or(UrlError::Scheme)?;
        let (authority, path) = rest.split_once('/').ok_or(UrlError::Path)?;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let (app, key) = path.rsplit_once('/').ok_or(UrlError::Path)?;
        if app.is_empty() || key.is_empty() {
            return Err(UrlError::Path);
        }
        let (address, app) = (address(authority)?, app.to_owned());
        Ok(Self {
            address,
            app,
            key: key.to_owned(),
            query: query.to_owned(),
        })
    }

    /// The URL of the application, as publishers announce it.
    pub(super) fn tc_url(&self) -> String {
        format!("rtmp://{}/{}", self.address, self.app)
    }

    /// Stream key and query.
    pub(super) fn name(&self) -> String {
        match self.query.as_str() {
            "" => self.key.clone(),
            query => format!("{}?{query}", self.key),
        }
    }

    /// Puts `priority` in the place of the one in the query.
    pub(super) fn set_priority(&mut self, priority: u32) {
        let others = self
            .query
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.starts_with("priority="));
        let pairs: Vec<&str> = others.collect();
        self.query = [pairs, vec![&format!("priority={priority}")]]
            .concat()
            .join("&");
    }
}

fn address(authority: &str) -> Result<String, UrlError> {
    let after_host = authority.rfind(']').map_or(0, |end| end + 1);
    let (host, port) = match authority[after_host..].rfind(':') {
        Some(colon) => {
            let (host, port) = authority.split_at(after_host + colon);
            (
                host,
                port[1..].parse::<u16>().map_err(|_| UrlError::Address)?,
            )
        }
        None => (authority, DEFAULT_PORT),
    };
    if host.is_empty() || port == 0 {
        return Err(UrlError::Address);
    }
    Ok(format!("{host}:{port}"))
}

impl std::fmt::Debug for PublishUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/***", self.tc_url())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_and_the_port_has_a_default() {
        let url = PublishUrl::parse("rtmp://127.0.0.1/app/sk_x?priority=1").unwrap();
        assert_eq!(
            (url.address.as_str(), url.app.as_str()),
            ("127.0.0.1:1935", "app")
        );
        assert_eq!(url.name(), "sk_x?priority=1");
        let url = PublishUrl::parse("rtmp://[::1]:1936/live/deep/key").unwrap();
        assert_eq!(
            (url.address.as_str(), url.app.as_str()),
            ("[::1]:1936", "live/deep")
        );
        assert_eq!(url.name(), "key");
        assert_eq!(
            PublishUrl::parse("rtmp://[::1]/a/k").unwrap().address,
            "[::1]:1935"
        );
    }

    #[test]
    fn priority_replaces_the_old_one_and_nothing_else() {
        let mut url = PublishUrl::parse("rtmp://h/app/k?a=b&priority=1").unwrap();
        url.set_priority(2);
        assert_eq!(url.name(), "k?a=b&priority=2");
        let mut url = PublishUrl::parse("rtmp://h/app/k").unwrap();
        url.set_priority(7);
        assert_eq!(url.name(), "k?priority=7");
    }

    #[test]
    fn what_cannot_be_published_to_is_refused() {
        assert_eq!(PublishUrl::parse("http://h/app/k"), Err(UrlError::Scheme));
        assert_eq!(PublishUrl::parse("rtmp://h"), Err(UrlError::Path));
        assert_eq!(PublishUrl::parse("rtmp://h/app"), Err(UrlError::Path));
        assert_eq!(PublishUrl::parse("rtmp://h/app/"), Err(UrlError::Path));
        assert_eq!(PublishUrl::parse("rtmp://:1/app/k"), Err(UrlError::Address));
        assert_eq!(
            PublishUrl::parse("rtmp://h:x/app/k"),
            Err(UrlError::Address)
        );
    }

    #[test]
    fn debug_form_hides_the_key() {
        let shown = format!("{:?}", PublishUrl::parse("rtmp://h/app/secret").unwrap());
        assert!(!shown.contains("secret"), "{shown}");
    }
}
