//! Sign-in at providers with OpenID Connect: the authorization code flow with PKCE (RFC 7636) and a nonce.
//!
//! State, nonce and verifier are kept in the database for 10 minutes, by the digest of the state, and bound to the browser
//! by a cookie, so that nobody can have a victim finish a sign-in that somebody else began.

mod provider;

use base64ct::{Base64UrlUnpadded, Encoding};
use edge_ledger::{EventType, NewIdentity};
use edge_registry::{
    Identity, IdentityLink, IdentityUser, LinkReason, SignInStore, User, UserStore,
};
use edge_types::{Email, Problem, Role, log};
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use image_rules::{Code, Language};
use serde::Serialize;
use sha2::{Digest, Sha256};

use self::provider::{Person, encoded};
use super::{
    change_password::check_password,
    cookie::cookie_value,
    mail_links::{Opened, PAGE, digest, secret},
    origin_check::check_origin,
    session,
    transfer::user_id,
};
use crate::{
    admission::count_new_identity,
    app::App,
    body::{BodyStream, read_json, read_small_body},
    config::{Provider, SignInSettings},
    context::RequestContext,
    error::ApiError,
    ports::{Ports, StoreContent},
    request::{base_url, media_type, query, text_header},
    response::{self, Body, HandlerResult, Response},
    webhooks,
};

const LIFETIME_MS: u64 = 10 * 60_000;
const COOKIE: &str = "__Secure-sign_in";
/// Sent with the form that a page of the provider posts (`form_post`), and nowhere but here.
const ATTRIBUTES: &str = "Max-Age=600; Path=/auth/sign-in; HttpOnly; Secure; SameSite=None";

/// Sign-in failed. The person reads one sentence, the operator the reason.
fn failed(reason: &str) -> ApiError {
    log::info("sign_in_failed", &[("reason", reason)]);
    Code::SignInFailed.into()
}

/// What binds a sign-in to this browser.
fn browser_secret(head: &Parts) -> Option<&str> {
    let is_secret = |text: &&str| text.len() == 64 && text.bytes().all(|it| it.is_ascii_hexdigit());
    cookie_value(head, COOKIE).ok()?.filter(is_secret)
}

fn found<'a, P>(
    app: &'a App<P>,
    name: &str,
) -> Result<(&'a SignInSettings, &'a Provider), ApiError> {
    let settings = app.config.sign_in.as_ref().ok_or(Code::NotFound)?;
    Ok((settings, settings.provider(name).ok_or(Code::NotFound)?))
}

fn redirect_uri<P>(app: &App<P>, head: &Parts, provider: &Provider) -> String {
    format!("{}/auth/sign-in/{}/callback", base_url(&app.config, head), provider.name)
}

/// Makes a response one that sends the browser to a URL.
fn redirect<C>(mut response: Response<Body<C>>, url: &str) -> Response<Body<C>> {
    *response.status_mut() = StatusCode::SEE_OTHER;
    *response.body_mut() = Body::Empty;
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.extend(HeaderValue::try_from(url).ok().map(|url| (header::LOCATION, url)));
    response
}

/// The response to a failed request, for a browser that has left the page which could say it: sends it to a page that does.
pub fn failure<P, C>(
    app: &App<P>,
    head: &Parts,
    code: Code,
    response: Response<Body<C>>,
) -> Response<Body<C>> {
    let accept = text_header(head, header::ACCEPT).unwrap_or_default();
    if !head.uri.path().starts_with("/auth/sign-in/") || !accept.contains("text/html") {
        return response;
    }
    redirect(response, &format!("{}{PAGE}#failed={}", base_url(&app.config, head), code.name()))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Providers<'a> {
    providers: Vec<ProviderView<'a>>,
    return_url: Option<&'a String>,
}

#[derive(Serialize)]
struct ProviderView<'a> {
    name: &'a str,
    title: Option<&'a String>,
}

/// `GET /auth/sign-in`: the providers, for the buttons of a page.
pub fn list_providers<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
) -> Response<Body<StoreContent<P>>> {
    let settings = app.config.sign_in.as_ref();
    let at = usize::from(context.language() == Language::Ko);
    let mut providers = Vec::new();
    for Provider { name, titles, .. } in settings.iter().flat_map(|it| &it.providers) {
        providers.push(ProviderView { name, title: titles.get(at) });
    }
    let data = Providers { providers, return_url: settings.and_then(|it| it.return_urls.first()) };
    response::success(StatusCode::OK, "list_providers_success", &data, app.ports.now_ms())
}

/// `GET /auth/sign-in/{name}`: sends the person to the provider.
///
/// # Errors
/// `NOT_FOUND` for another provider, `MALFORMED_REQUEST` for a return URL that is not in the list, `BUSY` while the provider
/// cannot be reached.
pub async fn begin_sign_in<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    name: &str,
) -> HandlerResult<P> {
    let (settings, provider) = found(app, name)?;
    let parameters = query(context.head).ok_or(Code::MalformedRequest)?;
    let return_url = match &parameters[..] {
        [] => settings.return_urls.first(),
        [(name, url)] if name == "return" => settings.return_urls.iter().find(|it| *it == url),
        _ => None,
    };
    let return_url = return_url.ok_or(Code::MalformedRequest)?;
    let metadata = provider::metadata(app, provider).await?;
    // Other tabs of the browser may be signing in as well.
    let browser = browser_secret(context.head).map(str::to_owned);
    let browser = browser.unwrap_or_else(|| secret(&app.ports));
    let [state, nonce, verifier] = [(); 3].map(|()| secret(&app.ports));
    let lines = [&digest(&browser), "", name, return_url, &verifier, &nonce];
    keep(app, &state, lines).await?;
    let authorization = metadata.authorization.as_str();
    let mark = if authorization.contains('?') { '&' } else { '?' };
    let mut url = format!(
        "{authorization}{mark}response_type=code&state={state}&nonce={nonce}\
         &code_challenge_method=S256&code_challenge={}&client_id={}&redirect_uri={}",
        Base64UrlUnpadded::encode_string(&Sha256::digest(&verifier)),
        encoded(&provider.client_id),
        encoded(&redirect_uri(app, context.head, provider)),
    );
    if !provider.scope.is_empty() {
        url = url + "&scope=" + &encoded(&provider.scope);
    }
    if provider.posts_form {
        url += "&response_mode=form_post";
    }
    let mut response = redirect(response::empty(StatusCode::SEE_OTHER), &url);
    let cookie = HeaderValue::try_from(format!("{COOKIE}={browser}; {ATTRIBUTES}"));
    response.headers_mut().extend(cookie.ok().map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

/// Keeps what a sign-in needs later, under a secret: the digest of the browser's secret, the e-mail address of an account whose
/// password is asked for, a mark, the return URL, and two texts. Only the last may have line breaks.
async fn keep<P: Ports>(app: &App<P>, secret: &str, lines: [&str; 6]) -> Result<(), ApiError> {
    let expires_ms = app.ports.now_ms() + LIFETIME_MS;
    Ok(app.ports.users().add_sign_in(&digest(secret), &lines.join("\n"), expires_ms).await?)
}

/// The same lines, in the same browser only.
fn kept<'a>(stored: Option<&'a String>, head: &Parts) -> Result<[&'a str; 6], ApiError> {
    let stored = stored.ok_or_else(|| failed("state_unknown_or_expired"))?;
    let mut lines = stored.splitn(6, '\n');
    let lines = [(); 6].map(|()| lines.next().unwrap_or_default());
    let browser = browser_secret(head).map(digest).unwrap_or_default();
    if browser == lines[0] { Ok(lines) } else { Err(failed("another_browser")) }
}

/// `GET` or `POST /auth/sign-in/{name}/callback`: the provider sends the person back. Opens a session and sends the person to
/// the return URL, or to the page that asks for the password of an account with the same address.
///
/// # Errors
/// `SIGN_IN_FAILED`, those of [`count_new_identity`] and of [`session::log_in`].
pub async fn finish_sign_in<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    name: &str,
    body: impl BodyStream,
) -> HandlerResult<P> {
    let (_, provider) = found(app, name)?;
    let fields = if context.head.method == Method::POST {
        if !media_type(context.head).eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Code::MalformedRequest.into());
        }
        let bytes = read_small_body(context.head, body).await?;
        form_urlencoded::parse(&bytes).into_owned().collect()
    } else {
        query(context.head).ok_or(Code::MalformedRequest)?
    };
    // A parameter that comes twice counts as missing.
    let field = |wanted: &str| {
        let mut values =
            fields.iter().filter(|(name, _)| name == wanted).map(|(_, value)| &**value);
        values.next().filter(|_| values.next().is_none())
    };
    let users = app.ports.users();
    // Of concurrent answers with one state one succeeds.
    let state = digest(field("state").unwrap_or_default());
    let stored = users.take_sign_in(&state, app.ports.now_ms()).await?;
    let [browser, _, of, return_url, verifier, nonce] = kept(stored.as_ref(), context.head)?;
    let metadata = provider::metadata(app, provider).await?;
    let names_issuer = metadata.names_issuer || fields.iter().any(|(name, _)| name == "iss");
    if of != name || (names_issuer && field("iss") != Some(&provider.issuer)) {
        return Err(failed("another_issuer"));
    }
    let code = field("code").filter(|_| field("error").is_none());
    let code = code.ok_or_else(|| failed("denied"))?;
    let redirect_uri = redirect_uri(app, context.head, provider);
    let secrets = [code, verifier, nonce, &redirect_uri];
    let person = provider::redeem(app, provider, &metadata, secrets).await?;
    let identity = Identity { issuer: &provider.issuer, subject: &person.subject };
    match settle(app, context, identity, &person).await? {
        Settled::User(user) => {
            let response = session::log_in(app, context, user, None).await?;
            Ok(redirect(response, return_url))
        }
        Settled::MustProve(email) => {
            let token = secret(&app.ports);
            let (mark, step) = if person.is_verified { ("1", "take") } else { ("", "link") };
            let email = email.as_str();
            let lines = [browser, email, mark, return_url, identity.issuer, identity.subject];
            keep(app, &token, lines).await?;
            // What stands behind `#` is sent to no server.
            let url = format!("{}{PAGE}#{step}={token}", base_url(&app.config, context.head));
            Ok(redirect(response::empty(StatusCode::SEE_OTHER), &url))
        }
    }
}

/// Whom a sign-in means.
enum Settled {
    User(User),
    /// There is an account with this address, whose password is asked for.
    MustProve(Email),
}

async fn settle<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    identity: Identity<'_>,
    person: &Person,
) -> Result<Settled, ApiError> {
    let users = app.ports.users();
    if let Some(user) = users.user_of(identity).await? {
        return Ok(Settled::User(user));
    }
    let local = match &person.email {
        Some(email) => users.user_at(email).await?.map(|user| (user, email)),
        None => None,
    };
    match local {
        None => {
            // An address that nobody has verified is not kept: it could be a stranger's.
            let email = person.email.as_ref().filter(|_| person.is_verified);
            sign_up(app, context, identity, email).await.map(Settled::User)
        }
        // They could do more than a provider should be trusted with.
        Some((user, _)) if user.role != Role::User => Err(failed("role_of_account")),
        Some((user, _)) if person.is_verified && user.has_verified_email => {
            link(app, context, identity, &user, LinkReason::BothVerified).await?;
            Ok(Settled::User(user))
        }
        Some((_, email)) => Ok(Settled::MustProve(email.clone())),
    }
}

async fn sign_up<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    identity: Identity<'_>,
    email: Option<&Email>,
) -> Result<User, ApiError> {
    count_new_identity(app, context, NewIdentity::Account).await?;
    let id = user_id(&app.ports.random()).ok_or(Code::Internal)?;
    let event = webhooks::user_event(app, EventType::UserSignedUp, &id, id.as_str());
    let created_ms = event.as_ref().map_or_else(|| app.ports.now_ms(), |event| event.created_ms);
    let new = IdentityUser { identity, id: &id, email, created_ms, event: event.as_ref() };
    let users = app.ports.users();
    if !users.add_user_of(&new).await? {
        return Err(failed("concurrent_sign_up"));
    }
    webhooks::enqueue_later(app);
    app.record_of(format!("signup:{id}"), "signup", &id, "by_provider").await;
    Ok(users.by_id(&id).await?.ok_or(Code::Internal)?)
}

async fn link<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    identity: Identity<'_>,
    user: &User,
    reason: LinkReason,
) -> Result<(), ApiError> {
    let link = IdentityLink { identity, user: &user.id, reason, now_ms: app.ports.now_ms() };
    if !app.ports.users().link(&link).await? {
        return Err(failed("account_changed"));
    }
    if reason == LinkReason::TakenOver {
        app.isolate.sessions.clear();
    }
    let key = format!("link:{}", context.id.as_str());
    app.record_of(key, "link", &user.id, "by_provider").await;
    Ok(())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Linked<'a> {
    return_url: &'a str,
}

/// `POST /auth/sign-in/link`: links the provider to the account whose password the person knows. Without a password, an
/// account is taken over whose address only the provider has verified.
///
/// # Errors
/// `SIGN_IN_FAILED`, after which the person starts again; `CREDENTIALS_INVALID` for a wrong password and `RATE_LIMITED` after too
/// many, after which the token still works; those of [`session::log_in`].
pub async fn link_identity<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    body: impl BodyStream,
) -> HandlerResult<P> {
    check_origin(&app.config, context.head)?;
    let request: Opened = read_json(context.head, body).await?;
    let (key, users) = (digest(&request.token), app.ports.users());
    let stored = users.sign_in(&key, app.ports.now_ms()).await?;
    let [_, email, mark, return_url, issuer, subject] = kept(stored.as_ref(), context.head)?;
    // The state of a sign-in that has only begun has no address.
    let email = Email::parse(email).ok_or_else(|| failed("state_unknown_or_expired"))?;
    let reason = match &request.password {
        Some(password) => {
            check_password(app, context, email.as_str(), password).await?;
            LinkReason::Proved
        }
        None if mark == "1" => LinkReason::TakenOver,
        None => return Err(Problem::field("password", None).into()),
    };
    if users.take_sign_in(&key, app.ports.now_ms()).await?.is_none() {
        return Err(failed("state_unknown_or_expired"));
    }
    let user = users.user_at(&email).await?.ok_or_else(|| failed("account_changed"))?;
    link(app, context, Identity { issuer, subject }, &user, reason).await?;
    let user = users.by_id(&user.id).await?.ok_or(Code::Internal)?;
    let mut response = session::log_in(app, context, user, None).await?;
    let (linked, now_ms) = (Linked { return_url }, app.ports.now_ms());
    let body = response::success(StatusCode::OK, "link_identity_success", &linked, now_ms);
    *response.body_mut() = body.into_body();
    Ok(response)
}
