//! What a process that decodes media of strangers can do when it is taken over, by trying; and that a worker is one.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::geteuid;

use crate::support::program;

/// `nobody`, on every distribution.
const NOBODY: u32 = 65534;

/// How long a worker may take to load its plugins.
const CONFINED_WITHIN: Duration = Duration::from_secs(30);

const WORKS: [&str; 3] = ["start a thread", "take some memory", "read a library"];
const LIMITED: [&str; 2] = ["take more memory", "open many files"];
const OF_FILES: [&str; 3] = [
    "read a file",
    "list a folder",
    "read the server's environment",
];
const TO_FILES: [&str; 4] = [
    "write a file",
    "make a file",
    "remove a file",
    "make a folder",
];
const OUTWARD: [&str; 2] = ["connect", "listen"];
const OTHERWISE: [&str; 5] = [
    "connect to a Unix socket",
    "open a UDP socket",
    "run a program",
    "signal the server",
    "raise a limit",
];

/// What an attempt came to: `done`, or why not.
struct Tried {
    lines: Vec<(String, String)>,
    log: String,
}

impl Tried {
    /// As this user or as nobody, on a kernel that lacks something.
    fn by(user: Option<u32>, lacking: &[&str]) -> Self {
        // Where anybody may enter, as `nobody` cannot enter where a checkout may be.
        let folder = tempfile::tempdir().expect("a folder");
        let open = |path: &Path| {
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("it is ours");
        };
        open(folder.path());
        let secret = folder.path().join("secret");
        fs::write(&secret, "of somebody else").expect("a file");
        open(&secret);
        let copy = folder.path().join("confined");
        fs::copy(program("confined"), &copy).expect("it is built");
        open(&copy);
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
        let unix = folder.path().join("socket");
        let _unix = UnixListener::bind(&unix).expect("a socket");
        open(&unix);
        let mut command = Command::new(&copy);
        command
            .arg(&secret)
            .arg(tcp.local_addr().expect("it is bound").to_string())
            .arg(&unix)
            .args(lacking)
            .env_clear()
            .env("GST_REGISTRY", folder.path().join("registry"));
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        let output = command.output().expect("it runs");
        let [said, log] = [output.stdout, output.stderr]
            .map(|bytes| String::from_utf8(bytes).expect("it is text"));
        assert!(output.status.success(), "{said}{log}");
        let lines = said.lines().map(|line| {
            let (what, came) = line.split_once(": ").expect("an attempt and its end");
            (what.to_owned(), came.to_owned())
        });
        Self {
            lines: lines.collect(),
            log,
        }
    }

    fn assert_done(&self, whats: &[&str], done: bool) {
        for what in whats {
            let tried = self.lines.iter().find(|(name, _)| name == what);
            let (_, came) = tried.unwrap_or_else(|| panic!("{what} was not tried"));
            assert_eq!(came == "done", done, "{what}: {came}; log: {}", self.log);
        }
    }
}

/// The users to try as: the own one, and where that is root, nobody.
fn users() -> Vec<Option<u32>> {
    let mut users = vec![None];
    if geteuid().is_root() {
        users.push(Some(NOBODY));
    }
    users
}

#[test]
fn a_confined_process_reaches_nothing_but_its_memory_and_its_socket() {
    for user in users() {
        let tried = Tried::by(user, &[]);
        for refused in [&LIMITED[..], &OF_FILES, &TO_FILES, &OUTWARD, &OTHERWISE] {
            tried.assert_done(refused, false);
        }
        tried.assert_done(&WORKS, true);
        let environment = (tried.lines.iter()).filter(|(what, _)| what == "environment");
        let names: Vec<_> = environment.map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["GST_REGISTRY"]);
    }
}

#[test]
fn each_layer_holds_where_the_kernel_lacks_another_one() {
    for user in users() {
        let tried = Tried::by(user, &["landlock", "unshare"]);
        for refused in [&LIMITED[..], &TO_FILES, &OUTWARD, &OTHERWISE] {
            tried.assert_done(refused, false);
        }
        tried.assert_done(&["read a file"], true);
        tried.assert_done(&WORKS, true);

        let tried = Tried::by(user, &["seccomp"]);
        for refused in [
            &LIMITED[..],
            &OF_FILES,
            &TO_FILES,
            &OUTWARD,
            &["run a program"],
        ] {
            tried.assert_done(refused, false);
        }
        tried.assert_done(&WORKS, true);
    }
}

#[test]
fn a_worker_is_confined_before_it_gets_a_job() {
    let (ours, theirs) = UnixStream::pair().expect("a socket pair");
    let mut worker = Command::new(program("worker"))
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .expect("it runs");
    let status = PathBuf::from(format!("/proc/{}/status", worker.id()));
    let deadline = Instant::now() + CONFINED_WITHIN;
    loop {
        let status = fs::read_to_string(&status).expect("it lives");
        let has = |line: &str| {
            status
                .lines()
                .any(|l| l.split_whitespace().eq(line.split(' ')))
        };
        if has("Seccomp: 2") {
            assert!(has("NoNewPrivs: 1"), "{status}");
            break;
        }
        assert!(Instant::now() < deadline, "not confined: {status}");
        std::thread::yield_now();
    }
    drop(ours);
    assert!(worker.wait().expect("it is ours").success());
}
