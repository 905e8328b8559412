//! Turns the events of Workers into calls of `edge-api`, and its responses back; the ports on the bindings.

use std::{cell::OnceCell, rc::Rc};

use edge_api::{
    app::{App, Isolate},
    config::Config,
    dispatch, health, jobs,
    ports::{Deployment, Ports},
    purge_copies,
    request::text_header,
    response::{self, Body},
    telemetry::{InstrumentedStore, Metric},
    webhooks,
};
use edge_ledger::{Answer, DeliveryError, EventOutcome, EventSettings, LedgerDeps, WebhookEvent};
use edge_storage::ObjectKey;
use edge_types::{Clock, ConfigProblem, Random, Variables, log};
use http::{HeaderName, HeaderValue, StatusCode, Uri, header::CONTENT_LENGTH, request::Parts};
use worker::{
    Context, Env, Headers, Request, Response, ResponseBuilder, Result, WorkerVersionMetadata,
};

use crate::{
    d1::D1Registry, digest, edge_cache::CacheApi, image_bytes::ImageBytes,
    ledger_client::LedgerObjectClient, rate_limiter::FloodLimit, request_body::RequestBody,
    runtime::Runtime, store::Store,
};

type ConfigResult = core::result::Result<Rc<Config>, Vec<ConfigProblem>>;

thread_local! {
    /// Variables do not change while an isolate lives, so they are read once.
    static CONFIG: OnceCell<ConfigResult> = const { OnceCell::new() };
    pub static ISOLATE: Rc<Isolate> = Rc::default();
}

/// The ports on the bindings of the Worker.
pub struct Bindings {
    config: Rc<Config>,
    store: InstrumentedStore<Store>,
    edge_cache: CacheApi,
    registry: D1Registry,
    rate_limiter: FloodLimit,
    ledger: LedgerObjectClient,
    env: Env,
}

impl Bindings {
    fn new(env: &Env, config: &Rc<Config>, context: Option<Rc<Context>>) -> Result<Self> {
        let isolate = ISOLATE.with(Rc::clone);
        Ok(Self {
            config: Rc::clone(config),
            store: InstrumentedStore {
                store: Store::new(env, config)?,
                counters: Rc::clone(&isolate.counters),
            },
            edge_cache: CacheApi {
                context,
                memory: isolate.resources.memory.clone(),
                memory_budget_bytes: config.memory_budget_bytes,
            },
            registry: D1Registry(env.d1("REGISTRY")?),
            rate_limiter: FloodLimit {
                client_ip: env.rate_limiter("ADDRESS_LIMIT")?,
                site: env.rate_limiter("SITE_LIMIT")?,
                reads: env.rate_limiter("READ_LIMIT")?,
            },
            ledger: LedgerObjectClient(env.durable_object("LEDGER")?),
            env: env.clone(),
        })
    }

    /// For work that belongs to no request.
    pub fn without_request(env: &Env) -> Result<Self> {
        let invalid = |_| worker::Error::from("the configuration is invalid");
        Self::new(env, &config(env).map_err(invalid)?, None)
    }
}

impl Clock for Bindings {
    fn now_ms(&self) -> u64 {
        Runtime.now_ms()
    }

    async fn sleep(&self, ms: u64) {
        Runtime.sleep(ms).await;
    }
}

impl Random for Bindings {
    fn random(&self) -> [u8; 16] {
        Runtime.random()
    }
}

impl LedgerDeps for Bindings {
    type Store = InstrumentedStore<Store>;
    type Registry = D1Registry;
    type WebhookStore = D1Registry;
    type Ledger = LedgerObjectClient;

    fn store(&self) -> &Self::Store {
        &self.store
    }

    fn registry(&self) -> &D1Registry {
        &self.registry
    }

    fn webhook_store(&self) -> &D1Registry {
        &self.registry
    }

    fn ledger(&self) -> &LedgerObjectClient {
        &self.ledger
    }

    /// Without `PUBLIC_BASE_URL` the URLs are those of requests, which no ledger knows.
    async fn purge_copies(&self, key: &ObjectKey, derived: &[String]) {
        // A released picture was missing before.
        ISOLATE.with(|isolate| isolate.missing_pictures.forget(key));
        let delivery = &self.config.delivery;
        let base_url = delivery.image_base_url.as_ref().or(self.config.public_base_url.as_ref());
        let Some(base_url) = base_url else { return };
        purge_copies(&self.edge_cache, base_url, key, derived).await;
    }

    fn event_settings(&self) -> Option<&EventSettings> {
        self.config.webhooks.as_ref().map(|webhooks| &webhooks.events)
    }

    async fn deliver(
        &self,
        event: &WebhookEvent,
        timeout_ms: u64,
    ) -> core::result::Result<Answer, DeliveryError> {
        let settings = self.config.webhooks.as_ref().ok_or(DeliveryError::Unreachable)?;
        webhooks::deliver(self, &Runtime, settings, event, timeout_ms).await
    }

    fn count_events(&self, outcome: EventOutcome, times: u64) {
        ISOLATE.with(|isolate| isolate.counters.count(Metric::Event(outcome), times));
    }
}

impl Ports for Bindings {
    type EdgeCache = CacheApi;
    type UserStore = D1Registry;
    type RateLimiter = FloodLimit;
    type KeyServer = Runtime;
    type AlertSink = Runtime;
    type Mailer = Runtime;
    type SiteVerify = Runtime;
    type WebhookClient = Runtime;

    fn edge_cache(&self) -> &CacheApi {
        &self.edge_cache
    }

    fn users(&self) -> &D1Registry {
        &self.registry
    }

    fn rate_limiter(&self) -> &FloodLimit {
        &self.rate_limiter
    }

    fn key_server(&self) -> &Runtime {
        &Runtime
    }

    fn alert_sink(&self) -> &Runtime {
        &Runtime
    }

    fn mailer(&self) -> &Runtime {
        &Runtime
    }

    fn site_verify(&self) -> &Runtime {
        &Runtime
    }

    fn webhook_client(&self) -> &Runtime {
        &Runtime
    }

    async fn sha256(&self, bytes: &[u8]) -> [u8; 32] {
        digest::sha256(bytes).await
    }

    fn wasm_memory_bytes(&self) -> u64 {
        const PAGE_BYTES: u64 = 65_536;
        core::arch::wasm32::memory_size(0) as u64 * PAGE_BYTES
    }

    fn deployment(&self) -> Option<Deployment> {
        let version: WorkerVersionMetadata = self.env.get_binding("VERSION").ok()?;
        Some(Deployment { id: version.id(), tag: version.tag(), since: version.timestamp() })
    }
}

struct EnvVariables<'a>(&'a Env);

impl Variables for EnvVariables<'_> {
    fn read(&self, name: &str) -> Option<String> {
        // Secrets are read like plain variables.
        self.0.var(name).ok().map(|value| value.to_string()).filter(|value| !value.is_empty())
    }
}

fn config(env: &Env) -> ConfigResult {
    let read = || {
        let config = Config::read(&EnvVariables(env)).map(Rc::new);
        match &config {
            Ok(config) => log::set_level(config.log_level),
            Err(problems) => problems.iter().for_each(log_problem),
        }
        config
    };
    CONFIG.with(|cell| cell.get_or_init(read).clone())
}

fn log_problem(problem: &ConfigProblem) {
    let fields = [("variable", &*problem.variable), ("expected", problem.expected)];
    log::error("variable_unusable", &fields);
}

pub async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    let config = match config(&env) {
        Ok(config) => config,
        Err(_) if request.path() == "/healthz" => return worker_response(health::alive()),
        Err(problems) => return worker_response(health::misconfigured(&problems)),
    };
    let context = Rc::new(context);
    let ports = Bindings::new(&env, &config, Some(Rc::clone(&context)))?;
    let app = App { config, isolate: ISOLATE.with(Rc::clone), ports };
    let head = head(&request)?;
    let announced_bytes = text_header(&head, CONTENT_LENGTH).and_then(|text| text.parse().ok());
    let mut body = RequestBody::new(request, announced_bytes);
    let response = dispatch::serve(&app, &head, &mut body).await;
    body.drain().await;
    if let Some(after) = jobs::AfterResponse::plan(&app) {
        context.wait_until(async move { after.run(&app).await });
    }
    worker_response(response)
}

pub async fn run_scheduled(env: Env) {
    // The problems of the configuration were logged when it was read.
    let Ok(config) = config(&env) else { return };
    let ports = match Bindings::new(&env, &config, None) {
        Ok(ports) => ports,
        Err(error) => return log::error("binding_missing", &[("cause", &error.to_string())]),
    };
    jobs::run_scheduled(&App { config, isolate: ISOLATE.with(Rc::clone), ports }).await;
}

fn head(request: &Request) -> Result<Parts> {
    let invalid = |error: http::Error| worker::Error::RustError(error.to_string());
    // An invalid header counts as absent.
    let valid = |(name, value): (String, String)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    };
    // `Request::method` reads a method that it does not know as GET.
    let mut builder = http::Request::builder()
        .method(request.inner().method().as_str())
        .uri(request.url()?.as_str().parse::<Uri>().map_err(|error| invalid(error.into()))?);
    for (name, value) in request.headers().entries().filter_map(valid) {
        builder = builder.header(name, value);
    }
    Ok(builder.body(()).map_err(invalid)?.into_parts().0)
}

fn worker_response(response: response::Response<Body<ImageBytes>>) -> Result<Response> {
    let (head, body) = response.into_parts();
    let headers = Headers::new();
    for (name, value) in &head.headers {
        headers.append(name.as_str(), &String::from_utf8_lossy(value.as_bytes()))?;
    }
    let builder = ResponseBuilder::new().with_status(head.status.as_u16()).with_headers(headers);
    Ok(match body {
        Body::Empty => builder.empty(),
        Body::Bytes(bytes) => builder.fixed(bytes),
        Body::Stored(_) if head.status == StatusCode::NOT_MODIFIED => builder.empty(),
        Body::Stored(content) => builder.body(content.into_stream()),
    })
}
