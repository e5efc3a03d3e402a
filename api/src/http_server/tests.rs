//! Clients that are slow on purpose. Time is virtual, so nothing here waits.

use axum::body::Bytes;
use axum::routing::post;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::*;

/// Sends `begun`, then nothing, or `more` every second; what was answered until the connection was closed, and when that was.
async fn trickle(begun: &[u8], more: Option<u8>) -> (String, Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route(
        "/",
        post(|body: Bytes| async move { body.len().to_string() }),
    );
    tokio::spawn(serve_router(listener, router, std::future::pending()));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(begun).await.unwrap();
    let begun = Instant::now();
    let mut answer = Vec::new();
    loop {
        match timeout(Duration::from_secs(1), client.read_buf(&mut answer)).await {
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(_)) => {}
            Err(_) => {
                if let Some(byte) = more {
                    // Closed in between, which the next read tells.
                    let _ = client.write_all(&[byte]).await;
                }
            }
        }
    }
    (String::from_utf8(answer).unwrap(), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_is_not_waited_for() {
    for more in [None, Some(b'x')] {
        let (_, after) = trickle(b"POST / HTTP/1.1\r\nhost: ", more).await;
        assert!(
            after <= HEADER_READ_LIMIT + Duration::from_secs(2),
            "{after:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_is_not_waited_for() {
    let head = b"POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 10000\r\n\r\n";
    for more in [None, Some(b'x')] {
        let (answer, after) = trickle(head, more).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(
            after <= BODY_READ_LIMIT + Duration::from_secs(2),
            "{after:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_larger_than_the_limits_is_refused() {
    let long = format!(
        "POST / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "y".repeat(4 * HEAD_BYTES_MAX)
    );
    let many = format!(
        "POST / HTTP/1.1\r\n{}\r\n",
        "x: y\r\n".repeat(HEADERS_MAX + 1)
    );
    for head in [long, many] {
        let (answer, _) = trickle(head.as_bytes(), None).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}
