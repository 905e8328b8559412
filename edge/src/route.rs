//! The only route table, and the way of every request through it.

use http::{Method, header, request::Parts};
use image_rules::Code;
use percent_encoding::percent_decode_str;

use crate::{
    accounts,
    admin::{self, Matter},
    admission,
    app::{App, Ports},
    auth::{self, UserId},
    call::Call,
    config::Config,
    delivery,
    error::{Failure, Refusal},
    health, images,
    intake::Chunks,
    ledger::Account,
    log, metrics,
    registry::ImageId,
    response::{self, Answer, RequestId},
    stats::{self, End, Outcome, Route},
    storage::{ObjectKey, ObjectStore},
    tickets, upload,
};

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST /images`
    Upload,
    /// `GET /images`
    ListImages,
    /// `POST /images/metadata`
    RegisterImage,
    /// `GET /images/{id}`
    ReadImage(ImageId),
    /// `DELETE /images/{id}`
    DeleteImage(ImageId),
    /// `POST /uploads/tickets`
    Ticket,
    /// `GET /auth/guest-token`
    GuestToken,
    /// `POST /users/signup`, also `/auth/signup`
    SignUp,
    /// `POST /auth/login`
    Login,
    /// `POST /auth/refresh_token`
    Refresh,
    /// `POST /auth/logout`
    Logout,
    /// `GET /users/{id}`
    ReadUser(UserId),
    /// `PATCH /users/{id}`
    ChangeUser(UserId),
    /// `GET /.well-known/jwks.json`
    PublicKeys,
    /// `GET /policy`
    Policy,
    /// `GET /healthz`
    Alive,
    /// `GET /readyz`
    Ready,
    /// `GET /metrics`
    Metrics,
    /// `GET /users/{userId}/images/{file}`
    Picture(ObjectKey),
    /// Anything under `/admin/api/`
    Admin(Matter),
    /// `POST /_fault/panic`, only where `FAULT_INJECTION` is on.
    Panic,
    /// `GET /_fault/memory`, likewise.
    Memory,
    /// `OPTIONS` of any of the above.
    Preflight {
        /// The methods that the address takes.
        allow: String,
    },
}

/// The addresses without a variable part: the path, the method, what it is.
pub(crate) const FIXED: &[(&str, &str, Endpoint)] = &[
    ("/images", "GET", Endpoint::ListImages),
    ("/images", "POST", Endpoint::Upload),
    ("/images/metadata", "POST", Endpoint::RegisterImage),
    ("/uploads/tickets", "POST", Endpoint::Ticket),
    ("/auth/guest-token", "GET", Endpoint::GuestToken),
    ("/.well-known/jwks.json", "GET", Endpoint::PublicKeys),
    ("/policy", "GET", Endpoint::Policy),
    ("/healthz", "GET", Endpoint::Alive),
    ("/readyz", "GET", Endpoint::Ready),
    ("/metrics", "GET", Endpoint::Metrics),
    ("/admin/api/status", "GET", Endpoint::Admin(Matter::Status)),
    ("/admin/api/stats", "GET", Endpoint::Admin(Matter::Stats)),
    ("/admin/api/uploaders", "GET", Endpoint::Admin(Matter::Uploaders)),
    ("/admin/api/events", "GET", Endpoint::Admin(Matter::Events)),
    ("/admin/api/bans", "GET", Endpoint::Admin(Matter::Bans)),
    ("/admin/api/bans", "POST", Endpoint::Admin(Matter::Ban)),
    ("/admin/api/bucket", "POST", Endpoint::Admin(Matter::BindBucket)),
];
/// Those of the built-in accounts.
pub(crate) const ACCOUNTS: &[(&str, &str, Endpoint)] = &[
    ("/users/signup", "POST", Endpoint::SignUp),
    ("/auth/signup", "POST", Endpoint::SignUp),
    ("/auth/login", "POST", Endpoint::Login),
    ("/auth/refresh_token", "POST", Endpoint::Refresh),
    ("/auth/logout", "POST", Endpoint::Logout),
];
/// The addresses that set, take or end the cookie of a refresh token.
pub const COOKIE_PATHS: &[&str] =
    &["/users/signup", "/auth/signup", "/auth/login", "/auth/refresh_token", "/auth/logout"];
/// Those that are there only where `FAULT_INJECTION` is on.
pub(crate) const FAULTS: &[(&str, &str, Endpoint)] =
    &[("/_fault/panic", "POST", Endpoint::Panic), ("/_fault/memory", "GET", Endpoint::Memory)];

/// The methods that a path takes, and what each asks for.
fn endpoints(path: &str, fault_injection: bool) -> Vec<(&'static str, Endpoint)> {
    let faults = if fault_injection { FAULTS } else { &[] };
    let fixed = FIXED.iter().chain(ACCOUNTS).chain(faults).filter(|(fixed, ..)| *fixed == path);
    let fixed: Vec<_> = fixed.map(|(_, method, endpoint)| (*method, endpoint.clone())).collect();
    if !fixed.is_empty() {
        return fixed;
    }
    if let Some(id) = path.strip_prefix("/images/").and_then(ImageId::parse) {
        return vec![("GET", Endpoint::ReadImage(id)), ("DELETE", Endpoint::DeleteImage(id))];
    }
    if let Some(id) = user(path) {
        return vec![("GET", Endpoint::ReadUser(id.clone())), ("PATCH", Endpoint::ChangeUser(id))];
    }
    if let Some(account) = path.strip_prefix("/admin/api/bans/").and_then(account) {
        return vec![("DELETE", Endpoint::Admin(Matter::Lift(account)))];
    }
    if let Some(user) = path.strip_prefix("/admin/api/users/").and_then(UserId::parse) {
        return vec![("GET", Endpoint::Admin(Matter::User(user)))];
    }
    let key = path.strip_prefix('/').and_then(ObjectKey::parse);
    key.map(|key| ("GET", Endpoint::Picture(key))).into_iter().collect()
}

/// Whose address this is, if it is anybody's.
fn user(path: &str) -> Option<UserId> {
    UserId::parse(path.strip_prefix("/users/")?)
}

/// Whether an address is there only with the built-in accounts.
fn is_of_accounts(path: &str) -> bool {
    ACCOUNTS.iter().any(|(fixed, ..)| *fixed == path) || user(path).is_some()
}

/// An account in a path, where a colon may be written as it is or as `%3A`.
fn account(text: &str) -> Option<Account> {
    Account::parse(&percent_decode_str(text).decode_utf8().ok()?)
}

/// Finds what a request asks for.
///
/// # Errors
/// `NOT_FOUND` for an unknown path, `METHOD_NOT_ALLOWED` for a method it does not take.
pub fn find(method: &Method, path: &str, fault_injection: bool) -> Result<Endpoint, Refusal> {
    let endpoints = endpoints(path, fault_injection);
    if endpoints.is_empty() {
        return Err(Refusal::new(Code::NotFound));
    }
    if *method == Method::OPTIONS {
        return Ok(Endpoint::Preflight { allow: allow(&endpoints) });
    }
    let asked = if *method == Method::HEAD { "GET" } else { method.as_str() };
    match endpoints.iter().find(|(method, _)| *method == asked) {
        Some((_, endpoint)) => Ok(endpoint.clone()),
        None => Err(Refusal::method(allow(&endpoints))),
    }
}

/// The value of `Allow`; what can be got can be asked about.
fn allow(endpoints: &[(&'static str, Endpoint)]) -> String {
    let mut methods: Vec<_> = endpoints.iter().map(|(method, _)| *method).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    methods.join(", ")
}

/// The body of an answer: bytes made here, or a stored picture that streams.
pub type Body<P> = response::Body<<<P as Ports>::Store as ObjectStore>::Content>;

/// Serves one request, to the end: every outcome is an answer, is counted and has its line in the log.
pub async fn serve<P: Ports>(app: &App<P>, head: &Parts, body: impl Chunks) -> Answer<Body<P>> {
    let began_ms = app.ports.now_ms();
    let call = Call::new(head, RequestId::new(app.ports.random()));
    let path = head.uri.path();
    let found = if !app.config.accounts.built_in && is_of_accounts(path) {
        Err(Refusal::new(Code::NotFound))
    } else {
        find(&head.method, path, app.config.fault_injection)
    };
    let (route, outcome) = match found {
        Ok(endpoint) => (Route::of(&endpoint), handle(app, endpoint, &call, body).await),
        Err(refusal) => (Route::UNKNOWN, Err(refusal.into())),
    };
    let (answer, outcome) = match outcome {
        Ok(answer) => (answer, Outcome::Served),
        Err(failure) => {
            let refusal = call.told(failure);
            let answer = response::problem(&refusal, &call, app.ports.now_ms());
            (answer, Outcome::Refused(refusal.code))
        }
    };
    let answer = response::finish(answer, &call, &app.config.allowed_origins);
    let now_ms = app.ports.now_ms();
    let end =
        End { route, outcome, status: answer.status(), took_ms: now_ms.saturating_sub(began_ms) };
    let (bytes_out, lines) = (response::size_bytes(&answer), &app.isolate.lines);
    log::request(&call, &end, bytes_out, &app.config.signing, lines, now_ms);
    stats::count(app, &call, &end);
    answer
}

/// Whether the flood limit of the client IP holds: for all but what costs next to nothing and tells of
/// nobody.
const fn has_flood_limit(endpoint: &Endpoint) -> bool {
    !matches!(
        endpoint,
        Endpoint::Preflight { .. }
            | Endpoint::Alive
            | Endpoint::Ready
            | Endpoint::Policy
            | Endpoint::PublicKeys
            | Endpoint::Picture(_)
            | Endpoint::Memory
    )
}

/// Whether the ban and the exact limit of the client IP hold for every caller. At the other endpoints
/// a token, a refresh cookie or the metrics token is looked at first.
const fn is_for_strangers(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::GuestToken | Endpoint::SignUp | Endpoint::Login | Endpoint::Panic)
}

async fn handle<P: Ports>(
    app: &App<P>,
    endpoint: Endpoint,
    call: &Call<'_>,
    body: impl Chunks,
) -> Result<Answer<Body<P>>, Failure> {
    if has_flood_limit(&endpoint) {
        admission::pass_gate(app, call).await?;
    }
    if is_for_strangers(&endpoint) {
        admission::count_client_ip(app, call).await?;
    }
    match endpoint {
        Endpoint::Preflight { allow } => Ok(response::preflight(&allow)),
        Endpoint::Alive => Ok(health::alive()),
        Endpoint::Ready => Ok(health::ready(app).await),
        Endpoint::Policy => Ok(response::policy(&app.config)),
        Endpoint::PublicKeys => Ok(auth::public_keys(&app.config.keys)),
        Endpoint::Picture(key) => delivery::deliver(app, call.head, &key).await,
        Endpoint::Memory => Ok(health::memory(&app.ports)),
        Endpoint::Metrics => metrics::answer(app, call).await,
        Endpoint::Upload => upload::upload(app, call, body).await,
        Endpoint::GuestToken => auth::issue_guest_token(app),
        Endpoint::Ticket => tickets::issue(app, call, body).await,
        Endpoint::ListImages => images::list(app, call).await,
        Endpoint::RegisterImage => images::register(app, call, body).await,
        Endpoint::ReadImage(id) => images::read(app, call, id).await,
        Endpoint::DeleteImage(id) => images::delete(app, call, id).await,
        Endpoint::SignUp => accounts::sign_up(app, call, body).await,
        Endpoint::Login => accounts::login(app, call, body).await,
        Endpoint::Refresh => accounts::refresh(app, call).await,
        Endpoint::Logout => accounts::logout(app, call).await,
        Endpoint::ReadUser(id) => accounts::read(app, call, id).await,
        Endpoint::ChangeUser(id) => accounts::change(app, call, id, body).await,
        Endpoint::Admin(matter) => admin::answer(app, call, matter, body).await,
        Endpoint::Panic => break_on_purpose(),
    }
}

#[expect(clippy::panic, reason = "shows that a panic in one request leaves the next one whole")]
fn break_on_purpose<B>() -> Result<Answer<B>, Failure> {
    panic!("asked to")
}

/// What image URLs start with: as configured, or scheme and authority of the request itself.
#[must_use]
pub fn base_url(config: &Config, head: &Parts) -> String {
    config.public_base_url.clone().unwrap_or_else(|| {
        let scheme = head.uri.scheme_str().unwrap_or("https");
        let authority = head.uri.authority().map_or("", |authority| authority.as_str());
        format!("{scheme}://{authority}")
    })
}

/// The value of a header, when it is there and is text.
#[must_use]
pub fn text_header(head: &Parts, name: header::HeaderName) -> Option<&str> {
    head.headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_found_with_its_methods_only() {
        assert_eq!(find(&Method::POST, "/images", false), Ok(Endpoint::Upload));
        assert_eq!(find(&Method::HEAD, "/policy", false), Ok(Endpoint::Policy));
        let allow = "GET, POST, HEAD, OPTIONS".to_owned();
        assert_eq!(find(&Method::PUT, "/images", false), Err(Refusal::method(allow.clone())));
        assert_eq!(find(&Method::OPTIONS, "/images", false), Ok(Endpoint::Preflight { allow }));
        assert_eq!(
            find(&Method::DELETE, "/images/7", false),
            Ok(Endpoint::DeleteImage(ImageId(7)))
        );
        for path in
            ["/images/", "/images/07", "/images/-1", "/images/9007199254740992", "/images/7/"]
        {
            assert_eq!(
                find(&Method::GET, path, false),
                Err(Refusal::new(Code::NotFound)),
                "{path}"
            );
        }
        assert_eq!(find(&Method::GET, "/nowhere", false), Err(Refusal::new(Code::NotFound)));
        for name in ["QUERY", "PURGE", "get"] {
            let method = Method::from_bytes(name.as_bytes()).expect("a token");
            let allow = "GET, HEAD, OPTIONS".to_owned();
            assert_eq!(find(&method, "/policy", false), Err(Refusal::method(allow)), "{name}");
        }
    }

    #[test]
    fn administrators_reach_accounts_by_their_names() {
        let lift = |text: &str| find(&Method::DELETE, &format!("/admin/api/bans/{text}"), false);
        for text in ["ip:2001:db8::7", "ip%3A2001%3Adb8%3A%3A7"] {
            let expected = Account::parse("ip:2001:db8::").expect("an address");
            assert_eq!(lift(text), Ok(Endpoint::Admin(Matter::Lift(expected))), "{text}");
        }
        for text in ["", "user:", "user:a/b", "user%3a..%2f", "readiness", "%FF"] {
            assert_eq!(lift(text), Err(Refusal::new(Code::NotFound)), "{text}");
        }
        let allow = "GET, POST, HEAD, OPTIONS".to_owned();
        let preflight = find(&Method::OPTIONS, "/admin/api/bans", false);
        assert_eq!(preflight, Ok(Endpoint::Preflight { allow }));
    }

    #[test]
    fn panics_can_be_asked_for_only_where_faults_are_injected() {
        assert_eq!(find(&Method::POST, "/_fault/panic", false), Err(Refusal::new(Code::NotFound)));
        assert_eq!(find(&Method::POST, "/_fault/panic", true), Ok(Endpoint::Panic));
    }

    #[test]
    fn only_keys_of_our_pattern_are_pictures() {
        let key = "users/123/images/1699876543210-00000000-0000-4000-8000-000000000000.jpeg";
        let found = find(&Method::GET, &format!("/{key}"), false);
        assert!(matches!(found, Ok(Endpoint::Picture(picture)) if picture.as_str() == key));
        for path in ["/users/123/images/", "/users/../images/x.jpeg", "/users/1/other/x.jpeg"] {
            assert_eq!(
                find(&Method::GET, path, false),
                Err(Refusal::new(Code::NotFound)),
                "{path}"
            );
        }
    }
}
