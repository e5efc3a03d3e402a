//! Mutated requests: refused by the rules of the model, never by an internal error.

use std::sync::Arc;

use api::access::Policy;
use api::error::ErrorKind;
use api::router::{dispatch, router};
use api::sigv4::Principal;
use axum::body::Body;
use fuzz::fuzz;
use http::{Method, Request};
use tower::ServiceExt;

use crate::world::{ACCOUNT, KEY, World};

macro_rules! corpus {
    ($name:literal) => {
        concat!("corpus/", $name)
    };
}

/// Runs `body` on the corpus with a world of its own, on a thread that may block.
async fn fuzzed<F>(corpus: &'static str, mutations: u32, body: F) -> World
where
    F: Fn(&World, &tokio::runtime::Handle, &[u8]) + Send + 'static,
{
    let world = Arc::new(World::new().await);
    let (fed, runtime) = (Arc::clone(&world), tokio::runtime::Handle::current());
    let feeding = tokio::task::spawn_blocking(move || {
        fuzz(corpus, mutations, move |i| body(&fed, &runtime, i))
    });
    feeding.await.unwrap();
    Arc::into_inner(world).unwrap()
}

/// An operation as text: method and target in the first line, the rest is the body.
async fn operation(world: &World, input: &[u8]) {
    let mut parts = input.splitn(2, |byte| *byte == b'\n');
    let first = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let body = parts.next().unwrap_or_default();
    let (method, target) = first.split_once(' ').unwrap_or(("POST", &first));
    let Ok(method) = method.parse::<Method>() else {
        return;
    };
    let principal = Principal {
        access_key: KEY.to_owned(),
        account: ACCOUNT.to_owned(),
        policy: Arc::new(Policy::everything()),
    };
    if let Err(error) = dispatch(&world.state, &principal, &method, target, body).await {
        assert_ne!(error.kind(), ErrorKind::InternalServer, "{error:?}");
    }
}

/// A whole request as text: method and target, headers, an empty line, the body.
async fn signed(world: &World, input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let (method, target) = first.split_once(' ').unwrap_or(("POST", first));
    let mut request = Request::builder().method(method).uri(target);
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        request = request.header(name, value.trim());
    }
    let Ok(request) = request.body(Body::from(body.to_owned())) else {
        return;
    };
    let answered = router(world.state.clone()).oneshot(request).await.unwrap();
    assert!(!answered.status().is_server_error(), "{answered:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_operations_are_done_or_refused() {
    let world = fuzzed(corpus!("operation"), 5_000, |world, runtime, input| {
        runtime.block_on(operation(world, input));
    })
    .await;
    world.call("ListStages", serde_json::json!({})).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_signatures_are_checked_or_refused() {
    let world = fuzzed(corpus!("signed"), 10_000, |world, runtime, input| {
        runtime.block_on(signed(world, input));
    })
    .await;
    // What the corpus signs is what the server checks.
    let sound = std::fs::read_to_string(concat!(corpus!("signed"), "/list-stages")).unwrap();
    let (head, body) = sound.split_once("\n\n").unwrap();
    let mut request = Request::post("/ListStages");
    for line in head.lines().skip(1) {
        let (name, value) = line.split_once(':').unwrap();
        request = request.header(name, value.trim());
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let answered = router(world.state.clone()).oneshot(request).await.unwrap();
    assert_eq!(answered.status(), 200);
}
