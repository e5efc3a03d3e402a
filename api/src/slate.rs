//! Slates for channels, encoded in a child process as everything is that encodes.

use std::collections::HashMap;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use channel::{SlateError, SlateFormat, SlateSource};
use compositor::slate::read_pictures;
use compositor::supervisor::WorkerProgram;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::sync::Mutex;

/// Formats that are kept, the oldest of which go.
const KEPT_MAX: usize = 16;

/// How long encoding may take, on a machine that is busy.
const ENCODE_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of an encoded slate: one large keyframe and pictures that repeat it.
const SLATE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Why a slate is not there.
#[derive(Debug, thiserror::Error)]
enum EncodeError {
    #[error("the slate's size {width}x{height} is too large")]
    Size { width: u32, height: u32 },
    #[error("the encoder of slates does not run")]
    Run(#[from] io::Error),
    #[error("the encoder of slates ended with {0}")]
    Exit(ExitStatus),
    #[error("the encoder of slates took longer than {ENCODE_TIMEOUT:?}")]
    Slow,
}

/// Encodes one slate at a time, and each format once.
#[derive(Debug)]
pub struct SlateEncoder {
    program: WorkerProgram,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    slates: HashMap<SlateFormat, Arc<[Bytes]>>,
    order: Vec<SlateFormat>,
}

impl SlateEncoder {
    /// Encodes with this program, in the environment of a worker.
    pub fn new(program: WorkerProgram) -> Self {
        Self {
            program,
            kept: Mutex::default(),
        }
    }

    async fn encode(&self, format: SlateFormat) -> Result<Arc<[Bytes]>, EncodeError> {
        let SlateFormat { width, height, fps } = format;
        if width.max(height) > u32::from(u16::MAX) {
            return Err(EncodeError::Size { width, height });
        }
        let numbers = [width, height, fps.num, fps.den].map(|number| number.to_string());
        let mut child = Command::new(&self.program.executable)
            .arg("slate")
            .args(numbers)
            .env_clear()
            .envs(self.program.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut written = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout
                .take(SLATE_BYTES_MAX)
                .read_to_end(&mut written)
                .await?;
        }
        let status = child.wait().await?;
        if !status.success() {
            return Err(EncodeError::Exit(status));
        }
        Ok(read_pictures(&written)?.into())
    }
}

#[async_trait]
impl SlateSource for SlateEncoder {
    async fn pictures(&self, format: SlateFormat) -> Result<Arc<[Bytes]>, SlateError> {
        let mut kept = self.kept.lock().await;
        if let Some(slate) = kept.slates.get(&format) {
            return Ok(Arc::clone(slate));
        }
        let encoded = tokio::time::timeout(ENCODE_TIMEOUT, self.encode(format)).await;
        let slate = encoded
            .unwrap_or(Err(EncodeError::Slow))
            .map_err(|error| SlateError(error.into()))?;
        if kept.order.len() >= KEPT_MAX {
            let oldest = kept.order.remove(0);
            kept.slates.remove(&oldest);
        }
        kept.order.push(format);
        kept.slates.insert(format, Arc::clone(&slate));
        Ok(slate)
    }
}
