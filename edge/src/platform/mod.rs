//! The Workers platform: with `lib.rs` the only place that knows it. Requests are turned into plain
//! values here, answers back, and the ports are filled with what the bindings give.

mod account;
mod accounts;
mod bytes;
mod copies;
mod d1;
mod deadline;
mod digest;
mod gate;
mod incoming;
mod key_server;
mod ledger;
mod messenger;
mod r2;
mod s3;
mod shelf;
mod store;
mod transfer;

use std::{cell::OnceCell, rc::Rc, time::Duration};

use http::{HeaderName, HeaderValue, StatusCode, Uri, header::CONTENT_LENGTH, request::Parts};
use worker::{
    Context, Date, Delay, Env, Headers, Request, Response, ResponseBuilder, Result,
    WorkerVersionMetadata,
};

use incoming::Incoming;

use crate::{
    alert,
    app::{App, Deployment, Isolate, Ports},
    config::{Config, ConfigProblem, Variables},
    health, log,
    response::{Answer, Body},
    route::{self, text_header},
    stats::{self, Watched},
    sweep,
};

thread_local! {
    /// Variables cannot change while an isolate lives, so they are read once.
    static CONFIG: OnceCell<std::result::Result<Rc<Config>, Vec<ConfigProblem>>> = const { OnceCell::new() };
    static ISOLATE: Rc<Isolate> = Rc::default();
}

struct Bindings {
    public_base_url: Option<String>,
    store: Watched<store::Store>,
    copies: copies::CachedCopies,
    registry: d1::D1Registry,
    accounts: accounts::D1Accounts,
    gate: gate::FloodLimit,
    ledger: ledger::RemoteLedger,
    key_server: key_server::HttpKeyServer,
    env: Env,
}

impl Bindings {
    fn new(env: &Env, config: &Config, context: Option<Rc<Context>>) -> Result<Self> {
        Ok(Self {
            store: Watched {
                store: store::Store::new(env, config)?,
                isolate: ISOLATE.with(Rc::clone),
            },
            copies: copies::CachedCopies {
                context,
                memory: ISOLATE.with(|isolate| isolate.memory.clone()),
                memory_budget_bytes: config.memory_budget_bytes,
            },
            public_base_url: config.public_base_url.clone(),
            registry: d1::D1Registry(env.d1("REGISTRY")?),
            accounts: accounts::D1Accounts(env.d1("REGISTRY")?),
            gate: gate::FloodLimit {
                client_ip: env.rate_limiter("ADDRESS_LIMIT")?,
                site: env.rate_limiter("SITE_LIMIT")?,
            },
            ledger: ledger::RemoteLedger(env.durable_object("LEDGER")?),
            key_server: key_server::HttpKeyServer,
            env: env.clone(),
        })
    }

    /// For work that no request waits for.
    fn aside(env: &Env) -> Result<Self> {
        let unusable = |_| worker::Error::from("a variable cannot be used");
        Self::new(env, &*config(env).map_err(unusable)?, None)
    }
}

impl Ports for Bindings {
    type Store = Watched<store::Store>;
    type Copies = copies::CachedCopies;
    type Registry = d1::D1Registry;
    type Accounts = accounts::D1Accounts;
    type Gate = gate::FloodLimit;
    type Ledger = ledger::RemoteLedger;
    type KeyServer = key_server::HttpKeyServer;
    type Messenger = messenger::HttpMessenger;

    fn store(&self) -> &Self::Store {
        &self.store
    }

    fn copies(&self) -> &Self::Copies {
        &self.copies
    }

    fn registry(&self) -> &Self::Registry {
        &self.registry
    }

    fn accounts(&self) -> &Self::Accounts {
        &self.accounts
    }

    fn gate(&self) -> &Self::Gate {
        &self.gate
    }

    fn ledger(&self) -> &Self::Ledger {
        &self.ledger
    }

    fn key_server(&self) -> &Self::KeyServer {
        &self.key_server
    }

    fn messenger(&self) -> &Self::Messenger {
        &messenger::HttpMessenger
    }

    fn public_base_url(&self) -> Option<&str> {
        self.public_base_url.as_deref()
    }

    fn now_ms(&self) -> u64 {
        Date::now().as_millis()
    }

    #[expect(clippy::expect_used, reason = "without randomness nothing here is safe to go on")]
    fn random(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("crypto.getRandomValues is there in every Worker");
        bytes
    }

    async fn sha256(&self, bytes: &[u8]) -> [u8; 32] {
        digest::sha256(bytes).await
    }

    fn memory_bytes(&self) -> u64 {
        const PAGE_BYTES: u64 = 65_536;
        core::arch::wasm32::memory_size(0) as u64 * PAGE_BYTES
    }

    fn deployment(&self) -> Option<Deployment> {
        let version: WorkerVersionMetadata = self.env.get_binding("VERSION").ok()?;
        Some(Deployment { id: version.id(), tag: version.tag(), since: version.timestamp() })
    }

    async fn sleep(&self, ms: u64) {
        Delay::from(Duration::from_millis(ms)).await;
    }
}

struct EnvVariables<'a>(&'a Env);

impl Variables for EnvVariables<'_> {
    fn read(&self, name: &str) -> Option<String> {
        // Secrets and plain variables look the same to a Worker.
        self.0.var(name).ok().map(|value| value.to_string()).filter(|value| !value.is_empty())
    }
}

fn config(env: &Env) -> std::result::Result<Rc<Config>, Vec<ConfigProblem>> {
    CONFIG.with(|cell| {
        cell.get_or_init(|| {
            let config = Config::read(&EnvVariables(env)).map(Rc::new);
            if let Ok(config) = &config {
                log::set_level(config.log_level);
            }
            for problem in config.as_ref().err().into_iter().flatten() {
                let fields = [("variable", problem.variable), ("expected", problem.expected)];
                log::error("variable_unusable", &fields);
            }
            config
        })
        .clone()
    })
}

/// Answers one request.
pub async fn answer(request: Request, env: Env, context: Context) -> Result<Response> {
    let config = match config(&env) {
        Ok(config) => config,
        Err(_) if request.path() == "/healthz" => return send(health::alive()),
        Err(problems) => return send(health::misconfigured(&problems)),
    };
    let isolate = ISOLATE.with(Rc::clone);
    let context = Rc::new(context);
    let ports = Bindings::new(&env, &config, Some(Rc::clone(&context)))?;
    let app = App { config, isolate, ports };
    let head = head(&request)?;
    let announced_bytes = text_header(&head, CONTENT_LENGTH).and_then(|text| text.parse().ok());
    let mut body = Incoming::new(request, announced_bytes);
    let answer = route::serve(&app, &head, &mut body).await;
    body.linger().await;
    if app.isolate.tallies.plan(app.ports.now_ms()) {
        context.wait_until(async move { stats::flush_later(&app).await });
    }
    send(answer)
}

/// What is done every few minutes: tries every part, then looks for what should not be there.
pub async fn tend(env: Env) {
    // A variable that cannot be used was logged when it was read.
    let Ok(config) = config(&env) else { return };
    let ports = match Bindings::new(&env, &config, None) {
        Ok(ports) => ports,
        Err(cause) => return log::error("binding_missing", &[("cause", &cause.to_string())]),
    };
    let app = App { config, isolate: ISOLATE.with(Rc::clone), ports };
    health::probe(&app).await;
    sweep::tend(&app).await;
    stats::tend(&app).await;
    alert::tend(&app).await;
}

/// Says why before the instance is thrown away. A message that was put together may hold what a caller
/// sent, so that of it only the place is told.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let cause = panic.payload().downcast_ref::<&str>().copied().unwrap_or("see the place");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        log::error("panic", &[("cause", cause), ("place", &place)]);
    }));
}

fn head(request: &Request) -> Result<Parts> {
    let invalid = |error: http::Error| worker::Error::RustError(error.to_string());
    // A header with what no header may hold is as good as none.
    let valid = |(name, value): (String, String)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    };
    // The wrapper reads a method that it does not know as GET.
    let mut builder = http::Request::builder()
        .method(request.inner().method().as_str())
        .uri(request.url()?.as_str().parse::<Uri>().map_err(|error| invalid(error.into()))?);
    for (name, value) in request.headers().entries().filter_map(valid) {
        builder = builder.header(name, value);
    }
    Ok(builder.body(()).map_err(invalid)?.into_parts().0)
}

fn send(answer: Answer<Body<bytes::PictureBytes>>) -> Result<Response> {
    let (head, body) = answer.into_parts();
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
