//! What a recording configuration asks for, read when a stream begins. Pure.

use std::time::Duration;

use compositor_core::time::WallTime;
use recorder::Thumbnails;
use time::OffsetDateTime;

use crate::arn::Arn;
use crate::dto::recording_configuration::{
    RecordingConfigurationRecord, RecordingConfigurationState, RecordingResolution,
    RenditionSelection,
};
use crate::dto::stage::{ThumbnailRecordingMode, ThumbnailStorage};

/// The documented default.
const THUMBNAIL_INTERVAL_SECONDS: u32 = 60;

/// How the streams of a channel are recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    /// Where the objects go.
    pub(super) bucket: String,
    /// How long after a stream another one may continue its recording.
    pub(super) window: Duration,
    /// Whether pictures and sound are recorded. There is one rendition, the source: CUSTOM gets the best that is there,
    /// which is that.
    pub(super) has_rendition: bool,
    /// How often, of which size, and where thumbnails are stored.
    pub(super) thumbnails: Option<ThumbnailPlan>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ThumbnailPlan {
    pub(super) interval: Duration,
    pub(super) resolution: Option<RecordingResolution>,
    pub(super) stored: Thumbnails,
}

/// Why a configuration cannot be recorded with.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the recording configuration is {}, only ACTIVE ones record", .state.as_str())]
pub(super) struct NotActive {
    state: RecordingConfigurationState,
}

impl Plan {
    pub(super) fn new(configuration: &RecordingConfigurationRecord) -> Result<Self, NotActive> {
        let state = configuration.state;
        if state != RecordingConfigurationState::Active {
            return Err(NotActive { state });
        }
        let thumbnails = &configuration.thumbnail_configuration;
        let seconds = thumbnails
            .target_interval_seconds
            .unwrap_or(THUMBNAIL_INTERVAL_SECONDS);
        let storage = thumbnails.storage.as_deref();
        let storage = storage.unwrap_or(&[ThumbnailStorage::Sequential]);
        let is_on = thumbnails.recording_mode == ThumbnailRecordingMode::Interval;
        let selection = configuration.rendition_configuration.rendition_selection;
        let window = configuration.recording_reconnect_window_seconds;
        Ok(Self {
            bucket: configuration
                .destination_configuration
                .s3
                .bucket_name
                .clone(),
            window: Duration::from_secs(window.into()),
            has_rendition: selection != RenditionSelection::None,
            thumbnails: is_on.then(|| ThumbnailPlan {
                interval: Duration::from_secs(seconds.into()),
                resolution: thumbnails.resolution,
                stored: Thumbnails {
                    sequential: storage.contains(&ThumbnailStorage::Sequential),
                    latest: storage.contains(&ThumbnailStorage::Latest),
                },
            }),
        })
    }

    /// Which thumbnails are stored.
    pub(super) fn stored_thumbnails(&self) -> Thumbnails {
        let plan = self.thumbnails.as_ref();
        plan.map_or_else(Thumbnails::default, |plan| plan.stored)
    }

    /// The size of thumbnails of a source of this size.
    pub(super) fn thumbnail_size(&self, source: (u16, u16)) -> (u16, u16) {
        match self.thumbnails.as_ref().and_then(|plan| plan.resolution) {
            Some(resolution) => shrink(source, lines_max(resolution)),
            None => source,
        }
    }
}

/// The most lines of a class.
fn lines_max(resolution: RecordingResolution) -> u16 {
    match resolution {
        RecordingResolution::LowestResolution => 360,
        RecordingResolution::Sd => 480,
        RecordingResolution::Hd => 720,
        RecordingResolution::FullHd => 1080,
    }
}

/// Shrinks a picture whose shorter side has more lines; sides become even.
fn shrink((width, height): (u16, u16), lines_max: u16) -> (u16, u16) {
    let lines = width.min(height);
    if lines <= lines_max {
        return (width, height);
    }
    let scale = |side: u16| {
        let exact = f64::from(side) * f64::from(lines_max) / f64::from(lines);
        ((exact / 2.0).round() as u16 * 2).max(2)
    };
    (scale(width), scale(height))
}

/// What the keys of a recording begin with; the numbers of its time in UTC have no leading zeros, as the service's have
/// none.
pub(super) fn prefix(channel: &Arn, started_at: WallTime, recording_id: &str) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(started_at.0) * 1000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (account, id) = (channel.account(), channel.id());
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute) = (time.hour(), time.minute());
    format!("ivs/v1/{account}/{id}/{year}/{month}/{day}/{hour}/{minute}/{recording_id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dto::recording_configuration::{
        DestinationConfiguration, RenditionConfiguration, ThumbnailConfiguration,
    };
    use crate::dto::storage_configuration::S3StorageConfiguration;

    fn configuration() -> RecordingConfigurationRecord {
        RecordingConfigurationRecord {
            name: String::new(),
            destination_configuration: DestinationConfiguration {
                s3: S3StorageConfiguration {
                    bucket_name: "b".to_owned(),
                },
            },
            state: RecordingConfigurationState::Active,
            thumbnail_configuration: ThumbnailConfiguration {
                recording_mode: ThumbnailRecordingMode::Interval,
                target_interval_seconds: Some(5),
                resolution: Some(RecordingResolution::Sd),
                storage: Some(vec![ThumbnailStorage::Latest]),
            },
            recording_reconnect_window_seconds: 30,
            rendition_configuration: RenditionConfiguration {
                rendition_selection: RenditionSelection::Custom,
                renditions: vec![RecordingResolution::Hd],
            },
        }
    }

    #[test]
    fn the_configuration_becomes_a_plan() {
        let plan = Plan::new(&configuration()).unwrap();
        assert_eq!(
            (plan.bucket.as_str(), plan.window),
            ("b", Duration::from_secs(30))
        );
        assert!(plan.has_rendition);
        let thumbnails = plan.thumbnails.clone().unwrap();
        assert_eq!(thumbnails.interval, Duration::from_secs(5));
        assert_eq!(
            (thumbnails.stored.sequential, thumbnails.stored.latest),
            (false, true)
        );
        assert_eq!(plan.thumbnail_size((1920, 1080)), (854, 480));
    }

    #[test]
    fn what_is_switched_off_is_not_recorded() {
        let mut configuration = configuration();
        configuration.thumbnail_configuration.recording_mode = ThumbnailRecordingMode::Disabled;
        configuration.rendition_configuration.rendition_selection = RenditionSelection::None;
        let plan = Plan::new(&configuration).unwrap();
        assert_eq!((plan.thumbnails, plan.has_rendition), (None, false));
        configuration.state = RecordingConfigurationState::Creating;
        let refused = Plan::new(&configuration).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the recording configuration is CREATING, only ACTIVE ones record"
        );
    }

    #[test]
    fn thumbnails_shrink_by_their_shorter_side_and_never_grow() {
        assert_eq!(shrink((1280, 720), 360), (640, 360));
        assert_eq!(shrink((720, 1280), 360), (360, 640));
        assert_eq!(shrink((640, 360), 480), (640, 360));
    }

    #[test]
    fn the_prefix_has_no_leading_zeros() {
        let channel = Arn::parse("arn:aws:ivs:us-east-1:123456789012:channel/C").unwrap();
        let at = WallTime(1_767_323_045_000_000);
        assert_eq!(
            prefix(&channel, at, "R"),
            "ivs/v1/123456789012/C/2026/1/2/3/4/R"
        );
    }
}
