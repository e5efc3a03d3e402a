//! The child's main loop: the socket to the server is its standard input, and all it has.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use compositor_core::journal::{Record, RecordError};
use compositor_core::time::MediaTime;
use compositor_core::worker_protocol::{FromWorker, ToWorker};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::codec::CodecError;
use crate::composer::Composer;
use crate::confine::{Needs, confine};
use crate::in_flight;
use crate::spent;
use crate::wire::{self, WireError};

/// Batches of records that wait; the rest waits in the socket and the journal.
const BATCHES_MAX: usize = 16;

/// No composition needs more memory than this; hostile media may try.
pub(crate) const MEMORY_BYTES_MAX: u64 = 8 << 30;

/// Why a worker ends before its composition does.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// GStreamer does not start.
    #[error("GStreamer does not start")]
    Gstreamer(#[source] gstreamer::glib::Error),
    /// Standard input is no socket that can be used.
    #[error("standard input cannot be used as the socket to the server")]
    Socket(#[source] io::Error),
    /// There is no descriptor left for standard output.
    #[error("standard output cannot be used to say what decoders are at")]
    Board(#[source] io::Error),
    /// The first message is not a job, or another one is.
    #[error("exactly one job is expected, as the first message")]
    Job,
    /// The socket is broken or carries nonsense.
    #[error("the socket to the server failed")]
    Wire(#[from] WireError),
    /// The journal is damaged.
    #[error("a journal record is damaged")]
    Record(#[from] RecordError),
    /// A message ends within a record.
    #[error("a batch of journal records ends within a record")]
    TornBatch,
    /// The checkpoint of the predecessor does not parse.
    #[error("the checkpoint of the predecessor does not parse")]
    Checkpoint(#[source] postcard::Error),
    /// An encoder or decoder cannot be built, or an encoder failed.
    #[error("a codec failed")]
    Codec(#[from] CodecError),
}

/// What the reader hands to the composer.
#[derive(Debug)]
enum Input {
    Records(Vec<Record>),
    Stop(MediaTime),
}

/// Runs the worker of one composition until it has ended or the server is gone.
///
/// Standard input is one end of a Unix socket pair, used both ways. The process confines itself first, so nothing else may
/// run in it.
pub fn run() -> Result<(), WorkerError> {
    confine(&Needs {
        memory_bytes_max: MEMORY_BYTES_MAX,
        read: &[],
        write: &[],
    })
    .map_err(WorkerError::Gstreamer)?;
    in_flight::use_standard_output().map_err(WorkerError::Board)?;
    let socket = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map(UnixStream::from)
        .map_err(WorkerError::Socket)?;
    compose(socket)
}

fn compose(socket: UnixStream) -> Result<(), WorkerError> {
    let mut reading = socket.try_clone().map_err(WorkerError::Socket)?;
    let job = match wire::read_blocking(&mut reading)? {
        Some(ToWorker::Job(job)) => job,
        Some(_) => return Err(WorkerError::Job),
        None => return Ok(()),
    };
    let (batches, inputs) = sync_channel(BATCHES_MAX);
    thread::spawn(move || {
        if let Err(error) = read(&mut reading, &batches) {
            // The composer may have ended meanwhile, then nobody is left to tell.
            let _ = batches.send(Err(error));
        }
    });
    Work {
        composer: Composer::new(job)?,
        socket,
        out: Vec::new(),
        busy: Busy::begin(),
    }
    .run(&inputs)
}

/// Parses what the server sends until it closes the socket or nobody listens any more.
fn read(
    socket: &mut UnixStream,
    batches: &SyncSender<Result<Input, WorkerError>>,
) -> Result<(), WorkerError> {
    while let Some(message) = wire::read_blocking(socket)? {
        let input = match message {
            ToWorker::Job(_) => return Err(WorkerError::Job),
            ToWorker::Stop { at } => Input::Stop(at),
            ToWorker::Records(mut bytes) => {
                let mut records = Vec::new();
                while let Some(record) = Record::decode(&mut bytes)? {
                    records.push(record);
                }
                if !bytes.is_empty() {
                    return Err(WorkerError::TornBatch);
                }
                Input::Records(records)
            }
        };
        if batches.send(Ok(input)).is_err() {
            break;
        }
    }
    Ok(())
}

/// The composer between the reader and the socket.
struct Work {
    composer: Composer,
    socket: UnixStream,
    out: Vec<FromWorker>,
    busy: Busy,
}

impl Work {
    fn run(mut self, inputs: &Receiver<Result<Input, WorkerError>>) -> Result<(), WorkerError> {
        // The channel closes when the server does: then there is nobody to compose for.
        while let Some(input) = self.next(inputs)? {
            match input {
                Input::Stop(at) => self.composer.stop(at, &mut self.out)?,
                Input::Records(records) => {
                    for record in records {
                        self.composer.record(record, &mut self.out)?;
                        self.send()?;
                    }
                }
            }
            self.send()?;
            if self.composer.has_ended() {
                break;
            }
        }
        Ok(())
    }

    /// What comes next; while there is nothing, no frame is kept back.
    fn next(
        &mut self,
        inputs: &Receiver<Result<Input, WorkerError>>,
    ) -> Result<Option<Input>, WorkerError> {
        let next = match inputs.try_recv() {
            Ok(input) => Ok(input),
            Err(_) => {
                self.composer.settle(&mut self.out)?;
                self.send()?;
                self.busy.wait(|| inputs.recv())
            }
        };
        next.ok().transpose()
    }

    fn send(&mut self) -> Result<(), WorkerError> {
        for mut message in self.out.drain(..) {
            if let FromWorker::Stats(stats) = &mut message {
                stats.cpu_ms = cpu_ms();
                stats.codec_cpu = spent::so_far();
                stats.busy_percent = self.busy.percent();
            }
            (self.busy).wait(|| wire::write_blocking(&mut self.socket, &message))?;
        }
        Ok(())
    }
}

/// How much of its time a thread did not wait. A thread that may not run counts as busy.
struct Busy {
    since: Instant,
    waited: Duration,
}

impl Busy {
    fn begin() -> Self {
        Self {
            since: Instant::now(),
            waited: Duration::ZERO,
        }
    }

    /// Does what only waits.
    fn wait<T>(&mut self, waiting: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let answer = waiting();
        self.waited += begun.elapsed();
        answer
    }

    /// Since the last time that this was asked.
    fn percent(&mut self) -> u8 {
        let Self { since, waited } = std::mem::replace(self, Self::begin());
        let all = since.elapsed().as_secs_f64();
        if all == 0.0 {
            return 0;
        }
        // Between 0 and 100: what was waited for is a part of it.
        ((1.0 - waited.as_secs_f64() / all) * 100.0) as u8
    }
}

/// User and system time of this process.
fn cpu_ms() -> u64 {
    getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| {
        let ms = usage.user_time().num_milliseconds() + usage.system_time().num_milliseconds();
        u64::try_from(ms).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};
    use compositor_core::id::CompositionId;
    use compositor_core::journal::{JournalSeq, RecordBody};
    use compositor_core::layout::{GridSpec, LayoutSpec, VideoAspectRatio};
    use compositor_core::time::FrameRate;
    use compositor_core::worker_protocol::{EncoderSpec, Job};

    use super::*;

    fn job() -> Job {
        Job {
            composition: CompositionId::new("c"),
            start: MediaTime(0),
            layout: LayoutSpec::Grid(GridSpec {
                featured_participant_attribute: String::new(),
                grid_gap: 2,
                omit_stopped_video: false,
                participant_order_attribute: String::new(),
                video_aspect_ratio: VideoAspectRatio::Video,
                video_fill_mode: None,
            }),
            encoders: vec![EncoderSpec {
                width: 320,
                height: 180,
                fps: FrameRate::whole(30),
                bitrate: 500_000,
                keyframe_every: vec![60],
                thumbnail_every: None,
            }],
            resume: None,
        }
    }

    fn watermarks(count: u64) -> Bytes {
        let mut bytes = BytesMut::new();
        for seq in 0..count {
            let mark = Record {
                seq: JournalSeq(seq),
                time: MediaTime(seq * 20_000_000),
                body: RecordBody::Watermark,
            };
            mark.encode(&mut bytes);
        }
        bytes.freeze()
    }

    /// Runs a worker on one end of a socket pair; the other end is given `messages` and then closed for writing.
    fn run_with(messages: &[ToWorker]) -> (Result<(), WorkerError>, Vec<FromWorker>) {
        gstreamer::init().expect("GStreamer starts");
        let (mut server, worker) = UnixStream::pair().expect("a socket pair");
        let worker = thread::spawn(move || compose(worker));
        for message in messages {
            wire::write_blocking(&mut server, message).expect("it is taken");
        }
        server
            .shutdown(std::net::Shutdown::Write)
            .expect("it can be closed");
        let mut said = Vec::new();
        while let Ok(Some(message)) = wire::read_blocking(&mut server) {
            said.push(message);
        }
        (worker.join().expect("it does not panic"), said)
    }

    #[test]
    fn a_job_is_composed_to_its_stop_and_ended() {
        let stop = MediaTime(1_000_000_000);
        let (end, said) = run_with(&[
            ToWorker::Job(job()),
            ToWorker::Stop { at: stop },
            ToWorker::Records(watermarks(70)),
        ]);
        end.expect("it ends well");
        assert_eq!(said.last(), Some(&FromWorker::Ended));
        let frames = said.iter().filter(|m| matches!(m, FromWorker::Video(_)));
        assert_eq!(frames.count(), 30);
        let used = said
            .iter()
            .any(|m| matches!(m, FromWorker::Stats(s) if s.cpu_ms > 0));
        assert!(used, "CPU time is told");
        let encoded = said
            .iter()
            .any(|m| matches!(m, FromWorker::Stats(s) if s.codec_cpu.video_encoding_ms > 0));
        assert!(encoded, "CPU time of the encoder is told");
    }

    #[test]
    fn a_worker_whose_server_is_gone_leaves_without_an_end() {
        let (end, said) = run_with(&[ToWorker::Job(job()), ToWorker::Records(watermarks(20))]);
        end.expect("nothing failed");
        assert!(!said.is_empty());
        assert!(!said.contains(&FromWorker::Ended));
    }

    #[test]
    fn nonsense_is_an_error_and_not_a_composition() {
        let stop = ToWorker::Stop { at: MediaTime(0) };
        assert!(matches!(run_with(&[stop]).0, Err(WorkerError::Job)));
        let twice = [ToWorker::Job(job()), ToWorker::Job(job())];
        assert!(matches!(run_with(&twice).0, Err(WorkerError::Job)));
        let mut torn = watermarks(3);
        torn.truncate(torn.len() - 1);
        let torn = [ToWorker::Job(job()), ToWorker::Records(torn)];
        assert!(matches!(run_with(&torn).0, Err(WorkerError::TornBatch)));
    }
}
