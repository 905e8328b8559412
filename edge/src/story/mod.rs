//! The story of requests from the route table to the stores, natively: in-memory ports, a clock that
//! stands still until it is set, and the real accounts on shelves in memory.

mod access;
mod accounts;
mod admin;
mod alert;
mod bucket;
mod delivery;
mod description;
mod fairness;
mod images;
mod ledger;
mod limits;
mod log;
mod metrics;
mod rights;
mod upload;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use futures_executor::block_on;
use futures_util::stream;
use http::{Method, Request, StatusCode};
use image_rules::Format;
use serde_json::Value;
use sha2::Digest;

use crate::{
    accounts::memory::MemoryAccounts,
    alert::{Messenger, MessengerFault},
    app::{App, Deployment, Gate, GateFault, Ports},
    auth::{
        memory::{Clock, MemoryKeyServer},
        tests::{HS256_SECRET, NOW_MS, SIGNING_JWK, hs256},
    },
    config::{Config, Variables},
    delivery::{Copies, Picture},
    ledger::{ClientIp, memory::MemoryLedger},
    registry::memory::MemoryRegistry,
    response::Body,
    route::serve,
    stats,
    storage::{ObjectFacts, memory::MemoryStore},
};

/// A GIF of one pixel, written by hand.
const PIXEL: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b";

pub(crate) struct World {
    store: Rc<MemoryStore>,
    copies: MemoryCopies,
    registry: Rc<MemoryRegistry>,
    accounts: MemoryAccounts,
    gate: CountingGate,
    ledger: MemoryLedger,
    pub(crate) key_server: MemoryKeyServer,
    messenger: MemoryMessenger,
    pub(crate) clock: Rc<Clock>,
    clock_ms: Rc<Cell<u64>>,
    /// How much time passes at each look at the clock.
    tick_ms: Cell<u64>,
    random: Cell<u8>,
}

impl Default for World {
    fn default() -> Self {
        let (store, registry) = (Rc::<MemoryStore>::default(), Rc::<MemoryRegistry>::default());
        let clock = Clock::at(NOW_MS);
        let clock_ms = clock.hands();
        Self {
            ledger: MemoryLedger::over(
                Rc::clone(&store),
                Rc::clone(&registry),
                Rc::clone(&clock_ms),
            ),
            accounts: MemoryAccounts::beside(Rc::clone(&registry)),
            store,
            registry,
            copies: MemoryCopies::default(),
            gate: CountingGate::default(),
            key_server: MemoryKeyServer::new(&clock),
            messenger: MemoryMessenger::default(),
            clock,
            clock_ms,
            tick_ms: Cell::default(),
            random: Cell::default(),
        }
    }
}

impl World {
    /// The keys of what is stored.
    fn stored(&self) -> Vec<String> {
        self.store.objects.borrow().keys().cloned().collect()
    }
}

/// Lets so many pass and no more.
pub(crate) struct CountingGate {
    left: Cell<u32>,
}

impl Default for CountingGate {
    fn default() -> Self {
        Self { left: Cell::new(u32::MAX) }
    }
}

impl Gate for CountingGate {
    async fn admits(&self, _client_ip: &ClientIp) -> Result<bool, GateFault> {
        self.left.set(self.left.get().saturating_sub(1));
        Ok(self.left.get() > 0)
    }
}

/// Keeps what was sent; answers with a status that is no success when told to, or not at all.
#[derive(Default)]
pub(crate) struct MemoryMessenger {
    sent: RefCell<Vec<(String, String)>>,
    status: Cell<Option<u16>>,
    silent: Cell<bool>,
}

impl Messenger for MemoryMessenger {
    async fn send(&self, url: &str, body: String) -> Result<(), MessengerFault> {
        if self.silent.get() {
            std::future::pending::<()>().await;
        }
        self.sent.borrow_mut().push((url.to_owned(), body));
        self.status.get().map_or(Ok(()), |status| Err(MessengerFault::Status(status)))
    }
}

type KeptCopy = (Vec<u8>, ObjectFacts, Format);

/// Keeps every copy, so that tests see what was made.
#[derive(Default)]
pub(crate) struct MemoryCopies {
    kept: RefCell<BTreeMap<String, KeptCopy>>,
}

impl Copies for MemoryCopies {
    type Content = Vec<u8>;

    async fn find(&self, address: &str) -> Option<Picture<Vec<u8>>> {
        let (content, facts, format) = self.kept.borrow().get(address)?.clone();
        Some(Picture { content, facts, format })
    }

    fn keep(&self, address: &str, picture: Picture<Vec<u8>>) -> Picture<Vec<u8>> {
        let copy = (picture.content.clone(), picture.facts.clone(), picture.format);
        self.kept.borrow_mut().insert(address.to_owned(), copy);
        picture
    }

    fn content(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    async fn forget(&self, address: &str) {
        self.kept.borrow_mut().remove(address);
    }
}

impl Ports for World {
    type Store = MemoryStore;
    type Copies = MemoryCopies;
    type Registry = MemoryRegistry;
    type Accounts = MemoryAccounts;
    type Gate = CountingGate;
    type Ledger = MemoryLedger;
    type KeyServer = MemoryKeyServer;
    type Messenger = MemoryMessenger;

    fn store(&self) -> &MemoryStore {
        &self.store
    }

    fn copies(&self) -> &MemoryCopies {
        &self.copies
    }

    fn registry(&self) -> &MemoryRegistry {
        &self.registry
    }

    fn accounts(&self) -> &MemoryAccounts {
        &self.accounts
    }

    fn gate(&self) -> &CountingGate {
        &self.gate
    }

    fn ledger(&self) -> &MemoryLedger {
        &self.ledger
    }

    fn key_server(&self) -> &MemoryKeyServer {
        &self.key_server
    }

    fn messenger(&self) -> &MemoryMessenger {
        &self.messenger
    }

    fn public_base_url(&self) -> Option<&str> {
        Some("https://image.the-form")
    }

    fn now_ms(&self) -> u64 {
        self.clock_ms.set(self.clock_ms.get() + self.tick_ms.get());
        self.clock_ms.get()
    }

    fn random(&self) -> [u8; 16] {
        self.random.set(self.random.get().wrapping_add(1));
        [self.random.get(); 16]
    }

    async fn sha256(&self, bytes: &[u8]) -> [u8; 32] {
        sha2::Sha256::digest(bytes).into()
    }

    fn memory_bytes(&self) -> u64 {
        0
    }

    fn deployment(&self) -> Option<Deployment> {
        Some(Deployment {
            id: "v-1".to_owned(),
            tag: String::new(),
            since: "2025-11-14T00:00:00.000Z".to_owned(),
        })
    }

    async fn sleep(&self, ms: u64) {
        self.clock.sleep(ms).await;
    }
}

struct Set<'a>(&'a [(&'a str, &'a str)]);

impl Variables for Set<'_> {
    fn read(&self, name: &str) -> Option<String> {
        if let Some((_, value)) = self.0.iter().find(|(variable, _)| *variable == name) {
            return Some((*value).to_owned());
        }
        let value = match name {
            "SIGNING_JWK" => SIGNING_JWK,
            "AUTH_HS256_SECRET" => HS256_SECRET,
            "PUBLIC_BASE_URL" => "https://image.the-form",
            "PLATFORM_ADMIN" => "true",
            _ => return None,
        };
        Some(value.to_owned())
    }
}

fn app() -> App<World> {
    app_with(&[])
}

fn app_with(variables: &[(&str, &str)]) -> App<World> {
    let config = Rc::new(Config::read(&Set(variables)).expect("complete"));
    App { config, isolate: Rc::default(), ports: World::default() }
}

struct Outcome {
    status: StatusCode,
    headers: http::HeaderMap,
    text: String,
    json: Value,
}

impl Outcome {
    fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or("none")
    }
}

fn send(app: &App<World>, request: http::request::Builder, body: &[u8]) -> Outcome {
    let (head, ()) = request.body(()).expect("valid").into_parts();
    let chunks: Vec<std::io::Result<Vec<u8>>> =
        body.chunks(7).map(|chunk| Ok(chunk.to_vec())).collect();
    let (head, body) = block_on(serve(app, &head, stream::iter(chunks))).into_parts();
    let text = match body {
        Body::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Body::Empty | Body::Stored(_) => String::new(),
    };
    let json = serde_json::from_str(&text).unwrap_or_default();
    Outcome { status: head.status, headers: head.headers, text, json }
}

/// A request to upload a bare GIF as user 123.
fn upload() -> http::request::Builder {
    upload_as(&serde_json::json!({"sub": "123"}))
}

fn upload_as(claims: &Value) -> http::request::Builder {
    Request::builder()
        .method(Method::POST)
        .uri("https://edge.example/images")
        .header("authorization", format!("Bearer {}", hs256(claims.clone(), 3600)))
        .header("content-type", "image/gif")
        .header("x-filename", "me.gif")
}

fn get(path: &str) -> http::request::Builder {
    Request::builder().uri(format!("https://edge.example{path}"))
}

/// A GIF of one pixel in a colour of its own.
fn picture(shade: u8) -> Vec<u8> {
    let mut bytes = PIXEL.to_vec();
    bytes[16] = shade;
    bytes
}

/// What is left of a limit, as the answer tells.
fn limit(outcome: &Outcome, name: &str) -> u64 {
    let field = outcome.headers["ratelimit"].to_str().expect("text");
    let entry = field.split(", ").find(|entry| entry.starts_with(&format!("\"{name}\";")));
    let left = entry.expect("told").split(';').find_map(|part| part.strip_prefix("r="));
    left.expect("told").parse().expect("a number")
}
