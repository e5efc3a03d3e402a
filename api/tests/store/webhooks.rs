//! Webhooks against a receiver on a real socket. Time is what the tests say it is.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use api::config::{Secret, Webhook, WebhookUrl};
use api::event::DetailType;
use api::store::Store;
use api::webhook::{Courier, couriers, run, signature};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use compositor_core::time::WallTime;
use http::{HeaderMap, StatusCode, header};
use parking_lot::Mutex;
use recorder::WallClock;
use serde_json::Value;
use tokio::sync::watch;

use crate::on_both;
use crate::parts::{ACCOUNT, NOW, OTHER, event};

const SECRET: &str = "a-secret-of-tests";

/// What a receiver was told: the event's number, its channel and `n`.
type Told = (i64, String, u64);

#[derive(Default)]
struct Script {
    told: Vec<Told>,
    /// Channels whose events are refused, with what.
    refused: HashMap<String, StatusCode>,
}

#[derive(Clone)]
struct Receiver {
    script: Arc<Mutex<Script>>,
    count: watch::Sender<usize>,
    url: String,
}

impl Receiver {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            script: Arc::default(),
            count: watch::Sender::new(0),
            url: format!("http://{}/events?token=t", listener.local_addr().unwrap()),
        };
        let router = Router::new()
            .route("/events", post(receive))
            .with_state(receiver.clone());
        tokio::spawn(async move { axum_serve(listener, router).await });
        receiver
    }

    fn told(&self) -> Vec<Told> {
        std::mem::take(&mut self.script.lock().told)
    }

    fn refuse(&self, channel: &str, status: StatusCode) {
        self.script
            .lock()
            .refused
            .insert(channel.to_owned(), status);
    }

    fn accept(&self) {
        self.script.lock().refused.clear();
    }
}

async fn axum_serve(listener: tokio::net::TcpListener, router: Router) {
    api::http_server::serve_router(listener, router, std::future::pending()).await;
}

async fn receive(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(header::HeaderName, &'static str); 1]) {
    let body = std::str::from_utf8(&body).unwrap();
    let envelope: Value = serde_json::from_str(body).unwrap();
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let signed = text("proscenium-signature");
    let seconds: i64 = signed
        .strip_prefix("t=")
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(
        signed,
        signature(&Secret::new(SECRET), WallTime(seconds * 1_000_000), body)
    );
    let channel = envelope["resources"][0]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    let number = text("proscenium-event-id").parse().unwrap();
    let n = envelope["detail"]["n"].as_u64().unwrap();
    let mut script = receiver.script.lock();
    let status = script
        .refused
        .get(&channel)
        .copied()
        .unwrap_or(StatusCode::NO_CONTENT);
    script.told.push((number, channel, n));
    drop(script);
    receiver.count.send_modify(|count| *count += 1);
    (status, [(header::LOCATION, "/elsewhere")])
}

/// A clock that the test moves, and the courier of one webhook.
struct Desk {
    now: Arc<AtomicI64>,
    courier: Courier,
}

impl Desk {
    async fn new(
        store: &Store,
        receiver: &Receiver,
        detail_types: Option<Vec<DetailType>>,
    ) -> Self {
        let now = Arc::new(AtomicI64::new(NOW.0));
        let time = Arc::clone(&now);
        let clock = WallClock::new(move || WallTime(time.load(Ordering::Relaxed)));
        let webhook = Webhook {
            url: WebhookUrl::parse(&receiver.url).unwrap(),
            secret: Secret::new(SECRET),
            account: ACCOUNT.to_owned(),
            detail_types,
        };
        let courier = couriers(&[webhook], store, &clock).await.unwrap().remove(0);
        Self { now, courier }
    }

    fn advance(&self, by: Duration) {
        self.now
            .fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::Relaxed);
    }

    /// Delivers; answers in how many microseconds there is more to do.
    async fn deliver(&self) -> Option<i64> {
        let next = self.courier.deliver_due().await.unwrap();
        next.map(|at| at.0 - self.now.load(Ordering::Relaxed))
    }
}

fn told(all: &[(i64, &str, u64)]) -> Vec<Told> {
    all.iter()
        .map(|(number, channel, n)| (*number, (*channel).to_owned(), *n))
        .collect()
}

#[tokio::test]
async fn a_webhook_is_told_what_happens_to_its_account_from_its_first_start_on() {
    on_both(|fixture| async move {
        let store = &fixture.store;
        let receiver = Receiver::start().await;
        store
            .append_events(&[event(ACCOUNT, "a", 0)])
            .await
            .unwrap();
        let desk = Desk::new(store, &receiver, None).await;
        store
            .append_events(&[event(ACCOUNT, "a", 1), event(OTHER, "a", 2)])
            .await
            .unwrap();
        assert_eq!(desk.deliver().await, None);
        assert_eq!(receiver.told(), told(&[(2, "a", 1)]));
        assert_eq!(desk.deliver().await, None);
        assert_eq!(receiver.told(), []);
    })
    .await;
}

#[tokio::test]
async fn only_wanted_types_are_told() {
    on_both(|fixture| async move {
        let receiver = Receiver::start().await;
        let desk = Desk::new(
            &fixture.store,
            &receiver,
            Some(vec![DetailType::StageUpdate]),
        )
        .await;
        fixture
            .store
            .append_events(&[event(ACCOUNT, "a", 1)])
            .await
            .unwrap();
        assert_eq!(desk.deliver().await, None);
        assert_eq!(receiver.told(), []);
    })
    .await;
}

#[tokio::test]
async fn a_resource_waits_for_its_failing_event_and_others_go_on() {
    on_both(|fixture| async move {
        let store = &fixture.store;
        let receiver = Receiver::start().await;
        let desk = Desk::new(store, &receiver, None).await;
        receiver.refuse("a", StatusCode::INTERNAL_SERVER_ERROR);
        let events = [
            event(ACCOUNT, "a", 1),
            event(ACCOUNT, "b", 2),
            event(ACCOUNT, "a", 3),
            event(ACCOUNT, "b", 4),
        ];
        store.append_events(&events).await.unwrap();
        let pause = desk.deliver().await.unwrap();
        assert!((500_000..=1_000_000).contains(&pause), "{pause}");
        let mut first = receiver.told();
        first.sort();
        assert_eq!(first, told(&[(1, "a", 1), (2, "b", 2), (4, "b", 4)]));

        // A moment before it is due, nothing happens; then the pause doubles.
        desk.advance(Duration::from_micros(u64::try_from(pause).unwrap() - 1));
        assert_eq!(desk.deliver().await, Some(1));
        desk.advance(Duration::from_micros(1));
        let pause = desk.deliver().await.unwrap();
        assert!((1_000_000..=2_000_000).contains(&pause), "{pause}");
        assert_eq!(receiver.told(), told(&[(1, "a", 1)]));

        receiver.accept();
        desk.advance(Duration::from_secs(2));
        assert_eq!(desk.deliver().await, None);
        assert_eq!(receiver.told(), told(&[(1, "a", 1), (3, "a", 3)]));
    })
    .await;
}

#[tokio::test]
async fn after_a_day_an_event_is_dropped_and_the_next_is_tried() {
    on_both(|fixture| async move {
        let receiver = Receiver::start().await;
        let desk = Desk::new(&fixture.store, &receiver, None).await;
        // A redirect is no acknowledgement, and is not followed.
        receiver.refuse("a", StatusCode::TEMPORARY_REDIRECT);
        fixture
            .store
            .append_events(&[event(ACCOUNT, "a", 1), event(ACCOUNT, "a", 2)])
            .await
            .unwrap();
        let mut tries = 0;
        let mut day = Vec::new();
        while let Some(pause) = desk.deliver().await {
            day.extend(receiver.told());
            desk.advance(Duration::from_micros(u64::try_from(pause).unwrap()));
            tries += 1;
            assert!(tries < 1000, "it never ends");
        }
        day.extend(receiver.told());
        let firsts = day.iter().filter(|(number, ..)| *number == 1).count();
        assert!((90..300).contains(&firsts), "{firsts}");
        assert_eq!(day.last().unwrap().0, 2);
        assert!(desk.now.load(Ordering::Relaxed) - NOW.0 <= 24 * 3600 * 1_000_000);
    })
    .await;
}

#[tokio::test]
async fn a_restart_forgets_no_delivery() {
    on_both(|fixture| async move {
        let receiver = Receiver::start().await;
        let desk = Desk::new(&fixture.store, &receiver, None).await;
        receiver.refuse("a", StatusCode::BAD_GATEWAY);
        fixture
            .store
            .append_events(&[event(ACCOUNT, "a", 1), event(ACCOUNT, "a", 2)])
            .await
            .unwrap();
        assert!(desk.deliver().await.is_some());
        fixture
            .store
            .append_events(&[event(ACCOUNT, "b", 3)])
            .await
            .unwrap();
        let fixture = fixture.restarted().await;
        receiver.accept();
        receiver.told();
        let desk = Desk::new(&fixture.store, &receiver, None).await;
        desk.advance(Duration::from_secs(1));
        assert_eq!(desk.deliver().await, None);
        let mut all = receiver.told();
        all.sort();
        assert_eq!(all, told(&[(1, "a", 1), (2, "a", 2), (3, "b", 3)]));
    })
    .await;
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_forgotten() {
    on_both(|fixture| async move {
        let receiver = Receiver::start().await;
        let desk = Desk::new(&fixture.store, &receiver, None).await;
        receiver.refuse("a", StatusCode::BAD_GATEWAY);
        fixture
            .store
            .append_events(&[event(ACCOUNT, "a", 1)])
            .await
            .unwrap();
        assert!(desk.deliver().await.is_some());
        fixture.store.register_webhooks(&[]).await.unwrap();
        assert_eq!(desk.deliver().await, None);
    })
    .await;
}

#[tokio::test]
async fn a_running_courier_delivers_at_once_and_in_order() {
    on_both(|fixture| async move {
        let receiver = Receiver::start().await;
        let desk = Desk::new(&fixture.store, &receiver, None).await;
        let running = tokio::spawn(run(desk.courier));
        for n in 0..30 {
            fixture
                .store
                .append_events(&[event(ACCOUNT, "a", n)])
                .await
                .unwrap();
        }
        let mut count = receiver.count.subscribe();
        let all = count.wait_for(|count| *count == 30);
        tokio::time::timeout(Duration::from_secs(20), all)
            .await
            .unwrap()
            .unwrap();
        let numbers: Vec<i64> = receiver.told().iter().map(|(number, ..)| *number).collect();
        assert_eq!(numbers, (1..=30).collect::<Vec<i64>>());
        running.abort();
    })
    .await;
}
