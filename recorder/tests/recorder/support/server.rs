//! An S3 server on loopback, with faults by script. It also watches that the recorder keeps its rules.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use s3s::Body;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

use super::BUCKET;

pub(crate) const ACCESS_KEY: &str = "TESTKEY";
pub(crate) const SECRET_KEY: &str = "test-secret";

/// What goes wrong with a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// 503 SlowDown; nothing is stored.
    Unavailable,
    /// The object is stored, then the connection is cut without an answer.
    CutAfterBody,
    /// The connection is cut; nothing is stored.
    Cut,
    /// 403 AccessDenied.
    AccessDenied,
    /// 404 NoSuchBucket; the server itself makes missing buckets.
    NoSuchBucket,
}

/// A request that was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) key: String,
    pub(crate) content_type: Option<String>,
    pub(crate) cache_control: Option<String>,
    pub(crate) fault: Option<Fault>,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) endpoint: String,
    pub(crate) root: PathBuf,
    state: Arc<State>,
}

struct State {
    root: PathBuf,
    script: Mutex<Script>,
    seen: Mutex<Vec<Seen>>,
    contents: Mutex<BTreeMap<String, Bytes>>,
    violations: Mutex<Vec<String>>,
}

#[derive(Default)]
struct Script {
    /// Faults of coming PUTs whose key ends so.
    puts: VecDeque<(String, Fault)>,
    /// Everything fails so.
    always: Option<Fault>,
}

impl Server {
    /// Starts a server that keeps its buckets in `root`; with the bucket of the tests.
    pub(crate) async fn start(root: &Path) -> Self {
        std::fs::create_dir_all(root.join(BUCKET)).expect("a folder for the bucket");
        let files = FileSystem::new(root).expect("the folder exists");
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("is bound"));
        let state = Arc::new(State {
            root: root.to_owned(),
            script: Mutex::default(),
            seen: Mutex::default(),
            contents: Mutex::default(),
            violations: Mutex::default(),
        });
        tokio::spawn(serve(listener, service, Arc::clone(&state)));
        Self {
            endpoint,
            root: root.to_owned(),
            state,
        }
    }

    /// The next PUT of a key that ends with `suffix` goes wrong so.
    pub(crate) fn fail_put(&self, suffix: &str, fault: Fault) {
        self.state
            .script
            .lock()
            .puts
            .push_back((suffix.to_owned(), fault));
    }

    /// Everything goes wrong so, until `None`.
    pub(crate) fn fail_all(&self, fault: Option<Fault>) {
        self.state.script.lock().always = fault;
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().clone()
    }

    /// How many PUTs of keys that end with `suffix` came.
    pub(crate) fn puts(&self, suffix: &str) -> usize {
        self.seen()
            .iter()
            .filter(|it| it.method == Method::PUT && it.key.ends_with(suffix))
            .count()
    }

    /// Where an object is on disk.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.root.join(BUCKET).join(key)
    }

    /// Fails if a rule was broken: a playlist that names what is not there, a key with two contents, anything after the
    /// closing document.
    #[track_caller]
    pub(crate) fn check_rules(&self) {
        assert_eq!(*self.state.violations.lock(), Vec::<String>::new());
    }
}

async fn serve(listener: TcpListener, service: S3Service, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (service, state) = (service.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let (service, state) = (service.clone(), Arc::clone(&state));
                async move { answer(request, &service, &state).await }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            // A cut connection is an error here, and that is what was asked for.
            let _ = connection
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    service: &S3Service,
    state: &State,
) -> Result<Response<Body>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map_err(std::io::Error::other)?
        .to_bytes();
    let key = head
        .uri
        .path()
        .trim_start_matches(&format!("/{BUCKET}/"))
        .to_owned();
    let fault = state.fault(&head.method, &key);
    let text = |name| Some(head.headers.get(name)?.to_str().ok()?.to_owned());
    state.seen.lock().push(Seen {
        method: head.method.clone(),
        key: key.clone(),
        content_type: text("content-type"),
        cache_control: text("cache-control"),
        fault,
    });
    match fault {
        Some(Fault::Cut) => return Err(std::io::Error::other("cut")),
        Some(Fault::Unavailable) => return Ok(error(StatusCode::SERVICE_UNAVAILABLE, "SlowDown")),
        Some(Fault::AccessDenied) => return Ok(error(StatusCode::FORBIDDEN, "AccessDenied")),
        Some(Fault::NoSuchBucket) => return Ok(error(StatusCode::NOT_FOUND, "NoSuchBucket")),
        Some(Fault::CutAfterBody) | None => {}
    }
    if head.method == Method::PUT {
        state.watch(&key, &body);
    }
    let request = Request::from_parts(head, Body::from(body));
    let answer = service
        .call(request)
        .await
        .map_err(|error| std::io::Error::other(format!("{error:?}")))?;
    match fault {
        Some(_) => Err(std::io::Error::other("cut")),
        None => Ok(answer),
    }
}

fn error(status: StatusCode, code: &str) -> Response<Body> {
    let body = format!("<Error><Code>{code}</Code><Message>as scripted</Message></Error>");
    let answer: Result<_, Infallible> = Ok(Response::builder().status(status));
    let Ok(answer) = answer;
    answer.body(Body::from(body)).expect("a plain answer")
}

impl State {
    fn fault(&self, method: &Method, key: &str) -> Option<Fault> {
        let mut script = self.script.lock();
        if script.always.is_some() {
            return script.always;
        }
        if method != Method::PUT {
            return None;
        }
        let at = script
            .puts
            .iter()
            .position(|(suffix, _)| key.ends_with(suffix))?;
        script.puts.remove(at).map(|(_, fault)| fault)
    }

    /// Looks at what is about to be stored.
    fn watch(&self, key: &str, body: &Bytes) {
        let violation = |text: String| self.violations.lock().push(text);
        let mut contents = self.contents.lock();
        if contents
            .keys()
            .any(|key| key.ends_with("-ended.json") || key.ends_with("-failed.json"))
            && !key.ends_with("-ended.json")
            && !key.ends_with("-failed.json")
        {
            violation(format!("{key} came after the closing document"));
        }
        let segments = |text: &Bytes| String::from_utf8_lossy(text).matches("#EXTINF").count();
        if let Some(before) = contents.get(key)
            && key.ends_with("playlist.m3u8")
            && (segments(before) > segments(body)
                || before.ends_with(b"ENDLIST\n") && before != body)
        {
            violation(format!("{key} has shrunk or was opened again"));
        }
        let mutable = key.ends_with(".m3u8") || key.contains("/latest_thumbnail/");
        if let Some(before) = contents.insert(key.to_owned(), body.clone())
            && before != *body
            && !mutable
        {
            violation(format!("{key} has two contents"));
        }
        if key.ends_with(".m3u8") {
            let folder = self.root.join(BUCKET).join(key);
            let folder = folder.parent().expect("a key has folders");
            let text = String::from_utf8_lossy(body);
            for name in text.lines().filter(|line| !line.starts_with('#')) {
                if !folder.join(name).is_file() {
                    violation(format!("{key} names {name}, which is not there"));
                }
            }
        }
    }
}
