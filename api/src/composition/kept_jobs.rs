//! Job files beside a journal that is kept: what `proscenium compose` needs to make the same composition again.

use std::path::{Path, PathBuf};

use compositor_core::time::MediaTime;

use super::encoders::EncoderPlan;
use crate::backend::{CompositionSpec, DestinationTarget};
use crate::convert;
use crate::dto::composition::{HlsConfiguration, RecordingConfiguration};
use crate::offline::JobFile;

/// The job files of one composition, one for each encoder; none when the journal is not kept.
#[derive(Debug, Default)]
pub(super) struct KeptJobs {
    files: Vec<(PathBuf, JobFile)>,
}

impl KeptJobs {
    /// `job-<compositionId>.json` in `folder`, and `job-<compositionId>-2.json` for a second encoder configuration.
    pub(super) fn new(
        folder: &Path,
        spec: &CompositionSpec,
        plan: &EncoderPlan,
        start: MediaTime,
    ) -> Self {
        let mut files: Vec<(PathBuf, JobFile)> = Vec::new();
        for (destination, &encoder) in spec.destinations.iter().zip(&plan.encoder_of) {
            let recording = match destination.target {
                DestinationTarget::S3 {
                    segment_seconds, ..
                } => RecordingConfiguration {
                    hls_configuration: HlsConfiguration {
                        target_segment_duration_seconds: segment_seconds,
                    },
                    ..RecordingConfiguration::default()
                },
                DestinationTarget::Channel { .. } => RecordingConfiguration::default(),
            };
            let is_recording = matches!(destination.target, DestinationTarget::S3 { .. });
            if let Some((_, known)) = files.get_mut(usize::from(encoder)) {
                // Both share an encoder; segments are those of the recording.
                if is_recording {
                    known.recording = recording;
                }
                continue;
            }
            let name = match encoder {
                0 => format!("job-{}.json", spec.id),
                more => format!("job-{}-{}.json", spec.id, more + 1),
            };
            let job = JobFile {
                composition: Some(spec.id.clone()),
                layout: convert::layout::from_spec(&spec.layout),
                video: convert::encoder_configuration::from_spec(destination.video),
                recording,
                without: Vec::new(),
                start: Some(start),
                end: None,
            };
            files.push((folder.join(name), job));
        }
        Self { files }
    }

    /// Writes the files. What cannot be written is logged: the composition matters more.
    pub(super) async fn write(&self) {
        for (path, job) in &self.files {
            if let Err(error) = tokio::fs::write(path, job.render()).await {
                tracing::warn!(path = %path.display(), %error, "a job file is not kept with its journal");
            }
        }
    }

    /// The composition ends at `at`.
    pub(super) async fn end(&mut self, at: MediaTime) {
        for (_, job) in &mut self.files {
            job.end = Some(at);
        }
        self.write().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::VideoSpec;
    use crate::composition::encoders::tests::{spec, video};

    fn jobs(channel: VideoSpec, recording: VideoSpec) -> KeptJobs {
        let spec = spec(channel, recording);
        let plan = EncoderPlan::new(&spec);
        KeptJobs::new(Path::new("j"), &spec, &plan, MediaTime(7))
    }

    #[tokio::test]
    async fn one_encoder_has_one_job_with_the_segments_of_the_recording() {
        let jobs = jobs(video(720), video(720));
        let [(path, job)] = &jobs.files[..] else {
            panic!("one file")
        };
        assert_eq!(path, Path::new("j/job-C.json"));
        let hls = job.recording.hls_configuration;
        assert_eq!(hls.target_segment_duration_seconds, 5);
        assert_eq!((job.start, job.end), (Some(MediaTime(7)), None));
    }

    #[tokio::test]
    async fn two_encoders_have_two_jobs() {
        let jobs = jobs(video(720), video(360));
        let heights: Vec<u16> = jobs.files.iter().map(|(_, job)| job.video.height).collect();
        assert_eq!(heights, [720, 360]);
        assert_eq!(jobs.files[1].0, Path::new("j/job-C-2.json"));
    }

    #[tokio::test]
    async fn the_end_is_written_when_it_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let spec = spec(video(720), video(720));
        let plan = EncoderPlan::new(&spec);
        let mut jobs = KeptJobs::new(dir.path(), &spec, &plan, MediaTime(7));
        jobs.write().await;
        jobs.end(MediaTime(9)).await;
        let text = std::fs::read(dir.path().join("job-C.json")).unwrap();
        assert_eq!(JobFile::parse(&text).unwrap(), jobs.files[0].1);
    }
}
