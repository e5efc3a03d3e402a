//! Hashes of what the encoders are given, second by second: two compositions with equal hashes were equal.

use std::fmt::Write;
use std::sync::Arc;

use compositor::composer::Tap;
use compositor_core::limits::{AAC_FRAME_SAMPLES, AUDIO_SAMPLE_RATE};
use compositor_core::time::FrameRate;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

/// What stands for a second that has pictures only, or sound only.
const NONE: &str = "-";

/// SHA-256 of each second's pictures (I420) and sound (interleaved stereo, 32 bit float, little endian). The last second
/// may be a part of one.
#[derive(Clone, Debug)]
pub struct Hashes {
    fps: FrameRate,
    seconds: Arc<Mutex<Seconds>>,
}

#[derive(Debug, Default)]
struct Seconds {
    pictures: Hashed,
    sound: Hashed,
}

/// The seconds of one kind of media.
#[derive(Debug, Default)]
struct Hashed {
    complete: Vec<String>,
    current: Option<Sha256>,
}

impl Hashes {
    /// Nothing is hashed yet.
    pub fn new(fps: FrameRate) -> Self {
        Self {
            fps,
            seconds: Arc::default(),
        }
    }

    /// A tap for a composer with one encoder; what it sees is hashed here.
    pub fn tap(&self) -> Box<dyn Tap> {
        Box::new(self.clone())
    }

    /// One line for each second: its number, the hash of its pictures, the hash of its sound.
    pub fn render(&self) -> String {
        let mut seconds = self.seconds.lock();
        let Seconds { pictures, sound } = &mut *seconds;
        let (pictures, sound) = (pictures.all(), sound.all());
        let mut text = String::new();
        for second in 0..pictures.len().max(sound.len()) {
            let of = |hashes: &[String]| hashes.get(second).cloned().unwrap_or(NONE.to_owned());
            writeln!(text, "{second} {} {}", of(&pictures), of(&sound))
                .expect("writing to a String cannot fail");
        }
        text
    }
}

impl Tap for Hashes {
    fn picture(&mut self, _encoder: usize, k: u64, i420: &[u8]) {
        let second = self.fps.frame_time(k).as_secs();
        self.seconds.lock().pictures.add(second, i420);
    }

    fn sound(&mut self, n: u64, samples: &[[f32; 2]]) {
        let rate = u64::from(AUDIO_SAMPLE_RATE);
        let mut seconds = self.seconds.lock();
        let mut position = n * AAC_FRAME_SAMPLES;
        let mut rest = samples;
        while !rest.is_empty() {
            let second = position / rate;
            let until_next = usize::try_from((second + 1) * rate - position).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at(until_next.min(rest.len()));
            let bytes: Vec<u8> = now
                .iter()
                .flatten()
                .flat_map(|sample| sample.to_le_bytes())
                .collect();
            seconds.sound.add(second, &bytes);
            position += now.len() as u64;
            rest = later;
        }
    }
}

impl Hashed {
    fn add(&mut self, second: u64, bytes: &[u8]) {
        // Below one frame a second, seconds without a frame have the hash of nothing.
        while (self.complete.len() as u64) < second {
            let over = self.current.take().unwrap_or_default();
            self.complete.push(hex::encode(over.finalize()));
        }
        self.current.get_or_insert_default().update(bytes);
    }

    fn all(&self) -> Vec<String> {
        let last = self.current.clone();
        let last = last.map(|hasher| hex::encode(hasher.finalize()));
        self.complete.iter().cloned().chain(last).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(bytes: &[u8]) -> String {
        hex::encode(Sha256::digest(bytes))
    }

    #[test]
    fn each_second_has_the_hash_of_its_frames_and_samples() {
        let hashes = Hashes::new(FrameRate::whole(2));
        let mut tap = hashes.tap();
        for (k, byte) in [1, 2, 3].into_iter().enumerate() {
            tap.picture(0, k as u64, &[byte]);
        }
        for n in 0..47 {
            tap.sound(n, &[[0.0, 0.5]; 1024]);
        }
        let second: Vec<u8> = [[0.0f32, 0.5]; 48_000]
            .as_flattened()
            .iter()
            .flat_map(|sample| sample.to_le_bytes())
            .collect();
        let rest = &second[..(47 * 1024 - 48_000) * 8];
        let expected = format!(
            "0 {} {}\n1 {} {}\n",
            hash_of(&[1, 2]),
            hash_of(&second),
            hash_of(&[3]),
            hash_of(rest)
        );
        assert_eq!(hashes.render(), expected);
    }

    #[test]
    fn a_second_without_pictures_shows_a_dash() {
        let hashes = Hashes::new(FrameRate::whole(30));
        hashes.tap().sound(0, &[[0.0; 2]; 1024]);
        assert!(hashes.render().starts_with("0 - "));
    }
}
