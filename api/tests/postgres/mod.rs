//! A throw-away PostgreSQL of the test process: made at the first use, gone when the process is, however it ends.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use api::store::Database;
use nix::unistd::{Uid, User};
use sqlx::{Connection, PgConnection};

/// Makes the cluster, says ready, and takes everything away when its input ends: that is when the test process is gone.
/// Nothing that the cluster holds is worth a write to the disk.
const LIFE: &str = r#"
end() {
  trap - EXIT
  "$BIN/pg_ctl" -D "$DIR/data" -m immediate stop >/dev/null 2>&1
  rm -rf "$DIR"
}
trap end EXIT
"$BIN/initdb" -D "$DIR/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$DIR/log" 2>&1 || { cat "$DIR/log"; exit 1; }
"$BIN/pg_ctl" -D "$DIR/data" -w -t 60 -l "$DIR/log" -o "-c listen_addresses='' -c unix_socket_directories='$DIR' \
  -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c shared_buffers=32MB -c max_connections=200" \
  start >/dev/null 2>&1 || { cat "$DIR/log"; exit 1; }
echo ready
cat >/dev/null
"#;

struct Cluster {
    folder: PathBuf,
    databases: AtomicU32,
    // Closed by the kernel at the latest.
    _alive: ChildStdin,
}

/// A new and empty database.
pub(crate) async fn database() -> Database {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(start);
    let name = format!("test{}", cluster.databases.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(&url(&cluster.folder, "postgres"))
        .await
        .unwrap();
    sqlx::query(&format!("CREATE DATABASE {name}"))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    Database::parse(&url(&cluster.folder, &name)).unwrap()
}

fn url(folder: &Path, database: &str) -> String {
    format!(
        "postgres://postgres@localhost/{database}?host={}",
        folder.display()
    )
}

fn start() -> Cluster {
    let folder = tempfile::Builder::new()
        .prefix("proscenium-postgres-")
        .tempdir()
        .unwrap()
        .keep();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", LIFE])
        .env("BIN", binaries())
        .env("DIR", &folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .current_dir("/")
        // The terminal's Ctrl-C is not for it: it has to clean up.
        .process_group(0);
    if Uid::effective().is_root() {
        // PostgreSQL refuses to run as root.
        let nobody = User::from_name("nobody").unwrap().unwrap();
        let (uid, gid) = (nobody.uid.as_raw(), nobody.gid.as_raw());
        std::os::unix::fs::chown(&folder, Some(uid), Some(gid)).unwrap();
        shell.uid(uid).gid(gid);
    }
    #[expect(
        clippy::zombie_processes,
        reason = "it ends by itself after the last test, when its standard input closes"
    )]
    let mut shell = shell.spawn().unwrap();
    let mut said = String::new();
    let mut output = BufReader::new(shell.stdout.take().unwrap());
    while output.read_line(&mut said).unwrap() > 0 && !said.ends_with("ready\n") {}
    assert!(said.ends_with("ready\n"), "no PostgreSQL: {said}");
    Cluster {
        folder,
        databases: AtomicU32::new(0),
        _alive: shell.stdin.take().unwrap(),
    }
}

/// Where the newest installed server is.
fn binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut found: Vec<PathBuf> = versions
        .map(|version| version.unwrap().path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found
        .pop()
        .expect("PostgreSQL is not installed: run scripts/install test")
}
