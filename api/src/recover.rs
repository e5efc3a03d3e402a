//! `proscenium recover`: uploads what is in the spools that nobody works on, such as those of recordings whose bucket refused
//! them, with the settings that `serve` has.

use std::future;
use std::net::{Ipv4Addr, SocketAddr};

use compositor_core::error_chain::error_chain;
use recorder::{ObjectStore, RecordingError, RecordingEvent, RecordingOutcome, Recovery};
use tokio::task::JoinSet;

use crate::config::{Config, S3Config};
use crate::data_dir::{DataDir, DataDirError};
use crate::embedded_s3::{EmbeddedS3, EmbeddedS3Error};
use crate::platform::SPOOL_FOLDER;
use crate::s3_access::{embedded_store_config, external_store_config};

/// What the closing document of a recording says whose end nobody decided.
const CUT_SHORT: &str = "InternalServerException";

/// Why not everything is uploaded.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The data folder, with the buckets of the embedded S3 server.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The embedded S3 server, which runs for as long as this does.
    #[error(transparent)]
    EmbeddedS3(#[from] EmbeddedS3Error),
    /// The spools.
    #[error("the spools cannot be read")]
    Spools(#[from] RecordingError),
    /// What was said of each.
    #[error("{left} of {all} recordings are still in their spools")]
    Left {
        /// Those that are not uploaded.
        left: usize,
        /// Those that were found.
        all: usize,
    },
}

/// Uploads every spool to its end, however long the store is away; says what becomes of each.
pub async fn run(config: &Config) -> Result<(), RecoverError> {
    let store = match &config.s3 {
        S3Config::External(external) => external_store_config(external),
        S3Config::Embedded { public_read, .. } => {
            // A running server has these buckets for itself, and uploads by itself when it starts.
            let data_dir = DataDir::open(&config.data_dir)?;
            let listen = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
            let s3 = EmbeddedS3::bind(data_dir.path(), listen, *public_read, &[]).await?;
            let store = embedded_store_config(&s3);
            tokio::spawn(async move {
                s3.serve(future::pending()).await;
                drop(data_dir);
            });
            store
        }
    };
    let store = ObjectStore::connect(store).await;
    let spools = config.data_dir.join(SPOOL_FOLDER);
    let cut_short = RecordingOutcome::Failed {
        message: Some(CUT_SHORT.to_owned()),
    };
    let recoveries = recorder::recover(&spools, &store, |_| cut_short.clone()).await?;
    let all = recoveries.len();
    let mut following = JoinSet::new();
    for recovery in recoveries {
        match recovery {
            Ok(recovery) => drop(following.spawn(follow(recovery))),
            Err(error) => println!("LEFT {}", error_chain(&error)),
        }
    }
    let uploaded = following.join_all().await;
    let left = all - uploaded.into_iter().filter(|uploaded| *uploaded).count();
    println!("{} of {all} recordings uploaded", all - left);
    match left {
        0 => Ok(()),
        left => Err(RecoverError::Left { left, all }),
    }
}

/// Whether all of it was uploaded.
async fn follow(mut recovery: Recovery) -> bool {
    let place = format!("s3://{}/{}", recovery.spec.bucket, recovery.spec.prefix);
    while let Some(event) = recovery.events.recv().await {
        match event {
            RecordingEvent::Finished { objects, .. } => {
                println!("UPLOADED {place}: {objects} objects");
                return true;
            }
            RecordingEvent::Interrupted { error } => println!("WAITING {place}: {error}"),
            RecordingEvent::Recovered => println!("GOING ON {place}"),
            RecordingEvent::Rejected { error, .. } | RecordingEvent::SpoolFailed { error } => {
                println!("LEFT {place}: {error}");
                return false;
            }
            RecordingEvent::SpoolFull { .. } => {
                println!("LEFT {place}: the disk is full");
                return false;
            }
            RecordingEvent::FirstOutput
            | RecordingEvent::SpoolFilling { .. }
            | RecordingEvent::Hole { .. } => {}
        }
    }
    false
}
