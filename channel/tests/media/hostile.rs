//! What no publisher sends must harm nobody.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use channel::limits::connections_max;
use fuzz::fuzz;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

use crate::world::{BROADCASTS_MAX, PATIENCE, World, ffmpeg, wait_for};

/// Bytes that no RTMP peer sends, cut from a fixed pseudo-random sequence.
fn garbage(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(byte).take(length).collect()
}

/// Sends `bytes` and waits until the server has closed.
async fn attack(world: &World, bytes: &[u8]) {
    let mut socket = TcpStream::connect(world.rtmp).await.unwrap();
    // The server may close before everything is sent.
    let _reset: Result<_, _> = socket.write_all(bytes).await;
    let mut answer = Vec::new();
    let closed = async {
        let _reset: Result<_, _> = socket.read_to_end(&mut answer).await;
    };
    tokio::time::timeout(Duration::from_secs(15), closed)
        .await
        .expect("the server closes");
}

/// A handshake of the original form, then these bytes.
fn after_handshake(bytes: &[u8]) -> Vec<u8> {
    let mut all = vec![3];
    all.extend([0; 1536]);
    all.extend([0; 1536]);
    all.extend_from_slice(bytes);
    all
}

fn message(type_id: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut bytes = vec![
        3, 0, 0, 0, length[1], length[2], length[3], type_id, 0, 0, 0, 0,
    ];
    for (i, chunk) in payload.chunks(128).enumerate() {
        if i > 0 {
            bytes.push(0xC3);
        }
        bytes.extend_from_slice(chunk);
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_closes_its_connection_and_harms_nobody() {
    let world = World::start().await;
    let mut publisher = ffmpeg(&world.publish_url(), "160x120", "60", &[]);
    let playlist = world.media_playlist().await;
    let attacks = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        garbage(7, 8192),
        after_handshake(&garbage(8, 100_000)),
        // A message of 16 MB, a chunk size of 2 GB, a chunk size of nothing.
        after_handshake(&[3, 0, 0, 0, 0xFF, 0xFF, 0xFF, 9, 0, 0, 0, 0]),
        after_handshake(&message(1, &[0x7F, 0xFF, 0xFF, 0xFF])),
        after_handshake(&message(1, &[0; 4])),
        // A command without arguments, one that nests without end, AMF that is none.
        after_handshake(&message(20, &[2, 0, 1, b'x'])),
        after_handshake(&message(20, &[3, 0, 1, b'a'].repeat(10_000))),
        after_handshake(&message(20, &[0xFF; 50])),
    ];
    for attack_bytes in &attacks {
        attack(&world, attack_bytes).await;
    }
    // Who says nothing is closed too, after the time for a handshake.
    attack(&world, &[]).await;
    assert_eq!(
        publisher.try_wait().unwrap(),
        None,
        "the publisher publishes on"
    );
    let before = world.text(&playlist).await.unwrap();
    let after = world
        .segments(&playlist, before.matches("#EXTINF").count().min(14) + 1)
        .await;
    assert!(!after.contains("#EXT-X-DISCONTINUITY\n"), "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_bounded_and_a_free_place_is_used_again() {
    let world = World::beside_others().await;
    let mut open = Vec::new();
    for _ in 0..connections_max(BROADCASTS_MAX) {
        open.push(TcpStream::connect(world.rtmp).await.unwrap());
    }
    let mut surplus = TcpStream::connect(world.rtmp).await.unwrap();
    let read = tokio::time::timeout(PATIENCE, surplus.read(&mut [0; 1])).await;
    assert!(
        matches!(read, Ok(Ok(0) | Err(_))),
        "closed at once: {read:?}"
    );
    open.clear();
    wait_for("a free place", async || {
        let mut socket = TcpStream::connect(world.rtmp).await.unwrap();
        // Who is served gets an answer to its first byte.
        socket.write_all(&[3]).await.ok()?;
        socket.read_exact(&mut [0; 1]).await.ok()
    })
    .await;
}

/// What stands in the corpus for names that are new each time.
const STREAM: &str = "{stream}";
const SESSION: &str = "{session}";

/// A request as text: the target, and a header in each line after it. `None` is none that reaches a route.
fn request(input: &[u8], stream: &str, session: &str) -> Option<Request<Body>> {
    let text = String::from_utf8_lossy(input);
    let text = text.replace(STREAM, stream).replace(SESSION, session);
    let mut lines = text.lines();
    let mut request = Request::get(lines.next()?);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        request = request.header(name.trim(), value.trim());
    }
    request.body(Body::empty()).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_of_a_player_breaks_anything() {
    let world = World::start().await;
    let _publisher = ffmpeg(&world.publish_url(), "160x120", "60", &[]);
    let playlist = world.media_playlist().await;
    world.segments(&playlist, 1).await;
    let (live, session) = playlist.rsplit_once('/').unwrap();
    let stream = live.rsplit_once('/').unwrap().1.to_owned();
    let session = session.trim_end_matches(".m3u8").to_owned();
    let (routes, runtime) = (world.channels.routes(), tokio::runtime::Handle::current());
    let served = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&served);
    let body = move |input: &[u8]| {
        let Some(request) = request(input, &stream, &session) else {
            return;
        };
        let answered = runtime.block_on(routes.clone().oneshot(request)).unwrap();
        let status = answered.status();
        // 503 is for who finds no room.
        assert!(!status.is_server_error() || status == 503, "{status}");
        counted.fetch_add(
            usize::from(status == 200),
            std::sync::atomic::Ordering::Relaxed,
        );
    };
    let corpus = "corpus/http";
    tokio::task::spawn_blocking(move || fuzz(corpus, 2_000, body))
        .await
        .unwrap();
    assert!(served.load(std::sync::atomic::Ordering::Relaxed) > 3);
    world.text(&playlist).await.expect("it is served still");
}
