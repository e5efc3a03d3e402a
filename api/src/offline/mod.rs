//! `proscenium compose --journal DIR --job FILE --out DIR`: composes a kept journal into a folder, faster than in real
//! time. Same journal, job and build: the same bytes, on any number of threads.

mod hashes;
mod job;
mod survey;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use compositor::composer::Tap;
use compositor::offline::{Offline, OfflineJob};
use compositor::worker::WorkerError;
use compositor_core::worker_protocol::{EncoderSpec, FromWorker};
use recorder::{FolderRecording, RenditionSpec};
use stage_gateway::journal::{Replay, ReplayError};

pub use self::hashes::Hashes;
pub use self::job::JobFile;
use self::job::to_seconds;
pub use self::survey::Survey;
use crate::clock::Clock;
use crate::convert;
use crate::error::ApiError;

/// What was given to the encoders, hashed.
const HASHES: &str = "hashes.txt";

/// A composition's start is taken this long before its first record at most: its reader attaches meanwhile.
const ATTACH_MAX: Duration = Duration::from_secs(2);

/// What to compose. Without it, this is the worker that `serve` spawns.
#[derive(Args, Debug)]
pub struct OfflineArgs {
    /// A folder with a journal: files named FIRST-RECORD.journal; only read
    #[arg(long, value_name = "DIR", requires_all = ["job", "out"])]
    pub journal: Option<PathBuf>,
    /// What to compose of it (JSON)
    #[arg(long, value_name = "FILE", requires_all = ["journal", "out"])]
    pub job: Option<PathBuf>,
    /// Where segments, playlists and hashes go; must be empty or not there yet
    #[arg(long, value_name = "DIR", requires_all = ["journal", "job"])]
    pub out: Option<PathBuf>,
}

/// Why a journal was not composed.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// A file or a folder.
    #[error("cannot {what} {path}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It breaks a rule, or does not fit the journal.
    #[error("job file {path}")]
    Job {
        /// Which.
        path: PathBuf,
        /// Which member, and which rule.
        #[source]
        source: ApiError,
    },
    /// There are files already, which would stay beside the new ones.
    #[error("{path} is not empty")]
    OutNotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The journal.
    #[error("the journal cannot be replayed")]
    Journal(#[from] ReplayError),
    /// The job does not fit the journal.
    #[error(transparent)]
    Misfit(ApiError),
    /// A codec.
    #[error("the composition failed")]
    Composer(#[from] WorkerError),
}

/// Composes as the command line says, and says on standard output what came of it.
pub fn run(journal: &Path, job: &Path, out: &Path, clock: Clock) -> Result<(), OfflineError> {
    let begun = clock.monotonic();
    let text = std::fs::read(job).map_err(io_error("read", job))?;
    let parsed = JobFile::parse(&text).map_err(|source| OfflineError::Job {
        path: job.to_owned(),
        source,
    })?;
    std::fs::create_dir_all(out).map_err(io_error("make", out))?;
    compositor::offline::prepare(journal, out)?;
    let length = record(journal, &parsed, out).map_err(|error| match error {
        OfflineError::Misfit(source) => OfflineError::Job {
            path: job.to_owned(),
            source,
        },
        other => other,
    })?;
    let took = clock.monotonic().since(begun).as_secs_f64();
    let length = length.as_secs_f64();
    println!(
        "composed {length:.1} s in {took:.1} s, {:.1} times as fast as in real time",
        length / took
    );
    println!("watch {}", out.join("multivariant.m3u8").display());
    Ok(())
}

/// Composes into a folder: a recording, and the hashes of what was given to its encoders. Answers how long it is.
pub fn record(journal: &Path, job: &JobFile, out: &Path) -> Result<Duration, OfflineError> {
    let fit = fit(job, &Survey::of(journal)?)?;
    let mut entries = std::fs::read_dir(out).map_err(io_error("read", out))?;
    if entries.next().is_some() {
        let path = out.to_owned();
        return Err(OfflineError::OutNotEmpty { path });
    }
    let EncoderSpec {
        width,
        height,
        fps,
        bitrate,
        ..
    } = fit.encoder;
    let rendition = RenditionSpec {
        width,
        height,
        fps,
        bitrate,
    };
    let hashes = Hashes::new(fps);
    let segment_frames = segment_frames(&fit.encoder);
    let mut recording = FolderRecording::new(out.to_owned(), rendition, segment_frames);
    replay(journal, fit, hashes.tap(), |message| match message {
        FromWorker::Video(unit) => recording.video(unit.k, unit.keyframe, unit.data),
        FromWorker::Audio { n, data } => recording.audio(n, data),
        _ => Ok(()),
    })?
    .map_err(io_error("write to", out))?;
    let length = recording.finish().map_err(io_error("write to", out))?;
    let path = out.join(HASHES);
    std::fs::write(&path, hashes.render()).map_err(io_error("write", &path))?;
    Ok(length)
}

/// Composes for `tap` alone.
pub fn look(journal: &Path, job: &JobFile, tap: Box<dyn Tap>) -> Result<(), OfflineError> {
    let fit = fit(job, &Survey::of(journal)?)?;
    replay(journal, fit, tap, |_| Ok(()))?.expect("nothing is written");
    Ok(())
}

/// Composes; the inner error is of `take`, which gets everything that comes out.
fn replay(
    journal: &Path,
    job: OfflineJob,
    tap: Box<dyn Tap>,
    mut take: impl FnMut(FromWorker) -> io::Result<()>,
) -> Result<io::Result<()>, OfflineError> {
    let mut offline = Offline::new(job, tap)?;
    let mut out = Vec::new();
    for record in Replay::open(journal)? {
        offline.record(record?, &mut out)?;
        if let Err(error) = out.drain(..).try_for_each(&mut take) {
            return Ok(Err(error));
        }
        if offline.has_ended() {
            break;
        }
    }
    offline.finish(&mut out)?;
    Ok(out.into_iter().try_for_each(take))
}

/// The job for this journal.
fn fit(job: &JobFile, survey: &Survey) -> Result<OfflineJob, OfflineError> {
    let misfit = |text| OfflineError::Misfit(ApiError::validation(text));
    let Survey {
        begins,
        ends,
        participants,
    } = survey;
    let start = job.start.unwrap_or(*begins);
    let end = job.end.unwrap_or(*ends);
    let (from, to) = (to_seconds(*begins), to_seconds(*ends));
    let range = format!("the journal reaches from {from} to {to}");
    if start < begins.minus(ATTACH_MAX) || start >= *ends {
        let given = to_seconds(start);
        return Err(misfit(format!("`start`: {given} given, but {range}")));
    }
    if end > *ends {
        let given = to_seconds(end);
        return Err(misfit(format!("`end`: {given} given, but {range}")));
    }
    if end <= start {
        let (end, start) = (to_seconds(end), to_seconds(start));
        return Err(misfit(format!(
            "`end`: {end} given, must be after the start at {start}"
        )));
    }
    let mut without_tracks = BTreeSet::new();
    for (i, participant) in job.without.iter().enumerate() {
        let Some(tracks) = participants.get(participant) else {
            let known: Vec<_> = participants.keys().map(|id| id.as_str()).collect();
            let known = known.join(", ");
            return Err(misfit(format!(
                "`without[{i}]`: '{participant}' given, must be one of the journal's participants: {known}"
            )));
        };
        without_tracks.extend(tracks);
    }
    Ok(OfflineJob {
        composition: job.composition.clone(),
        start,
        end,
        layout: convert::layout::to_spec(&job.layout),
        encoder: encoder(job),
        without: job.without.iter().cloned().collect(),
        without_tracks,
    })
}

fn encoder(job: &JobFile) -> EncoderSpec {
    let video = convert::encoder_configuration::to_spec(job.video);
    let hls = job.recording.hls_configuration;
    let segment_frames = video.fps.frames_in(hls.target_segment_duration_seconds);
    EncoderSpec {
        width: video.width,
        height: video.height,
        fps: video.fps,
        bitrate: video.bitrate,
        keyframe_every: vec![segment_frames.max(1)],
        thumbnail_every: None,
    }
}

fn segment_frames(encoder: &EncoderSpec) -> u32 {
    encoder.keyframe_every.first().copied().unwrap_or(1)
}

fn io_error(what: &'static str, path: &Path) -> impl Fn(io::Error) -> OfflineError {
    move |source| OfflineError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use compositor_core::id::{ParticipantId, TrackId};
    use compositor_core::time::MediaTime;

    use super::*;

    fn survey() -> Survey {
        let ada = (ParticipantId::new("ada"), BTreeSet::from([TrackId(3)]));
        Survey {
            begins: MediaTime(10_000_000_000),
            ends: MediaTime(20_500_000_000),
            participants: BTreeMap::from([ada]),
        }
    }

    fn fitted(text: &str) -> Result<OfflineJob, String> {
        let job = JobFile::parse(text.as_bytes()).unwrap();
        fit(&job, &survey()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_job_without_times_takes_the_whole_journal() {
        let job = fitted("{}").unwrap();
        assert_eq!((job.start, job.end), (survey().begins, survey().ends));
        assert_eq!(job.encoder.keyframe_every, [60]);
    }

    #[test]
    fn who_is_left_out_is_left_out_with_all_tracks() {
        let job = fitted(r#"{"without": ["ada"]}"#).unwrap();
        assert_eq!(job.without_tracks, BTreeSet::from([TrackId(3)]));
    }

    #[test]
    fn what_does_not_fit_the_journal_is_named() {
        let check = |text: &str, message: &str| assert_eq!(fitted(text).unwrap_err(), message);
        check(
            r#"{"start": 7.9}"#,
            "`start`: 7.9 given, but the journal reaches from 10 to 20.5",
        );
        check(
            r#"{"end": 21}"#,
            "`end`: 21 given, but the journal reaches from 10 to 20.5",
        );
        check(
            r#"{"start": 15, "end": 15}"#,
            "`end`: 15 given, must be after the start at 15",
        );
        check(
            r#"{"without": ["bob"]}"#,
            "`without[0]`: 'bob' given, must be one of the journal's participants: ada",
        );
        fitted(r#"{"start": 9}"#).unwrap();
    }
}
