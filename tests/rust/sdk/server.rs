//! A server of its own for each test, and the SDK's clients.

use std::future::Future;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// How long anything may take that a test waits for.
const WAIT_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// A server on free ports, ended with the test.
pub(crate) struct Server {
    child: Child,
    http: String,
    _data: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new(binary());
        command.arg("serve").arg("--data-dir").arg(data.path());
        for flag in ["--http", "--rtmp", "--s3", "--webrtc"] {
            command.args([flag, "127.0.0.1:0"]);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let ready = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("READY ").map(str::to_owned));
        let ready: serde_json::Value = serde_json::from_str(&ready.expect("READY")).unwrap();
        Self {
            child,
            http: ready["http"].as_str().unwrap().to_owned(),
            _data: data,
        }
    }

    pub(crate) fn realtime(&self) -> aws_sdk_ivsrealtime::Client {
        let config = aws_sdk_ivsrealtime::Config::builder()
            .behavior_version_latest()
            .endpoint_url(&self.http)
            .region(aws_sdk_ivsrealtime::config::Region::new("us-east-1"))
            .credentials_provider(credentials())
            .http_client(http_client())
            .build();
        aws_sdk_ivsrealtime::Client::from_conf(config)
    }

    pub(crate) fn ivs(&self) -> aws_sdk_ivs::Client {
        let config = aws_sdk_ivs::Config::builder()
            .behavior_version_latest()
            .endpoint_url(&self.http)
            .region(aws_sdk_ivs::config::Region::new("us-east-1"))
            .credentials_provider(credentials())
            .http_client(http_client())
            .build();
        aws_sdk_ivs::Client::from_conf(config)
    }

    /// `proscenium publish` with a small picture, ended with the test.
    pub(crate) fn publish(&self, token: &str) -> Publisher {
        let mut command = Command::new(binary());
        let whip = format!("{}/whip", self.http);
        command.args(["publish", "--whip", &whip, "--token", token]);
        command.args(["--size", "320x180", "--fps", "15", "--bitrate", "200000"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Publisher(child.unwrap())
    }
}

/// A publishing participant.
pub(crate) struct Publisher(Child);

impl Drop for Publisher {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary beside this test: `make test` builds it first.
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.parent().and_then(|deps| deps.parent()).unwrap();
    let binary = target.join("proscenium");
    assert!(binary.exists(), "{} is not built", binary.display());
    binary
}

fn credentials() -> Credentials {
    Credentials::from_keys("PROSCENIUMDEV", "proscenium-development-secret", None)
}

fn http_client() -> SharedHttpClient {
    use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// Asks until there is an answer; bounded.
pub(crate) async fn wait_for<T, F: Future<Output = Option<T>>>(
    what: &str,
    ask: impl Fn() -> F,
) -> T {
    let answered = async {
        let mut poll = tokio::time::interval(POLL);
        loop {
            poll.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    tokio::time::timeout(WAIT_MAX, answered)
        .await
        .unwrap_or_else(|_| panic!("{what}: not within {WAIT_MAX:?}"))
}
