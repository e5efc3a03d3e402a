//! Which encoders a composition needs: one for each distinct encoder configuration, however many destinations share it.

use compositor_core::worker_protocol::EncoderSpec;

use crate::backend::{CompositionSpec, DestinationSpec, DestinationTarget, VideoSpec};

/// A broadcast gets a keyframe this often: the target duration of a live segment.
const BROADCAST_KEYFRAME_SECONDS: u32 = 2;

/// The encoders of a composition, and which of them each destination takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct EncoderPlan {
    /// For the worker's job.
    pub(super) encoders: Vec<EncoderSpec>,
    /// Index into `encoders`, in the order of the spec's destinations.
    pub(super) encoder_of: Vec<u8>,
}

impl EncoderPlan {
    pub(super) fn new(spec: &CompositionSpec) -> Self {
        let mut videos: Vec<VideoSpec> = Vec::new();
        let mut plan = Self {
            encoders: Vec::new(),
            encoder_of: Vec::new(),
        };
        for destination in &spec.destinations {
            let known = videos.iter().position(|video| *video == destination.video);
            let index = known.unwrap_or_else(|| {
                videos.push(destination.video);
                plan.encoders.push(encoder(destination.video));
                videos.len() - 1
            });
            plan.serve(index, destination);
        }
        plan
    }

    fn serve(&mut self, index: usize, destination: &DestinationSpec) {
        let encoder = &mut self.encoders[index];
        let keyframe_every = keyframe_every(destination);
        if !encoder.keyframe_every.contains(&keyframe_every) {
            encoder.keyframe_every.push(keyframe_every);
        }
        if let DestinationTarget::S3 {
            thumbnails: Some(thumbnails),
            ..
        } = &destination.target
        {
            encoder.thumbnail_every =
                Some(encoder.fps.frames_in(thumbnails.interval_seconds).max(1));
        }
        self.encoder_of
            .push(u8::try_from(index).expect("two destinations at most"));
    }
}

/// Frames between two keyframes that the destination relies on; for a recording, the frames of a segment.
pub(super) fn keyframe_every(destination: &DestinationSpec) -> u32 {
    let seconds = match &destination.target {
        DestinationTarget::Channel { .. } => BROADCAST_KEYFRAME_SECONDS,
        DestinationTarget::S3 {
            segment_seconds, ..
        } => *segment_seconds,
    };
    destination.video.fps.frames_in(seconds).max(1)
}

fn encoder(video: VideoSpec) -> EncoderSpec {
    EncoderSpec {
        width: video.width,
        height: video.height,
        fps: video.fps,
        bitrate: video.bitrate,
        keyframe_every: Vec::new(),
        thumbnail_every: None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use compositor_core::id::{ChannelId, CompositionId, DestinationId, StageId};
    use compositor_core::layout::{GridSpec, LayoutSpec, VideoAspectRatio};
    use compositor_core::time::{FrameRate, WallTime};

    use super::*;
    use crate::backend::{StreamKeyValue, ThumbnailSpec};

    /// A composition to a channel and to S3, each with its own encoder configuration.
    pub(in crate::composition) fn spec(
        channel: VideoSpec,
        recording: VideoSpec,
    ) -> CompositionSpec {
        let destination = |id: &str, video, target| DestinationSpec {
            id: DestinationId::new(id),
            video,
            target,
        };
        CompositionSpec {
            id: CompositionId::new("C"),
            arn: "arn:aws:ivs:us-east-1:123456789012:composition/C".into(),
            stage: StageId::new("S"),
            stage_arn: "arn:aws:ivs:us-east-1:123456789012:stage/S".into(),
            layout: LayoutSpec::Grid(GridSpec {
                featured_participant_attribute: String::new(),
                grid_gap: 2,
                omit_stopped_video: false,
                participant_order_attribute: String::new(),
                video_aspect_ratio: VideoAspectRatio::Video,
                video_fill_mode: None,
            }),
            started_at: WallTime(0),
            destinations: vec![
                destination(
                    "D1",
                    channel,
                    DestinationTarget::Channel {
                        channel: ChannelId::new("X"),
                        channel_arn: "arn:aws:ivs:us-east-1:123456789012:channel/X".into(),
                        stream_key: StreamKeyValue::new("sk_us-east-1_x_y"),
                    },
                ),
                destination(
                    "D2",
                    recording,
                    DestinationTarget::S3 {
                        bucket: "b".into(),
                        prefix: "S/C/D2/composite".into(),
                        segment_seconds: 5,
                        thumbnails: Some(ThumbnailSpec {
                            interval_seconds: 60,
                            sequential: true,
                            latest: false,
                        }),
                    },
                ),
            ],
        }
    }

    pub(in crate::composition) fn video(height: u16) -> VideoSpec {
        VideoSpec {
            width: height / 9 * 16,
            height,
            fps: FrameRate::whole(30),
            bitrate: 2_500_000,
        }
    }

    #[test]
    fn destinations_with_one_configuration_share_one_encoder() {
        let plan = EncoderPlan::new(&spec(video(720), video(720)));
        assert_eq!(plan.encoder_of, [0, 0]);
        assert_eq!(plan.encoders.len(), 1);
        assert_eq!(plan.encoders[0].keyframe_every, [60, 150]);
        assert_eq!(plan.encoders[0].thumbnail_every, Some(1800));
    }

    #[test]
    fn destinations_with_two_configurations_get_two() {
        let plan = EncoderPlan::new(&spec(video(720), video(360)));
        assert_eq!(plan.encoder_of, [0, 1]);
        assert_eq!(plan.encoders[0].keyframe_every, [60]);
        assert_eq!(plan.encoders[0].thumbnail_every, None);
        assert_eq!(plan.encoders[1].keyframe_every, [150]);
    }
}
