//! The single checks. Each answers one finding and leaves nothing behind.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use recorder::{ObjectStore, PutObject, StoreError, StoreFault};
use tokio::net::{TcpListener, UdpSocket};

use crate::config::{Config, S3Config, TlsFiles};
use crate::data_dir::{DataDir, DataDirError};
use crate::embedded_s3::EmbeddedS3;
use crate::s3_access::{embedded_store_config, external_store_config};
use crate::shutdown::shutdown;
use crate::telemetry::chain;

use super::Finding;

/// Less free space than this does not hold an hour of one recording beside its spool.
const FREE_BYTES_MIN: u64 = 4 * 1024 * 1024 * 1024;
const GIB: u64 = 1024 * 1024 * 1024;
/// A bucket that nobody has: an S3 that knows our key answers 404 for it.
const ABSENT_BUCKET: &str = "proscenium-doctor-looks-for-nothing";
const TRIAL_KEY: &str = "proscenium-doctor.txt";
const TRIAL_BODY: &[u8] = b"written by proscenium doctor\n";

pub(super) fn plugins(missing: &[String]) -> Finding {
    const WHAT: &str = "GStreamer";
    if missing.is_empty() {
        return Finding::fine(WHAT, "every element is there");
    }
    let mut packages: Vec<&str> = missing
        .iter()
        .filter_map(|element| package(element))
        .collect();
    packages.sort_unstable();
    packages.dedup();
    let remedy = format!("apt-get install {}", packages.join(" "));
    Finding::wrong(WHAT, format!("missing {}", missing.join(", ")), remedy)
}

/// `element (package)`
fn package(element: &str) -> Option<&str> {
    element
        .split_once('(')
        .map(|(_, package)| package.trim_end_matches(')'))
}

pub(super) fn data_folder(path: &Path) -> Finding {
    let what = format!("data folder {}", path.display());
    match DataDir::open(path) {
        Ok(opened) => match opened.write_atomically("doctor", b"") {
            Ok(()) => {
                // It was ours a moment ago; if it is gone already, that is as well.
                let _ = std::fs::remove_file(opened.path().join("doctor"));
                Finding::fine(what, "can be written")
            }
            Err(error) => Finding::wrong(
                what,
                chain(&error).to_string(),
                "make it writable for this user",
            ),
        },
        Err(error @ DataDirError::InUse { .. }) => Finding::wrong(
            what,
            error.to_string(),
            "stop the other server, or give this one its own --data-dir",
        ),
        Err(error) => Finding::wrong(
            what,
            chain(&error).to_string(),
            "make it writable for this user, or choose another --data-dir",
        ),
    }
}

pub(super) fn disk(path: &Path) -> Finding {
    const WHAT: &str = "disk";
    match nix::sys::statvfs::statvfs(path) {
        Ok(stat) => free_space(stat.blocks_available() * stat.fragment_size()),
        Err(error) => Finding::wrong(
            WHAT,
            format!("cannot be looked at: {error}"),
            "make the data folder first",
        ),
    }
}

fn free_space(bytes: u64) -> Finding {
    let seen = format!("{:.1} GiB free", bytes as f64 / GIB as f64);
    if bytes >= FREE_BYTES_MIN {
        return Finding::fine("disk", seen);
    }
    let remedy = format!(
        "free at least {} GiB, or choose another --data-dir",
        FREE_BYTES_MIN / GIB
    );
    Finding::wrong("disk", seen, remedy)
}

pub(super) async fn ports(config: &Config) -> Vec<Finding> {
    let mut findings = vec![
        tcp("HTTP", config.http, "--http").await,
        tcp("RTMP", config.rtmp, "--rtmp").await,
    ];
    if let S3Config::Embedded { listen, .. } = config.s3 {
        findings.push(tcp("S3", listen, "--s3").await);
    }
    findings.push(port(
        "WebRTC, UDP",
        config.webrtc,
        "--webrtc",
        UdpSocket::bind(config.webrtc).await.map(drop),
    ));
    findings.push(tcp("WebRTC, TCP", config.webrtc, "--webrtc").await);
    findings
}

pub(super) fn tls(files: &TlsFiles) -> Finding {
    const WHAT: &str = "TLS";
    match crate::tls::acceptor(files) {
        Ok(_) => Finding::fine(WHAT, "the certificate and its key can be used"),
        Err(error) => Finding::wrong(
            WHAT,
            chain(&error).to_string(),
            "give the PEM files of a certificate and of its key by [tls] certificate and key",
        ),
    }
}

async fn tcp(what: &str, address: SocketAddr, flag: &str) -> Finding {
    port(
        what,
        address,
        flag,
        TcpListener::bind(address).await.map(drop),
    )
}

fn port(what: &str, address: SocketAddr, flag: &str, bound: io::Result<()>) -> Finding {
    let what = format!("{what} on {address}");
    match bound {
        Ok(()) => Finding::fine(what, "free"),
        Err(error) => {
            let remedy = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    format!(
                        "stop what listens there (ss -lntup shows it), or give another address by {flag}"
                    )
                }
                io::ErrorKind::PermissionDenied => {
                    format!(
                        "ports below 1024 need root or CAP_NET_BIND_SERVICE; give another address by {flag}"
                    )
                }
                _ => format!("give an address of this machine by {flag}"),
            };
            Finding::wrong(what, error.to_string(), remedy)
        }
    }
}

pub(super) async fn s3(config: &Config, bucket: Option<&str>) -> Finding {
    match (&config.s3, bucket) {
        (S3Config::Embedded { .. }, _) => embedded_round_trip(&config.data_dir).await,
        (S3Config::External(external), Some(bucket)) => {
            let store = ObjectStore::connect(external_store_config(external)).await;
            let what = format!("external S3, bucket {bucket}");
            match round_trip(&store, bucket).await {
                Ok(()) => Finding::fine(what, "written and read back"),
                Err(error) => wrong_store(what, &error),
            }
        }
        (S3Config::External(external), None) => {
            let store = ObjectStore::connect(external_store_config(external)).await;
            match store.head_bucket(ABSENT_BUCKET).await {
                Err(error) if error.fault != StoreFault::BucketNotFound => {
                    wrong_store("external S3".to_owned(), &error)
                }
                _ => Finding::fine(
                    "external S3",
                    "knows the key; name a bucket with --bucket to try writing",
                ),
            }
        }
    }
}

/// Tries a server of its own, in its own folder: the real one may be running.
async fn embedded_round_trip(data_dir: &Path) -> Finding {
    const WHAT: &str = "embedded S3";
    let folder = TrialFolder(data_dir.join(format!("doctor-{}", std::process::id())));
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let s3 = match EmbeddedS3::bind(&folder.0, any_port, false, &[]).await {
        Ok(s3) => s3,
        Err(error) => {
            return Finding::wrong(WHAT, chain(&error).to_string(), "see the data folder above");
        }
    };
    let store = ObjectStore::connect(embedded_store_config(&s3)).await;
    let (trigger, end) = shutdown();
    let serving = tokio::spawn(async move { s3.serve(end.begun()).await });
    let outcome = match store.create_bucket("doctor").await {
        Ok(()) => round_trip(&store, "doctor").await,
        Err(error) => Err(error),
    };
    trigger.begin();
    // Nothing is left to serve; a panic inside was printed already.
    let _ = serving.await;
    match outcome {
        Ok(()) => Finding::fine(WHAT, "written and read back"),
        Err(error) => wrong_store(WHAT.to_owned(), &error),
    }
}

async fn round_trip(store: &ObjectStore, bucket: &str) -> Result<(), StoreError> {
    let body = Bytes::from_static(TRIAL_BODY);
    let object = PutObject {
        key: TRIAL_KEY.to_owned(),
        body,
        content_type: "text/plain",
        cache_control: "no-store",
    };
    store.put(bucket, object).await?;
    store.get(bucket, TRIAL_KEY).await?;
    Ok(())
}

fn wrong_store(what: String, error: &StoreError) -> Finding {
    let remedy = match error.fault {
        StoreFault::AccessDenied => {
            "check s3.access_key_id, s3.secret_access_key and the rights of that key"
        }
        StoreFault::BucketNotFound => "make the bucket, or check its name and s3.region",
        StoreFault::KeyNotFound => "check that nothing deletes objects at once in this bucket",
        StoreFault::Transient => "check s3.endpoint and the way to it",
    };
    Finding::wrong(what, chain(error).to_string(), remedy)
}

/// Gone when dropped.
struct TrialFolder(PathBuf);

impl Drop for TrialFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, folder = %self.0.display(), "cannot remove the doctor's folder");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_elements_name_each_package_once() {
        let missing = [
            "x264enc (gstreamer1.0-plugins-ugly)",
            "avdec_h264 (gstreamer1.0-libav)",
            "avenc_aac (gstreamer1.0-libav)",
        ];
        let finding = plugins(&missing.map(str::to_owned));
        assert!(
            finding
                .to_string()
                .ends_with("do: apt-get install gstreamer1.0-libav gstreamer1.0-plugins-ugly")
        );
        assert!(plugins(&[]).is_fine());
    }

    #[test]
    fn a_full_disk_is_wrong() {
        assert!(free_space(FREE_BYTES_MIN).is_fine());
        assert!(!free_space(FREE_BYTES_MIN - 1).is_fine());
    }

    #[tokio::test]
    async fn a_taken_port_names_the_flag_that_changes_it() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let finding = tcp("HTTP", taken.local_addr().unwrap(), "--http").await;
        assert!(!finding.is_fine());
        assert!(finding.to_string().contains("--http"), "{finding}");
    }

    #[tokio::test]
    async fn the_embedded_server_is_tried_and_leaves_nothing_behind() {
        let temp = tempfile::tempdir().unwrap();
        let finding = embedded_round_trip(temp.path()).await;
        assert!(finding.is_fine(), "{finding}");
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_in_use_is_told_from_one_that_cannot_be_written() {
        let temp = tempfile::tempdir().unwrap();
        assert!(data_folder(temp.path()).is_fine());
        let _held = DataDir::open(temp.path()).unwrap();
        assert!(data_folder(temp.path()).to_string().contains("in use"));
    }
}
