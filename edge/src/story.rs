//! The story of requests from the route table to the stores, natively: in-memory ports, a clock that
//! stands still.

use std::{cell::RefCell, rc::Rc};

use futures_executor::block_on;
use futures_util::stream;
use http::{Method, Request, StatusCode};
use serde_json::Value;

use crate::{
    app::{App, Gate, GateFault, Ledger, LedgerFault, Ports},
    auth::{
        memory::{Clock, MemoryKeyServer},
        tests::{HS256_SECRET, NOW_MS, SIGNING_JWK, hs256},
    },
    config::{Config, Variables},
    registry::memory::MemoryRegistry,
    response::Body,
    route::serve,
    storage::memory::MemoryStore,
};

/// A GIF of one pixel, written by hand.
const PIXEL: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b";

pub(crate) struct World {
    store: MemoryStore,
    registry: MemoryRegistry,
    gate: CountingGate,
    ledger: SoundLedger,
    pub(crate) key_server: MemoryKeyServer,
    pub(crate) clock: Rc<Clock>,
    random: RefCell<u8>,
}

impl Default for World {
    fn default() -> Self {
        let clock = Clock::at(NOW_MS);
        Self {
            store: MemoryStore::default(),
            registry: MemoryRegistry::default(),
            gate: CountingGate::default(),
            ledger: SoundLedger,
            key_server: MemoryKeyServer::new(&clock),
            clock,
            random: RefCell::default(),
        }
    }
}

/// Lets so many pass and no more.
pub(crate) struct CountingGate {
    left: RefCell<u32>,
}

impl Default for CountingGate {
    fn default() -> Self {
        Self { left: RefCell::new(u32::MAX) }
    }
}

impl Gate for CountingGate {
    async fn admits(&self, _address: &str) -> Result<bool, GateFault> {
        let mut left = self.left.borrow_mut();
        *left = left.saturating_sub(1);
        Ok(*left > 0)
    }
}

pub(crate) struct SoundLedger;

impl Ledger for SoundLedger {
    async fn probe(&self) -> Result<(), LedgerFault> {
        Ok(())
    }
}

impl Ports for World {
    type Store = MemoryStore;
    type Registry = MemoryRegistry;
    type Gate = CountingGate;
    type Ledger = SoundLedger;
    type KeyServer = MemoryKeyServer;

    fn store(&self) -> &MemoryStore {
        &self.store
    }

    fn registry(&self) -> &MemoryRegistry {
        &self.registry
    }

    fn gate(&self) -> &CountingGate {
        &self.gate
    }

    fn ledger(&self) -> &SoundLedger {
        &self.ledger
    }

    fn key_server(&self) -> &MemoryKeyServer {
        &self.key_server
    }

    fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    fn random(&self) -> [u8; 16] {
        *self.random.borrow_mut() += 1;
        [*self.random.borrow(); 16]
    }

    async fn sleep(&self, ms: u64) {
        self.clock.sleep(ms).await;
    }
}

struct Fixed;

impl Variables for Fixed {
    fn read(&self, name: &str) -> Option<String> {
        let value = match name {
            "SIGNING_JWK" => SIGNING_JWK,
            "AUTH_HS256_SECRET" => HS256_SECRET,
            "PUBLIC_BASE_URL" => "https://image.the-form",
            _ => return None,
        };
        Some(value.to_owned())
    }
}

fn app(ports: World) -> App<World> {
    App { config: Rc::new(Config::read(&Fixed).expect("complete")), isolate: Rc::default(), ports }
}

struct Outcome {
    status: StatusCode,
    headers: http::HeaderMap,
    json: Value,
}

fn send(app: &App<World>, request: http::request::Builder, body: &[u8]) -> Outcome {
    let (head, ()) = request.body(()).expect("valid").into_parts();
    let chunks: Vec<std::io::Result<Vec<u8>>> =
        body.chunks(7).map(|chunk| Ok(chunk.to_vec())).collect();
    let (head, body) = block_on(serve(app, &head, stream::iter(chunks))).into_parts();
    let json = match body {
        Body::Bytes(bytes) => serde_json::from_slice(&bytes).expect("answers are JSON"),
        Body::Empty | Body::Stored(_) => Value::Null,
    };
    Outcome { status: head.status, headers: head.headers, json }
}

fn upload() -> http::request::Builder {
    let token = hs256(serde_json::json!({"sub": "123"}), 60);
    Request::builder()
        .method(Method::POST)
        .uri("https://edge.example/images")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "image/gif")
        .header("x-filename", "me.gif")
}

#[test]
fn an_upload_is_stored_registered_and_answered_with_its_url() {
    let app = app(World::default());
    let outcome = send(&app, upload(), PIXEL);
    assert_eq!(outcome.status, StatusCode::CREATED, "{}", outcome.json);
    let data = &outcome.json["data"];
    let key = data["key"].as_str().expect("has a key");
    assert!(key.starts_with(&format!("users/123/images/{NOW_MS}-")), "{key}");
    assert_eq!(outcome.json["url"], format!("https://image.the-form/{key}"));
    assert_eq!(data["imageId"], 1);
    assert_eq!(data["originalFilename"], "me.gif");
    assert_eq!(app.ports.store.objects.borrow().keys().collect::<Vec<_>>(), [key]);
    assert_eq!(*app.ports.registry.keys.borrow(), [key]);

    let picture = send(&app, Request::builder().uri(format!("https://edge.example/{key}")), b"");
    assert_eq!(picture.status, StatusCode::OK);
    assert_eq!(picture.headers["content-type"], "image/gif");
}

#[test]
fn nothing_is_acknowledged_that_is_not_kept() {
    let store = MemoryStore { broken: true, ..MemoryStore::default() };
    let app_without_store = app(World { store, ..World::default() });
    let outcome = send(&app_without_store, upload(), PIXEL);
    assert_eq!(outcome.json["code"], "STORAGE_UNAVAILABLE");
    assert!(outcome.headers.contains_key("retry-after"));
    assert!(app_without_store.ports.registry.keys.borrow().is_empty());

    let registry = MemoryRegistry { broken: true, ..MemoryRegistry::default() };
    let app_without_registry = app(World { registry, ..World::default() });
    let outcome = send(&app_without_registry, upload(), PIXEL);
    assert_eq!(outcome.json["code"], "BUSY");
    assert!(app_without_registry.ports.store.objects.borrow().is_empty(), "no object without row");
}

#[test]
fn an_address_over_its_limit_waits_before_its_token_is_looked_at() {
    let gate = CountingGate { left: RefCell::new(1) };
    let app = app(World { gate, ..World::default() });
    let request = Request::builder().method(Method::POST).uri("https://edge.example/images");
    let outcome = send(&app, request, PIXEL);
    assert_eq!(outcome.json["code"], "RATE_LIMITED");
    assert_eq!(outcome.headers["retry-after"], "60");
}

#[test]
fn readiness_names_the_part_that_is_down() {
    let registry = MemoryRegistry { broken: true, ..MemoryRegistry::default() };
    let app = app(World { registry, ..World::default() });
    let outcome = send(&app, Request::builder().uri("https://edge.example/readyz"), b"");
    assert_eq!(outcome.status, StatusCode::SERVICE_UNAVAILABLE);
    let expected = serde_json::json!({"storage": "ok", "registry": "unreachable", "ledger": "ok"});
    assert_eq!(outcome.json, expected);
}

#[test]
fn a_fault_of_ours_is_not_told_in_its_own_words() {
    let registry = MemoryRegistry { broken: true, ..MemoryRegistry::default() };
    let app = app(World { registry, ..World::default() });
    let outcome = send(&app, upload(), PIXEL);
    assert!(!outcome.json.to_string().contains("told to fail"), "{}", outcome.json);
    assert_eq!(outcome.headers["x-request-id"], outcome.json["requestId"].as_str().expect("text"));
}
