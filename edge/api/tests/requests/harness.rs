//! The ports in memory, and what every test needs: an app, requests, and their responses.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use edge_api::{
    EDGE_COPY_S,
    app::App,
    config::Config,
    dispatch::serve,
    ports::{
        AlertSink, AlertSinkError, Deployment, EdgeCache, MailError, Mailer, Picture, Ports,
        RateLimiter, RateLimiterError, SiteVerify, SiteVerifyError, WebhookClient,
    },
    purge_copies,
    response::Body,
    webhooks::signed_headers,
};
use edge_auth::testing::{FakeKeyServer, HS256_SECRET, NOW_MS, SIGNING_JWK, hs256};
use edge_ledger::{
    Answer, DeliveryError, EventOutcome, EventSettings, LedgerDeps, WebhookEvent,
    testing::FakeLedger,
};
use edge_registry::testing::{FakeRegistry, FakeUserStore};
use edge_storage::{ObjectFacts, ObjectKey, testing::FakeStore};
use edge_types::{ClientIp, Clock, Random, Variables, testing::TestClock};
use futures_executor::block_on;
use futures_util::stream;
use http::{HeaderMap, Method, Request, StatusCode, request::Builder};
use image_rules::Format;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A GIF of one pixel.
pub const PIXEL: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b";

pub const BASE_URL: &str = "https://image.the-form";

pub type TestApp = App<TestHarness>;

/// Everything that a platform provides.
pub struct TestHarness {
    pub store: Rc<FakeStore>,
    pub edge_cache: FakeEdgeCache,
    pub registry: Rc<FakeRegistry>,
    pub users: FakeUserStore,
    pub rate_limiter: FakeRateLimiter,
    pub ledger: FakeLedger,
    pub key_server: FakeKeyServer,
    pub alert_sink: FakeAlertSink,
    pub mailer: FakeMailer,
    pub site_verify: FakeSiteVerify,
    pub back_end: Rc<FakeBackEnd>,
    pub clock: Rc<TestClock>,
    /// How much time passes at each call of `now_ms`.
    pub tick_ms: Cell<u64>,
    random: Cell<u8>,
}

impl Default for TestHarness {
    fn default() -> Self {
        let (store, registry) = (Rc::<FakeStore>::default(), Rc::<FakeRegistry>::default());
        let clock = TestClock::at(NOW_MS);
        Self {
            ledger: FakeLedger::over(Rc::clone(&store), Rc::clone(&registry), clock.shared()),
            users: FakeUserStore::beside(Rc::clone(&registry)),
            store,
            registry,
            edge_cache: FakeEdgeCache { copies: RefCell::default(), clock: clock.shared() },
            rate_limiter: FakeRateLimiter::default(),
            key_server: FakeKeyServer::new(&clock),
            alert_sink: FakeAlertSink::default(),
            mailer: FakeMailer::default(),
            site_verify: FakeSiteVerify::default(),
            back_end: Rc::default(),
            clock,
            tick_ms: Cell::default(),
            random: Cell::default(),
        }
    }
}

impl TestHarness {
    /// The keys of all stored objects.
    pub fn stored(&self) -> Vec<String> {
        self.store.objects.borrow().keys().cloned().collect()
    }

    pub fn set_time(&self, now_ms: u64) {
        self.clock.shared().set(now_ms);
    }
}

impl Clock for TestHarness {
    fn now_ms(&self) -> u64 {
        self.clock.advance(self.tick_ms.get());
        self.clock.now_ms()
    }

    async fn sleep(&self, ms: u64) {
        self.clock.sleep(ms).await;
    }
}

impl Random for TestHarness {
    fn random(&self) -> [u8; 16] {
        self.random.set(self.random.get().wrapping_add(1));
        [self.random.get(); 16]
    }
}

impl LedgerDeps for TestHarness {
    type Store = FakeStore;
    type Registry = FakeRegistry;
    type WebhookStore = FakeRegistry;
    type Ledger = FakeLedger;

    fn store(&self) -> &FakeStore {
        &self.store
    }

    fn ledger(&self) -> &FakeLedger {
        &self.ledger
    }

    fn registry(&self) -> &FakeRegistry {
        &self.registry
    }

    fn webhook_store(&self) -> &FakeRegistry {
        &self.registry
    }

    async fn purge_copies(&self, key: &ObjectKey, derived: &[String]) {
        purge_copies(&self.edge_cache, BASE_URL, key, derived).await;
    }

    fn event_settings(&self) -> Option<&EventSettings> {
        self.ledger.deps.event_settings.as_ref()
    }

    async fn deliver(&self, event: &WebhookEvent, ms: u64) -> Result<Answer, DeliveryError> {
        self.ledger.deps.deliver(event, ms).await
    }

    fn count_events(&self, outcome: EventOutcome, times: u64) {
        self.ledger.deps.count_events(outcome, times);
    }
}

impl Ports for TestHarness {
    type EdgeCache = FakeEdgeCache;
    type UserStore = FakeUserStore;
    type RateLimiter = FakeRateLimiter;
    type KeyServer = FakeKeyServer;
    type AlertSink = FakeAlertSink;
    type Mailer = FakeMailer;
    type SiteVerify = FakeSiteVerify;
    type WebhookClient = FakeBackEnd;

    fn edge_cache(&self) -> &FakeEdgeCache {
        &self.edge_cache
    }

    fn users(&self) -> &FakeUserStore {
        &self.users
    }

    fn rate_limiter(&self) -> &FakeRateLimiter {
        &self.rate_limiter
    }

    fn key_server(&self) -> &FakeKeyServer {
        &self.key_server
    }

    fn alert_sink(&self) -> &FakeAlertSink {
        &self.alert_sink
    }

    fn mailer(&self) -> &FakeMailer {
        &self.mailer
    }

    fn site_verify(&self) -> &FakeSiteVerify {
        &self.site_verify
    }

    fn webhook_client(&self) -> &FakeBackEnd {
        &self.back_end
    }

    async fn sha256(&self, bytes: &[u8]) -> [u8; 32] {
        Sha256::digest(bytes).into()
    }

    fn wasm_memory_bytes(&self) -> u64 {
        0
    }

    fn deployment(&self) -> Option<Deployment> {
        Some(Deployment {
            id: "v-1".to_owned(),
            tag: String::new(),
            since: "2025-11-14T00:00:00.000Z".to_owned(),
        })
    }
}

/// Admits every request until a test changes that.
#[derive(Default)]
pub struct FakeRateLimiter {
    pub refuses: Cell<bool>,
    pub refuses_reads: Cell<bool>,
}

impl RateLimiter for FakeRateLimiter {
    async fn admits(&self, _client_ip: &ClientIp) -> Result<bool, RateLimiterError> {
        Ok(!self.refuses.get())
    }

    async fn admits_read(&self, _client_ip: &ClientIp) -> Result<bool, RateLimiterError> {
        Ok(!self.refuses_reads.get())
    }
}

/// Records what was sent.
#[derive(Default)]
pub struct FakeAlertSink {
    /// URLs and bodies.
    pub sent: RefCell<Vec<(String, String)>>,
    /// The status of the webhook, if it is not a success.
    pub status: Cell<Option<u16>>,
    /// Whether the webhook never answers.
    pub hanging: Cell<bool>,
}

impl AlertSink for FakeAlertSink {
    async fn send(&self, url: &str, body: String) -> Result<(), AlertSinkError> {
        if self.hanging.get() {
            std::future::pending::<()>().await;
        }
        self.sent.borrow_mut().push((url.to_owned(), body));
        self.status.get().map_or(Ok(()), |status| Err(AlertSinkError::Status(status)))
    }
}

/// Takes mails, and records what it got.
#[derive(Default)]
pub struct FakeMailer {
    pub sent: RefCell<Vec<SentMail>>,
    /// The next answers; without one it takes the mail.
    pub answers: RefCell<VecDeque<Result<(), MailError>>>,
}

/// What a mail service got.
#[derive(Clone, Debug)]
pub struct SentMail {
    pub url: String,
    pub token: Option<String>,
    pub mail: Value,
}

impl Mailer for FakeMailer {
    async fn send(&self, url: &str, token: Option<&str>, body: String) -> Result<(), MailError> {
        let mail = serde_json::from_str(&body).expect("JSON");
        let (url, token) = (url.to_owned(), token.map(str::to_owned));
        self.sent.borrow_mut().push(SentMail { url, token, mail });
        self.answers.borrow_mut().pop_front().unwrap_or(Ok(()))
    }
}

/// Answers what a test sets, and records what it was asked.
#[derive(Default)]
pub struct FakeSiteVerify {
    /// URLs and bodies.
    pub asked: RefCell<Vec<(String, Value)>>,
    /// The next answers; without one it never answers.
    pub answers: RefCell<VecDeque<Result<String, SiteVerifyError>>>,
}

impl SiteVerify for FakeSiteVerify {
    async fn verify(&self, url: &str, body: String) -> Result<String, SiteVerifyError> {
        let body = serde_json::from_str(&body).expect("JSON");
        self.asked.borrow_mut().push((url.to_owned(), body));
        let answer = self.answers.borrow_mut().pop_front();
        match answer {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

/// A request that the back end got.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub at_ms: u64,
    pub url: String,
    pub headers: BTreeMap<&'static str, String>,
    pub body: String,
}

/// The back end that gets events: it records them, and answers what a test sets.
#[derive(Default)]
pub struct FakeBackEnd {
    pub deliveries: RefCell<Vec<Delivery>>,
    /// The next answers; without one it answers 204.
    pub answers: RefCell<VecDeque<(u16, String)>>,
    /// Whether it never answers.
    pub hanging: Cell<bool>,
}

impl FakeBackEnd {
    fn answer(
        &self,
        at_ms: u64,
        url: &str,
        headers: &[(&'static str, String)],
        body: &str,
    ) -> (u16, String) {
        let (url, body) = (url.to_owned(), body.to_owned());
        let headers = headers.iter().cloned().collect();
        self.deliveries.borrow_mut().push(Delivery { at_ms, url, headers, body });
        self.answers.borrow_mut().pop_front().unwrap_or((204, String::new()))
    }
}

impl WebhookClient for FakeBackEnd {
    async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: &str,
        _max_bytes: usize,
    ) -> Option<(u16, Vec<u8>)> {
        if self.hanging.get() {
            std::future::pending::<()>().await;
        }
        let (status, answer) = self.answer(0, url, headers, body);
        Some((status, answer.into_bytes()))
    }
}

/// Keeps every copy for as long as the real one.
pub struct FakeEdgeCache {
    /// By URL.
    pub copies: RefCell<BTreeMap<String, CachedCopy>>,
    clock: Rc<Cell<u64>>,
}

/// When a picture was cached, its bytes, and what is known of them.
type CachedCopy = (u64, Vec<u8>, ObjectFacts, Format);

impl EdgeCache for FakeEdgeCache {
    type Content = Vec<u8>;

    async fn get(&self, url: &str) -> Option<Picture<Vec<u8>>> {
        let (at_ms, content, facts, format) = self.copies.borrow().get(url)?.clone();
        let is_fresh = self.clock.get() < at_ms + u64::from(EDGE_COPY_S) * 1000;
        is_fresh.then_some(Picture { content, facts, format })
    }

    fn put(&self, url: &str, picture: Picture<Vec<u8>>) -> Picture<Vec<u8>> {
        let at_ms = self.clock.get();
        let copy = (at_ms, picture.content.clone(), picture.facts.clone(), picture.format);
        self.copies.borrow_mut().insert(url.to_owned(), copy);
        picture
    }

    fn content(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    async fn purge(&self, url: &str) {
        self.copies.borrow_mut().remove(url);
    }
}

/// Variables of a test, beside those that every test has.
struct TestVariables<'a>(&'a [(&'a str, &'a str)]);

impl Variables for TestVariables<'_> {
    fn read(&self, name: &str) -> Option<String> {
        if let Some((_, value)) = self.0.iter().find(|(variable, _)| *variable == name) {
            // An empty text stands for a variable that is not set.
            return (!value.is_empty()).then(|| (*value).to_owned());
        }
        let value = match name {
            "SIGNING_JWK" => SIGNING_JWK,
            "AUTH_HS256_SECRET" => HS256_SECRET,
            "PUBLIC_BASE_URL" => BASE_URL,
            "PLATFORM_ADMIN" => "true",
            _ => return None,
        };
        Some(value.to_owned())
    }
}

pub fn app() -> TestApp {
    app_with(&[])
}

pub fn app_with(variables: &[(&str, &str)]) -> TestApp {
    let config = Rc::new(Config::read(&TestVariables(variables)).expect("valid"));
    let mut ports = TestHarness::default();
    if let Some(settings) = config.webhooks.clone() {
        ports.ledger.deps.event_settings = Some(settings.events.clone());
        let back_end = Rc::clone(&ports.back_end);
        *ports.ledger.deps.back_end.borrow_mut() = Some(Box::new(move |event, now_ms| {
            let headers = signed_headers(&settings, event, now_ms);
            let (status, body) = back_end.answer(now_ms, &settings.url, &headers, &event.body);
            match status {
                200..=299 => Ok(Answer::read(body.as_bytes())),
                status => Err(DeliveryError::Status(status)),
            }
        }));
    }
    App { config, isolate: Rc::default(), ports }
}

/// A response that was read to its end.
pub struct TestResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    /// Those of a picture.
    pub bytes: Vec<u8>,
    /// Null, unless the body is JSON.
    pub json: Value,
}

impl TestResponse {
    /// The code of an error; `none` for a success.
    pub fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or("none")
    }
}

/// Serves a request whose body arrives in small chunks.
pub fn send(app: &TestApp, request: Builder, body: &[u8]) -> TestResponse {
    block_on(respond(app, request, body))
}

pub async fn respond(app: &TestApp, request: Builder, body: &[u8]) -> TestResponse {
    let (head, ()) = request.body(()).expect("valid").into_parts();
    let chunks: Vec<std::io::Result<Vec<u8>>> =
        body.chunks(7).map(|chunk| Ok(chunk.to_vec())).collect();
    let (head, body) = serve(app, &head, stream::iter(chunks)).await.into_parts();
    let (text, bytes) = match body {
        Body::Bytes(bytes) => (String::from_utf8_lossy(&bytes).into_owned(), Vec::new()),
        Body::Stored(bytes) => (String::new(), bytes),
        Body::Empty => Default::default(),
    };
    let json = serde_json::from_str(&text).unwrap_or_default();
    TestResponse { status: head.status, headers: head.headers, text, bytes, json }
}

pub fn get(path: &str) -> Builder {
    Request::builder().uri(format!("https://edge.example{path}"))
}

/// A JSON request of a caller with these claims. [`Value::Null`] stands for no body.
pub fn ask(
    app: &TestApp,
    method: Method,
    path: &str,
    claims: &Value,
    body: &Value,
) -> TestResponse {
    let request = get(path)
        .method(method)
        .header("authorization", format!("Bearer {}", hs256(claims.clone(), 40 * 86_400)))
        .header("content-type", "application/json");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    send(app, request, body.as_bytes())
}

/// A form with a GIF for each shade, and the id of its form.
pub fn form_body(form: &str, shades: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    if !form.is_empty() {
        let field =
            format!("--b\r\ncontent-disposition: form-data; name=\"formId\"\r\n\r\n{form}\r\n");
        body.extend_from_slice(field.as_bytes());
    }
    for shade in shades {
        let head = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.gif\"\r\n\
             content-type: image/gif\r\n\r\n";
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&gif(*shade));
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--b--\r\n");
    body
}

/// An upload of a bare GIF by user 123.
pub fn upload() -> Builder {
    upload_with(&user_token())
}

pub fn upload_as(claims: &Value) -> Builder {
    upload_with(&hs256(claims.clone(), 3600))
}

/// An upload of a bare GIF with this token.
pub fn upload_with(token: &str) -> Builder {
    upload_of("image/gif", token).header("x-filename", "me.gif")
}

pub fn upload_of(content_type: &str, token: &str) -> Builder {
    get("/images")
        .method(Method::POST)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", content_type)
}

/// A token of user 123.
pub fn user_token() -> String {
    hs256(json!({"sub": "123"}), 3600)
}

/// A new token of a guest.
pub fn guest_token(app: &TestApp) -> String {
    let response = send(app, get("/auth/guest-token"), b"");
    response.json["data"]["token"].as_str().expect("issued").to_owned()
}

/// Another GIF of one pixel for each shade.
pub fn gif(shade: u8) -> Vec<u8> {
    let mut bytes = PIXEL.to_vec();
    bytes[16] = shade;
    bytes
}

/// What remains of a limit, as the header `RateLimit` says.
pub fn remaining(response: &TestResponse, name: &str) -> u64 {
    let field = response.headers["ratelimit"].to_str().expect("text");
    let entry = field.split(", ").find(|entry| entry.starts_with(&format!("\"{name}\";")));
    let left = entry.expect("present").split(';').find_map(|part| part.strip_prefix("r="));
    left.expect("present").parse().expect("a number")
}
