//! SRTP for one outgoing SSRC: a packet is written where it leaves from, and encrypted there.

use rtc::crypto::{AeadAlgorithm, AeadCipher, BlockCipherAlgorithm, CryptoError, RTCCrypto};
use rtc::shared::error::Error;
use rtc::srtp::context::Context;
use rtc::srtp::protection_profile::ProtectionProfile;

use crate::forward::Outgoing;

const HEADER_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const GCM_SALT_BYTES: usize = 12;
const BLOCK_BYTES: usize = 16;

/// RFC 3711 section 4.3.2.
const LABEL_KEY: u8 = 0;
const LABEL_SALT: u8 = 2;

/// Encrypts one SSRC.
pub(crate) struct Sealer {
    ssrc: u32,
    index: PacketIndex,
    cipher: Cipher,
}

enum Cipher {
    /// What browsers agree to.
    Gcm(Gcm),
    /// For others; the library copies each packet twice.
    CounterMode(Context),
}

impl Sealer {
    /// From the master key and salt of the sending side.
    pub(super) fn new(
        ssrc: u32,
        key: &[u8],
        salt: &[u8],
        profile: ProtectionProfile,
        crypto: &dyn RTCCrypto,
    ) -> Result<Self, Error> {
        let gcm = |algorithm, block| {
            let gcm = Gcm::new(key, salt, algorithm, block, crypto);
            gcm.map(Cipher::Gcm).map_err(|error| crypto_error(&error))
        };
        let cipher = match profile {
            ProtectionProfile::AeadAes128Gcm => {
                gcm(AeadAlgorithm::Aes128Gcm, BlockCipherAlgorithm::Aes128)?
            }
            ProtectionProfile::AeadAes256Gcm => {
                gcm(AeadAlgorithm::Aes256Gcm, BlockCipherAlgorithm::Aes256)?
            }
            _ => Cipher::CounterMode(Context::new(key, salt, profile, None, None, crypto)?),
        };
        Ok(Self {
            ssrc,
            index: PacketIndex::default(),
            cipher,
        })
    }

    /// Appends the encrypted packet to `out` and returns its index (RFC 3711 section 3.3.1). A sequence number that was used is refused, and one so old that it may have
    /// been: receivers drop those as replayed, and two packets under one number would give the key away.
    pub(super) fn seal(
        &mut self,
        packet: &Outgoing,
        payload_type: u8,
        out: &mut Vec<u8>,
    ) -> Result<u64, Error> {
        let seq = packet.seq;
        let index = self
            .index
            .take(seq)
            .ok_or(Error::SrtpSsrcDuplicated(self.ssrc, seq))?;
        self.encrypt(packet, payload_type, index, out)?;
        Ok(index)
    }

    /// Appends a packet that was sealed as number `index` before: the same bytes. One from a round of sequence numbers
    /// that is over is refused.
    pub(super) fn seal_again(
        &mut self,
        index: u64,
        packet: &Outgoing,
        payload_type: u8,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        if self.index.of(packet.seq) != index {
            return Err(Error::SrtpSsrcDuplicated(self.ssrc, packet.seq));
        }
        self.encrypt(packet, payload_type, index, out)
    }

    fn encrypt(
        &mut self,
        packet: &Outgoing,
        payload_type: u8,
        index: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let start = out.len();
        out.extend_from_slice(&header(packet, payload_type, self.ssrc));
        out.extend_from_slice(&packet.payload);
        match &mut self.cipher {
            Cipher::Gcm(gcm) => {
                let (header, payload) = out
                    .get_mut(start..)
                    .and_then(|packet| packet.split_at_mut_checked(HEADER_BYTES))
                    .ok_or(Error::ErrTooShortRtp)?;
                let tag = gcm.seal(self.ssrc, index, header, payload);
                out.extend_from_slice(&tag.map_err(|error| crypto_error(&error))?);
            }
            Cipher::CounterMode(context) => {
                let sealed = context.encrypt_rtp(out.get(start..).unwrap_or_default())?;
                out.truncate(start);
                out.extend_from_slice(&sealed);
            }
        }
        Ok(())
    }
}

/// RFC 3550 section 5.1: version 2 and nothing optional.
fn header(packet: &Outgoing, payload_type: u8, ssrc: u32) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[0] = 0x80;
    header[1] = u8::from(packet.marker) << 7 | payload_type & 0x7f;
    header[2..4].copy_from_slice(&packet.seq.to_be_bytes());
    header[4..8].copy_from_slice(&packet.rtp_ts.to_be_bytes());
    header[8..].copy_from_slice(&ssrc.to_be_bytes());
    header
}

/// AEAD_AES_128_GCM and AEAD_AES_256_GCM (RFC 7714).
struct Gcm {
    cipher: Box<dyn AeadCipher>,
    salt: [u8; GCM_SALT_BYTES],
}

impl Gcm {
    fn new(
        master: &[u8],
        master_salt: &[u8],
        algorithm: AeadAlgorithm,
        block: BlockCipherAlgorithm,
        crypto: &dyn RTCCrypto,
    ) -> Result<Self, CryptoError> {
        let derive = |label, out: &mut [u8]| {
            // RFC 3711 section 4.3.3; RFC 7714 section 11.
            for (counter, part) in out.chunks_mut(BLOCK_BYTES).enumerate() {
                let mut input = [0; BLOCK_BYTES];
                for (byte, salt) in input.iter_mut().zip(master_salt) {
                    *byte = *salt;
                }
                input[7] ^= label;
                input[BLOCK_BYTES - 1] = counter as u8;
                crypto.block_encrypt(block, master, &mut input)?;
                for (byte, derived) in part.iter_mut().zip(input) {
                    *byte = derived;
                }
            }
            Ok(())
        };
        let (mut key, mut salt) = (vec![0; master.len()], [0; GCM_SALT_BYTES]);
        derive(LABEL_KEY, &mut key)?;
        derive(LABEL_SALT, &mut salt)?;
        Ok(Self {
            cipher: crypto.new_aead(algorithm, &key)?,
            salt,
        })
    }

    fn seal(
        &mut self,
        ssrc: u32,
        index: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<[u8; TAG_BYTES], CryptoError> {
        // RFC 7714 section 8.1: two zeros, SSRC and the 48 bits of the index, all xor the salt.
        let mut nonce = self.salt;
        let index = index.to_be_bytes();
        let parts = ssrc
            .to_be_bytes()
            .into_iter()
            .chain(index.into_iter().skip(2));
        for (byte, part) in nonce.iter_mut().skip(2).zip(parts) {
            *byte ^= part;
        }
        let mut tag = [0; TAG_BYTES];
        self.cipher
            .seal_in_place(&nonce, header, payload, &mut tag)?;
        Ok(tag)
    }
}

/// Rollover counter and sequence number in one (RFC 3711 section 3.3.1), and which of them are used.
#[derive(Debug, Default)]
struct PacketIndex {
    newest: Option<u64>,
    /// Bit n is for `newest` - n.
    used: u128,
}

impl PacketIndex {
    /// The index of a packet that is sent for the first time; `None` when it was used or may have been.
    fn take(&mut self, seq: u16) -> Option<u64> {
        let index = self.of(seq);
        let newest = *self.newest.get_or_insert(index);
        if let Some(ahead) = index.checked_sub(newest) {
            let shifted = u32::try_from(ahead)
                .ok()
                .and_then(|by| self.used.checked_shl(by));
            self.used = shifted.unwrap_or(0);
            self.newest = Some(index);
        }
        let back = u32::try_from(newest.saturating_sub(index)).ok()?;
        let bit = 1_u128.checked_shl(back)?;
        let fresh = self.used & bit == 0;
        self.used |= bit;
        fresh.then_some(index)
    }

    /// The index next to the newest that has this sequence number.
    fn of(&self, seq: u16) -> u64 {
        let Some(newest) = self.newest else {
            return u64::from(seq);
        };
        let ahead = seq.wrapping_sub(newest as u16);
        if ahead < 0x8000 {
            newest + u64::from(ahead)
        } else {
            // Before the first round there is none.
            newest.saturating_sub(u64::from(ahead.wrapping_neg()))
        }
    }
}

fn crypto_error(error: &CryptoError) -> Error {
    Error::Crypto(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: u64 = 65_536;

    #[test]
    fn the_index_goes_on_where_sequence_numbers_begin_anew() {
        let mut index = PacketIndex::default();
        let taken =
            [65_534, 65_535, 0, 65_533, 1, 30_000, 60_000, 20_000].map(|seq| index.take(seq));
        let expected = [
            65_534,
            65_535,
            ROUND,
            65_533,
            ROUND + 1,
            ROUND + 30_000,
            ROUND + 60_000,
            2 * ROUND + 20_000,
        ];
        assert_eq!(taken, expected.map(Some));
        assert_eq!(index.of(60_000), ROUND + 60_000);
    }

    #[test]
    fn no_index_is_taken_twice() {
        let mut index = PacketIndex::default();
        for seq in [100, 101, 103, 102] {
            assert!(index.take(seq).is_some());
            assert_eq!(index.take(seq), None);
        }
        assert!(index.take(230).is_some());
        // Of 128 numbers it is known whether they are used.
        assert_eq!(index.take(103), None);
        assert_eq!(index.take(104), Some(104));
        assert_eq!(index.take(102), None);
        assert_eq!(index.take(50), None);
    }
}
