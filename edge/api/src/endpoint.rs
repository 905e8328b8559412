//! The only tables of endpoints: which paths and methods there are, and who may call what.

use edge_auth::Rights;
use edge_storage::ObjectKey;
use edge_types::{
    ErasedName, FormName, ImageId, Problem, RemovalId, Role, SessionId, Subject, UserId,
};
use http::Method;
use image_rules::Code;
use percent_encoding::percent_decode_str;

use crate::config::is_provider_name;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Open(OpenEndpoint),
    /// `POST /images`; its caller gets an upload slot before the token is verified.
    Upload,
    Protected(ProtectedEndpoint),
    /// `OPTIONS` of any of these, with the methods of the path.
    Preflight {
        allow: String,
    },
}

/// Endpoints that need no access token. Some read a cookie or a token if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenEndpoint {
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
    /// `POST /auth/verify-email`
    VerifyEmail,
    /// `POST /auth/password-reset`
    ForgetPassword,
    /// `POST /auth/password-reset/confirm`
    ResetPassword,
    /// `GET /auth/sign-in`
    ListProviders,
    /// `GET /auth/sign-in/{name}`
    BeginSignIn(String),
    /// `GET` and `POST /auth/sign-in/{name}/callback`
    FinishSignIn(String),
    /// `POST /auth/sign-in/link`
    LinkIdentity,
    /// `GET /dev/mail`
    Mailbox,
    /// `GET /auth/challenge`
    Challenge,
    /// `GET /auth/challenge/widget`
    ChallengeWidget,
    /// `GET /.well-known/jwks.json`
    PublicKeys,
    /// `GET /policy`
    Policy,
    /// `GET /healthz`
    Alive,
    /// `GET /readyz`
    Ready,
    /// `GET /users/{userId}/images/{file}`, also below `/private`
    Picture(ObjectKey),
    /// `POST /_fault/panic`, only where `FAULT_INJECTION` is on.
    Panic,
    /// `GET /_fault/memory`, likewise.
    Memory,
}

/// Endpoints that need an access token with one of the roles of [`rights`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtectedEndpoint {
    /// `GET /images`
    ListImages,
    /// `POST /images/metadata`
    RegisterImage,
    /// `GET /images/{id}`
    ReadImage(ImageId),
    /// `DELETE /images/{id}`
    DeleteImage(ImageId),
    /// `POST /images/{id}/url`
    SignImageUrl(ImageId),
    /// `POST /images/{id}/release`
    ReleaseImage(ImageId),
    /// `POST /images/{id}/refuse`
    RefuseImage(ImageId),
    /// `DELETE /images?key=`
    DeleteImageByKey,
    /// `POST /images/delete`
    DeleteImages,
    /// `GET /removals/{id}`
    ReadRemoval(RemovalId),
    /// `POST /uploads/tickets`
    Ticket,
    /// `GET /forms`
    ListForms,
    /// `GET /forms/{formId}`
    ReadForm(FormName),
    /// `PUT /forms/{formId}`
    PutForm(FormName),
    /// `DELETE /forms/{formId}`
    CloseForm(FormName),
    /// `GET /users/{id}`
    ReadUser(UserId),
    /// `PATCH /users/{id}`
    ChangeUser(UserId),
    /// `DELETE /users/{id}`
    EraseUser(UserId),
    /// `POST /users/{id}/withdraw`
    Withdraw(UserId),
    /// `POST /users/{id}/password`
    ChangePassword(UserId),
    /// `POST /users/{id}/verification`
    SendVerification(UserId),
    /// `GET /users/{id}/export`
    ExportUser(UserId),
    /// `GET /auth/sessions`
    ListSessions,
    /// `DELETE /auth/sessions`
    EndOtherSessions,
    /// `DELETE /auth/sessions/{id}`
    EndSession(SessionId),
    /// `GET /metrics`; a scraper with `METRICS_TOKEN` needs no access token.
    Metrics,
    /// Anything under `/admin/api/`
    Admin(AdminEndpoint),
}

/// The endpoints under `/admin/api/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminEndpoint {
    /// `GET /admin/api/status`
    Status,
    /// `GET /admin/api/stats`
    Stats,
    /// `GET /admin/api/uploaders`
    Uploaders,
    /// `GET /admin/api/events`
    Events,
    /// `GET /admin/api/bans`
    Bans,
    /// `POST /admin/api/bans`
    Ban,
    /// `DELETE /admin/api/bans/{subject}`
    Unban(Subject),
    /// `DELETE /admin/api/bans/{pseudonym}`
    UnbanErased(ErasedName),
    /// `GET /admin/api/users/{id}`
    User(UserId),
    /// `GET /admin/api/users/{id}/sessions`
    Sessions(UserId),
    /// `DELETE /admin/api/users/{id}/sessions`
    EndSessions(UserId),
    /// `DELETE /admin/api/users/{id}/sessions/{sessionId}`
    EndSession(UserId, SessionId),
    /// `POST /admin/api/bucket`
    BindBucket,
    /// `GET /admin/api/webhooks`
    Webhooks,
    /// `POST /admin/api/webhooks/resend`
    ResendEvents,
    /// `POST /admin/api/webhooks/ping`
    PingWebhook,
}

type Row = (&'static str, &'static str, Endpoint);

const fn open(path: &'static str, method: &'static str, endpoint: OpenEndpoint) -> Row {
    (path, method, Endpoint::Open(endpoint))
}

const fn protected(path: &'static str, method: &'static str, endpoint: ProtectedEndpoint) -> Row {
    (path, method, Endpoint::Protected(endpoint))
}

const fn admin(path: &'static str, method: &'static str, endpoint: AdminEndpoint) -> Row {
    protected(path, method, ProtectedEndpoint::Admin(endpoint))
}

/// The paths without a variable part: path, method, endpoint.
pub const FIXED: &[Row] = &[
    protected("/images", "GET", ProtectedEndpoint::ListImages),
    ("/images", "POST", Endpoint::Upload),
    protected("/images", "DELETE", ProtectedEndpoint::DeleteImageByKey),
    protected("/images/delete", "POST", ProtectedEndpoint::DeleteImages),
    protected("/images/metadata", "POST", ProtectedEndpoint::RegisterImage),
    protected("/forms", "GET", ProtectedEndpoint::ListForms),
    protected("/uploads/tickets", "POST", ProtectedEndpoint::Ticket),
    open("/auth/guest-token", "GET", OpenEndpoint::GuestToken),
    open("/auth/challenge", "GET", OpenEndpoint::Challenge),
    open("/auth/challenge/widget", "GET", OpenEndpoint::ChallengeWidget),
    open("/.well-known/jwks.json", "GET", OpenEndpoint::PublicKeys),
    open("/policy", "GET", OpenEndpoint::Policy),
    open("/healthz", "GET", OpenEndpoint::Alive),
    open("/readyz", "GET", OpenEndpoint::Ready),
    protected("/metrics", "GET", ProtectedEndpoint::Metrics),
    admin("/admin/api/status", "GET", AdminEndpoint::Status),
    admin("/admin/api/stats", "GET", AdminEndpoint::Stats),
    admin("/admin/api/uploaders", "GET", AdminEndpoint::Uploaders),
    admin("/admin/api/events", "GET", AdminEndpoint::Events),
    admin("/admin/api/bans", "GET", AdminEndpoint::Bans),
    admin("/admin/api/bans", "POST", AdminEndpoint::Ban),
    admin("/admin/api/bucket", "POST", AdminEndpoint::BindBucket),
    admin("/admin/api/webhooks", "GET", AdminEndpoint::Webhooks),
    admin("/admin/api/webhooks/resend", "POST", AdminEndpoint::ResendEvents),
    admin("/admin/api/webhooks/ping", "POST", AdminEndpoint::PingWebhook),
];
/// Those of the built-in accounts. All of them set, read or end the refresh cookie.
pub const ACCOUNTS: &[Row] = &[
    open("/users/signup", "POST", OpenEndpoint::SignUp),
    open("/auth/signup", "POST", OpenEndpoint::SignUp),
    open("/auth/login", "POST", OpenEndpoint::Login),
    open("/auth/refresh_token", "POST", OpenEndpoint::Refresh),
    open("/auth/logout", "POST", OpenEndpoint::Logout),
];
/// Those of the built-in accounts with links in mails and with providers.
pub const LINKS: &[Row] = &[
    open("/auth/verify-email", "POST", OpenEndpoint::VerifyEmail),
    open("/auth/password-reset", "POST", OpenEndpoint::ForgetPassword),
    open("/auth/password-reset/confirm", "POST", OpenEndpoint::ResetPassword),
    open("/auth/sign-in", "GET", OpenEndpoint::ListProviders),
    open("/auth/sign-in/link", "POST", OpenEndpoint::LinkIdentity),
    open("/dev/mail", "GET", OpenEndpoint::Mailbox),
];
/// Those of the built-in accounts that need an access token.
pub const SESSIONS: &[Row] = &[
    protected("/auth/sessions", "GET", ProtectedEndpoint::ListSessions),
    protected("/auth/sessions", "DELETE", ProtectedEndpoint::EndOtherSessions),
];
/// Those that exist only where `FAULT_INJECTION` is on.
pub const FAULTS: &[Row] = &[
    open("/_fault/panic", "POST", OpenEndpoint::Panic),
    open("/_fault/memory", "GET", OpenEndpoint::Memory),
];

const USERS_AND_BACK_ENDS: &[Role] = &[Role::User, Role::Service];
const BACK_ENDS: &[Role] = &[Role::Service];
const BACK_ENDS_AND_ADMINS: &[Role] = &[Role::Service, Role::Admin];
const USERS_AND_ADMINS: &[Role] = &[Role::User, Role::Admin];
const ACCOUNT_ROLES: &[Role] = &[Role::User, Role::Service, Role::Admin];
const NOBODY: &[Role] = &[];
const ADMINS: &[Role] = &[Role::Admin];
const ALL: &[Role] = &[Role::User, Role::Guest, Role::Service, Role::Admin];

/// The permission table; that of an upload is [`edge_auth::UPLOAD`]. A new endpoint does not compile before it is in it.
pub const fn rights(endpoint: &ProtectedEndpoint) -> Rights {
    const fn of(roles: &'static [Role], others: &'static [Role]) -> Rights {
        Rights { roles, others, ticket: false, open_session: false }
    }
    match endpoint {
        ProtectedEndpoint::RegisterImage | ProtectedEndpoint::Ticket => {
            of(USERS_AND_BACK_ENDS, BACK_ENDS)
        }
        ProtectedEndpoint::ListImages
        | ProtectedEndpoint::ReadImage(_)
        | ProtectedEndpoint::DeleteImage(_)
        | ProtectedEndpoint::SignImageUrl(_)
        | ProtectedEndpoint::DeleteImageByKey
        | ProtectedEndpoint::ExportUser(_) => of(ALL, BACK_ENDS_AND_ADMINS),
        ProtectedEndpoint::ListForms
        | ProtectedEndpoint::ReadForm(_)
        | ProtectedEndpoint::PutForm(_)
        | ProtectedEndpoint::CloseForm(_)
        | ProtectedEndpoint::ReleaseImage(_)
        | ProtectedEndpoint::RefuseImage(_)
        | ProtectedEndpoint::DeleteImages
        | ProtectedEndpoint::EraseUser(_) => of(BACK_ENDS_AND_ADMINS, BACK_ENDS_AND_ADMINS),
        ProtectedEndpoint::ReadRemoval(_) => of(ACCOUNT_ROLES, BACK_ENDS_AND_ADMINS),
        ProtectedEndpoint::ReadUser(_) | ProtectedEndpoint::ChangeUser(_) => {
            of(USERS_AND_ADMINS, ADMINS)
        }
        ProtectedEndpoint::ListSessions
        | ProtectedEndpoint::EndOtherSessions
        | ProtectedEndpoint::EndSession(_)
        | ProtectedEndpoint::ChangePassword(_)
        | ProtectedEndpoint::SendVerification(_)
        | ProtectedEndpoint::Withdraw(_) => {
            Rights { open_session: true, ..of(ACCOUNT_ROLES, NOBODY) }
        }
        ProtectedEndpoint::Admin(_) | ProtectedEndpoint::Metrics => of(ADMINS, ADMINS),
    }
}

/// Whether the switch of uploads turns it off.
pub const fn is_for_uploads(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::Upload | Endpoint::Protected(ProtectedEndpoint::Ticket))
}

/// Whether the flood limit applies: to all endpoints but those that cost next to nothing and show nothing of
/// anybody.
pub const fn has_flood_limit(endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Preflight { .. } => false,
        Endpoint::Upload | Endpoint::Protected(_) => true,
        Endpoint::Open(endpoint) => !matches!(
            endpoint,
            OpenEndpoint::Alive
                | OpenEndpoint::Ready
                | OpenEndpoint::PublicKeys
                | OpenEndpoint::Picture(_)
                | OpenEndpoint::Memory
        ),
    }
}

/// Whether ban and exact limit of the client IP apply to every caller. Elsewhere an access token, a refresh
/// cookie or the metrics token is checked first.
pub const fn counts_client_ip(endpoint: &OpenEndpoint) -> bool {
    matches!(
        endpoint,
        OpenEndpoint::GuestToken
            | OpenEndpoint::SignUp
            | OpenEndpoint::Login
            | OpenEndpoint::VerifyEmail
            | OpenEndpoint::ForgetPassword
            | OpenEndpoint::ResetPassword
            | OpenEndpoint::BeginSignIn(_)
            | OpenEndpoint::FinishSignIn(_)
            | OpenEndpoint::LinkIdentity
            | OpenEndpoint::Panic
    )
}

/// Whether a path sets, reads or ends the refresh cookie.
pub fn has_refresh_cookie(path: &str) -> bool {
    ACCOUNTS.iter().any(|(fixed, ..)| *fixed == path)
}

/// Whether an endpoint exists only with the built-in accounts. A user can be erased without.
pub fn needs_accounts(path: &str, endpoint: Option<&Endpoint>) -> bool {
    use ProtectedEndpoint::{ChangePassword, ChangeUser, ReadUser, SendVerification, Withdraw};
    has_refresh_cookie(path)
        || LINKS.iter().any(|(fixed, ..)| *fixed == path)
        || SESSIONS.iter().any(|(fixed, ..)| *fixed == path)
        || session(path).is_some()
        || path.starts_with("/auth/sign-in/")
        || matches!(
            endpoint,
            Some(Endpoint::Protected(
                ReadUser(_) | ChangeUser(_) | ChangePassword(_) | SendVerification(_) | Withdraw(_)
            ))
        )
}

/// Finds the endpoint of a request.
///
/// # Errors
/// `NOT_FOUND` for an unknown path, `METHOD_NOT_ALLOWED` for another method.
pub fn find(method: &Method, path: &str, fault_injection: bool) -> Result<Endpoint, Problem> {
    let endpoints = endpoints(path, fault_injection);
    if endpoints.is_empty() {
        return Err(Problem::new(Code::NotFound));
    }
    if *method == Method::OPTIONS {
        return Ok(Endpoint::Preflight { allow: allow(&endpoints) });
    }
    let wanted = if *method == Method::HEAD { "GET" } else { method.as_str() };
    match endpoints.iter().find(|(method, _)| *method == wanted) {
        Some((_, endpoint)) => Ok(endpoint.clone()),
        None => Err(Problem::method(allow(&endpoints))),
    }
}

/// The methods of a path, with their endpoints.
fn endpoints(path: &str, fault_injection: bool) -> Vec<(&'static str, Endpoint)> {
    use Endpoint::{Open, Protected};
    use ProtectedEndpoint as P;
    let faults = if fault_injection { FAULTS } else { &[] };
    let fixed = FIXED.iter().chain(ACCOUNTS).chain(LINKS).chain(SESSIONS).chain(faults);
    let fixed = fixed.filter(|(fixed, ..)| *fixed == path);
    let fixed: Vec<_> = fixed.map(|(_, method, endpoint)| (*method, endpoint.clone())).collect();
    if !fixed.is_empty() {
        return fixed;
    }
    if let Some(rest) = path.strip_prefix("/images/") {
        return image(rest);
    }
    if let Some(name) = path.strip_prefix("/forms/").and_then(FormName::parse) {
        return vec![
            ("GET", Protected(P::ReadForm(name.clone()))),
            ("PUT", Protected(P::PutForm(name.clone()))),
            ("DELETE", Protected(P::CloseForm(name))),
        ];
    }
    if let Some(id) = user(path) {
        return vec![
            ("GET", Protected(P::ReadUser(id.clone()))),
            ("PATCH", Protected(P::ChangeUser(id.clone()))),
            ("DELETE", Protected(P::EraseUser(id))),
        ];
    }
    if let Some(id) = path.strip_suffix("/withdraw").and_then(user) {
        return vec![("POST", Protected(P::Withdraw(id)))];
    }
    if let Some(id) = path.strip_suffix("/password").and_then(user) {
        return vec![("POST", Protected(P::ChangePassword(id)))];
    }
    if let Some(id) = path.strip_suffix("/verification").and_then(user) {
        return vec![("POST", Protected(P::SendVerification(id)))];
    }
    if let Some(id) = path.strip_suffix("/export").and_then(user) {
        return vec![("GET", Protected(P::ExportUser(id)))];
    }
    if let Some(id) = path.strip_prefix("/removals/").and_then(RemovalId::parse) {
        return vec![("GET", Protected(P::ReadRemoval(id)))];
    }
    if let Some(text) = path.strip_prefix("/admin/api/bans/") {
        return unban(text).map(|it| ("DELETE", Protected(P::Admin(it)))).into_iter().collect();
    }
    if let Some(rest) = path.strip_prefix("/admin/api/users/") {
        return admin_user(rest);
    }
    if let Some(id) = session(path) {
        return vec![("DELETE", Protected(P::EndSession(id)))];
    }
    if let Some(rest) = path.strip_prefix("/auth/sign-in/") {
        return sign_in(rest);
    }
    picture(path).map(|key| ("GET", Open(OpenEndpoint::Picture(key)))).into_iter().collect()
}

fn picture(path: &str) -> Option<ObjectKey> {
    ObjectKey::parse(path.strip_prefix('/')?)
}

/// Whether it is the path of a picture.
pub fn is_picture(path: &str) -> bool {
    picture(path).is_some()
}

/// A registered image: its id, or `{id}/url`, `{id}/release` or `{id}/refuse`.
fn image(path: &str) -> Vec<(&'static str, Endpoint)> {
    use ProtectedEndpoint as P;
    let (id, action) = path.split_once('/').map_or((path, None), |(id, rest)| (id, Some(rest)));
    let Some(id) = ImageId::parse(id) else { return Vec::new() };
    let endpoints = match action {
        None => vec![("GET", P::ReadImage(id)), ("DELETE", P::DeleteImage(id))],
        Some("url") => vec![("POST", P::SignImageUrl(id))],
        Some("release") => vec![("POST", P::ReleaseImage(id))],
        Some("refuse") => vec![("POST", P::RefuseImage(id))],
        Some(_) => Vec::new(),
    };
    endpoints.into_iter().map(|(method, it)| (method, Endpoint::Protected(it))).collect()
}

/// What administrators see and change of a user: a user id, `{id}/sessions` or `{id}/sessions/{sessionId}`.
fn admin_user(path: &str) -> Vec<(&'static str, Endpoint)> {
    let admin = |endpoint| Endpoint::Protected(ProtectedEndpoint::Admin(endpoint));
    let (user, rest) = path.split_once('/').map_or((path, None), |(id, rest)| (id, Some(rest)));
    let Some(user) = UserId::parse(user) else { return Vec::new() };
    match rest {
        None => vec![("GET", admin(AdminEndpoint::User(user)))],
        Some("sessions") => vec![
            ("GET", admin(AdminEndpoint::Sessions(user.clone()))),
            ("DELETE", admin(AdminEndpoint::EndSessions(user))),
        ],
        Some(rest) => {
            let id = rest.strip_prefix("sessions/").and_then(SessionId::parse);
            id.map(|id| ("DELETE", admin(AdminEndpoint::EndSession(user, id))))
                .into_iter()
                .collect()
        }
    }
}

/// The name of a provider, or `{name}/callback`.
fn sign_in(path: &str) -> Vec<(&'static str, Endpoint)> {
    let name = path.strip_suffix("/callback");
    let finish = name.map(|name| OpenEndpoint::FinishSignIn(name.to_owned()));
    match finish {
        _ if !is_provider_name(name.unwrap_or(path)) => Vec::new(),
        Some(finish) => ["GET", "POST"].map(|it| (it, Endpoint::Open(finish.clone()))).to_vec(),
        None => vec![("GET", Endpoint::Open(OpenEndpoint::BeginSignIn(path.to_owned())))],
    }
}

fn session(path: &str) -> Option<SessionId> {
    SessionId::parse(path.strip_prefix("/auth/sessions/")?)
}

fn user(path: &str) -> Option<UserId> {
    UserId::parse(path.strip_prefix("/users/")?)
}

/// Whose ban ends. In the path, a colon may be written as `%3A`.
fn unban(text: &str) -> Option<AdminEndpoint> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    let erased = || ErasedName::parse(&text).map(AdminEndpoint::UnbanErased);
    Subject::parse(&text).map(AdminEndpoint::Unban).or_else(erased)
}

/// The value of `Allow`.
fn allow(endpoints: &[(&'static str, Endpoint)]) -> String {
    let mut methods: Vec<_> = endpoints.iter().map(|(method, _)| *method).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    methods.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admin(endpoint: AdminEndpoint) -> Endpoint {
        Endpoint::Protected(ProtectedEndpoint::Admin(endpoint))
    }

    #[test]
    fn each_path_is_found_with_its_methods_only() {
        assert_eq!(find(&Method::POST, "/images", false), Ok(Endpoint::Upload));
        let policy = Endpoint::Open(OpenEndpoint::Policy);
        assert_eq!(find(&Method::HEAD, "/policy", false), Ok(policy));
        let allow = "GET, POST, DELETE, HEAD, OPTIONS".to_owned();
        assert_eq!(find(&Method::PUT, "/images", false), Err(Problem::method(allow.clone())));
        assert_eq!(find(&Method::OPTIONS, "/images", false), Ok(Endpoint::Preflight { allow }));
        assert_eq!(
            find(&Method::DELETE, "/images/7", false),
            Ok(Endpoint::Protected(ProtectedEndpoint::DeleteImage(ImageId(7))))
        );
        let sign = Endpoint::Protected(ProtectedEndpoint::SignImageUrl(ImageId(7)));
        assert_eq!(find(&Method::POST, "/images/7/url", false), Ok(sign));
        for path in [
            "/images/",
            "/images/7/urls",
            "/images/7/url/",
            "/images/07",
            "/images/-1",
            "/images/9007199254740992",
            "/images/7/",
        ] {
            let outcome = find(&Method::GET, path, false);
            assert_eq!(outcome, Err(Problem::new(Code::NotFound)), "{path}");
        }
        assert_eq!(find(&Method::GET, "/nowhere", false), Err(Problem::new(Code::NotFound)));
        for name in ["QUERY", "PURGE", "get"] {
            let method = Method::from_bytes(name.as_bytes()).expect("a token");
            let allow = "GET, HEAD, OPTIONS".to_owned();
            assert_eq!(find(&method, "/policy", false), Err(Problem::method(allow)), "{name}");
        }
    }

    #[test]
    fn administrators_name_subjects_in_every_spelling() {
        let unban = |text: &str| find(&Method::DELETE, &format!("/admin/api/bans/{text}"), false);
        for text in ["ip:2001:db8::7", "ip%3A2001%3Adb8%3A%3A7"] {
            let expected = Subject::parse("ip:2001:db8::").expect("a client IP");
            assert_eq!(unban(text), Ok(admin(AdminEndpoint::Unban(expected))), "{text}");
        }
        let name = format!("erased:{}", "0f".repeat(16));
        let expected = ErasedName::parse(&name).expect("a pseudonym");
        assert_eq!(unban(&name), Ok(admin(AdminEndpoint::UnbanErased(expected))));
        for text in
            ["", "user:", "user:a/b", "user%3a..%2f", "readiness", "%FF", "erased:0F", "erased:"]
        {
            assert_eq!(unban(text), Err(Problem::new(Code::NotFound)), "{text}");
        }
        let allow = "GET, POST, HEAD, OPTIONS".to_owned();
        let preflight = find(&Method::OPTIONS, "/admin/api/bans", false);
        assert_eq!(preflight, Ok(Endpoint::Preflight { allow }));
    }

    #[test]
    fn a_panic_can_be_requested_only_where_faults_are_injected() {
        let panic = |on| find(&Method::POST, "/_fault/panic", on);
        assert_eq!(panic(false), Err(Problem::new(Code::NotFound)));
        assert_eq!(panic(true), Ok(Endpoint::Open(OpenEndpoint::Panic)));
    }

    #[test]
    fn only_object_keys_are_pictures() {
        let key = "users/123/images/1699876543210-00000000-0000-4000-8000-000000000000.jpeg";
        let expected = OpenEndpoint::Picture(ObjectKey::parse(key).expect("a key"));
        assert_eq!(find(&Method::GET, &format!("/{key}"), false), Ok(Endpoint::Open(expected)));
        let private = OpenEndpoint::Picture(ObjectKey::parse(key).expect("a key").private());
        let found = find(&Method::GET, &format!("/private/{key}"), false);
        assert_eq!(found, Ok(Endpoint::Open(private)));
        for path in [
            "/users/123/images/",
            "/users/../images/x.jpeg",
            "/users/1/other/x.jpeg",
            "/private/",
            &format!("/private/private/{key}"),
            &format!("//private/{key}"),
            &format!("/private//{key}"),
            &format!("/PRIVATE/{key}"),
        ] {
            let outcome = find(&Method::GET, path, false);
            assert_eq!(outcome, Err(Problem::new(Code::NotFound)), "{path}");
        }
    }
}
