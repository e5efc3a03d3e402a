//! The job file of `proscenium compose`: JSON in the words of the AWS API.

use std::collections::BTreeSet;

use compositor_core::id::{CompositionId, ParticipantId};
use compositor_core::time::MediaTime;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::convert::composition::LayoutRequest;
use crate::dto::composition::RecordingConfiguration;
use crate::dto::encoder_configuration::Video;
use crate::dto::layout::LayoutConfiguration;
use crate::error::ApiError;
use crate::model::{check_realtime, unknown_member};
use crate::ops::encoder_configuration::check_size;
use crate::validate::parse_body;

const MEMBERS: [&str; 7] = [
    "compositionId",
    "layout",
    "video",
    "recordingConfiguration",
    "without",
    "start",
    "end",
];

/// No stage session lasts longer, in seconds; its nanoseconds are exact as a float to a fraction of a sample.
const SECONDS_MAX: f64 = 1e7;

/// What is to be composed of a journal, defaults filled in. All members may be absent.
#[derive(Clone, PartialEq, Debug)]
pub struct JobFile {
    /// `compositionId`: the composition whose journaled layer choices are followed. Absent: layers are chosen anew.
    pub composition: Option<CompositionId>,
    /// `layout`, as StartComposition takes it.
    pub layout: LayoutConfiguration,
    /// `video`, as CreateEncoderConfiguration takes it.
    pub video: Video,
    /// `recordingConfiguration`, as StartComposition takes it.
    pub recording: RecordingConfiguration,
    /// `without`: ids of participants that are left out.
    pub without: Vec<ParticipantId>,
    /// `start`: seconds on the stage clock. Absent: where the journal begins.
    pub start: Option<MediaTime>,
    /// `end`: seconds on the stage clock. Absent: where the journal ends.
    pub end: Option<MediaTime>,
}

impl JobFile {
    /// Reads a job file. An unknown member or a bad value is an error that names member, value and rule.
    pub fn parse(text: &[u8]) -> Result<Self, ApiError> {
        let Value::Object(mut members) = parse_body(text)? else {
            unreachable!("bodies are objects");
        };
        members.retain(|_, value| !value.is_null());
        let stranger = members.iter().find(|(n, _)| !MEMBERS.contains(&n.as_str()));
        if let Some((name, value)) = stranger {
            return Err(unknown_member(name, value, &MEMBERS));
        }
        members.entry("layout").and_modify(drop_unset_fill_mode);
        let layout: LayoutRequest = shaped(&mut members, "layout", "LayoutConfiguration")?;
        let video = shaped(&mut members, "video", "Video")?;
        check_size(&video)?;
        Ok(Self {
            composition: text_of(&mut members, "compositionId")?.map(CompositionId::new),
            layout: layout.check()?,
            video,
            recording: shaped(
                &mut members,
                "recordingConfiguration",
                "RecordingConfiguration",
            )?,
            without: participants(&mut members)?,
            start: seconds(&mut members, "start")?,
            end: seconds(&mut members, "end")?,
        })
    }

    /// The text of the file.
    pub fn render(&self) -> String {
        let mut file = json!({
            "layout": self.layout,
            "video": self.video,
            "recordingConfiguration": self.recording,
        });
        let without: BTreeSet<&str> = self.without.iter().map(ParticipantId::as_str).collect();
        let optional = [
            (
                "compositionId",
                self.composition.as_ref().map(|id| json!(id.as_str())),
            ),
            ("start", self.start.map(|start| json!(to_seconds(start)))),
            ("end", self.end.map(|end| json!(to_seconds(end)))),
            ("without", (!without.is_empty()).then(|| json!(without))),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                file[name] = value;
            }
        }
        format!("{file:#}\n")
    }
}

/// The API's answers, from which a layout may come, spell an unset fill mode as the empty string; its requests may not.
fn drop_unset_fill_mode(layout: &mut Value) {
    for kind in ["grid", "pip"] {
        if let Some(Value::Object(members)) = layout.get_mut(kind) {
            members.retain(|name, value| name != "videoFillMode" || value != "");
        }
    }
}

/// Seconds on the stage clock.
pub(super) fn to_seconds(time: MediaTime) -> f64 {
    time.0 as f64 / 1e9
}

/// A member that has the shape of one of the AWS API; the defaults of its type when it is absent.
fn shaped<T: for<'a> Deserialize<'a> + Default>(
    members: &mut Map<String, Value>,
    name: &str,
    shape: &str,
) -> Result<T, ApiError> {
    let Some(value) = members.remove(name) else {
        return Ok(T::default());
    };
    let value = check_realtime(shape, name, value)?;
    T::deserialize(&value).map_err(|error| ApiError::validation(format!("`{name}`: {error}")))
}

fn text_of(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, ApiError> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(other) => Err(ApiError::validation(format!(
            "`{name}`: {other} given, must be a string that is not empty"
        ))),
    }
}

fn participants(members: &mut Map<String, Value>) -> Result<Vec<ParticipantId>, ApiError> {
    let items = match members.remove("without") {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(other) => {
            return Err(ApiError::validation(format!(
                "`without`: {other} given, must be a list of participant ids"
            )));
        }
    };
    let ids = items.into_iter().enumerate().map(|(i, item)| match item {
        Value::String(id) => Ok(ParticipantId::new(id)),
        other => Err(ApiError::validation(format!(
            "`without[{i}]`: {other} given, must be a participant id, a string"
        ))),
    });
    ids.collect()
}

fn seconds(members: &mut Map<String, Value>, name: &str) -> Result<Option<MediaTime>, ApiError> {
    let Some(value) = members.remove(name) else {
        return Ok(None);
    };
    match value.as_f64() {
        Some(seconds) if (0.0..=SECONDS_MAX).contains(&seconds) => {
            Ok(Some(MediaTime((seconds * 1e9).round() as u64)))
        }
        _ => Err(ApiError::validation(format!(
            "`{name}`: {value} given, must be a number of seconds, 0 to {SECONDS_MAX}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dto::layout::GridConfiguration;

    #[track_caller]
    fn check_err(text: &str, message: &str) {
        let error = JobFile::parse(text.as_bytes()).expect_err("it breaks a rule");
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn an_empty_job_has_the_defaults_of_the_api() {
        let job = JobFile::parse(b"{}").unwrap();
        assert_eq!(
            job.layout,
            LayoutConfiguration::Grid(GridConfiguration::default())
        );
        assert_eq!(job.video, Video::default());
        assert_eq!((job.composition, job.start, job.end), (None, None, None));
    }

    #[test]
    fn a_job_survives_being_written() {
        let text = r#"{
            "compositionId": "AbCdEf123456",
            "layout": {"pip": {"pipOffset": 4, "pipBehavior": "DYNAMIC"}},
            "video": {"width": 640, "height": 360, "framerate": 29.97, "bitrate": 700000},
            "recordingConfiguration": {"hlsConfiguration": {"targetSegmentDurationSeconds": 4}},
            "without": ["ada"],
            "start": 12.345678901,
            "end": 99
        }"#;
        let job = JobFile::parse(text.as_bytes()).unwrap();
        assert_eq!(job.start, Some(MediaTime(12_345_678_901)));
        assert_eq!(JobFile::parse(job.render().as_bytes()).unwrap(), job);
    }

    #[test]
    fn a_time_survives_to_the_nanosecond_for_days() {
        for nanos in [1, 5_003_000_000, 86_399_999_999_999, 604_800_123_456_789] {
            let job = JobFile {
                start: Some(MediaTime(nanos)),
                ..JobFile::parse(b"").unwrap()
            };
            let again = JobFile::parse(job.render().as_bytes()).unwrap();
            assert_eq!(again.start, Some(MediaTime(nanos)));
        }
    }

    #[test]
    fn an_unknown_member_is_named_with_those_that_are_known() {
        check_err(
            r#"{"vidoe": 1}"#,
            "`vidoe`: 1 given, no such member; known are compositionId, layout, video, recordingConfiguration, \
             without, start, end",
        );
        check_err(
            r#"{"video": {"fps": 30}}"#,
            "`video.fps`: 30 given, no such member; known are bitrate, framerate, height, width",
        );
    }

    #[test]
    fn a_bad_value_is_named_with_its_rule() {
        check_err(
            r#"{"video": {"width": 641}}"#,
            "`video.width`: 641 given, must be even",
        );
        check_err(
            r#"{"video": {"framerate": 90}}"#,
            "`video.framerate`: 90 given, must be 1 to 60",
        );
        check_err(
            r#"{"layout": {"grid": {"videoFillMode": "ZOOM"}}}"#,
            "`layout.grid.videoFillMode`: 'ZOOM' given, must be one of FILL, COVER, CONTAIN",
        );
        check_err(
            r#"{"layout": {"grid": {}, "pip": {}}}"#,
            "`layout`: grid and pip given, at most one of them allowed",
        );
        check_err(
            r#"{"start": -1}"#,
            "`start`: -1 given, must be a number of seconds, 0 to 10000000",
        );
        check_err(
            r#"{"without": "ada"}"#,
            "`without`: \"ada\" given, must be a list of participant ids",
        );
        check_err("[]", "body: a list given, must be a JSON object");
    }
}
