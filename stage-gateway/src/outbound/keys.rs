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
use rtc::srtp::context::Context;
use rtc::srtp::protection_profile::ProtectionProfile;

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

    /// A context of its own for one outgoing SSRC, which nobody else may encrypt. Fails before DTLS is up.
    pub(crate) fn context(&self) -> Result<Context, Error> {
        let found = self.found.lock();
        let Found::All { key, salt, profile } = &*found else {
            return Err(Error::Other("there are no SRTP keys yet".to_owned()));
        };
        let salt = salt.get(..profile.salt_len()).unwrap_or(salt);
        let crypto = self.provider.crypto();
        Context::new(key.as_ref(), salt, *profile, None, None, crypto)
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

    const PACKET: [u8; 20] = [
        0x80, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8,
    ];

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
            assert!(tap.context().is_err());
            let mut library = handshake(&tap, profile);
            let mut ours = tap.context().unwrap();
            assert_eq!(
                ours.encrypt_rtp(&PACKET).unwrap(),
                library.encrypt_rtp(&PACKET).unwrap()
            );
        }
    }
}
