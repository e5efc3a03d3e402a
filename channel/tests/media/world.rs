//! What the media tests share: a server on free ports, peers as child processes, bounded waits.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::body::Body;
use axum::body::Bytes;
use axum::http::{Request, Response, request};
use channel::limits::VIEWERS_MAX;
use channel::{
    ChannelEvent, ChannelGrant, ChannelType, Channels, ChannelsConfig, Directory, DirectoryError,
    IngestTerms, LiveStream, Owner, PlaybackTerms, Report, SlateError, SlateFormat, SlateSource,
    StreamEvent,
};
use compositor_core::id::ChannelId;
use http_body_util::BodyExt;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard, mpsc};
use tower::ServiceExt;

use crate::gate::FakeGate;

/// One media test at a time: they measure real time.
static MEDIA: Mutex<()> = Mutex::const_new(());

pub(crate) const KEY: &str = "sk_us-east-1_AAAABBBBCCCC_dddd";
pub(crate) const CHANNEL: &str = "AAAABBBBCCCC";
pub(crate) const CHANNEL_ARN: &str = "arn:aws:ivs:us-east-1:123456789012:channel/AAAABBBBCCCC";
pub(crate) const MASTER: &str = "/api/video/v1/us-east-1.123456789012.channel.AAAABBBBCCCC.m3u8";

/// Longest time that any single step of a test may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Live streams that the account may have.
pub(crate) const BROADCASTS_MAX: u32 = 100;

/// One channel, with its terms.
struct OneChannel(IngestTerms, PlaybackTerms);

#[async_trait]
impl Directory for OneChannel {
    async fn channel_of(&self, stream_key: &str) -> Result<Option<ChannelGrant>, DirectoryError> {
        Ok((stream_key == KEY).then(|| ChannelGrant {
            channel: ChannelId::new(CHANNEL),
            arn: CHANNEL_ARN.to_owned(),
            name: "test".to_owned(),
            insecure_ingest: false,
            channel_type: ChannelType::Standard,
            ingest: self.0.clone(),
            playback: self.1.clone(),
        }))
    }
}

/// ffmpeg draws the slate: red.
#[derive(Debug)]
pub(crate) struct Slates;

#[async_trait]
impl SlateSource for Slates {
    async fn pictures(&self, format: SlateFormat) -> Result<Arc<[Bytes]>, SlateError> {
        let SlateFormat { width, height, fps } = format;
        let rate = fps.num / fps.den;
        let picture = format!("color=red:size={width}x{height}:rate={rate}:duration=2");
        let mut args = vec!["-v", "error", "-f", "lavfi", "-i", &picture];
        args.extend([
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-bf",
            "0",
            "-g",
            "1000",
        ]);
        args.extend(["-pix_fmt", "yuv420p", "-aud", "1", "-f", "h264", "-"]);
        let output = spawn("ffmpeg", &args).wait_with_output().await;
        let stream = output.map_err(|error| SlateError(error.into()))?.stdout;
        const DELIMITER: [u8; 5] = [0, 0, 0, 1, 9];
        let starts = stream.windows(5).enumerate();
        let mut starts: Vec<usize> = starts
            .filter_map(|(at, bytes)| (bytes == DELIMITER).then_some(at))
            .collect();
        starts.push(stream.len());
        let units = starts
            .windows(2)
            .map(|pair| stream[pair[0]..pair[1]].to_vec().into());
        Ok(units.collect())
    }
}

pub(crate) struct World {
    pub(crate) channels: Channels,
    pub(crate) rtmp: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) events: mpsc::Receiver<Report>,
    pub(crate) _alone: Option<MutexGuard<'static, ()>>,
}

impl World {
    pub(crate) async fn start() -> Self {
        let alone = MEDIA.lock().await;
        Self {
            _alone: Some(alone),
            ..Self::beside_others().await
        }
    }

    /// A channel with these terms.
    pub(crate) async fn with_terms(terms: IngestTerms) -> Self {
        let alone = MEDIA.lock().await;
        Self {
            _alone: Some(alone),
            ..Self::with(terms).await
        }
    }

    /// For tests without media to speak of, which may run at the same time as others.
    pub(crate) async fn beside_others() -> Self {
        Self::with(IngestTerms::default()).await
    }

    /// A channel that is played on `terms`.
    pub(crate) async fn guarded(
        terms: PlaybackTerms,
        viewers_max: usize,
        gate: &Arc<FakeGate>,
    ) -> Self {
        let alone = MEDIA.lock().await;
        let channel = OneChannel(IngestTerms::default(), terms);
        Self {
            _alone: Some(alone),
            ..Self::of(channel, viewers_max, Arc::clone(gate)).await
        }
    }

    async fn with(terms: IngestTerms) -> Self {
        let channel = OneChannel(terms, PlaybackTerms::Open);
        Self::of(channel, VIEWERS_MAX, Arc::new(FakeGate::default())).await
    }

    async fn of(channel: OneChannel, viewers_max: usize, gate: Arc<FakeGate>) -> Self {
        let _already: Result<_, _> = tracing_subscriber::fmt()
            .with_test_writer()
            .with_env_filter("channel=info")
            .try_init();
        let config = ChannelsConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            region: "us-east-1".to_owned(),
            viewers_max,
            broadcasts_max: BROADCASTS_MAX,
            connections_max: usize::MAX,
        };
        let owner = Owner {
            directory: Arc::new(channel),
            gate,
            slates: Arc::new(Slates),
        };
        let (channels, events) = Channels::start(config, owner).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = listener.local_addr().unwrap();
        let routes = channels.routes();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self {
            rtmp: channels.local_addr(),
            channels,
            http,
            events,
            _alone: None,
        }
    }

    pub(crate) fn publish_url(&self) -> String {
        format!("rtmp://{}/app/{KEY}", self.rtmp)
    }

    pub(crate) fn stream(&self) -> Option<LiveStream> {
        self.channels.stream(&ChannelId::new(CHANNEL))
    }

    pub(crate) async fn get(&self, path: &str) -> Response<Body> {
        self.send(Request::get(path)).await
    }

    pub(crate) async fn send(&self, request: request::Builder) -> Response<Body> {
        let request = request.body(Body::empty()).unwrap();
        self.channels.routes().oneshot(request).await.unwrap()
    }

    pub(crate) async fn text(&self, path: &str) -> Option<String> {
        let response = self.get(path).await;
        let found = response.status() == 200;
        let body = response.into_body().collect().await.unwrap().to_bytes();
        found.then(|| String::from_utf8(body.to_vec()).unwrap())
    }

    /// The path of a media playlist, once there is one.
    pub(crate) async fn media_playlist(&self) -> String {
        wait_for("a master playlist", async || {
            let master = self.text(MASTER).await?;
            let variant = master.lines().last()?.to_owned();
            Some(format!("/api/video/v1/{variant}"))
        })
        .await
    }

    /// Waits for a media playlist with at least this many segments; returns its text.
    pub(crate) async fn segments(&self, playlist: &str, count: usize) -> String {
        wait_for("segments", async || {
            let text = self.text(playlist).await?;
            (text.matches("#EXTINF").count() >= count).then_some(text)
        })
        .await
    }

    /// The playback URL as a player on this machine sees it.
    pub(crate) fn play_url(&self) -> String {
        format!("http://{}{MASTER}", self.http)
    }

    /// The names of all events up to and with `last`.
    pub(crate) async fn events_until(&mut self, last: StreamEvent) -> Vec<StreamEvent> {
        let mut seen = Vec::new();
        while seen.last() != Some(&last) {
            let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
            let event = event.unwrap_or_else(|_| panic!("{last:?} never came, but {seen:?}"));
            seen.extend(told(event.expect("the channels live")));
        }
        seen
    }
}

/// What the world is told of a stream.
pub(crate) fn told(report: Report) -> Option<StreamEvent> {
    match report {
        Report::Stream(ChannelEvent {
            event: StreamEvent::IngestDescribed(_),
            ..
        })
        | Report::BroadcastRefused { .. } => None,
        Report::Stream(ChannelEvent { event, .. }) => Some(event),
    }
}

/// Asks until there is an answer, at most [`PATIENCE`].
pub(crate) async fn wait_for<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A child that dies with the test.
pub(crate) fn spawn(program: &str, args: &[&str]) -> Child {
    let child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    child.unwrap_or_else(|error| panic!("{program} cannot be started: {error}"))
}

/// Runs a child to its end; returns whether it succeeded, with everything it said.
pub(crate) async fn run(program: &str, args: &[&str]) -> (bool, String) {
    let child = spawn(program, args);
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    let output = output
        .unwrap_or_else(|_| panic!("{program} did not end"))
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// ffmpeg publishes a test pattern and a tone in real time.
pub(crate) fn ffmpeg(url: &str, size: &str, seconds: &str, video: &[&str]) -> Child {
    let picture = format!("testsrc2=size={size}:rate=30");
    let mut args = vec!["-v", "error", "-re", "-f", "lavfi", "-i", &picture];
    args.extend([
        "-re",
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440:sample_rate=48000",
    ]);
    args.extend([
        "-t",
        seconds,
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-pix_fmt",
        "yuv420p",
    ]);
    args.extend(["-g", "30"]);
    args.extend(video);
    args.extend(["-c:a", "aac", "-ac", "2", "-ar", "48000", "-f", "flv", url]);
    spawn("ffmpeg", &args)
}

/// What ffprobe says of the streams at a URL, one line per stream: `codec,width,height,rate`.
pub(crate) async fn probe(url: &str) -> HashMap<String, String> {
    let entries = "stream=codec_name,codec_type,width,height,sample_rate,channels,avg_frame_rate";
    let args = [
        "-v",
        "error",
        "-show_entries",
        entries,
        "-of",
        "compact=nk=0:p=0",
        url,
    ];
    let (ok, text) = run("ffprobe", &args).await;
    assert!(ok, "ffprobe fails on {url}: {text}");
    let mut streams = HashMap::new();
    for line in text.lines().filter(|line| line.contains("codec_type=")) {
        for kind in ["video", "audio", "data"] {
            if line.contains(&format!("codec_type={kind}")) {
                streams.insert(kind.to_owned(), line.to_owned());
            }
        }
    }
    streams
}

/// PTS of all packets of a kind (`v` or `a`) at a URL or file, in seconds, in the order of the file.
pub(crate) async fn packet_times(url: &str, kind: &str) -> Vec<f64> {
    let args = [
        "-v",
        "error",
        "-select_streams",
        kind,
        "-show_entries",
        "packet=pts_time",
    ];
    let (ok, text) = run("ffprobe", &[&args[..], &["-of", "csv=p=0", url]].concat()).await;
    assert!(ok, "ffprobe fails on {url}: {text}");
    text.lines()
        .filter_map(|line| line.trim_end_matches(',').parse().ok())
        .collect()
}
