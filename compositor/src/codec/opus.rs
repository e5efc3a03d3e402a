//! The Opus decoder: packets in, 48 kHz stereo out.

use ::opus::{Channels, Decoder};
use compositor_core::limits::AUDIO_SAMPLE_RATE;

use super::CodecError;
use crate::spent::{self, Part};

/// One sample of both channels, -1 to 1.
pub(crate) type StereoSample = [f32; 2];

/// What one packet holds at most, 120 ms (RFC 6716 3.2.5).
const PACKET_SAMPLES_MAX: usize = 5_760;

/// How much later a libopus encoder's sound is heard than its packet's timestamp says: 6.5 ms, its look-ahead for voice and
/// for music. Browsers, OBS and GStreamer encode with it; RTP has no field for it, as Ogg has (RFC 7845 4.2).
pub(crate) const LOOK_AHEAD: i64 = 312;

/// A decoder of one track.
#[derive(Debug)]
pub(crate) struct OpusDecoder {
    decoder: Decoder,
    decoded: Vec<f32>,
}

impl OpusDecoder {
    pub(crate) fn new() -> Result<Self, CodecError> {
        Ok(Self {
            decoder: Decoder::new(AUDIO_SAMPLE_RATE, Channels::Stereo)?,
            decoded: vec![0.0; 2 * PACKET_SAMPLES_MAX],
        })
    }

    /// Decodes one packet; appends its samples and returns how many. None if it is damaged.
    pub(crate) fn decode(&mut self, packet: &[u8], out: &mut Vec<StereoSample>) -> usize {
        self.run(packet, PACKET_SAMPLES_MAX, false, out)
    }

    /// Fills in `lost` samples, a multiple of 2.5 ms, before `next`: by the copy of lower quality that it may carry
    /// (RFC 6716 2.1.7), else by a guess.
    pub(crate) fn conceal(
        &mut self,
        lost: usize,
        next: &[u8],
        out: &mut Vec<StereoSample>,
    ) -> usize {
        self.run(next, lost, true, out)
    }

    fn run(
        &mut self,
        packet: &[u8],
        samples_max: usize,
        lost: bool,
        out: &mut Vec<StereoSample>,
    ) -> usize {
        let room = &mut self.decoded[..2 * samples_max.min(PACKET_SAMPLES_MAX)];
        // An empty packet would be taken for a lost one.
        if packet.is_empty() {
            return 0;
        }
        let decoder = &mut self.decoder;
        let count = spent::on(Part::AudioDecoding, || {
            decoder.decode_float(packet, room, lost).unwrap_or_default()
        });
        let (samples, _) = room[..2 * count].as_chunks();
        out.extend_from_slice(samples);
        count
    }
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use opus::{Application, Bitrate, Encoder};

    use super::*;

    const PACKET: usize = 960;

    /// Something like a voice: harmonics whose pitch and loudness never rest.
    fn voice(at: usize) -> f32 {
        let t = at as f32 / 48_000.0;
        let pitch = 120.0 * t + 4.0 * (3.0 * t).sin();
        let loudness = 0.55 + 0.45 * (TAU * 4.0 * t).sin();
        let harmonics = (1..20).map(|n| (TAU * pitch * n as f32).sin() / n as f32);
        0.2 * loudness * harmonics.sum::<f32>()
    }

    fn packets(fec: bool) -> Vec<Vec<u8>> {
        let mut encoder =
            Encoder::new(AUDIO_SAMPLE_RATE, Channels::Stereo, Application::Voip).unwrap();
        assert_eq!(i64::from(encoder.get_lookahead().unwrap()), LOOK_AHEAD);
        encoder.set_bitrate(Bitrate::Bits(24_000)).unwrap();
        encoder.set_inband_fec(fec).unwrap();
        encoder.set_packet_loss_perc(10).unwrap();
        let packet = |n: usize| {
            let samples: Vec<f32> = (n * PACKET..(n + 1) * PACKET)
                .flat_map(|at| [voice(at); 2])
                .collect();
            encoder.encode_vec_float(&samples, 1_000).unwrap()
        };
        (0..100).map(packet).collect()
    }

    /// How far the sound with every fifth packet lost is from the whole, as a share of its energy, in those packets.
    fn damage(packets: &[Vec<u8>]) -> f32 {
        let (mut whole, mut holed) = (Vec::new(), Vec::new());
        let (mut decoder, mut other) = (OpusDecoder::new().unwrap(), OpusDecoder::new().unwrap());
        for (n, packet) in packets.iter().enumerate() {
            assert_eq!(decoder.decode(packet, &mut whole), PACKET);
            if n % 5 == 4 {
                continue;
            }
            if n % 5 == 0 && n > 0 {
                assert_eq!(other.conceal(PACKET, packet, &mut holed), PACKET);
            }
            assert_eq!(other.decode(packet, &mut holed), PACKET);
        }
        let lost = (0..holed.len()).filter(|at| at / PACKET % 5 == 4);
        let (mut energy, mut error) = (0.0, 0.0);
        for at in lost {
            energy += whole[at][0].powi(2);
            error += (whole[at][0] - holed[at][0]).powi(2);
        }
        error / energy
    }

    #[test]
    fn a_lost_packet_is_taken_from_the_next_ones_copy() {
        let (guessed, copied) = (damage(&packets(false)), damage(&packets(true)));
        assert!(copied < guessed / 2.0, "copied {copied}, guessed {guessed}");
    }

    #[test]
    fn rubbish_is_no_sound() {
        let mut out = Vec::new();
        let mut decoder = OpusDecoder::new().unwrap();
        assert_eq!(decoder.decode(&[], &mut out), 0);
        assert_eq!(decoder.decode(&[0xff, 0xff, 0xff], &mut out), 0);
        assert!(out.is_empty());
    }
}
