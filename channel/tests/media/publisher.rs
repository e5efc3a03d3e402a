//! The publisher of compositions against our own ingest and against nginx-rtmp.

use std::io::Write;
use std::net::TcpListener;

use bytes::Bytes;
use channel::limits::NO_DATA_TIMEOUT;
use channel::{PublishError, Publisher, PublisherEvent, StreamEvent, VideoParams};
use compositor_core::time::FrameRate;
use tempfile::TempDir;
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use crate::world::{PATIENCE, World, packet_times, probe, run, spawn, wait_for};

const FPS: FrameRate = FrameRate::whole(30);
const PARAMS: VideoParams = VideoParams {
    width: 320,
    height: 240,
    fps: FPS,
    bitrate: 600_000,
};

/// RTMP counts milliseconds.
const ROUNDING: f64 = 0.0015;

/// Media may have arrived a little before the clock was looked at.
const SLACK: std::time::Duration = std::time::Duration::from_secs(1);

/// Numbered access units, as a composition's worker makes them.
struct Composition {
    video: Vec<(bool, Bytes)>,
    audio: Vec<Bytes>,
}

impl Composition {
    /// A keyframe every two seconds.
    async fn encode(seconds: u32) -> Self {
        let folder = TempDir::new().unwrap();
        let (video, audio) = (folder.path().join("v.h264"), folder.path().join("a.aac"));
        let seconds = seconds.to_string();
        let args = [
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=320x240:rate=30",
            "-f",
        ];
        let mut args = args.to_vec();
        args.extend([
            "lavfi",
            "-i",
            "sine=frequency=440:sample_rate=48000",
            "-t",
            &seconds,
        ]);
        args.extend([
            "-map",
            "0:v",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-tune",
        ]);
        args.extend(["zerolatency", "-pix_fmt", "yuv420p", "-g", "60", "-bf", "0"]);
        args.extend([
            "-bsf:v",
            "h264_metadata=aud=insert",
            video.to_str().unwrap(),
        ]);
        args.extend(["-map", "1:a", "-t", &seconds, "-c:a", "aac", "-ac", "2"]);
        args.push(audio.to_str().unwrap());
        let (ok, text) = run("ffmpeg", &args).await;
        assert!(ok, "{text}");
        let video = pictures(&std::fs::read(video).unwrap());
        let audio = frames(&std::fs::read(audio).unwrap());
        Self { video, audio }
    }

    /// Hands everything from picture `from` on to the publisher, in real time, until `until`.
    async fn play(&self, publisher: &Publisher, from: usize, until: usize) {
        let start = Instant::now();
        let mut n = (from * 48_000).div_ceil(30 * 1024);
        for k in from..until.min(self.video.len()) {
            sleep_until(start + FPS.frame_time((k - from) as u64)).await;
            let (keyframe, data) = &self.video[k];
            publisher.video(k as u64, *keyframe, data.clone());
            while n < self.audio.len() && n * 1024 * 30 <= k * 48_000 {
                publisher.audio(n as u64, self.audio[n].clone());
                n += 1;
            }
        }
    }
}

/// Cuts a byte stream at its access unit delimiters.
fn pictures(stream: &[u8]) -> Vec<(bool, Bytes)> {
    const DELIMITER: [u8; 5] = [0, 0, 0, 1, 9];
    let starts: Vec<usize> = (0..stream.len() - 5)
        .filter(|at| stream[*at..].starts_with(&DELIMITER))
        .collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    let units = starts.iter().zip(ends).map(|(start, end)| {
        let unit = &stream[*start..end];
        let keyframe = unit
            .windows(4)
            .any(|nal| nal[..3] == [0, 0, 1] && nal[3] & 0x1F == 5);
        (keyframe, Bytes::copy_from_slice(unit))
    });
    units.collect()
}

/// Takes the raw frames out of ADTS.
fn frames(mut stream: &[u8]) -> Vec<Bytes> {
    let mut frames = Vec::new();
    while stream.len() > 7 {
        let length = usize::from(stream[3] & 3) << 11
            | usize::from(stream[4]) << 3
            | usize::from(stream[5]) >> 5;
        frames.push(Bytes::copy_from_slice(&stream[7..length]));
        stream = &stream[length..];
    }
    frames
}

async fn next(events: &mut mpsc::Receiver<PublisherEvent>) -> PublisherEvent {
    timeout(PATIENCE, events.recv())
        .await
        .expect("an event in time")
        .expect("the publisher lives")
}

#[tokio::test(flavor = "multi_thread")]
async fn composition_reaches_its_channel_with_every_frame_in_its_place() {
    let mut world = World::start().await;
    let composition = Composition::encode(7).await;
    let (sender, mut events) = mpsc::channel(8);
    let publisher = Publisher::start(&world.publish_url(), PARAMS, sender).unwrap();
    let watch = async {
        let event = next(&mut events).await;
        assert!(
            matches!(event, PublisherEvent::FirstKeyframeWritten),
            "{event:?}"
        );
    };
    tokio::join!(composition.play(&publisher, 0, usize::MAX), watch);
    let playlist = world.media_playlist().await;
    publisher.finish().await;
    world.events_until(StreamEvent::SessionEnded).await;

    let text = world.text(&playlist).await.unwrap();
    let durations: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("#EXTINF:"))
        .collect();
    assert_eq!(durations[..3], ["2.000000,live"; 3]);
    let url = format!("http://{}{playlist}", world.http);
    let times = packet_times(&url, "v").await;
    assert_eq!(times.len(), 210);
    for (k, time) in times.iter().enumerate() {
        assert!(
            (time - times[0] - k as f64 / 30.0).abs() < ROUNDING,
            "frame {k} at {time}"
        );
    }
    let sound = packet_times(&url, "a").await;
    assert_eq!(
        sound.len(),
        composition.audio.iter().take(sound.len()).count()
    );
    assert!(
        (sound[0] - times[0]).abs() < 0.022,
        "{} and {}",
        sound[0],
        times[0]
    );
    for (n, time) in sound.iter().enumerate() {
        let due = sound[0] + n as f64 * 1024.0 / 48_000.0;
        assert!((time - due).abs() < ROUNDING, "sound {n} at {time}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn publisher_is_told_why_it_is_refused_and_may_try_again() {
    let mut world = World::start().await;
    let (sender, mut events) = mpsc::channel(8);
    let wrong = format!("rtmp://{}/app/sk_us-east-1_wrong", world.rtmp);
    let refused = Publisher::start(&wrong, PARAMS, sender.clone()).unwrap();
    let event = next(&mut events).await;
    assert!(
        matches!(&event, PublisherEvent::Refused { code } if code == "NetStream.Publish.Denied"),
        "{event:?}"
    );
    drop(refused);

    let composition = Composition::encode(8).await;
    let url = format!("{}?priority=1", world.publish_url());
    let first = Publisher::start(&url, PARAMS, sender.clone()).unwrap();
    composition.play(&first, 0, 62).await;
    assert!(matches!(
        next(&mut events).await,
        PublisherEvent::FirstKeyframeWritten
    ));
    wait_for("the stream", async || world.stream()).await;

    let second = Publisher::start(&url, PARAMS, sender).unwrap();
    let event = next(&mut events).await;
    assert!(
        matches!(&event, PublisherEvent::Refused { code } if code == "NetStream.Publish.BadName"),
        "{event:?}"
    );
    second.reconnect(2);
    composition.play(&second, 0, 5).await;
    let both = [next(&mut events).await, next(&mut events).await];
    assert!(
        both.iter()
            .any(|event| matches!(event, PublisherEvent::FirstKeyframeWritten))
            && both.iter().any(|event| {
                matches!(
                    event,
                    PublisherEvent::Interrupted {
                        error: PublishError::PeerClosed | PublishError::Socket(_)
                    }
                )
            }),
        "{both:?}"
    );
    let seen = world.events_until(StreamEvent::StreamTakeover).await;
    assert_eq!(
        seen.iter()
            .filter(|event| **event == StreamEvent::SessionCreated)
            .count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listening_is_an_interruption() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let (sender, mut events) = mpsc::channel(8);
    let url = format!("rtmp://127.0.0.1:{port}/app/key");
    let _publisher = Publisher::start(&url, PARAMS, sender).unwrap();
    let event = next(&mut events).await;
    assert!(
        matches!(
            event,
            PublisherEvent::Interrupted {
                error: PublishError::Connect { .. }
            }
        ),
        "{event:?}"
    );
}

/// A private nginx with its RTMP module.
struct Nginx {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Nginx {
    async fn start(port: Option<u16>) -> Self {
        let port = port.unwrap_or_else(|| {
            TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port()
        });
        let folder = TempDir::new().unwrap();
        let root = folder.path().to_str().unwrap();
        let config = folder.path().join("nginx.conf");
        write!(
            std::fs::File::create(&config).unwrap(),
            "load_module modules/ngx_rtmp_module.so;\ndaemon off;\nmaster_process off;\npid {root}/pid;\n\
             error_log {root}/error.log;\nevents {{ worker_connections 64; }}\nrtmp {{ server {{\n\
             listen 127.0.0.1:{port};\napplication app {{ live on; wait_key on; }}\n}} }}\n"
        )
        .unwrap();
        // The modules are found relative to the prefix.
        let modules = folder.path().join("modules");
        std::os::unix::fs::symlink("/usr/lib/nginx/modules", modules).unwrap();
        let child = spawn(
            "/usr/sbin/nginx",
            &["-p", root, "-c", config.to_str().unwrap()],
        );
        wait_for("nginx", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .ok()
        })
        .await;
        Self {
            child,
            port,
            _folder: folder,
        }
    }

    fn url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/app/composition", self.port)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_takes_a_composition_and_plays_it_back() {
    let _alone = World::start().await;
    let nginx = Nginx::start(None).await;
    let composition = Composition::encode(8).await;
    let (sender, mut events) = mpsc::channel(8);
    let publisher =
        Publisher::start(&format!("{}?priority=1", nginx.url()), PARAMS, sender).unwrap();
    let read_back = async {
        assert!(matches!(
            next(&mut events).await,
            PublisherEvent::FirstKeyframeWritten
        ));
        probe(&nginx.url()).await
    };
    let ((), streams) = tokio::join!(composition.play(&publisher, 0, usize::MAX), read_back);
    assert!(streams["video"].contains("codec_name=h264"), "{streams:?}");
    assert!(
        streams["video"].contains("width=320|height=240"),
        "{streams:?}"
    );
    assert!(streams["audio"].contains("codec_name=aac"), "{streams:?}");
    assert!(
        streams["audio"].contains("sample_rate=48000|channels=2"),
        "{streams:?}"
    );
    publisher.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_server_died_the_broadcast_goes_on_from_a_keyframe() {
    let _alone = World::start().await;
    let mut nginx = Nginx::start(None).await;
    let composition = Composition::encode(12).await;
    let (sender, mut events) = mpsc::channel(8);
    let publisher = Publisher::start(&nginx.url(), PARAMS, sender).unwrap();
    composition.play(&publisher, 0, 45).await;
    assert!(matches!(
        next(&mut events).await,
        PublisherEvent::FirstKeyframeWritten
    ));
    nginx.child.kill().await.unwrap();
    let event = next(&mut events).await;
    assert!(
        matches!(event, PublisherEvent::Interrupted { .. }),
        "{event:?}"
    );
    publisher.reconnect(2);
    let event = next(&mut events).await;
    assert!(
        matches!(
            event,
            PublisherEvent::Interrupted {
                error: PublishError::Connect { .. }
            }
        ),
        "{event:?}"
    );
    let nginx = Nginx::start(Some(nginx.port)).await;
    publisher.reconnect(3);
    let read_back = async {
        assert!(matches!(
            next(&mut events).await,
            PublisherEvent::FirstKeyframeWritten
        ));
        probe(&nginx.url()).await
    };
    let ((), streams) = tokio::join!(composition.play(&publisher, 45, usize::MAX), read_back);
    assert!(
        streams["video"].contains("width=320|height=240"),
        "{streams:?}"
    );
    publisher.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn publisher_that_falls_silent_is_ended_after_thirty_seconds() {
    let mut world = World::beside_others().await;
    let composition = Composition::encode(3).await;
    let (sender, mut events) = mpsc::channel(8);
    let url = format!("{}?priority=1", world.publish_url());
    let publisher = Publisher::start(&url, PARAMS, sender).unwrap();
    composition.play(&publisher, 0, 62).await;
    let silent = Instant::now();
    let seen = world.events_until(StreamEvent::SessionEnded).await;
    assert!(seen.contains(&StreamEvent::StarvationStart), "{seen:?}");
    assert!(
        silent.elapsed() >= NO_DATA_TIMEOUT - SLACK,
        "{:?}",
        silent.elapsed()
    );
    assert!(matches!(
        next(&mut events).await,
        PublisherEvent::FirstKeyframeWritten
    ));
    let event = next(&mut events).await;
    assert!(
        matches!(event, PublisherEvent::Interrupted { .. }),
        "{event:?}"
    );
}
