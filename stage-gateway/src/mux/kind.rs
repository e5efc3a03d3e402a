//! What a datagram on the port is, by its first byte (RFC 7983 section 7).

/// One of those that share the port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Stun,
    Dtls,
    /// RTP or RTCP.
    Media,
}

impl Kind {
    /// `None` for what has no place here.
    pub(crate) fn of(datagram: &[u8]) -> Option<Self> {
        match datagram.first()? {
            0..4 => Some(Self::Stun),
            20..64 => Some(Self::Dtls),
            128..192 => Some(Self::Media),
            _ => None,
        }
    }
}
