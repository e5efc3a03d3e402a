//! Repeats what a peer connection last said in its DTLS handshake until it is answered.
//!
//! The library forgets its own timer when a part of the peer's flight arrives, or a repeated one, and then both may wait for
//! ever. A record that is repeated as it was is dropped by whoever has it already (RFC 6347, 4.1.2.6).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Shared;
use super::kind::Kind;

/// After so long without a word of ours the flight is sent again.
const REPEAT_AFTER: Duration = Duration::from_millis(500);

/// A flight is sent at once; what is sent so much later begins another one.
const FLIGHT_TIME: Duration = Duration::from_millis(100);

/// A handshake takes no longer, and a flight has no more datagrams.
const REPEATS_MAX: usize = 60;
const DATAGRAMS_MAX: usize = 16;

/// The last flight of one peer connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Flight(Arc<Handshake>);

#[derive(Debug, Default)]
struct Handshake {
    state: Mutex<State>,
    /// Media has come.
    is_over: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    datagrams: Vec<(Bytes, SocketAddr)>,
    sent_at: Option<Instant>,
    answered: bool,
}

impl Flight {
    /// Learns from what the library sends.
    pub(super) fn sent(&self, datagram: &[u8], to: SocketAddr) {
        if Kind::of(datagram) != Some(Kind::Dtls) {
            return;
        }
        let mut state = self.0.state.lock();
        let now = Instant::now();
        let is_over = state.sent_at.is_none_or(|at| now - at > FLIGHT_TIME);
        if std::mem::take(&mut state.answered) || is_over {
            state.datagrams.clear();
        }
        if state.datagrams.len() < DATAGRAMS_MAX {
            let datagram = Bytes::copy_from_slice(datagram);
            state.datagrams.push((datagram, to));
        }
        state.sent_at = Some(now);
    }

    /// Learns from what the peer sends: after media nothing needs to be repeated.
    pub(super) fn received(&self, datagram: &[u8]) {
        match Kind::of(datagram) {
            Some(Kind::Dtls) => self.0.state.lock().answered = true,
            Some(Kind::Media) if !self.0.is_over.load(Ordering::Relaxed) => {
                self.0.is_over.store(true, Ordering::Relaxed);
                self.0.state.lock().datagrams.clear();
            }
            _ => {}
        }
    }

    /// Repeats the flight over UDP as long as it is the last one, and the connection is there.
    pub(super) async fn keep_up(self, shared: Arc<Shared>) {
        for _ in 0..REPEATS_MAX {
            tokio::time::sleep(REPEAT_AFTER).await;
            if Arc::strong_count(&self.0) == 1 || self.0.is_over.load(Ordering::Relaxed) {
                return;
            }
            let datagrams = {
                let mut state = self.0.state.lock();
                let now = Instant::now();
                if state.sent_at.is_none_or(|at| now - at < REPEAT_AFTER) {
                    continue;
                }
                state.sent_at = Some(now);
                state.datagrams.clone()
            };
            for (datagram, to) in datagrams {
                // What is lost here is repeated as well.
                let _ = shared.socket.try_send_to(&datagram, to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UdpSocket;

    use super::super::Mux;
    use super::*;
    use crate::counters::Counters;

    const HELLO: &[u8] = &[22, 254, 253, 1];
    const DONE: &[u8] = &[22, 254, 253, 2];
    const MEDIA: &[u8] = &[128, 96];
    const STUN: &[u8] = &[0, 1];

    fn said(flight: &Flight) -> Vec<Vec<u8>> {
        let state = flight.0.state.lock();
        state.datagrams.iter().map(|(d, _)| d.to_vec()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_flight_is_what_was_said_at_once_since_the_last_answer() {
        let (flight, to) = (Flight::default(), SocketAddr::from(([127, 0, 0, 1], 9)));
        for datagram in [HELLO, STUN, DONE] {
            flight.sent(datagram, to);
        }
        assert_eq!(said(&flight), [HELLO, DONE]);
        flight.received(STUN);
        flight.sent(HELLO, to);
        assert_eq!(said(&flight), [HELLO, DONE, HELLO]);
        flight.received(HELLO);
        flight.sent(DONE, to);
        assert_eq!(said(&flight), [DONE]);
        tokio::time::advance(2 * FLIGHT_TIME).await;
        flight.sent(HELLO, to);
        assert_eq!(said(&flight), [HELLO]);
        flight.received(MEDIA);
        assert!(said(&flight).is_empty());
    }

    #[tokio::test]
    async fn a_flight_without_an_answer_is_repeated() {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let mux = Mux::bind(listen, None, Arc::new(Counters::default()));
        let mux = mux.await.expect("a port is free");
        let peer = UdpSocket::bind(listen).await.expect("a port is free");
        let flight = Flight::default();
        let repeating = tokio::spawn(flight.clone().keep_up(mux.shared.clone()));
        flight.sent(HELLO, peer.local_addr().expect("it is bound"));
        let mut heard = [0; 16];
        for _ in 0..2 {
            let length = peer.recv(&mut heard).await.expect("it comes");
            assert_eq!(&heard[..length], HELLO);
        }
        drop(flight);
        repeating.await.expect("it ends with its connection");
    }
}
