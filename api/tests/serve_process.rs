//! The binary as a process: READY line, endpoints file, refusals, signals.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What the issue allows a drain; nothing runs here, so it is far from needed.
const EXIT_LIMIT: Duration = Duration::from_secs(10);

/// Killed when a test ends early.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already in most tests.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn proscenium(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_proscenium"));
    command.arg("serve").arg("--data-dir").arg(data_dir);
    for flag in ["--http", "--rtmp", "--s3", "--webrtc"] {
        command.args([flag, "127.0.0.1:0"]);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A server that said READY, and the line that it said.
fn ready(data_dir: &Path) -> (Server, String) {
    let mut server = Server(proscenium(data_dir).stderr(Stdio::null()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    (server, line)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the bounded wait for a condition: a child's exit can only be polled with a deadline"
)]
fn exit_of(server: &mut Server) -> ExitStatus {
    let deadline = Instant::now() + EXIT_LIMIT;
    loop {
        if let Some(status) = server.0.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "the server does not exit");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(server: &Server, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(server.0.id()).unwrap()), signal).unwrap();
}

fn refused(mut command: Command) -> (Option<i32>, String) {
    let mut server = Server(command.spawn().unwrap());
    let status = exit_of(&mut server);
    let mut said = String::new();
    server
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    (status.code(), said)
}

#[test]
fn ready_says_what_the_endpoints_file_says() {
    let temp = tempfile::tempdir().unwrap();
    let (server, line) = ready(temp.path());
    let said: serde_json::Value =
        serde_json::from_str(line.strip_prefix("READY ").unwrap()).unwrap();
    let file = std::fs::read_to_string(temp.path().join("endpoints.json")).unwrap();
    assert_eq!(
        said,
        serde_json::from_str::<serde_json::Value>(&file).unwrap()
    );
    for name in ["http", "rtmp", "s3", "webrtc", "page"] {
        let value = said[name].as_str().unwrap();
        assert!(
            value.contains("127.0.0.1:") && !value.contains(":0/") && !value.ends_with(":0"),
            "{name} {value}"
        );
    }
    assert_eq!(
        said["page"].as_str().unwrap(),
        format!("{}/", said["http"].as_str().unwrap())
    );
    drop(server);
}

#[test]
fn each_signal_drains_and_exits_with_zero() {
    for number in [Signal::SIGTERM, Signal::SIGINT] {
        let temp = tempfile::tempdir().unwrap();
        let (mut server, _) = ready(temp.path());
        signal(&server, number);
        assert_eq!(exit_of(&mut server).code(), Some(0), "{number}");
    }
}

#[test]
fn a_second_signal_exits_at_once() {
    let temp = tempfile::tempdir().unwrap();
    let (mut server, line) = ready(temp.path());
    let said: serde_json::Value =
        serde_json::from_str(line.strip_prefix("READY ").unwrap()).unwrap();
    let address = said["http"]
        .as_str()
        .unwrap()
        .strip_prefix("http://")
        .unwrap();
    // A request whose body never comes keeps the server from ending before the second signal.
    let mut unfinished = TcpStream::connect(address).unwrap();
    let head =
        format!("POST /CreateStage HTTP/1.1\r\nHost: {address}\r\nContent-Length: 9\r\n\r\n");
    unfinished.write_all(head.as_bytes()).unwrap();
    signal(&server, Signal::SIGTERM);
    signal(&server, Signal::SIGINT);
    assert_eq!(exit_of(&mut server).code(), Some(130));
}

#[test]
fn a_second_server_on_the_same_data_folder_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let (_first, _) = ready(temp.path());
    let (code, said) = refused(proscenium(temp.path()));
    assert_eq!(code, Some(1));
    assert!(said.contains("in use by another server"), "{said}");
}

#[test]
fn a_wrong_configuration_lists_every_problem_and_makes_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let data_dir = temp.path().join("data");
    let file = temp.path().join("p.toml");
    std::fs::write(&file, "colour = \"red\"\n[s3]\nmode = \"none\"\n").unwrap();
    let mut command = proscenium(&data_dir);
    command
        .arg("--config")
        .arg(file)
        .arg("--public-url")
        .arg("nowhere");
    command.env("PROSCENIUM_HTPP", "x");
    let (code, said) = refused(command);
    assert_eq!(code, Some(2), "{said}");
    for part in [
        "4 problem(s)",
        "colour: unknown key",
        "s3.mode",
        "--public-url",
        "PROSCENIUM_HTPP",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(!data_dir.exists());
}

#[test]
fn the_development_key_does_not_leave_loopback() {
    let temp = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_proscenium"));
    command
        .args([
            "serve",
            "--http",
            "0.0.0.0:0",
            "--s3",
            "127.0.0.1:0",
            "--data-dir",
        ])
        .arg(temp.path());
    let (code, said) = refused({
        command.stderr(Stdio::piped()).stdout(Stdio::piped());
        command
    });
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("--http = 0.0.0.0:0: must be a loopback address"),
        "{said}"
    );
}
