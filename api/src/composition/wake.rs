//! What wakes the driver of a composition, and in which order.

use std::time::Duration;

use compositor::supervisor::WorkerEvent;
use stage_gateway::event::GatewayEvent;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};

use super::destination::Report;
use super::driver::Command;

/// Everything that can wake the driver.
pub(super) enum Wake {
    Command(Command),
    Worker(WorkerEvent),
    Report(Report),
    Gateway(Result<GatewayEvent, RecvError>),
    Timeout,
}

/// Where the driver is woken from.
pub(super) struct Wakers {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) reports: mpsc::Receiver<Report>,
    pub(super) worker: mpsc::Receiver<WorkerEvent>,
    pub(super) gateway: broadcast::Receiver<GatewayEvent>,
}

impl Wakers {
    /// The next of what has come, or [`Wake::Timeout`].
    pub(super) async fn next(&mut self, until_timeout: Option<Duration>) -> Wake {
        let timeout = async {
            match until_timeout {
                Some(duration) => tokio::time::sleep(duration).await,
                None => std::future::pending().await,
            }
        };
        // What was asked for comes first, and media last: there may always be more of it.
        tokio::select! {
            biased;
            Some(command) = self.commands.recv() => Wake::Command(command),
            () = timeout => Wake::Timeout,
            Some(report) = self.reports.recv() => Wake::Report(report),
            event = self.gateway.recv() => Wake::Gateway(event),
            Some(event) = self.worker.recv() => Wake::Worker(event),
        }
    }
}
