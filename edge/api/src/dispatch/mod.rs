//! The way of every request: find the endpoint, check limits, authenticate and authorize, call the handler, write the
//! response, the log line and the counters.

mod record;
mod request_log;

use edge_auth::{Principal, UPLOAD, bearer};
use edge_types::Problem;
use http::request::Parts;
use image_rules::Code;

use crate::{
    accounts, admin, admission,
    app::App,
    body::BodyStream,
    challenge,
    concurrency::Client,
    config::UploadSwitch,
    context::{RequestContext, RequestId},
    delivery,
    endpoint::{self, Endpoint, OpenEndpoint, ProtectedEndpoint},
    forms, health, images, mails, metrics,
    ports::{Ports, StoreContent},
    removals, request,
    response::{self, Body, HandlerResult, Response},
    telemetry::{Outcome, RequestEnd, Route},
    uploads,
};

/// Uploads are off for hours rather than minutes; a client that asks every five minutes costs little.
const UPLOADS_OFF_RETRY_S: u32 = 300;

/// Serves one request to its end.
pub async fn serve<P: Ports>(
    app: &App<P>,
    head: &Parts,
    body: impl BodyStream,
) -> Response<Body<StoreContent<P>>> {
    let began_ms = app.ports.now_ms();
    let context = RequestContext::new(head, RequestId::new(app.ports.random()));
    let (route, result) = match find(app, head) {
        Ok(endpoint) => (Route::of(&endpoint), handle(app, &context, endpoint, body).await),
        Err(problem) => (Route::UNKNOWN, Err(problem.into())),
    };
    let (response, outcome) = match result {
        Ok(response) => (response, Outcome::Served),
        Err(error) => {
            let problem = context.to_problem(error);
            let response = response::problem(&problem, &context, app.ports.now_ms());
            let response = accounts::failure(app, head, problem.code, response);
            (response, Outcome::Refused(problem.code))
        }
    };
    let response = response::finish(response, &context, &app.config.allowed_origins);
    let took_ms = app.ports.now_ms().saturating_sub(began_ms);
    let end = RequestEnd { route, outcome, status: response.status(), took_ms };
    request_log::write(app, &context, &end, response::size_bytes(&response));
    record::count(app, &context, &end);
    response
}

fn find<P: Ports>(app: &App<P>, head: &Parts) -> Result<Endpoint, Problem> {
    let path = head.uri.path();
    let found = endpoint::find(&head.method, path, app.config.fault_injection);
    if !app.config.accounts.built_in && endpoint::needs_accounts(path, found.as_ref().ok()) {
        return Err(Problem::new(Code::NotFound));
    }
    let is_picture = || endpoint::is_picture(path);
    if request::is_image_host(&app.config, head) && !is_picture() {
        return Err(Problem::new(Code::NotFound));
    }
    found
}

/// Checks the limits of the endpoint, and authenticates and authorizes its caller.
async fn handle<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    endpoint: Endpoint,
    body: impl BodyStream,
) -> HandlerResult<P> {
    if endpoint::has_flood_limit(&endpoint) {
        admission::check_flood_limit(app, context).await?;
    }
    // Before a token is verified and a ledger asked: what is switched off must cost next to nothing.
    if endpoint::is_for_uploads(&endpoint) && app.config.uploads.switch == UploadSwitch::Off {
        return Err(Problem::retry(Code::UploadsOff, UPLOADS_OFF_RETRY_S).into());
    }
    match endpoint {
        Endpoint::Preflight { allow } => {
            Ok(response::preflight(&allow, &app.config.allowed_headers))
        }
        Endpoint::Open(endpoint) => {
            if endpoint::counts_client_ip(&endpoint) {
                admission::count_client_ip(app, context).await?;
            }
            handle_open(app, context, endpoint, body).await
        }
        Endpoint::Upload => {
            // Before a ledger is asked: refusing must cost less than serving.
            let client = Client::of_ip(&context.client_ip());
            let slot = app.scheduler().acquire_slot(client).await?;
            let caller = admission::authorize_upload(app, context, UPLOAD).await?;
            uploads::upload(app, context, caller, slot, body).await
        }
        Endpoint::Protected(ProtectedEndpoint::Metrics) if is_scraper(app, context) => {
            metrics::read(app).await
        }
        Endpoint::Protected(endpoint) => {
            let caller = admission::authorize(app, context, endpoint::rights(&endpoint)).await?;
            handle_protected(app, context, endpoint, caller, body).await
        }
    }
}

async fn handle_open<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    endpoint: OpenEndpoint,
    body: impl BodyStream,
) -> HandlerResult<P> {
    match endpoint {
        OpenEndpoint::Picture(key) => delivery::deliver(app, context, &key).await,
        OpenEndpoint::GuestToken => accounts::issue_guest_token(app, context).await,
        OpenEndpoint::SignUp => accounts::sign_up(app, context, body).await,
        OpenEndpoint::Login => accounts::login(app, context, body).await,
        OpenEndpoint::Refresh => accounts::refresh(app, context).await,
        OpenEndpoint::Logout => accounts::logout(app, context).await,
        OpenEndpoint::VerifyEmail => accounts::verify_email(app, context, body).await,
        OpenEndpoint::ForgetPassword => accounts::forget_password(app, context, body).await,
        OpenEndpoint::ResetPassword => accounts::reset_password(app, context, body).await,
        OpenEndpoint::ListProviders => Ok(accounts::list_providers(app, context)),
        OpenEndpoint::BeginSignIn(name) => accounts::begin_sign_in(app, context, &name).await,
        OpenEndpoint::FinishSignIn(name) => {
            accounts::finish_sign_in(app, context, &name, body).await
        }
        OpenEndpoint::LinkIdentity => accounts::link_identity(app, context, body).await,
        OpenEndpoint::Mailbox => mails::mailbox(app, context),
        OpenEndpoint::Challenge => challenge::issue(app, context),
        OpenEndpoint::ChallengeWidget => challenge::widget(app, context),
        OpenEndpoint::PublicKeys => Ok(accounts::public_keys(app)),
        OpenEndpoint::Policy => uploads::policy(app, context.head).await,
        OpenEndpoint::Alive => Ok(health::alive()),
        OpenEndpoint::Ready => Ok(health::ready(app).await),
        OpenEndpoint::Memory => Ok(health::memory(&app.ports)),
        OpenEndpoint::Panic => panic_on_purpose(),
    }
}

async fn handle_protected<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    endpoint: ProtectedEndpoint,
    caller: Principal,
    body: impl BodyStream,
) -> HandlerResult<P> {
    match endpoint {
        ProtectedEndpoint::Ticket => uploads::issue_ticket(app, context, &caller, body).await,
        ProtectedEndpoint::ListImages => images::list(app, context, &caller).await,
        ProtectedEndpoint::RegisterImage => images::register(app, context, &caller, body).await,
        ProtectedEndpoint::ReadImage(id) => images::read(app, context, &caller, id).await,
        ProtectedEndpoint::DeleteImage(id) => images::delete(app, context, &caller, id).await,
        ProtectedEndpoint::SignImageUrl(id) => {
            images::sign_url(app, context, &caller, id, body).await
        }
        ProtectedEndpoint::ReleaseImage(id) => images::release(app, &caller, id).await,
        ProtectedEndpoint::RefuseImage(id) => images::refuse(app, context, &caller, id, body).await,
        ProtectedEndpoint::ListForms => forms::list(app, context.head).await,
        ProtectedEndpoint::ReadForm(name) => forms::get(app, &name).await,
        ProtectedEndpoint::PutForm(name) => forms::put(app, context, &caller, &name, body).await,
        ProtectedEndpoint::CloseForm(name) => {
            removals::close_form(app, context, &caller, &name).await
        }
        ProtectedEndpoint::DeleteImageByKey => images::delete_by_key(app, context, &caller).await,
        ProtectedEndpoint::DeleteImages => {
            removals::delete_images(app, context, &caller, body).await
        }
        ProtectedEndpoint::ReadRemoval(id) => removals::read(app, context, &caller, &id).await,
        ProtectedEndpoint::EraseUser(id) => removals::erase_user(app, context, &caller, &id).await,
        ProtectedEndpoint::Withdraw(id) => {
            accounts::withdraw(app, context, &caller, &id, body).await
        }
        ProtectedEndpoint::ChangePassword(id) => {
            accounts::change_password(app, context, &caller, &id, body).await
        }
        ProtectedEndpoint::SendVerification(id) => {
            accounts::send_verification(app, context, &caller, &id).await
        }
        ProtectedEndpoint::ExportUser(id) => {
            accounts::export_user(app, context, &caller, &id).await
        }
        ProtectedEndpoint::ReadUser(id) => accounts::read_user(app, context, &caller, &id).await,
        ProtectedEndpoint::ChangeUser(id) => {
            accounts::change_user(app, context, &caller, &id, body).await
        }
        ProtectedEndpoint::ListSessions => accounts::list_sessions(app, &caller).await,
        ProtectedEndpoint::EndOtherSessions => {
            accounts::end_other_sessions(app, context, &caller).await
        }
        ProtectedEndpoint::EndSession(id) => {
            accounts::end_session(app, context, &caller, &id).await
        }
        ProtectedEndpoint::Metrics => metrics::read(app).await,
        ProtectedEndpoint::Admin(endpoint) => {
            admin::handle(app, context, caller, endpoint, body).await
        }
    }
}

/// Whether the bearer token is `METRICS_TOKEN`.
fn is_scraper<P: Ports>(app: &App<P>, context: &RequestContext<'_>) -> bool {
    let token = app.config.metrics_token.as_ref();
    token.is_some_and(|token| bearer(context.head).is_ok_and(|presented| token.is(presented)))
}

#[expect(clippy::panic, reason = "shows that a panic in one request does not affect the next")]
fn panic_on_purpose<T>() -> T {
    panic!("asked to")
}
