//! Lists, makes and lifts bans. The audit log names subjects that may be banned; their ledgers know whether they are.

use edge_ledger::{AbuseStatus, Ban, Inspect, LedgerClient, Unban};
use edge_registry::{AuditStore, Event, RemovalStore, StoredEvent, Trace};
use edge_types::{ErasedName, PERMANENT_MS, Subject, timestamp};
use futures_util::future::try_join_all;
use http::StatusCode;
use image_rules::Code;
use serde::{Deserialize, Serialize};

use super::AdminRequest;
use crate::{
    body::{BodyStream, read_json_of},
    erased,
    error::ApiError,
    ports::Ports,
    response::HandlerResult,
    telemetry::{BanReason, Metric},
};

/// Each costs a request to a ledger, and the smallest plan of the platform allows fifty requests.
const MAX_BANS: u32 = 40;
/// Bans of erased users cost no request each.
const MAX_ERASED: u32 = 1_000;
/// The longest ban that ends: a year.
const MAX_BAN_S: u64 = 366 * 86_400;
const MAX_REASON_CHARS: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BanRequest {
    account: String,
    seconds: Option<u64>,
    #[serde(default)]
    permanent: bool,
    reason: String,
}

#[derive(Serialize)]
struct BanList {
    bans: Vec<ListedBan>,
}

#[derive(Serialize)]
struct ListedBan {
    account: String,
    #[serde(rename = "bannedUntil")]
    until: String,
    permanent: bool,
    reason: Option<String>,
    /// When it began, and who did it or what led to it. Absent in the answer to the ban itself.
    since: Option<String>,
    detail: Option<String>,
}

#[derive(Serialize)]
struct Lifted {
    account: String,
}

impl BanRequest {
    /// The end of the ban. It is either permanent or has a duration.
    fn until_ms(&self, now_ms: u64) -> Option<u64> {
        match (self.seconds, self.permanent) {
            (None, true) => Some(PERMANENT_MS),
            (Some(seconds), false) if (1..=MAX_BAN_S).contains(&seconds) => {
                Some(now_ms.saturating_add(seconds * 1000))
            }
            _ => None,
        }
    }
}

impl<P: Ports> AdminRequest<'_, P> {
    pub async fn bans(&self) -> HandlerResult<P> {
        let now_ms = self.app.ports.now_ms();
        let found = self.app.ports.registry().bans(now_ms, MAX_BANS).await?;
        let has_erased = found.iter().any(|event| ErasedName::parse(&event.subject).is_some());
        let erased = if has_erased {
            self.app.ports.users().erased_bans(now_ms, MAX_ERASED).await?
        } else {
            Vec::new()
        };
        let asking = found.into_iter().map(|event| self.confirm(event, &erased));
        let bans = try_join_all(asking).await?.into_iter().flatten().collect();
        Ok(self.success(StatusCode::OK, "list_bans_success", &BanList { bans }))
    }

    /// The ban as it is now, unless it was lifted.
    async fn confirm(
        &self,
        event: StoredEvent,
        erased: &[Trace],
    ) -> Result<Option<ListedBan>, ApiError> {
        let Some(subject) = Subject::parse(&event.subject) else {
            let ban = erased.iter().find(|ban| ban.name == event.subject);
            return Ok(ban.map(|ban| ban_of_erased(ban, event)));
        };
        let command = Inspect { limits: self.upload_limits(&subject) };
        let snapshot = self.app.ports.ledger().send(&subject, command).await?;
        let since = Some(timestamp(event.at_ms));
        let ban = listed_ban(&subject, snapshot.abuse_status);
        Ok(ban.map(|ban| ListedBan { since, detail: event.detail, ..ban }))
    }

    pub async fn ban(&self, body: impl BodyStream) -> HandlerResult<P> {
        let request: BanRequest = read_json_of(&self.caller, self.context.head, body).await?;
        let subject = Subject::parse(&request.account).ok_or(Code::MalformedRequest)?;
        let reason = request.reason.trim().to_owned();
        let is_valid_reason = (1..=MAX_REASON_CHARS).contains(&reason.chars().count())
            && !reason.contains(char::is_control);
        let until_ms = request.until_ms(self.app.ports.now_ms()).ok_or(Code::MalformedRequest)?;
        if !is_valid_reason || subject.is_never_banned() {
            return Err(Code::MalformedRequest.into());
        }
        // Administrators cannot ban themselves. The ban of their client IP would hold at their next login.
        let client_ip = self.context.client_ip();
        let is_own_client_ip = client_ip.subjects().any(|(own, _)| *own == subject);
        if is_own_client_ip || subject == Subject::User(self.caller.user().clone()) {
            return Err(Code::RoleNotAllowed.into());
        }
        let ban = Ban { until_ms, reason, by: self.caller.user().to_string() };
        let status = self.app.ports.ledger().send(&subject, ban).await?;
        self.app.isolate.counters.count(Metric::Ban(BanReason::Administrator), 1);
        let data = listed_ban(&subject, status).ok_or(Code::Internal)?;
        Ok(self.success(StatusCode::CREATED, "ban_account_success", &data))
    }

    pub async fn unban(&self, subject: &Subject) -> HandlerResult<P> {
        let command = Unban { by: self.caller.user().to_string() };
        self.app.ports.ledger().send(subject, command).await?;
        if let Subject::User(user) = subject
            && erased::banned_until_ms(self.app, user).await?.is_some()
        {
            let pseudonym = erased::pseudonym(self.app, user).await?;
            self.end_erased_ban(&pseudonym).await?;
        }
        let data = Lifted { account: subject.to_string() };
        Ok(self.success(StatusCode::OK, "lift_ban_success", &data))
    }

    /// Ends the ban of a user who was erased during it.
    pub async fn unban_erased(&self, name: &ErasedName) -> HandlerResult<P> {
        if self.end_erased_ban(name.as_str()).await? {
            let at_ms = self.app.ports.now_ms();
            let lifted = Event {
                idempotency_key: format!("lift:{}:{at_ms}", name.as_str()),
                at_ms,
                kind: "lift".to_owned(),
                subject: name.as_str().to_owned(),
                reason: "administrator".to_owned(),
                until_ms: None,
                detail: Some(format!("by {}", self.caller.user())),
            };
            self.app.record(lifted).await;
        }
        let data = Lifted { account: name.as_str().to_owned() };
        Ok(self.success(StatusCode::OK, "lift_ban_success", &data))
    }

    async fn end_erased_ban(&self, pseudonym: &str) -> Result<bool, ApiError> {
        let is_changed = self.app.ports.users().keep_erased_ban(pseudonym, None).await?;
        self.app.isolate.erased_bans.clear();
        Ok(is_changed)
    }
}

fn ban_of_erased(ban: &Trace, event: StoredEvent) -> ListedBan {
    ListedBan {
        account: event.subject,
        until: timestamp(ban.at_ms),
        permanent: ban.at_ms == PERMANENT_MS,
        reason: Some(event.reason),
        since: Some(timestamp(event.at_ms)),
        detail: event.detail,
    }
}

fn listed_ban(subject: &Subject, status: AbuseStatus) -> Option<ListedBan> {
    Some(ListedBan {
        account: subject.to_string(),
        until: timestamp(status.banned_until_ms?),
        permanent: status.banned_until_ms == Some(PERMANENT_MS),
        reason: status.ban_reason,
        since: None,
        detail: None,
    })
}
