//! Where the server can be reached: the READY line and `endpoints.json`, on which other programs rely.

use std::net::SocketAddr;

use serde::Serialize;

use crate::config::{BaseUrl, Config, S3Config, Scheme};
use crate::data_dir::{DataDir, DataDirError};

/// The file inside the data folder.
pub const ENDPOINTS_FILE: &str = "endpoints.json";

/// The port that RTMP clients take when none is named.
const RTMP_PORT: u16 = 1935;

/// All addresses, with the real ports.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Endpoints {
    /// `endpoint_url` of the SDKs: API, WHIP and playback.
    pub http: String,
    /// Base for publishers: `<rtmp>/<stream key>`.
    pub rtmp: String,
    /// `endpoint_url` of S3 clients, embedded or external.
    pub s3: String,
    /// The UDP and TCP address of WebRTC.
    pub webrtc: String,
    /// The page.
    pub page: String,
}

/// The addresses that were really bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bound {
    /// HTTP.
    pub http: SocketAddr,
    /// RTMP.
    pub rtmp: SocketAddr,
    /// The embedded S3 server, if it runs.
    pub s3: Option<SocketAddr>,
    /// WebRTC.
    pub webrtc: SocketAddr,
}

impl Endpoints {
    /// What to tell others about `bound`.
    pub fn new(config: &Config, bound: Bound) -> Self {
        let http = BaseUrl::of_listener(config.scheme(), reachable(bound.http));
        let s3 = match (&config.s3, bound.s3) {
            (S3Config::External(external), _) => match &external.endpoint {
                Some(endpoint) => endpoint.to_string(),
                None => format!("https://s3.{}.amazonaws.com", external.region),
            },
            (S3Config::Embedded { listen, .. }, bound) => {
                let address = reachable(bound.unwrap_or(*listen));
                BaseUrl::of_listener(Scheme::Http, address).to_string()
            }
        };
        Self {
            rtmp: format!("rtmp://{}/app", reachable(bound.rtmp)),
            s3,
            webrtc: bound.webrtc.to_string(),
            page: format!("{}/", public_url(config, bound.http)),
            http: http.to_string(),
        }
    }

    /// The line for standard output.
    pub fn ready_line(&self) -> String {
        format!("READY {}", self.json())
    }

    /// Writes `endpoints.json`.
    pub fn write(&self, data_dir: &DataDir) -> Result<(), DataDirError> {
        data_dir.write_atomically(ENDPOINTS_FILE, format!("{}\n", self.json()).as_bytes())
    }

    fn json(&self) -> String {
        serde_json::to_string(self).expect("five strings are always JSON")
    }
}

/// The configured public URL, or the one of the bound HTTP address.
pub fn public_url(config: &Config, http: SocketAddr) -> BaseUrl {
    config
        .public_url
        .clone()
        .unwrap_or_else(|| BaseUrl::of_listener(config.scheme(), reachable(http)))
}

/// Where publishers are told to go: the host of the public URL, and `:port` unless it is 1935.
pub fn ingest_endpoint(rtmp: SocketAddr, public_url: &BaseUrl) -> String {
    let host = public_url.host();
    match rtmp.port() {
        RTMP_PORT => host.to_owned(),
        port => format!("{host}:{port}"),
    }
}

/// An address that a client on this machine can connect to: "every interface" becomes loopback.
pub fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        std::net::IpAddr::V4(ip) if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        std::net::IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

#[cfg(test)]
mod tests {
    use crate::config::Sources;

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_ready_line_is_one_line_of_json_with_real_ports() {
        let config = Config::from_sources(&Sources::default()).unwrap();
        let bound = Bound {
            http: address("127.0.0.1:41001"),
            rtmp: address("0.0.0.0:41002"),
            s3: Some(address("127.0.0.1:41003")),
            webrtc: address("127.0.0.1:41004"),
        };
        assert_eq!(
            Endpoints::new(&config, bound).ready_line(),
            "READY {\"http\":\"http://127.0.0.1:41001\",\"rtmp\":\"rtmp://127.0.0.1:41002/app\",\
             \"s3\":\"http://127.0.0.1:41003\",\"webrtc\":\"127.0.0.1:41004\",\"page\":\"http://127.0.0.1:41001/\"}"
        );
    }

    #[test]
    fn a_configured_public_url_wins_for_the_page() {
        let file = Some("public_url = \"https://stage.example.com\"".to_owned());
        let config = Config::from_sources(&Sources {
            file,
            ..Sources::default()
        })
        .unwrap();
        assert_eq!(
            public_url(&config, address("127.0.0.1:1")).as_str(),
            "https://stage.example.com"
        );
    }

    #[test]
    fn publishers_are_told_the_host_and_only_an_unusual_port() {
        let told = |rtmp, url| ingest_endpoint(address(rtmp), &BaseUrl::parse(url).unwrap());
        assert_eq!(told("127.0.0.1:1935", "http://127.0.0.1:8080"), "127.0.0.1");
        assert_eq!(
            told("127.0.0.1:41", "http://127.0.0.1:8080"),
            "127.0.0.1:41"
        );
        assert_eq!(told("[::1]:41", "http://[::1]:8080"), "[::1]:41");
        assert_eq!(
            told("0.0.0.0:1935", "https://stage.example.com/x"),
            "stage.example.com"
        );
    }
}
