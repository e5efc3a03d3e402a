//! What the server holds at the moment, and what its bounded queues have dropped.

use std::path::PathBuf;
use std::sync::Arc;

use channel::Channels;
use compositor_core::error_chain::error_chain;
use nix::sys::statvfs::statvfs;
use prometheus::Registry;
use recorder::Backlog;
use stage_gateway::Gateway;
use tokio::task::spawn_blocking;

use super::MetricsError;
use super::family::{gauge, total, value};
use crate::platform::SPOOL_FOLDER;
use crate::store::Store;

/// Where the figures come from.
#[derive(Clone, Debug)]
pub struct ServerMetrics {
    /// Peers and drops.
    pub gateway: Gateway,
    /// Live streams and viewers.
    pub channels: Arc<Channels>,
    /// States and what waits to be delivered.
    pub store: Store,
    /// Holds journals, spools and the embedded S3.
    pub data_dir: PathBuf,
}

impl ServerMetrics {
    /// Adds them to one answer.
    pub(super) async fn register(&self, registry: &Registry) -> Result<(), MetricsError> {
        self.compositions(registry).await?;
        self.deliveries(registry).await?;
        self.stages(registry)?;
        self.streams(registry)?;
        self.spools(registry).await?;
        self.disk(registry)?;
        Ok(())
    }

    async fn compositions(&self, registry: &Registry) -> Result<(), MetricsError> {
        let compositions = gauge(
            registry,
            "proscenium_compositions",
            "Compositions that have not ended, by state.",
            &["state"],
        )?;
        let destinations = gauge(
            registry,
            "proscenium_destinations",
            "Destinations of compositions that have not ended, by state.",
            &["state"],
        )?;
        for composition in self.store.unfinished_compositions().await? {
            let progress = composition.progress;
            (compositions.with_label_values(&[progress.state.as_str()])).inc();
            for destination in progress.destinations {
                (destinations.with_label_values(&[destination.state.as_str()])).inc();
            }
        }
        Ok(())
    }

    async fn deliveries(&self, registry: &Registry) -> Result<(), MetricsError> {
        let waiting = gauge(
            registry,
            "proscenium_webhook_deliveries_waiting",
            "Events that a webhook has not taken yet.",
            &["webhook"],
        )?;
        for (webhook, count) in self.store.waiting_deliveries().await? {
            (waiting.with_label_values(&[webhook.as_str()])).set(count as f64);
        }
        Ok(())
    }

    fn stages(&self, registry: &Registry) -> prometheus::Result<()> {
        let census = self.gateway.census();
        let drops = self.gateway.drops();
        for (name, help, count) in [
            (
                "proscenium_stage_sessions",
                "Stages that have somebody on them.",
                census.sessions,
            ),
            (
                "proscenium_stage_publishers",
                "Participants that publish, those within the grace window included.",
                census.publishers,
            ),
            (
                "proscenium_stage_peers",
                "WebRTC connections, of publishers and of subscribers.",
                census.peers,
            ),
        ] {
            value(registry, name, help, count as f64)?;
        }
        total(
            registry,
            "proscenium_datagrams_dropped_total",
            "Datagrams that found a full queue or socket.",
            drops.datagrams,
        )?;
        total(
            registry,
            "proscenium_packets_not_forwarded_total",
            "RTP packets that a subscriber was too slow to be sent.",
            drops.packets_not_forwarded,
        )
    }

    fn streams(&self, registry: &Registry) -> prometheus::Result<()> {
        let streams = gauge(
            registry,
            "proscenium_streams",
            "Live streams, by health.",
            &["health"],
        )?;
        let mut viewers = 0;
        for stream in self.channels.streams() {
            (streams.with_label_values(&[stream.health.as_str()])).inc();
            viewers += stream.viewer_count;
        }
        value(
            registry,
            "proscenium_viewers",
            "Playlist sessions that are watching.",
            viewers as f64,
        )
    }

    async fn spools(&self, registry: &Registry) -> Result<(), MetricsError> {
        let root = self.data_dir.join(SPOOL_FOLDER);
        let backlog = spawn_blocking(move || Backlog::of(&root)).await?;
        let backlog = backlog.unwrap_or_else(|error| {
            tracing::warn!(error = %error_chain(&error), "the spools cannot be counted");
            Backlog::default()
        });
        for (name, help, amount) in [
            (
                "proscenium_spools",
                "Recordings that are not in their buckets as a whole.",
                backlog.recordings,
            ),
            (
                "proscenium_spool_objects_waiting",
                "Sealed objects that their buckets do not have yet.",
                backlog.objects,
            ),
            (
                "proscenium_spool_bytes",
                "Media on disk that is not in its bucket yet, that of open segments included.",
                backlog.bytes,
            ),
        ] {
            value(registry, name, help, amount as f64)?;
        }
        Ok(())
    }

    fn disk(&self, registry: &Registry) -> prometheus::Result<()> {
        let Ok(disk) = statvfs(&self.data_dir) else {
            return Ok(());
        };
        value(
            registry,
            "proscenium_data_dir_free_bytes",
            "Free space where journals, spools and the embedded S3 lie.",
            disk.blocks_available() as f64 * disk.fragment_size() as f64,
        )
    }
}
