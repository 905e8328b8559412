//! What administrators see and do. The rooms below put together what registry and ledger tell; this
//! file lets nobody else in.

mod bans;
mod bucket;
mod events;
mod query;
mod stats;
mod status;
mod uploaders;
mod user;

use http::StatusCode;
use image_rules::Code;
use serde::Serialize;

use crate::{
    admission::caller,
    app::{App, Ports},
    auth::{Principal, Role, UserId},
    call::Call,
    error::Failure,
    intake::Chunks,
    ledger::{Account, message::Terms},
    response::{self, Answer},
    route::{Body, Endpoint},
};
use query::Query;

/// What an administrator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matter {
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
    /// `DELETE /admin/api/bans/{account}`
    Lift(Account),
    /// `GET /admin/api/users/{id}`
    User(UserId),
    /// `POST /admin/api/bucket`
    BindBucket,
}

/// Answers an administrator.
///
/// # Errors
/// `ROLE_NOT_ALLOWED` for anybody else, `MALFORMED_REQUEST` for what makes no sense.
pub async fn answer<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    matter: Matter,
    body: impl Chunks,
) -> Result<Answer<Body<P>>, Failure> {
    let caller = caller(app, call, &Endpoint::Admin(matter.clone())).await?;
    let desk = Desk { app, call, caller };
    let query = || Query::read(call.head).ok_or(Code::MalformedRequest);
    match matter {
        Matter::Status => desk.status().await,
        Matter::Stats => desk.stats(query()?).await,
        Matter::Uploaders => desk.uploaders(query()?).await,
        Matter::Events => desk.events(query()?).await,
        Matter::Bans => desk.bans().await,
        Matter::Ban => desk.ban(body).await,
        Matter::Lift(account) => desk.lift(&account).await,
        Matter::User(user) => desk.user(user, query()?).await,
        Matter::BindBucket => desk.bind_bucket().await,
    }
}

/// Where an administrator is served; only [`answer`] opens one.
struct Desk<'a, P> {
    app: &'a App<P>,
    call: &'a Call<'a>,
    caller: Principal,
}

impl<P: Ports> Desk<'_, P> {
    fn tell(&self, status: StatusCode, message: &str, data: &impl Serialize) -> Answer<Body<P>> {
        let now_ms = self.app.ports.now_ms();
        response::never_cached(response::message(status, message, data, now_ms))
    }

    /// The limits of an account. What role its owner has only a token tells; a guest shows in the id.
    fn terms(&self, account: &Account) -> Terms {
        let is_guest = matches!(account, Account::User(user) if user.is_guest());
        self.app.config.limits.terms(if is_guest { Role::Guest } else { Role::User })
    }
}
