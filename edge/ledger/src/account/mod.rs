//! The account of one subject: limits, abuse record and what an administrator sees. Uploads and their
//! removal are in the modules below.

mod derivation;
mod erasure;
mod removal;
mod review;
mod uploads;

pub use review::Decision;
pub use uploads::{ClaimStep, CommitStep, Duplicate};

use edge_registry::Event;
use edge_storage::{DerivedKey, ObjectKey, UploadKey};
use edge_types::{ImageId, UploadLimitStatuses, UploadLimits, UserId};

use crate::{
    AbuseStatus, AccountSnapshot, AccountState, AdmitUpload, Ban, CachedStorage, ChargeQuota,
    CountLoginAttempt, CountNewIdentity, CountRequest, EventQueue, EventSettings, EventType,
    ImageDetails, Inspect, KnownUpload, LedgerStorage, LimitExceeded, LimitKind, LookUpUploads,
    QuotaCharge, RefundLoginAttempt, RequestAdmission, SettleQuota, SpendChallenge, StoredImage,
    Strike, Unban, UploadAdmission, UploadGrant,
    quota::DailyUsage,
    storage::StorageResult,
    upload::{Reservation, Upload},
};

/// How many uploads an administrator sees.
const LATEST: u32 = 20;
/// The longest lease of an upload: an hour, as in the configuration.
const MAX_LEASE_S: u32 = 3600;

/// The account at one moment.
pub struct LedgerAccount<'a, S> {
    pub storage: &'a CachedStorage<S>,
    pub now_ms: u64,
    /// Which events the back end gets.
    pub events: Option<&'a EventSettings>,
}

impl<S: LedgerStorage> LedgerAccount<'_, S> {
    pub fn count_request(&self, command: CountRequest) -> StorageResult<RequestAdmission> {
        let mut account = self.storage.account()?;
        let outcome = self.take_token(&mut account, command.rate_per_minute);
        if outcome.is_ok() {
            self.storage.write_account(&account)?;
        }
        let rate = account.rate.status(self.now_ms, command.rate_per_minute);
        Ok(RequestAdmission { rate, exceeded: outcome.err() })
    }

    /// Checks everything before it spends anything, so a refused upload costs neither a token nor a ticket.
    pub fn admit(
        &self,
        owner: &UserId,
        random: [u8; 16],
        command: &AdmitUpload,
    ) -> StorageResult<UploadAdmission> {
        let outcome = self.grant(owner, random, command)?;
        let limit_statuses = self.limit_statuses(&self.storage.account()?, &command.limits)?;
        Ok(UploadAdmission { limit_statuses, outcome })
    }

    fn grant(
        &self,
        owner: &UserId,
        random: [u8; 16],
        command: &AdmitUpload,
    ) -> StorageResult<Result<UploadGrant, LimitExceeded>> {
        let AdmitUpload { limits, bytes, lease_s, ticket } = command;
        let mut account = self.storage.account()?;
        if account.is_erasing {
            return Ok(Err(LimitExceeded::ERASING));
        }
        let mut usage = self.usage(&account)?;
        let charged = self
            .take_token(&mut account, limits.rate_per_minute)
            .and_then(|()| usage.charge(self.now_ms, limits, *bytes));
        let charge = match charged {
            Ok(charge) => charge,
            Err(exceeded) => return Ok(Err(exceeded)),
        };
        if let Some(ticket) = ticket {
            let refused = |kind| Ok(Err(LimitExceeded { kind, retry_after_s: 0 }));
            if ticket.expires_ms <= self.now_ms {
                return refused(LimitKind::TicketExpired);
            }
            if !self.storage.spend_ticket(ticket, self.now_ms)? {
                return refused(LimitKind::TicketSpent);
            }
        }
        let key = UploadKey::new(owner, self.now_ms, random);
        let lease_ms = u64::from((*lease_s).clamp(1, MAX_LEASE_S)) * 1000;
        let reservation = Reservation { charge, rate: account.rate };
        let upload = Upload::new(key, self.now_ms, lease_ms, reservation);
        self.storage.write_admission(&account, &upload)?;
        Ok(Ok(UploadGrant { upload_key: upload.key, until_ms: upload.due_ms }))
    }

    /// Checks the ban and takes a token of the rate.
    fn take_token(&self, account: &mut AccountState, quota: u32) -> Result<(), LimitExceeded> {
        if let Some(until_ms) = account.abuse.banned_until_ms(self.now_ms) {
            return Err(LimitExceeded::ban(self.now_ms, until_ms));
        }
        account.rate.take(self.now_ms, quota).map_err(|retry_after_s| {
            // A flood is a multiple of the quota in refusals within one minute.
            let refusals = self.storage.count_rate_refusal(self.now_ms / 60_000);
            let is_flood = refusals.is_multiple_of(quota.max(1));
            let kind = if is_flood { LimitKind::Flood } else { LimitKind::Rate };
            LimitExceeded { kind, retry_after_s }
        })
    }

    /// What committed uploads have used and open ones have reserved.
    fn usage(&self, account: &AccountState) -> StorageResult<DailyUsage> {
        let mut usage = account.usage;
        for charge in self.storage.reserved()? {
            usage.add(charge);
        }
        Ok(usage)
    }

    fn limit_statuses(
        &self,
        account: &AccountState,
        limits: &UploadLimits,
    ) -> StorageResult<UploadLimitStatuses> {
        let usage = self.usage(account)?;
        Ok(UploadLimitStatuses {
            rate: account.rate.status(self.now_ms, limits.rate_per_minute),
            daily_count: usage.count_status(self.now_ms, limits),
            daily_bytes: usage.bytes_status(self.now_ms, limits),
        })
    }

    pub fn abuse_status(&self) -> StorageResult<AbuseStatus> {
        Ok(self.storage.account()?.abuse.status(self.now_ms, false))
    }

    pub fn strike(
        &self,
        subject: &str,
        strike: &Strike,
        random: [u8; 16],
    ) -> StorageResult<AbuseStatus> {
        let mut account = self.storage.account()?;
        let newly_banned = account.abuse.strike(self.now_ms, strike);
        self.storage.write_account(&account)?;
        let status = account.abuse.status(self.now_ms, newly_banned);
        if newly_banned {
            let detail = format!("{} strikes", strike.strikes_to_ban.max(1));
            let reason = strike.kind.into_str();
            self.write_event("ban", subject, reason, status.banned_until_ms, detail)?;
            let ban = (reason, status.banned_until_ms);
            self.push_user_event(EventType::UserBanned, subject, random, Some(ban))?;
        }
        Ok(status)
    }

    /// Counts an attempt as failed until [`Self::refund_login_attempt`]; returns the seconds to wait when
    /// there may be none now.
    pub fn count_login_attempt(&self, command: CountLoginAttempt) -> StorageResult<Option<u32>> {
        let mut account = self.storage.account()?;
        let outcome = account.login_throttle.count_attempt(self.now_ms, command.limit);
        if outcome.is_ok() {
            self.storage.write_account(&account)?;
        }
        Ok(outcome.err())
    }

    pub fn refund_login_attempt(&self, command: RefundLoginAttempt) -> StorageResult<()> {
        let mut account = self.storage.account()?;
        account.login_throttle.refund(self.now_ms, command.limit);
        self.storage.write_account(&account)
    }

    pub fn count_new_identity(
        &self,
        command: CountNewIdentity,
    ) -> StorageResult<Option<LimitExceeded>> {
        let mut account = self.storage.account()?;
        let CountNewIdentity { identity, per_hour } = command;
        let outcome = account.new_identities.count(self.now_ms, identity, per_hour);
        if outcome.is_ok() {
            self.storage.write_account(&account)?;
        }
        Ok(outcome.err())
    }

    /// By the clock of the ledger, which forgets what has expired: the Worker's may be slow.
    pub fn spend_challenge(&self, command: &SpendChallenge) -> StorageResult<bool> {
        let challenge = &command.challenge;
        Ok(challenge.expires_ms > self.now_ms
            && self.storage.spend_ticket(challenge, self.now_ms)?)
    }

    /// Charges what is no upload of this subject. The ban is checked elsewhere: that of a client IP does not hold for
    /// users.
    pub fn charge_quota(
        &self,
        command: ChargeQuota,
    ) -> StorageResult<Result<QuotaCharge, LimitExceeded>> {
        let mut account = self.storage.account()?;
        if account.is_erasing {
            return Ok(Err(LimitExceeded::ERASING));
        }
        let mut usage = self.usage(&account)?;
        let charged = usage.charge(self.now_ms, &command.limits, command.bytes);
        if let Ok(charge) = charged {
            account.usage.add(charge);
            self.storage.write_account(&account)?;
        }
        Ok(charged)
    }

    pub fn settle_quota(&self, command: SettleQuota) -> StorageResult<()> {
        let mut account = self.storage.account()?;
        account.usage.settle(self.now_ms, command.charge, command.stored_bytes);
        self.storage.write_account(&account)
    }

    pub fn ban(&self, subject: &str, ban: &Ban, random: [u8; 16]) -> StorageResult<AbuseStatus> {
        let mut account = self.storage.account()?;
        account.abuse.ban(ban.until_ms, &ban.reason);
        self.storage.write_account(&account)?;
        let detail = format!("by {}", ban.by);
        self.write_event("ban", subject, &ban.reason, Some(ban.until_ms), detail)?;
        let reason = (&*ban.reason, Some(ban.until_ms));
        self.push_user_event(EventType::UserBanned, subject, random, Some(reason))?;
        Ok(account.abuse.status(self.now_ms, true))
    }

    pub fn unban(&self, subject: &str, unban: &Unban, random: [u8; 16]) -> StorageResult<()> {
        let mut account = self.storage.account()?;
        if account.abuse.banned_until_ms(self.now_ms).is_some() {
            self.push_user_event(EventType::UserUnbanned, subject, random, None)?;
        }
        account.abuse.unban();
        self.storage.write_account(&account)?;
        self.write_event("lift", subject, "administrator", None, format!("by {}", unban.by))
    }

    /// Queues an event about a user; the back end hears nothing of other subjects.
    fn push_user_event(
        &self,
        event_type: EventType,
        subject: &str,
        random: [u8; 16],
        ban: Option<(&str, Option<u64>)>,
    ) -> StorageResult<()> {
        let Some((events, user)) = self.events.zip(subject.strip_prefix("user:")) else {
            return Ok(());
        };
        let about = format!("{:032x}", u128::from_be_bytes(random));
        match events.user(event_type, self.now_ms, user, &about, ban) {
            Some(event) => self.storage.push_event(subject, event, self.now_ms, false),
            None => Ok(()),
        }
    }

    /// Queues an event about an image. It is written before the change itself, in the same transaction. This is the
    /// function for every change of an image that its ledger makes.
    pub(super) fn push_image_event(
        &self,
        event_type: EventType,
        image: &StoredImage,
        details: ImageDetails<'_>,
    ) -> StorageResult<()> {
        let Some(events) = self.events else { return Ok(()) };
        let Some(event) = events.image(event_type, self.now_ms, image, details) else {
            return Ok(());
        };
        self.storage.push_event(&EventQueue::stream_of(&image.key), event, self.now_ms, false)
    }

    /// Writes an audit event to the outbox; the alarm sends it to the database.
    fn write_event(
        &self,
        kind: &str,
        subject: &str,
        reason: &str,
        until_ms: Option<u64>,
        detail: String,
    ) -> StorageResult<()> {
        self.storage.write_event(&Event {
            idempotency_key: String::new(),
            at_ms: self.now_ms,
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            reason: reason.to_owned(),
            until_ms,
            detail: Some(detail),
        })
    }

    pub fn inspect(&self, command: Inspect) -> StorageResult<AccountSnapshot> {
        let account = self.storage.account()?;
        let latest = self.storage.latest_uploads(LATEST)?;
        Ok(AccountSnapshot {
            abuse_status: account.abuse.status(self.now_ms, false),
            limit_statuses: self.limit_statuses(&account, &command.limits)?,
            phases: self.storage.count_phases()?,
            latest: latest.iter().map(|upload| known(upload.key.to_string(), upload)).collect(),
        })
    }

    /// A key with another extension than the stored object's is unknown.
    pub fn look_up(&self, command: LookUpUploads) -> StorageResult<Vec<KnownUpload>> {
        let mut found = Vec::new();
        for text in command.keys {
            if let Some(key) = DerivedKey::parse(&text) {
                found.extend(self.look_up_derived(&key)?);
                continue;
            }
            let object_key = ObjectKey::parse(&text);
            let upload_key = object_key.as_ref().map(UploadKey::of);
            let Some(upload_key) = upload_key.or_else(|| UploadKey::parse(&text)) else { continue };
            if let Some(upload) = self.storage.upload(&upload_key)?
                && object_key.is_none_or(|key| upload.object_keys().contains(&key))
            {
                found.push(known(text, &upload));
            }
        }
        Ok(found)
    }

    /// The key of an image by the number that it has while it is pending.
    pub fn find_pending(&self, owner: &UserId, id: ImageId) -> StorageResult<Option<ObjectKey>> {
        let Some(admitted_ms) = id.pending_since_ms() else { return Ok(None) };
        let first = UploadKey::new(owner, admitted_ms, [0; 16]);
        let uploads = self.storage.rows().uploads_of_ms(admitted_ms, &first)?;
        let upload = uploads.iter().find(|upload| upload.key.pending_id() == Some(id));
        Ok(upload.and_then(|upload| upload.state.image()).map(|image| image.key.clone()))
    }
}

fn known(key: String, upload: &Upload) -> KnownUpload {
    KnownUpload { key, phase: upload.state.phase(), due_ms: upload.due_ms }
}
