//! The SRTP keys of a connection, which the library derives from its DTLS session and hands out to nobody.
//!
//! It asks a crypto provider for every primitive, though, and its first use of the bare block cipher derives the session
//! keys of its sending side (RFC 3711 section 4.3): master key and salt are arguments of that call. [`KeyTap`] is the
//! provider that remembers them. It rests on rtc 0.21.1, whose version is pinned; the test here fails when that changes.

use std::sync::Arc;

use parking_lot::Mutex;
use rtc::crypto::{
    ActiveKeyExchange, AeadAlgorithm, AeadCipher, BlockCipherAlgorithm, CbcAlgorithm, CbcCipher,
    CryptoAlgorithm, CryptoError, HashAlgorithm, HmacAlgorithm, KeyExchangeAlgorithm, Mac,
    PublicKey, RTCCrypto, RTCCryptoProvider, RTCRandom, SecretVec, SignatureScheme, SigningKey,
    StreamCipher, StreamCipherAlgorithm,
};
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc::shared::error::Error;
use rtc::srtp::protection_profile::ProtectionProfile;

use super::seal::Sealer;

/// What is offered in DTLS, best first: all that [`KeyTap`] can tell apart. RFC 8827 section 6.5 demands the last.
pub(crate) const PROFILES: [SrtpProtectionProfile; 3] = [
    SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
    SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
    SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
];

/// The longest master salt: 112 bits of AES counter mode (RFC 3711 section 8.2); GCM has 96 (RFC 7714 section 12).
const SALT_BYTES_MAX: usize = 14;

/// A crypto provider that remembers the keys with which its one connection encrypts what it sends.
pub(crate) struct KeyTap {
    provider: Arc<dyn RTCCryptoProvider>,
    found: Mutex<Found>,
}

enum Found {
    Nothing,
    Master {
        key: SecretVec,
        salt: [u8; SALT_BYTES_MAX],
    },
    All {
        key: SecretVec,
        salt: [u8; SALT_BYTES_MAX],
        profile: ProtectionProfile,
    },
}

impl KeyTap {
    /// A tap for one connection, on the library's own provider.
    pub(crate) fn new() -> Result<Self, CryptoError> {
        Ok(Self {
            provider: rtc::crypto::default_provider()?,
            found: Mutex::new(Found::Nothing),
        })
    }

    /// What encrypts one outgoing SSRC, which nobody else may encrypt. Fails before DTLS is up.
    pub(crate) fn sealer(&self, ssrc: u32) -> Result<Sealer, Error> {
        let found = self.found.lock();
        let Found::All { key, salt, profile } = &*found else {
            return Err(Error::Other("there are no SRTP keys yet".to_owned()));
        };
        let salt = salt.get(..profile.salt_len()).unwrap_or(salt);
        Sealer::new(ssrc, key.as_ref(), salt, *profile, self.provider.crypto())
    }

    fn meet_master(&self, key: &[u8], block: &[u8]) {
        let mut found = self.found.lock();
        if let (Found::Nothing, Some(salt)) = (&*found, block.first_chunk()) {
            // The first label is zero, so the block starts with the salt as it is.
            *found = Found::Master {
                key: SecretVec::new(key.to_vec()),
                salt: *salt,
            };
        }
    }

    fn meet_profile(&self, profile: ProtectionProfile) {
        let mut found = self.found.lock();
        *found = match std::mem::replace(&mut *found, Found::Nothing) {
            Found::Master { key, salt } => Found::All { key, salt, profile },
            other => other,
        };
    }
}

impl RTCCryptoProvider for KeyTap {
    fn name(&self) -> &'static str {
        self.provider.name()
    }

    fn crypto(&self) -> &dyn RTCCrypto {
        self
    }

    fn random(&self) -> &dyn RTCRandom {
        self.provider.random()
    }
}

impl RTCCrypto for KeyTap {
    fn supports(&self, algorithm: CryptoAlgorithm) -> bool {
        self.provider.crypto().supports(algorithm)
    }

    fn hash(&self, algorithm: HashAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.provider.crypto().hash(algorithm, data)
    }

    fn block_encrypt(
        &self,
        algorithm: BlockCipherAlgorithm,
        key: &[u8],
        block: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.meet_master(key, block);
        self.provider.crypto().block_encrypt(algorithm, key, block)
    }

    fn new_hmac(&self, algorithm: HmacAlgorithm, key: &[u8]) -> Result<Box<dyn Mac>, CryptoError> {
        if algorithm == HmacAlgorithm::Sha1 {
            self.meet_profile(ProtectionProfile::Aes128CmHmacSha1_80);
        }
        self.provider.crypto().new_hmac(algorithm, key)
    }

    fn new_stream_cipher(
        &self,
        algorithm: StreamCipherAlgorithm,
        key: &[u8],
    ) -> Result<Box<dyn StreamCipher>, CryptoError> {
        self.provider.crypto().new_stream_cipher(algorithm, key)
    }

    fn new_aead(
        &self,
        algorithm: AeadAlgorithm,
        key: &[u8],
    ) -> Result<Box<dyn AeadCipher>, CryptoError> {
        match algorithm {
            AeadAlgorithm::Aes128Gcm => self.meet_profile(ProtectionProfile::AeadAes128Gcm),
            AeadAlgorithm::Aes256Gcm => self.meet_profile(ProtectionProfile::AeadAes256Gcm),
            _ => {}
        }
        self.provider.crypto().new_aead(algorithm, key)
    }

    fn new_cbc(
        &self,
        algorithm: CbcAlgorithm,
        key: &[u8],
    ) -> Result<Box<dyn CbcCipher>, CryptoError> {
        self.provider.crypto().new_cbc(algorithm, key)
    }

    fn start_key_exchange(
        &self,
        algorithm: KeyExchangeAlgorithm,
    ) -> Result<Box<dyn ActiveKeyExchange>, CryptoError> {
        self.provider.crypto().start_key_exchange(algorithm)
    }

    fn generate_signing_key(
        &self,
        scheme: SignatureScheme,
    ) -> Result<Arc<dyn SigningKey>, CryptoError> {
        self.provider.crypto().generate_signing_key(scheme)
    }

    fn import_signing_key(
        &self,
        scheme: SignatureScheme,
        pkcs8_der: &[u8],
    ) -> Result<Arc<dyn SigningKey>, CryptoError> {
        self.provider.crypto().import_signing_key(scheme, pkcs8_der)
    }

    fn verify_signature(
        &self,
        scheme: SignatureScheme,
        public_key: PublicKey<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        self.provider
            .crypto()
            .verify_signature(scheme, public_key, message, signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use bytes::Bytes;
    use rtc::shared::marshal::Unmarshal;
    use rtc::srtp::context::Context;

    use crate::forward::Outgoing;

    const SSRC: u32 = 0x0102_0304;
    const PAYLOAD_TYPE: u8 = 96;

    fn packet(seq: u16) -> Outgoing {
        Outgoing {
            seq,
            rtp_ts: 3_000 * u32::from(seq),
            marker: seq.is_multiple_of(3),
            payload: Bytes::from(vec![seq as u8; 100 + usize::from(seq % 7)]),
        }
    }

    fn sealed(sealer: &mut Sealer, packet: &Outgoing) -> Vec<u8> {
        let mut bytes = b"before".to_vec();
        sealer.seal(packet, PAYLOAD_TYPE, &mut bytes).unwrap();
        assert_eq!(bytes[..6], *b"before");
        bytes.split_off(6)
    }

    /// What the library does when its handshake is complete.
    fn handshake(tap: &KeyTap, profile: ProtectionProfile) -> Context {
        let context = |filler: u8| {
            let (key, salt) = (profile.key_len(), profile.salt_len());
            let salt = vec![filler ^ 0xff; salt];
            Context::new(&vec![filler; key], &salt, profile, None, None, tap).unwrap()
        };
        // Of its DTLS records, which come first.
        tap.new_aead(AeadAlgorithm::Aes128Gcm, &[9; 16]).unwrap();
        let local = context(7);
        let _remote = context(8);
        local
    }

    #[test]
    fn the_keys_are_those_of_the_sending_side_in_every_profile() {
        for profile in [
            ProtectionProfile::AeadAes128Gcm,
            ProtectionProfile::AeadAes256Gcm,
            ProtectionProfile::Aes128CmHmacSha1_80,
        ] {
            let tap = KeyTap::new().unwrap();
            assert!(tap.sealer(SSRC).is_err());
            let _library = handshake(&tap, profile);
            let mut ours = tap.sealer(SSRC).unwrap();
            let mut receiver = handshake(&KeyTap::new().unwrap(), profile);
            // Around the end of the sequence numbers, a gap and a late packet among them.
            for seq in [
                65_530, 65_531, 65_533, 65_532, 65_535, 0, 65_534, 1, 2, 20_000,
            ] {
                let packet = packet(seq);
                let mut plain = receiver.decrypt_rtp(&sealed(&mut ours, &packet)).unwrap();
                let header = rtc::rtp::Header::unmarshal(&mut plain).unwrap();
                assert_eq!(header.ssrc, SSRC);
                assert_eq!(header.payload_type, PAYLOAD_TYPE);
                assert_eq!(header.sequence_number, packet.seq);
                assert_eq!(header.timestamp, packet.rtp_ts);
                assert_eq!(header.marker, packet.marker);
                assert_eq!(plain, packet.payload);
            }
        }
    }

    #[test]
    fn what_is_sent_again_is_the_same_to_the_byte() {
        for profile in [
            ProtectionProfile::AeadAes128Gcm,
            ProtectionProfile::Aes128CmHmacSha1_80,
        ] {
            let tap = KeyTap::new().unwrap();
            handshake(&tap, profile);
            let mut sealer = tap.sealer(SSRC).unwrap();
            let seqs = || (0..200_u16).map(|step| 65_436_u16.wrapping_add(step));
            let first: Vec<_> = seqs()
                .map(|seq| sealed(&mut sealer, &packet(seq)))
                .collect();
            for ((seq, first), index) in seqs().zip(first).zip(65_436..) {
                let mut again = Vec::new();
                let packet = packet(seq);
                sealer
                    .seal_again(index, &packet, PAYLOAD_TYPE, &mut again)
                    .unwrap();
                assert_eq!(again, first);
                let another_round = index + 65_536;
                let refused = sealer.seal_again(another_round, &packet, PAYLOAD_TYPE, &mut again);
                assert!(refused.is_err() && again == first);
                assert!(sealer.seal(&packet, PAYLOAD_TYPE, &mut again).is_err());
            }
        }
    }
}
