//! The embedded S3 server over a real socket: with the AWS SDK where requests are signed, with plain bytes elsewhere.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::net::SocketAddr;

use api::config::{ApiCredential, Secret};
use api::embedded_s3::EmbeddedS3;
use api::shutdown::{ShutdownTrigger, shutdown};
use bytes::Bytes;
use recorder::{ObjectStore, PutObject, StoreConfig, StoreCredentials, StoreFault};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct World {
    address: SocketAddr,
    store: ObjectStore,
    folder: tempfile::TempDir,
    _trigger: ShutdownTrigger,
}

/// A whole answer: head and body as they came over the wire.
struct Answer {
    head: String,
    body: Vec<u8>,
}

impl World {
    async fn new(public_read: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = ApiCredential {
            access_key_id: "KEY".to_owned(),
            secret_access_key: Secret::new("secret-secret"),
            session_token: None,
            account: "123456789012".to_owned(),
            policy: api::access::Policy::everything(),
        };
        let listen = "127.0.0.1:0".parse().unwrap();
        let s3 = EmbeddedS3::bind(folder.path(), listen, public_read, &[key])
            .await
            .unwrap();
        let address = s3.address();
        let (trigger, end) = shutdown();
        tokio::spawn(async move { s3.serve(end.begun()).await });
        let store = connect(address, "secret-secret").await;
        store.create_bucket("bucket").await.unwrap();
        Self {
            address,
            store,
            folder,
            _trigger: trigger,
        }
    }

    async fn put(&self, key: &str, body: &'static [u8]) -> Result<(), recorder::StoreError> {
        let object = PutObject {
            key: key.to_owned(),
            body: Bytes::from_static(body),
            content_type: "application/octet-stream",
            cache_control: "no-store",
        };
        self.store.put("bucket", object).await
    }

    /// Sends a request without a signature.
    async fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let end = answer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        let head = String::from_utf8(answer[..end].to_vec())
            .unwrap()
            .to_ascii_lowercase();
        Answer {
            head,
            body: answer[end + 4..].to_vec(),
        }
    }
}

impl Answer {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }
}

async fn connect(address: SocketAddr, secret: &str) -> ObjectStore {
    ObjectStore::connect(StoreConfig {
        endpoint: Some(format!("http://{address}")),
        region: "us-east-1".to_owned(),
        credentials: StoreCredentials::Static {
            access_key_id: "KEY".to_owned(),
            secret_access_key: secret.to_owned(),
        },
        path_style: true,
    })
    .await
}

#[tokio::test]
async fn players_read_objects_without_a_signature_and_learn_their_type() {
    let world = World::new(true).await;
    world
        .put("a/media/multivariant.m3u8", b"#EXTM3U\n")
        .await
        .unwrap();
    world.put("a/media/0.ts", b"0123456789").await.unwrap();
    let playlist = world
        .ask(
            "GET",
            "/bucket/a/media/multivariant.m3u8",
            "Origin: http://page\r\n",
        )
        .await;
    assert_eq!(
        (playlist.status(), playlist.body.as_slice()),
        (200, b"#EXTM3U\n".as_slice())
    );
    assert_eq!(
        playlist.header("content-type"),
        Some("application/vnd.apple.mpegurl")
    );
    assert_eq!(playlist.header("access-control-allow-origin"), Some("*"));
    assert!(
        playlist
            .header("access-control-expose-headers")
            .unwrap()
            .contains("content-range")
    );
    let part = world
        .ask("GET", "/bucket/a/media/0.ts", "Range: bytes=2-4\r\n")
        .await;
    assert_eq!(
        (part.status(), part.body.as_slice()),
        (206, b"234".as_slice())
    );
    assert_eq!(part.header("content-range"), Some("bytes 2-4/10"));
    assert_eq!(part.header("content-type"), Some("video/mp2t"));
    let tail = world
        .ask("GET", "/bucket/a/media/0.ts", "Range: bytes=-400\r\n")
        .await;
    assert_eq!(
        (tail.status(), tail.body.as_slice()),
        (206, b"0123456789".as_slice())
    );
    let beyond = world
        .ask("GET", "/bucket/a/media/0.ts", "Range: bytes=400-\r\n")
        .await;
    assert_eq!(beyond.status(), 416);
    let head = world.ask("HEAD", "/bucket/a/media/0.ts", "").await;
    assert_eq!(
        (head.status(), head.header("content-length")),
        (200, Some("10"))
    );
}

#[tokio::test]
async fn a_preflight_allows_reading_from_any_page() {
    let world = World::new(true).await;
    let asks = "Origin: http://page\r\nAccess-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: range\r\n";
    let answer = world.ask("OPTIONS", "/bucket/a.m3u8", asks).await;
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(
        answer.header("access-control-allow-methods"),
        Some("get, head, options")
    );
    assert!(
        answer
            .header("access-control-allow-headers")
            .unwrap()
            .contains("range")
    );
}

#[tokio::test]
async fn nobody_writes_lists_or_deletes_without_a_signature() {
    let world = World::new(true).await;
    world.put("a.ts", b"kept").await.unwrap();
    for (method, path) in [
        ("PUT", "/bucket/b.ts"),
        ("PUT", "/other"),
        ("DELETE", "/bucket/a.ts"),
        ("DELETE", "/bucket"),
        ("POST", "/bucket?delete"),
        ("POST", "/bucket/a.ts?uploads"),
        ("GET", "/"),
        ("GET", "/bucket"),
        ("GET", "/bucket?list-type=2"),
        ("HEAD", "/bucket"),
        ("GET", "/bucket/a.ts?acl"),
        ("GET", "/bucket/a.ts?response-content-type=text/html"),
    ] {
        let answer = world.ask(method, path, "Content-Length: 0\r\n").await;
        assert!(
            matches!(answer.status(), 403 | 400),
            "{method} {path}: {}",
            answer.head
        );
        assert_ne!(answer.header("access-control-allow-methods"), Some("put"));
    }
    assert_eq!(world.store.get("bucket", "a.ts").await.unwrap(), "kept");
    assert!(!world.folder.path().join("s3/other").exists());
}

#[tokio::test]
async fn without_public_read_everything_needs_a_signature() {
    let world = World::new(false).await;
    world.put("a.ts", b"secret").await.unwrap();
    let answer = world
        .ask("GET", "/bucket/a.ts", "Origin: http://page\r\n")
        .await;
    assert_eq!(
        (
            answer.status(),
            answer.header("access-control-allow-origin")
        ),
        (403, None)
    );
    assert_eq!(world.store.get("bucket", "a.ts").await.unwrap(), "secret");
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let world = World::new(true).await;
    let stranger = connect(world.address, "wrong-wrong").await;
    let error = stranger.create_bucket("mine").await.unwrap_err();
    assert_eq!(error.fault, StoreFault::AccessDenied);
}

#[tokio::test]
async fn no_path_leads_out_of_its_bucket() {
    let world = World::new(true).await;
    world.store.create_bucket("other").await.unwrap();
    std::fs::write(world.folder.path().join("outside.txt"), "outside").unwrap();
    std::fs::write(world.folder.path().join("s3/other/inside.txt"), "inside").unwrap();
    for path in [
        "/bucket/../../outside.txt",
        "/bucket/..%2f..%2foutside.txt",
        "/bucket/%2e%2e/%2e%2e/outside.txt",
        "/bucket/../other/inside.txt",
        "/bucket/x/..%2f..%2fother/inside.txt",
        "/bucket/./a",
        "/bucket//etc/passwd",
        "/..%2foutside.txt",
        "/../outside.txt",
    ] {
        let answer = world.ask("GET", path, "").await;
        assert!(
            (400..500).contains(&answer.status()),
            "{path}: {}",
            answer.head
        );
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(
            !body.contains("outside\"") && body != "outside" && body != "inside",
            "{path}: {body}"
        );
    }
    for key in ["../escaped", "a/../../escaped", "..", "/abs"] {
        world.put(key, b"x").await.unwrap_err();
    }
    assert!(!world.folder.path().join("escaped").exists());
    assert!(!world.folder.path().join("s3/escaped").exists());
}

#[tokio::test]
async fn missing_buckets_and_objects_are_404_and_a_put_makes_no_bucket() {
    let world = World::new(true).await;
    assert_eq!(
        world.store.head_bucket("absent").await.unwrap_err().fault,
        StoreFault::BucketNotFound
    );
    world.store.head_bucket("bucket").await.unwrap();
    world.store.create_bucket("bucket").await.unwrap();
    assert_eq!(world.store.head("bucket", "absent").await.unwrap(), None);
    let object = PutObject {
        key: "a".to_owned(),
        body: Bytes::from_static(b"x"),
        content_type: "text/plain",
        cache_control: "no-store",
    };
    let error = world.store.put("absent", object).await.unwrap_err();
    assert_eq!(error.fault, StoreFault::BucketNotFound);
    assert!(!world.folder.path().join("s3/absent").exists());
    world.put("folder/a", b"x").await.unwrap();
    assert_eq!(world.ask("GET", "/bucket/folder", "").await.status(), 404);
    assert_eq!(world.ask("GET", "/absent/a", "").await.status(), 404);
}

#[tokio::test]
async fn a_playlist_can_be_read_whenever_it_is_replaced() {
    let world = World::new(true).await;
    world.put("a.m3u8", b"before").await.unwrap();
    let mut replacing = std::pin::pin!(async {
        for _ in 0..100 {
            world.put("a.m3u8", b"after").await.unwrap();
        }
    });
    loop {
        tokio::select! {
            () = &mut replacing => break,
            read = world.store.get("bucket", "a.m3u8") => {
                let read = read.unwrap();
                assert!(read == "before" || read == "after", "{read:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_object_and_a_folder_cannot_have_the_same_name() {
    let world = World::new(true).await;
    world.put("a", b"x").await.unwrap();
    world.put("a/b", b"x").await.unwrap_err();
    world.put("c/d", b"x").await.unwrap();
    world.put("c", b"x").await.unwrap_err();
    assert_eq!(world.store.get("bucket", "c/d").await.unwrap(), "x");
}

#[tokio::test]
async fn the_embedded_server_lives_on_after_garbage() {
    let world = World::new(true).await;
    for garbage in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"] {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(garbage.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // The server may reset the connection instead of closing it.
        let _ = stream.read_to_end(&mut answer).await;
    }
    world.put("a.ts", b"fine").await.unwrap();
    assert_eq!(world.ask("GET", "/bucket/a.ts", "").await.status(), 200);
}
