//! How many compositions run in real time: workers side by side, each fed as a stage would write its journal.
//!
//! A frame is late when it comes more than [`LATE`] after its time plus the composition delay. One more composition is
//! tried until frames come late; what runs is what the last one without a late frame was.

use std::ops::RangeInclusive;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use benches::clip::{Clip, FPS, simulcast_and_single};
use benches::cpu::of_children;
use benches::stage::{LEAD, Stage};
use benches::worker::{self, Feed};
use benches::{BenchError, options, table};
use compositor::source::SourceCodec;
use compositor_core::limits::COMPOSITION_DELAY;
use compositor_core::worker_protocol::WorkerStats;

const PARTICIPANTS: &str = "4,12";

/// What DESIGN.md 7 allows from glass to composed frame, above the composition delay.
const LATE: Duration = Duration::from_millis(150);

/// The first frames of a process are not judged: its plug-ins are being loaded.
const STARTING: Duration = Duration::from_secs(3);

/// A machine that runs more than this many needs another bench.
const COMPOSITIONS_MAX: usize = 64;

/// What some compositions at once did.
struct Run {
    /// Frames that came late, of all.
    late: usize,
    /// What 95 of 100 frames took at most, from their time plus the composition delay on.
    p95: Duration,
    /// CPU time per second, of all together.
    cpu: f64,
    /// CPU time of all against that of their decoders and encoders, once all plug-ins are loaded.
    overhead: f64,
    /// Of the largest worker.
    memory_kib: u64,
}

fn main() -> Result<(), BenchError> {
    let seconds = options::value("seconds", 60)?;
    let compositions = options::value("from", 1)?..=options::value("to", COMPOSITIONS_MAX)?;
    let only: String = options::value("only", String::new())?;
    let counts: String = options::value("participants", PARTICIPANTS.to_owned())?;
    let counts: Vec<usize> = counts
        .split(',')
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let length = STARTING + Duration::from_secs(seconds);
    let proscenium = options::proscenium()?;
    let (simulcast, single) = simulcast_and_single(SourceCodec::H264)?;
    for (layers, clips) in [("720p", &single), ("simulcast q/h/f", &simulcast)] {
        for &participants in &counts {
            let title = format!("{participants} participants, H.264 {layers}");
            if title.contains(&only) {
                println!("### {title}\n");
                rows(&proscenium, clips, participants, (&compositions, length))?;
            }
        }
    }
    Ok(())
}

fn rows(
    proscenium: &Path,
    clips: &[Clip],
    participants: usize,
    (compositions, length): (&RangeInclusive<usize>, Duration),
) -> Result<(), BenchError> {
    let stage = Stage {
        clips: clips.iter().cycle().take(participants).collect(),
        step: 0,
    };
    let mut rows = Vec::new();
    for compositions in compositions.clone() {
        let run = run(proscenium, &stage, compositions, length)?;
        rows.push(vec![
            compositions.to_string(),
            run.late.to_string(),
            format!("{:.0}", run.p95.as_secs_f64() * 1000.0),
            format!("{:.2}", run.cpu),
            format!("{:.2}", run.cpu / compositions as f64),
            format!("{:.2}", run.overhead),
            format!("{}", run.memory_kib >> 10),
        ]);
        if run.late > 0 {
            break;
        }
    }
    let head = [
        "compositions",
        "late frames",
        "p95 above the delay, ms",
        "CPUs",
        "CPUs per composition",
        "worker / decoding + encoding",
        "largest worker, MiB",
    ];
    table::print(&head, &rows);
    Ok(())
}

fn run(
    proscenium: &Path,
    stage: &Stage<'_>,
    compositions: usize,
    length: Duration,
) -> Result<Run, BenchError> {
    let (job, journal) = (stage.job(), stage.journal(length));
    let (began, compose) = (Instant::now(), &|began| {
        worker::compose(proscenium, &job, length, &journal, Feed::Live(began))
    });
    let (made, cpu) = of_children(|| {
        thread::scope(|scope| {
            let workers: Vec<_> = (0..compositions)
                .map(|_| scope.spawn(move || compose(began)))
                .collect();
            let (mut lags, mut spent, mut memory_kib) = (Vec::new(), [0.0; 2], 0);
            for worker in workers {
                let composed = worker.join().expect("composing does not panic")?;
                lags.extend(lags_of(&composed.came, began));
                memory_kib = memory_kib.max(composed.memory_kib);
                for (spent, ms) in spent.iter_mut().zip(spent_ms(&composed.stats)) {
                    *spent += ms;
                }
            }
            Ok((lags, spent, memory_kib))
        })
    })?;
    let (mut lags, [whole, codecs], memory_kib): (Vec<Duration>, _, _) = made;
    lags.sort_unstable();
    Ok(Run {
        late: lags.iter().filter(|lag| **lag > LATE).count(),
        p95: lags.get(lags.len() * 95 / 100).copied().unwrap_or_default(),
        cpu: cpu.as_secs_f64() / (LEAD + length).as_secs_f64(),
        overhead: whole / codecs,
        memory_kib,
    })
}

/// CPU time of a worker and of its decoders and encoders, milliseconds, from [`STARTING`] to its end.
fn spent_ms(stats: &[WorkerStats]) -> [f64; 2] {
    let until = |stats: &WorkerStats| {
        let codecs: u64 = stats.codec_cpu.parts().iter().map(|(_, ms)| ms).sum();
        [stats.cpu_ms as f64, codecs as f64]
    };
    let started = stats.get(STARTING.as_secs() as usize).map(until);
    let (Some([whole_before, codecs_before]), Some([whole, codecs])) =
        (started, stats.last().map(until))
    else {
        return [f64::NAN; 2];
    };
    [whole - whole_before, codecs - codecs_before]
}

/// How long after its time plus the composition delay each frame came.
fn lags_of(came: &[Instant], began: Instant) -> impl Iterator<Item = Duration> {
    let due = move |k: u32| began + LEAD + COMPOSITION_DELAY + Duration::from_secs(1) * k / FPS;
    let starting = STARTING.as_secs() as u32 * FPS;
    (0..)
        .zip(came)
        .filter(move |(k, _)| *k >= starting)
        .map(move |(k, came)| came.saturating_duration_since(due(k)))
}
