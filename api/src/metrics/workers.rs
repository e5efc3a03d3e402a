//! What workers say of themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use compositor_core::id::CompositionId;
use compositor_core::worker_protocol::{ParticipantStats, TrackStats, WorkerStats};
use parking_lot::Mutex;
use prometheus::{GaugeVec, IntCounterVec, Registry};

use super::family::{counter, gauge};

const COMPOSITION: &[&str] = &["composition"];
const PART: &[&str] = &["composition", "part"];
const PARTICIPANT: &[&str] = &["composition", "participant"];
const TRACK: &[&str] = &["composition", "participant", "kind"];

/// The newest counters of every running composition's worker.
#[derive(Debug, Default)]
pub struct WorkerMetrics(Mutex<BTreeMap<CompositionId, (WorkerStats, Duration)>>);

impl WorkerMetrics {
    /// A worker said this when it was so far behind the stage.
    pub fn tell(&self, composition: &CompositionId, stats: WorkerStats, behind: Duration) {
        self.0.lock().insert(composition.clone(), (stats, behind));
    }

    /// The composition is over.
    pub fn forget(&self, composition: &CompositionId) {
        self.0.lock().remove(composition);
    }

    /// Adds them to one answer.
    pub(super) fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        let families = Families::new(registry)?;
        for (composition, (stats, behind)) in &*self.0.lock() {
            families.add(composition.as_str(), stats, *behind);
        }
        Ok(())
    }
}

/// The metrics of one answer.
struct Families {
    frames: IntCounterVec,
    repeated: IntCounterVec,
    decoded: IntCounterVec,
    damaged: IntCounterVec,
    pixels: IntCounterVec,
    cpu: GaugeVec,
    codec_cpu: GaugeVec,
    behind: GaugeVec,
    busy: GaugeVec,
    step: GaugeVec,
    steps: IntCounterVec,
    skew: GaugeVec,
    buffered: GaugeVec,
    late: IntCounterVec,
    filled: IntCounterVec,
}

impl Families {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name, help, labels| counter(registry, name, help, labels);
        let gauge = |name, help, labels| gauge(registry, name, help, labels);
        Ok(Self {
            frames: counter(
                "proscenium_frames_composed_total",
                "Frames that were drawn.",
                COMPOSITION,
            )?,
            repeated: counter(
                "proscenium_frames_unchanged_total",
                "Frames that were encoded again because nothing changed.",
                COMPOSITION,
            )?,
            decoded: counter(
                "proscenium_units_decoded_total",
                "Access units that were decoded.",
                COMPOSITION,
            )?,
            damaged: counter(
                "proscenium_units_damaged_total",
                "Access units that no decoder could use.",
                COMPOSITION,
            )?,
            pixels: counter(
                "proscenium_pixels_decoded_total",
                "Pixels of decoded pictures.",
                COMPOSITION,
            )?,
            cpu: gauge(
                "proscenium_worker_cpu_seconds",
                "CPU time of the worker.",
                COMPOSITION,
            )?,
            codec_cpu: gauge(
                "proscenium_worker_codec_cpu_seconds",
                "What of it went into decoding and encoding.",
                PART,
            )?,
            behind: gauge(
                "proscenium_worker_behind_seconds",
                "How far composing is behind the stage, the composition delay included.",
                COMPOSITION,
            )?,
            busy: gauge(
                "proscenium_worker_busy_ratio",
                "How much of its time the worker did not wait for media.",
                COMPOSITION,
            )?,
            step: gauge(
                "proscenium_degradation_step",
                "The step on the degradation ladder: 0 is full quality.",
                COMPOSITION,
            )?,
            steps: counter(
                "proscenium_degradation_steps_total",
                "Steps taken on the degradation ladder, down and up.",
                COMPOSITION,
            )?,
            skew: gauge(
                "proscenium_participant_skew_seconds",
                "How much later the sound is heard than the picture is shown.",
                PARTICIPANT,
            )?,
            buffered: gauge(
                "proscenium_track_buffered_seconds",
                "How much media waits to be shown or heard.",
                TRACK,
            )?,
            late: counter(
                "proscenium_track_late_total",
                "Access units that came too late.",
                TRACK,
            )?,
            filled: counter(
                "proscenium_track_filled_total",
                "Audio: gaps that were concealed. Video: frames that repeat an earlier picture.",
                TRACK,
            )?,
        })
    }

    fn add(&self, composition: &str, stats: &WorkerStats, behind: Duration) {
        let labels = &[composition];
        for (family, value) in [
            (&self.frames, stats.frames_composed),
            (&self.repeated, stats.frames_repeated),
            (&self.decoded, stats.units_decoded),
            (&self.damaged, stats.units_damaged),
            (&self.pixels, stats.pixels_decoded),
            (&self.steps, stats.steps_taken),
        ] {
            family.with_label_values(labels).inc_by(value);
        }
        for (family, value) in [
            (&self.cpu, stats.cpu_ms as f64 / 1000.0),
            (&self.behind, behind.as_secs_f64()),
            (&self.busy, f64::from(stats.busy_percent) / 100.0),
            (&self.step, f64::from(stats.step)),
        ] {
            family.with_label_values(labels).set(value);
        }
        for (part, ms) in stats.codec_cpu.parts() {
            let cpu = self.codec_cpu.with_label_values(&[composition, part]);
            cpu.set(ms as f64 / 1000.0);
        }
        for participant in &stats.participants {
            self.add_participant(composition, participant);
        }
    }

    fn add_participant(&self, composition: &str, stats: &ParticipantStats) {
        let id = stats.participant.as_str();
        if let Some(skew_us) = stats.skew_us {
            let skew = self.skew.with_label_values(&[composition, id]);
            skew.set(f64::from(skew_us) / 1e6);
        }
        for (kind, track) in [("video", stats.video), ("audio", stats.audio)] {
            let TrackStats {
                buffered_ms,
                late,
                filled,
            } = track;
            let labels = &[composition, id, kind];
            (self.buffered.with_label_values(labels)).set(f64::from(buffered_ms) / 1000.0);
            self.late.with_label_values(labels).inc_by(late);
            self.filled.with_label_values(labels).inc_by(filled);
        }
    }
}

#[cfg(test)]
mod tests {
    use compositor_core::id::ParticipantId;
    use compositor_core::worker_protocol::CodecCpu;

    use super::*;
    use crate::metrics::family;

    fn text(metrics: &WorkerMetrics) -> String {
        let registry = Registry::new();
        metrics.register(&registry).unwrap();
        family::text(&registry).unwrap()
    }

    #[test]
    fn every_running_composition_is_told_until_it_is_over() {
        let metrics = WorkerMetrics::default();
        let composition = CompositionId::new("c1");
        let participant = ParticipantStats {
            participant: ParticipantId::new("ada"),
            skew_us: Some(-1500),
            video: TrackStats {
                buffered_ms: 200,
                late: 3,
                filled: 4,
            },
            audio: TrackStats::default(),
        };
        let stats = WorkerStats {
            pixels_decoded: 921_600,
            participants: vec![participant],
            step: 2,
            steps_taken: 4,
            codec_cpu: CodecCpu {
                video_decoding_ms: 1500,
                ..CodecCpu::default()
            },
            ..WorkerStats::default()
        };
        metrics.tell(&composition, stats, Duration::from_millis(1250));
        let said = text(&metrics);
        for line in [
            r#"proscenium_pixels_decoded_total{composition="c1"} 921600"#,
            r#"proscenium_worker_behind_seconds{composition="c1"} 1.25"#,
            r#"proscenium_worker_codec_cpu_seconds{composition="c1",part="video_decoding"} 1.5"#,
            r#"proscenium_degradation_step{composition="c1"} 2"#,
            r#"proscenium_degradation_steps_total{composition="c1"} 4"#,
            r#"proscenium_participant_skew_seconds{composition="c1",participant="ada"} -0.0015"#,
            r#"proscenium_track_late_total{composition="c1",kind="video",participant="ada"} 3"#,
        ] {
            assert!(said.lines().any(|l| l == line), "{line} in {said}");
        }
        metrics.forget(&composition);
        assert!(!text(&metrics).contains("c1"));
    }
}
