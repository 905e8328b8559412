//! The story of requests from the route table to the stores, natively: in-memory ports, a clock that
//! stands still.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use futures_executor::block_on;
use futures_util::stream;
use http::{Method, Request, StatusCode};
use image_rules::Format;
use serde_json::Value;

use crate::{
    app::{App, Gate, GateFault, Ports},
    auth::tests::{HS256_SECRET, NOW_MS, SIGNING_JWK, hs256},
    config::{Config, Variables},
    delivery::{Copies, Picture},
    ledger::{
        Account, Ledger, LedgerFault,
        message::{Question, Reply},
    },
    registry::memory::MemoryRegistry,
    response::Body,
    route::serve,
    storage::{ObjectFacts, memory::MemoryStore},
};

/// A GIF of one pixel, written by hand.
const PIXEL: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b";

#[derive(Default)]
struct World {
    store: MemoryStore,
    copies: MemoryCopies,
    registry: MemoryRegistry,
    gate: CountingGate,
    ledger: SoundLedger,
    random: RefCell<u8>,
}

/// Lets so many pass and no more.
struct CountingGate {
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

type KeptCopy = (Vec<u8>, ObjectFacts, Format);

/// Keeps every copy, so that tests see what was made.
#[derive(Default)]
struct MemoryCopies {
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

#[derive(Default)]
struct SoundLedger;

impl Ledger for SoundLedger {
    async fn ask(&self, _: &Account, _: Question) -> Result<Reply, LedgerFault> {
        Ok(Reply::Done)
    }

    async fn probe(&self) -> Result<(), LedgerFault> {
        Ok(())
    }
}

impl Ports for World {
    type Store = MemoryStore;
    type Copies = MemoryCopies;
    type Registry = MemoryRegistry;
    type Gate = CountingGate;
    type Ledger = SoundLedger;

    fn store(&self) -> &MemoryStore {
        &self.store
    }

    fn copies(&self) -> &MemoryCopies {
        &self.copies
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

    fn now_ms(&self) -> u64 {
        NOW_MS
    }

    fn random(&self) -> [u8; 16] {
        *self.random.borrow_mut() += 1;
        [*self.random.borrow(); 16]
    }

    async fn sleep(&self, _ms: u64) {}
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
    assert_eq!(app.ports.registry.keys(), [key]);

    let picture = send(&app, Request::builder().uri(format!("https://edge.example/{key}")), b"");
    assert_eq!(picture.status, StatusCode::OK);
    assert_eq!(picture.headers["content-type"], "image/gif");
}

#[test]
fn nothing_is_acknowledged_that_is_not_kept() {
    let store = MemoryStore::failing();
    let app_without_store = app(World { store, ..World::default() });
    let outcome = send(&app_without_store, upload(), PIXEL);
    assert_eq!(outcome.json["code"], "STORAGE_UNAVAILABLE");
    assert!(outcome.headers.contains_key("retry-after"));
    assert!(app_without_store.ports.registry.keys().is_empty());

    let registry = MemoryRegistry::failing();
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
    let registry = MemoryRegistry::failing();
    let app = app(World { registry, ..World::default() });
    let outcome = send(&app, Request::builder().uri("https://edge.example/readyz"), b"");
    assert_eq!(outcome.status, StatusCode::SERVICE_UNAVAILABLE);
    let expected = serde_json::json!({"storage": "ok", "registry": "unreachable", "ledger": "ok"});
    assert_eq!(outcome.json, expected);
}

#[test]
fn a_fault_of_ours_is_not_told_in_its_own_words() {
    let registry = MemoryRegistry::failing();
    let app = app(World { registry, ..World::default() });
    let outcome = send(&app, upload(), PIXEL);
    assert!(!outcome.json.to_string().contains("told to fail"), "{}", outcome.json);
    assert_eq!(outcome.headers["x-request-id"], outcome.json["requestId"].as_str().expect("text"));
}

fn form(parts: &[(&str, &[u8])]) -> (http::request::Builder, Vec<u8>) {
    let token = hs256(serde_json::json!({"sub": "123"}), 60);
    let mut body = Vec::new();
    for (headers, content) in parts {
        body.extend_from_slice(b"--limit\r\n");
        body.extend_from_slice(headers.as_bytes());
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--limit--\r\n");
    let request = Request::builder()
        .method(Method::POST)
        .uri("https://edge.example/images")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "multipart/form-data; boundary=limit");
    (request, body)
}

const FILE: &str = "Content-Disposition: form-data; name=\"image\"; filename=\"프로필.gif\"\r\n\
     Content-Type: image/gif";
const FORM_ID: &str = "Content-Disposition: form-data; name=\"formId\"";
const USER_ID: &str = "Content-Disposition: form-data; name=\"userId\"";

#[test]
fn a_form_with_one_picture_is_answered_like_a_bare_one_wherever_its_fields_stand() {
    let before: &[(&str, &[u8])] = &[(FORM_ID, b"f-1"), (USER_ID, b"123"), (FILE, PIXEL)];
    let after: &[(&str, &[u8])] = &[(FILE, PIXEL), (USER_ID, b"123"), (FORM_ID, b"f-1")];
    for parts in [before, after] {
        let app = app(World::default());
        let (request, body) = form(parts);
        let outcome = send(&app, request, &body);
        assert_eq!(outcome.status, StatusCode::CREATED, "{}", outcome.json);
        assert_eq!(outcome.json["data"]["formId"], "f-1");
        assert_eq!(outcome.json["data"]["originalFilename"], "프로필.gif");
        assert_eq!(app.ports.store.objects.borrow().len(), 1);
        assert_eq!(app.isolate.memory.used_bytes(), 0, "memory was given back");
    }
}

#[test]
fn several_pictures_have_a_result_each_in_their_order() {
    let app = app(World::default());
    let text = FILE.replace("image/gif", "text/plain");
    let (request, body) = form(&[(FILE, PIXEL), (&text, b"hello"), (FILE, b"GIF89a cut")]);
    let outcome = send(&app, request, &body);
    assert_eq!(outcome.status, StatusCode::MULTI_STATUS, "{}", outcome.json);
    let data = &outcome.json["data"];
    assert!(data[0]["key"].is_string());
    assert_eq!(data[1]["code"], "INVALID_FILE_TYPE");
    assert_eq!(data[1]["originalFilename"], "프로필.gif");
    assert_eq!(data[2]["code"], "IMAGE_CORRUPT");
    assert_eq!(outcome.json["url"], data[0]["imageUrl"]);
    assert_eq!(app.ports.store.objects.borrow().len(), 1);

    let (request, body) = form(&[(FILE, PIXEL), (FILE, PIXEL)]);
    assert_eq!(send(&app, request, &body).status, StatusCode::CREATED);
}

#[test]
fn a_form_that_cannot_be_taken_leaves_nothing() {
    let empty = FILE.replace("프로필.gif", "").replace("image/gif", "application/octet-stream");
    for (parts, code) in [
        (&[(FILE, PIXEL), (USER_ID, &b"124"[..])][..], "USER_MISMATCH"),
        (&[(USER_ID, &b"123"[..]), (USER_ID, b"124"), (FILE, PIXEL)], "MALFORMED_REQUEST"),
        (&[(USER_ID, &b"../etc"[..]), (FILE, PIXEL)], "MALFORMED_REQUEST"),
        (&[(FORM_ID, &b"a\nb"[..]), (FILE, PIXEL)], "MALFORMED_REQUEST"),
        (&[(FORM_ID, &b"f-1"[..])], "FILE_MISSING"),
        (&[(&empty, &b""[..])], "FILE_MISSING"),
        (&[(FILE, &b""[..])], "FILE_MISSING"),
        (&[("Content-Type: image/gif", PIXEL)], "MALFORMED_REQUEST"),
        (&[(FILE, PIXEL); 11], "MALFORMED_REQUEST"),
    ] {
        let app = app(World::default());
        let (request, body) = form(parts);
        let outcome = send(&app, request, &body);
        assert_eq!(outcome.json["code"], code, "{parts:?}");
        assert!(app.ports.store.objects.borrow().is_empty());
    }
}

#[test]
fn memory_that_does_not_come_free_in_time_is_busy() {
    let app = app(World::default());
    let half = app.config.memory_budget_bytes / 2;
    let held = block_on(crate::memory::reserve(&app, crate::memory::Purpose::Body, half));
    let outcome = send(&app, upload(), PIXEL);
    assert_eq!(outcome.json["code"], "BUSY");
    assert_eq!(outcome.headers["retry-after"], "2");
    drop(held);
    assert_eq!(send(&app, upload(), PIXEL).status, StatusCode::CREATED);
}

/// The path of a stored picture.
fn stored(app: &App<World>) -> String {
    let outcome = send(app, upload(), PIXEL);
    format!("/{}", outcome.json["data"]["key"].as_str().expect("stored"))
}

#[test]
fn a_picture_is_served_whole_in_part_and_not_at_all() {
    let app = app(World::default());
    let path = stored(&app);
    let get = |headers: &[(&str, &str)]| {
        let mut request = Request::builder().uri(format!("https://edge.example{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(&app, request, b"")
    };
    let whole = get(&[]);
    let etag = whole.headers["etag"].to_str().expect("text").to_owned();
    assert_eq!(whole.headers["content-length"], PIXEL.len().to_string());
    assert_eq!(whole.headers["accept-ranges"], "bytes");
    assert!(whole.headers.contains_key("last-modified"));
    assert_eq!(get(&[("if-none-match", &etag)]).status, StatusCode::NOT_MODIFIED);
    assert_eq!(get(&[("if-match", "\"other\"")]).status, StatusCode::PRECONDITION_FAILED);
    let part = get(&[("range", "bytes=0-5")]);
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers["content-range"], format!("bytes 0-5/{}", PIXEL.len()));
    let beyond = get(&[("range", "bytes=5000-")]);
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.headers["content-range"], format!("bytes */{}", PIXEL.len()));
}

#[test]
fn a_variant_is_made_once_and_only_in_the_sizes_that_there_are() {
    let app = app(World::default());
    let path = stored(&app);
    let get = |query: &str| {
        send(&app, Request::builder().uri(format!("https://edge.example{path}?{query}")), b"")
    };
    let thumb = get("v=thumb");
    assert_eq!(thumb.status, StatusCode::OK);
    assert_eq!(thumb.headers["content-type"], "image/gif");
    app.ports.store.objects.borrow_mut().clear();
    assert_eq!(get("v=thumb").status, StatusCode::OK, "served from its copy");
    assert_eq!(get("v=medium").json["code"], "IMAGE_NOT_FOUND");
    assert_eq!(get("v=huge").json["code"], "MALFORMED_REQUEST");
}
