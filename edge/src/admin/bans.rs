//! Who is shut out, shutting out and letting in. The registry names those who may be; only what their
//! ledger says is told.

use futures_util::future::try_join_all;
use http::StatusCode;
use image_rules::Code;
use serde::{Deserialize, Serialize};

use super::Desk;
use crate::{
    app::Ports,
    error::Failure,
    intake::{Chunks, read_json},
    ledger::{Account, Ledger, message},
    registry::{Annals, PastEvent},
    response::{Answer, timestamp},
    route::Body,
    stats::{BanReason, Series},
};

/// Each costs a look into a ledger, and the smallest plan of the platform allows fifty requests.
const MOST: u32 = 40;
/// The longest ban: a year. For ever is whoever issues the tokens' to decide.
const LONGEST_S: u64 = 366 * 86_400;
const REASON_CHARS: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    account: String,
    seconds: u64,
    reason: String,
}

#[derive(Serialize)]
struct Bans {
    bans: Vec<Banned>,
}

#[derive(Serialize)]
struct Banned {
    account: String,
    #[serde(rename = "bannedUntil")]
    until: String,
    reason: Option<String>,
    /// When it began, and who did it or what led to it; nothing right after the ban.
    since: Option<String>,
    detail: Option<String>,
}

#[derive(Serialize)]
struct Lifted {
    account: String,
}

impl<P: Ports> Desk<'_, P> {
    pub(super) async fn bans(&self) -> Result<Answer<Body<P>>, Failure> {
        let found = self.app.ports.registry().bans(self.app.ports.now_ms(), MOST).await?;
        let looks = found.into_iter().map(|event| self.confirm(event));
        let bans = try_join_all(looks).await?.into_iter().flatten().collect();
        Ok(self.tell(StatusCode::OK, "list_bans_success", &Bans { bans }))
    }

    /// The ban as it is now, if it still is.
    async fn confirm(&self, event: PastEvent) -> Result<Option<Banned>, Failure> {
        let Some(account) = Account::parse(&event.subject) else { return Ok(None) };
        let sight = self.app.ports.ledger().look(&account, self.terms(&account)).await?;
        let since = Some(timestamp(event.at_ms));
        Ok(banned(&account, sight.standing).map(|ban| Banned {
            since,
            detail: event.detail,
            ..ban
        }))
    }

    pub(super) async fn ban(&self, body: impl Chunks) -> Result<Answer<Body<P>>, Failure> {
        let wanted: Wanted = read_json(&self.caller, self.call.head, body).await?;
        let account = Account::parse(&wanted.account).ok_or(Code::MalformedRequest)?;
        let reason = wanted.reason.trim().to_owned();
        let is_told = (1..=REASON_CHARS).contains(&reason.chars().count())
            && !reason.contains(char::is_control);
        if !is_told || !(1..=LONGEST_S).contains(&wanted.seconds) {
            return Err(Code::MalformedRequest.into());
        }
        if account.is_never_banned() {
            return Err(Code::MalformedRequest.into());
        }
        // Nobody locks themselves out. The ban of their client IP would hold at their next sign-in.
        let client_ip = self.call.client_ip();
        let own = [Some(client_ip.account()), client_ip.site()].contains(&Some(&account));
        if own || account == Account::User(self.caller.user().clone()) {
            return Err(Code::RoleNotAllowed.into());
        }
        let until_ms = self.app.ports.now_ms() + wanted.seconds * 1000;
        let ban = message::Ban { until_ms, reason, by: self.caller.user().to_string() };
        let standing = self.app.ports.ledger().ban(&account, ban).await?;
        self.app.isolate.tallies.count(Series::Ban(BanReason::Administrator), 1);
        let data = banned(&account, standing).ok_or(Code::Internal)?;
        Ok(self.tell(StatusCode::CREATED, "ban_account_success", &data))
    }

    pub(super) async fn lift(&self, account: &Account) -> Result<Answer<Body<P>>, Failure> {
        self.app.ports.ledger().lift(account, self.caller.user().to_string()).await?;
        let data = Lifted { account: account.to_string() };
        Ok(self.tell(StatusCode::OK, "lift_ban_success", &data))
    }
}

fn banned(account: &Account, standing: message::Standing) -> Option<Banned> {
    Some(Banned {
        account: account.to_string(),
        until: timestamp(standing.banned_until_ms?),
        reason: standing.ban_reason,
        since: None,
        detail: None,
    })
}
