//! The account itself: who may go on, strikes and bans, and what an administrator sees. Uploads and
//! their ends are in the rooms below.

mod leaving;
mod uploads;

pub use uploads::{ClaimStep, CommitStep};

use super::{
    entry::Entry,
    message::{
        Admission, Admit, Ban, Barrier, Enter, Entrance, Gauges, Known, Leave, Refused, Sight,
        Standing, Strike, Terms,
    },
    shelf::{Sheet, Shelf, ShelfFault},
};
use crate::{
    auth::UserId,
    registry::Event,
    storage::{ObjectKey, Stem},
};

/// How many uploads an administrator sees.
const LATEST: u32 = 20;
/// The longest that an upload may take: an hour, as in the configuration.
const LONGEST_LEASE_S: u32 = 3600;

/// One account at one moment.
pub struct Book<'a, S> {
    /// Where it keeps what it knows.
    pub shelf: &'a S,
    /// The moment.
    pub now_ms: u64,
}

impl<S: Shelf> Book<'_, S> {
    /// One request more from a client IP or a back end.
    pub fn enter(&self, enter: Enter) -> Result<Entrance, ShelfFault> {
        let mut sheet = self.shelf.sheet()?;
        let outcome = self.pass(&mut sheet, enter.rate_per_minute);
        if outcome.is_ok() {
            self.shelf.write_sheet(&sheet)?;
        }
        let rate = sheet.bucket.gauge(self.now_ms, enter.rate_per_minute);
        Ok(Entrance { rate, refused: outcome.err() })
    }

    /// One upload more: looks at everything before it spends anything, so that who is refused keeps
    /// both token and ticket.
    pub fn admit(
        &self,
        owner: &UserId,
        random: [u8; 16],
        admit: &Admit,
    ) -> Result<Admission, ShelfFault> {
        let mut sheet = self.shelf.sheet()?;
        let outcome = self.leave(&mut sheet, owner, random, admit)?;
        if outcome.is_ok() {
            self.shelf.write_sheet(&sheet)?;
        } else {
            sheet = self.shelf.sheet()?;
        }
        Ok(Admission { gauges: self.gauges(&sheet, &admit.terms), outcome })
    }

    fn leave(
        &self,
        sheet: &mut Sheet,
        owner: &UserId,
        random: [u8; 16],
        admit: &Admit,
    ) -> Result<Result<Leave, Refused>, ShelfFault> {
        let Admit { terms, bytes, lease_s, ticket } = admit;
        let charged = self
            .pass(sheet, terms.rate_per_minute)
            .and_then(|()| sheet.usage.charge(self.now_ms, terms, *bytes));
        let charge = match charged {
            Ok(charge) => charge,
            Err(refused) => return Ok(Err(refused)),
        };
        if let Some(ticket) = ticket {
            let useless = |by| Ok(Err(Refused { by, retry_after_s: 0 }));
            if ticket.expires_ms <= self.now_ms {
                return useless(Barrier::TicketExpired);
            }
            if !self.shelf.spend(ticket, self.now_ms)? {
                return useless(Barrier::TicketSpent);
            }
        }
        let stem = Stem::new(owner, self.now_ms, random);
        let lease_ms = u64::from((*lease_s).clamp(1, LONGEST_LEASE_S)) * 1000;
        let entry = Entry::intent(stem, self.now_ms, lease_ms, charge);
        self.shelf.write_entry(&entry)?;
        Ok(Ok(Leave { stem: entry.stem, until_ms: entry.due_ms }))
    }

    /// Past the ban and through the rate.
    fn pass(&self, sheet: &mut Sheet, quota: u32) -> Result<(), Refused> {
        if let Some(until_ms) = sheet.conduct.banned_until_ms(self.now_ms) {
            let left_s = (until_ms - self.now_ms).div_ceil(1000);
            let retry_after_s = u32::try_from(left_s).unwrap_or(u32::MAX);
            return Err(Refused { by: Barrier::Ban, retry_after_s });
        }
        let taken = sheet.bucket.take(self.now_ms, quota);
        taken.map_err(|retry_after_s| {
            // Each time that as many were told to wait as may pass in a minute.
            let refusals = self.shelf.count_refusal(self.now_ms / 60_000);
            let by =
                if refusals.is_multiple_of(quota.max(1)) { Barrier::Flood } else { Barrier::Rate };
            Refused { by, retry_after_s }
        })
    }

    fn gauges(&self, sheet: &Sheet, terms: &Terms) -> Gauges {
        Gauges {
            rate: sheet.bucket.gauge(self.now_ms, terms.rate_per_minute),
            daily_count: sheet.usage.count_gauge(self.now_ms, terms),
            daily_bytes: sheet.usage.bytes_gauge(self.now_ms, terms),
        }
    }

    /// Strikes and ban.
    pub fn standing(&self) -> Result<Standing, ShelfFault> {
        Ok(self.shelf.sheet()?.conduct.told(self.now_ms, false))
    }

    /// Somebody did what honest callers do not.
    pub fn strike(&self, subject: &str, strike: &Strike) -> Result<Standing, ShelfFault> {
        let mut sheet = self.shelf.sheet()?;
        let newly_banned = sheet.conduct.strike(self.now_ms, strike);
        self.shelf.write_sheet(&sheet)?;
        let standing = sheet.conduct.told(self.now_ms, newly_banned);
        if newly_banned {
            let detail = format!("{} strikes", strike.strikes_to_ban.max(1));
            let until_ms = standing.banned_until_ms;
            self.tell("ban", subject, strike.reason.name(), until_ms, detail)?;
        }
        Ok(standing)
    }

    /// One attempt more at the password; how many seconds it has to wait, if it has.
    pub fn attempt(&self) -> Result<Option<u32>, ShelfFault> {
        let mut sheet = self.shelf.sheet()?;
        let outcome = sheet.guesses.attempt(self.now_ms);
        if outcome.is_ok() {
            self.shelf.write_sheet(&sheet)?;
        }
        Ok(outcome.err())
    }

    /// The password was right.
    pub fn trust(&self) -> Result<(), ShelfFault> {
        let mut sheet = self.shelf.sheet()?;
        sheet.guesses.forget();
        self.shelf.write_sheet(&sheet)
    }

    /// An administrator shuts the account out.
    pub fn ban(&self, subject: &str, ban: &Ban) -> Result<Standing, ShelfFault> {
        let mut sheet = self.shelf.sheet()?;
        sheet.conduct.ban(ban.until_ms, &ban.reason);
        self.shelf.write_sheet(&sheet)?;
        self.tell("ban", subject, &ban.reason, Some(ban.until_ms), format!("by {}", ban.by))?;
        Ok(sheet.conduct.told(self.now_ms, true))
    }

    /// An administrator lets the account in.
    pub fn lift(&self, subject: &str, by: &str) -> Result<(), ShelfFault> {
        let mut sheet = self.shelf.sheet()?;
        sheet.conduct.lift();
        self.shelf.write_sheet(&sheet)?;
        self.tell("lift", subject, "administrator", None, format!("by {by}"))
    }

    /// Keeps an event; the alarm tells the registry.
    fn tell(
        &self,
        kind: &str,
        subject: &str,
        reason: &str,
        until_ms: Option<u64>,
        detail: String,
    ) -> Result<(), ShelfFault> {
        self.shelf.write_event(&Event {
            mark: String::new(),
            at_ms: self.now_ms,
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            reason: reason.to_owned(),
            until_ms,
            detail: Some(detail),
        })
    }

    /// What an administrator sees.
    pub fn look(&self, terms: &Terms) -> Result<Sight, ShelfFault> {
        let sheet = self.shelf.sheet()?;
        let latest = self.shelf.latest_entries(LATEST)?;
        Ok(Sight {
            standing: sheet.conduct.told(self.now_ms, false),
            gauges: self.gauges(&sheet, terms),
            states: self.shelf.state_counts()?,
            latest: latest.iter().map(|entry| known(entry.stem.to_string(), entry)).collect(),
        })
    }

    /// Which of these are in the ledger's hands; a key of another format than the one stored is not.
    pub fn knows(&self, keys: Vec<String>) -> Result<Vec<Known>, ShelfFault> {
        let mut found = Vec::new();
        for text in keys {
            let key = ObjectKey::parse(&text);
            let Some(stem) = key.as_ref().map(Stem::of).or_else(|| Stem::parse(&text)) else {
                continue;
            };
            if let Some(entry) = self.shelf.entry(&stem)?
                && key.is_none_or(|key| entry.keys().contains(&key))
            {
                found.push(known(text, &entry));
            }
        }
        Ok(found)
    }
}

fn known(key: String, entry: &Entry) -> Known {
    Known { key, state: entry.state.phase(), due_ms: entry.due_ms }
}
