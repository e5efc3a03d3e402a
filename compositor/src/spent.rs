//! CPU time of this process by part: what nobody can compose without, decoding and encoding. What is left of the whole is ours.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use compositor_core::worker_protocol::CodecCpu;
use nix::time::{ClockId, clock_gettime};

static NANOS: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

/// What CPU time is counted for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// H.264, VP8, VP9.
    VideoDecoding,
    /// Opus.
    AudioDecoding,
    /// H.264, without the helper threads that x264 has for pictures above 720p30.
    VideoEncoding,
    /// AAC.
    AudioEncoding,
}

/// Does `work` in the caller's thread and counts its CPU time for `part`.
pub(crate) fn on<T>(part: Part, work: impl FnOnce() -> T) -> T {
    let begun = thread_cpu();
    let made = work();
    let spent = thread_cpu().saturating_sub(begun).as_nanos();
    NANOS[part as usize].fetch_add(u64::try_from(spent).unwrap_or(u64::MAX), Ordering::Relaxed);
    made
}

/// All that has been counted.
pub(crate) fn so_far() -> CodecCpu {
    let ms = |part: Part| NANOS[part as usize].load(Ordering::Relaxed) / 1_000_000;
    CodecCpu {
        video_decoding_ms: ms(Part::VideoDecoding),
        audio_decoding_ms: ms(Part::AudioDecoding),
        video_encoding_ms: ms(Part::VideoEncoding),
        audio_encoding_ms: ms(Part::AudioEncoding),
    }
}

/// CPU time of this thread; zero where the system does not tell.
fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
