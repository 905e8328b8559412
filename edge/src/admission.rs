//! Who may go on: the limits of an address before anything else is looked at, those of a user
//! before a body is read, and what becomes of callers who do what honest ones do not.

use image_rules::{Code, ImageError};
use sha2::{Digest, Sha256};

use crate::{
    app::{App, Gate, Ports},
    auth::{Permit, Principal, authenticate},
    call::Call,
    error::{Failure, Refusal},
    ledger::{
        Account, Ledger,
        message::{Admit, Barrier, Enter, Leave, Offence, Refused, Strike, Ticket},
    },
    log,
    route::{Endpoint, text_header},
    stats::{BanReason, Limit, Series, Stage},
};

/// The period of the rate-limit binding in wrangler.toml.
const GATE_PERIOD_S: u32 = 60;

/// Counts a request against its address, before any token is looked at, so that guessing is
/// bounded: first roughly and near, then exactly.
///
/// # Errors
/// `RATE_LIMITED`, `USER_BANNED`.
pub async fn enter<P: Ports>(app: &App<P>, call: &Call<'_>) -> Result<(), Failure> {
    pass_gate(app, call).await?;
    count_address(app, call).await
}

/// The rough count, which is near and costs next to nothing.
///
/// # Errors
/// `RATE_LIMITED`.
pub async fn pass_gate<P: Ports>(app: &App<P>, call: &Call<'_>) -> Result<(), Failure> {
    let Account::Address(address) = &call.address() else { return Ok(()) };
    if app.ports.gate().admits(address).await? {
        return Ok(());
    }
    app.isolate.tallies.count(Series::Limit(Limit::Gate), 1);
    Err(Refusal::retry(Code::RateLimited, GATE_PERIOD_S).into())
}

/// The exact count, by the address's ledger.
///
/// # Errors
/// `RATE_LIMITED`, `USER_BANNED`.
pub async fn count_address<P: Ports>(app: &App<P>, call: &Call<'_>) -> Result<(), Failure> {
    let account = call.address();
    let Account::Address(address) = &account else { return Ok(()) };
    let enter = Enter { rate_per_minute: app.config.limits.address_per_minute };
    let entering = app.ports.ledger().enter(address, enter);
    let entrance = call.timed(&app.ports, Stage::Admit, entering).await?;
    call.tell_address(entrance.rate);
    match entrance.refused {
        Some(refused) => Err(refuse(app, &account, refused).await),
        None => Ok(()),
    }
}

/// Verifies the caller's token; a forged one is a strike against the address it came from.
///
/// # Errors
/// What verification says.
pub async fn principal<P: Ports>(app: &App<P>, call: &Call<'_>) -> Result<Principal, Failure> {
    let outcome = authenticate(app, call.head).await;
    if outcome.as_ref().is_err_and(|refusal| refusal.code == Code::TokenInvalid) {
        let token = text_header(call.head, http::header::AUTHORIZATION);
        let deed = fingerprint(token.unwrap_or_default().as_bytes());
        strike(app, &call.address(), Offence::ForgedToken, deed).await;
    }
    let principal = outcome?;
    call.tell_caller(principal.user());
    Ok(principal)
}

/// The caller of an endpoint, who may call it.
///
/// # Errors
/// What verification says, and what the table of rights says.
pub async fn caller<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    endpoint: &Endpoint,
) -> Result<Principal, Failure> {
    Ok(principal(app, call).await?.may_call(endpoint)?)
}

/// Which object of a request is to be stored; a ticket is good for the first alone.
#[derive(Clone, Copy, Debug)]
pub enum Turn {
    /// Before anything is read.
    First {
        /// As announced, or the most that may come.
        bytes: u64,
    },
    /// Another picture of the same form.
    Further {
        /// As it came.
        bytes: u64,
    },
}

/// Asks the user's ledger for the leave to store one object of so many bytes.
///
/// # Errors
/// `USER_BANNED`, `RATE_LIMITED`, `QUOTA_EXCEEDED`, `TICKET_SPENT`.
pub async fn admit<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    permit: &Permit,
    turn: Turn,
) -> Result<Leave, Failure> {
    let (bytes, ticket) = match turn {
        Turn::First { bytes } => (bytes, permit.ticket()),
        Turn::Further { .. } if permit.ticket().is_some() => {
            return Err(Code::TicketRequired.into());
        }
        Turn::Further { bytes } => (bytes, None),
    };
    let ticket =
        ticket.map(|ticket| Ticket { id: ticket.id.clone(), expires_ms: ticket.expires_ms });
    let admit = Admit {
        terms: app.config.limits.terms(permit.role()),
        bytes,
        lease_s: app.config.uploads.intent_s,
        ticket,
    };
    let admitting = app.ports.ledger().admit(permit.owner(), admit);
    let admission = call.timed(&app.ports, Stage::Admit, admitting).await?;
    call.tell_user(&admission.gauges);
    match admission.outcome {
        Ok(leave) => Ok(leave),
        Err(refused) => Err(refuse(app, &Account::User(permit.owner().clone()), refused).await),
    }
}

/// Counts a file that no honest caller sends against the user.
pub async fn judge<P: Ports>(app: &App<P>, permit: &Permit, error: &ImageError, file: &[u8]) {
    if let Some(offence) = offence(error, file.len() as u64) {
        let account = Account::User(permit.owner().clone());
        strike(app, &account, offence, fingerprint(file)).await;
    }
}

/// Counts a wrong password against the address it came from; the deed is the same for the same one.
pub async fn judge_guess<P: Ports>(app: &App<P>, call: &Call<'_>, deed: &str) {
    strike(app, &call.address(), Offence::Guessing, fingerprint(deed.as_bytes())).await;
}

/// What a refusal by the image rules says of the caller. A type that is not taken, a picture with
/// another picture's name, a broken one and a large one are honest mistakes.
const fn offence(error: &ImageError, size_bytes: u64) -> Option<Offence> {
    /// Photos have some 4 pixels in a byte and screenshots 100; deflate reaches 1,000 with nothing in
    /// the picture at all.
    const BOMB_PIXELS_PER_BYTE: u64 = 1000;
    match error {
        ImageError::Disguised { .. } | ImageError::Unrecognised => Some(Offence::Disguise),
        ImageError::TooManyPixels { pixels, .. } if *pixels / BOMB_PIXELS_PER_BYTE > size_bytes => {
            Some(Offence::Bomb)
        }
        _ => None,
    }
}

async fn strike<P: Ports>(app: &App<P>, account: &Account, reason: Offence, fingerprint: String) {
    let limits = &app.config.limits;
    let strike =
        Strike { reason, fingerprint, strikes_to_ban: limits.strikes_to_ban, ban_s: limits.ban_s };
    // The refusal stands in any case; a strike that is not counted is the lesser harm.
    match app.ports.ledger().strike(account, strike).await {
        Ok(standing) if standing.newly_banned => {
            app.isolate.tallies.count(Series::Ban(BanReason::Strikes(reason)), 1);
        }
        Ok(_) => {}
        Err(fault) => log::error("strike_uncounted", &[("cause", &format!("{fault:?}"))]),
    }
}

/// Tells one deed from another without keeping it: 64 bits of its digest.
fn fingerprint(deed: &[u8]) -> String {
    format!("{:.16}", format!("{:x}", Sha256::digest(deed)))
}

async fn refuse<P: Ports>(app: &App<P>, account: &Account, refused: Refused) -> Failure {
    let now_ms = app.ports.now_ms();
    let limit = match account {
        Account::User(_) => Limit::User(refused.by),
        Account::Address(_) | Account::Email(_) => Limit::Address(refused.by),
    };
    app.isolate.tallies.count(Series::Limit(limit), 1);
    if refused.by == Barrier::Flood {
        // One deed a minute.
        let minute = (now_ms / 60_000).to_string();
        strike(app, account, Offence::Flood, fingerprint(minute.as_bytes())).await;
    }
    let after_s = refused.retry_after_s;
    let refusal = match refused.by {
        Barrier::Ban => Refusal {
            until_ms: Some(now_ms.saturating_add(u64::from(after_s) * 1000)),
            ..Refusal::retry(Code::UserBanned, after_s)
        },
        Barrier::Rate | Barrier::Flood => Refusal::retry(Code::RateLimited, after_s),
        Barrier::DailyCount | Barrier::DailyBytes => Refusal::retry(Code::QuotaExceeded, after_s),
        Barrier::TicketSpent => Refusal::new(Code::TicketSpent),
        Barrier::TicketExpired => Refusal::new(Code::TokenExpired),
    };
    refusal.into()
}

#[cfg(test)]
mod tests {
    use image_rules::Format;

    use super::*;

    fn huge(pixels: u64) -> ImageError {
        ImageError::TooManyPixels { pixels, limit: 50_000_000 }
    }

    #[test]
    fn a_bomb_has_more_than_a_thousand_pixels_for_each_of_its_bytes() {
        assert_eq!(offence(&huge(100_000_000), 3_000_000), None, "a large photo");
        assert_eq!(offence(&huge(100_000_000), 100_000), None, "a thousand exactly");
        assert_eq!(offence(&huge(100_001_000), 100_000), Some(Offence::Bomb));
        assert_eq!(offence(&huge(4_000_000_000_000), 67), Some(Offence::Bomb));
    }

    #[test]
    fn what_shows_no_picture_is_a_disguise_and_a_wrong_name_is_not() {
        assert_eq!(offence(&ImageError::Unrecognised, 10), Some(Offence::Disguise));
        let misnamed = ImageError::DeclaredMismatch { declared: Format::Png, actual: Format::Jpeg };
        assert_eq!(offence(&misnamed, 10), None);
        assert_eq!(offence(&ImageError::Empty, 0), None);
    }

    #[test]
    fn a_deed_is_named_by_sixteen_digits_of_its_digest() {
        // SHA-256 of "abc" (FIPS 180-2, appendix B.1) begins so.
        assert_eq!(fingerprint(b"abc"), "ba7816bf8f01cfea");
    }
}
