//! Who may go on. The order of checks: the flood limit of the client IP, the token, bans, exact limits.
//! Nothing of a body is read before.
//!
//! The ban and the exact limit of a client IP hold for callers without a verified token of the role
//! USER, SERVICE or ADMIN; the ban of a user holds for that user, wherever they are.

use futures_util::future::try_join_all;
use image_rules::{Code, ImageError};
use sha2::{Digest, Sha256};

use crate::{
    app::{App, Gate, Ports},
    auth::{Permit, Principal, Role, TokenError, UserId, authenticate},
    call::Call,
    error::{Failure, Refusal},
    ledger::{
        Account, ClientIp, Ledger,
        message::{Admit, Barrier, Enter, Leave, Offence, Refused, Strike, Ticket},
    },
    log,
    route::{Endpoint, text_header},
    stats::{BanReason, Limit, Series, Stage},
};

/// The period of the rate-limit bindings in wrangler.toml.
const GATE_PERIOD_S: u32 = 60;

/// The flood limit of the client IP, which is near and costs next to nothing. It holds for everybody.
///
/// # Errors
/// `RATE_LIMITED`.
pub async fn pass_gate<P: Ports>(app: &App<P>, call: &Call<'_>) -> Result<(), Failure> {
    if app.ports.gate().admits(&call.client_ip()).await? {
        return Ok(());
    }
    app.isolate.tallies.count(Series::Limit(Limit::Gate), 1);
    Err(Refusal::retry(Code::RateLimited, GATE_PERIOD_S).into())
}

/// The ban and the exact limit of the client IP, for callers who have shown nothing that exempts them.
/// An IPv6 client counts twice: by its /64, and by its /48 with four times the limit.
///
/// # Errors
/// `USER_BANNED`, `RATE_LIMITED`.
pub async fn count_client_ip<P: Ports>(app: &App<P>, call: &Call<'_>) -> Result<(), Failure> {
    let per_minute = app.config.limits.address_per_minute;
    let client_ip = call.client_ip();
    let entering = client_ip.accounts().map(|(account, factor)| async move {
        let enter = Enter { rate_per_minute: per_minute.saturating_mul(factor) };
        app.ports.ledger().enter(account, enter).await.map(|entrance| (account, entrance))
    });
    let entrances = call.timed(&app.ports, Stage::Admit, try_join_all(entering)).await?;
    if let Some((_, least)) = entrances.iter().min_by_key(|(_, entrance)| entrance.rate.remaining) {
        call.tell_limit("address", least.rate);
    }
    for (account, entrance) in entrances {
        if let Some(refused) = entrance.refused {
            return Err(refuse(app, account, refused).into());
        }
    }
    Ok(())
}

/// Verifies the caller's token. A caller without a good one counts against the client IP; a token that
/// only an attacker makes is a strike against it. A token that is genuine and has expired is not counted,
/// so that its client learns behind a banned client IP as well that it has to fetch a new one; neither
/// is one that nobody can judge because the key server does not answer.
///
/// # Errors
/// What verification says, `USER_BANNED`, `RATE_LIMITED`.
pub async fn principal<P: Ports>(app: &App<P>, call: &Call<'_>) -> Result<Principal, Failure> {
    let error = match authenticate(app, call.head).await {
        Ok(principal) => {
            call.tell_caller(principal.user());
            return Ok(principal);
        }
        Err(error) => error,
    };
    let is_hostile = error == TokenError::Hostile;
    let refusal = Refusal::from(error);
    if !matches!(refusal.code, Code::TokenExpired | Code::Busy) {
        count_client_ip(app, call).await?;
    }
    if is_hostile {
        strike_for_token(app, call).await;
    }
    Err(refusal.into())
}

/// Who is logged in already, at an endpoint that has counted the client IP: a bad token is as good as
/// none there, and a hostile one is a strike.
pub async fn logged_in<P: Ports>(app: &App<P>, call: &Call<'_>) -> Option<Principal> {
    match authenticate(app, call.head).await {
        Ok(principal) => {
            call.tell_caller(principal.user());
            principal.acts_for_itself().ok()
        }
        Err(error) => {
            if error == TokenError::Hostile {
                strike_for_token(app, call).await;
            }
            None
        }
    }
}

/// The caller of an endpoint, who may call it: verified, not banned, within their limits.
///
/// # Errors
/// What verification says, `USER_BANNED`, `RATE_LIMITED`, and what the table of rights says.
pub async fn caller<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    endpoint: &Endpoint,
) -> Result<Principal, Failure> {
    let principal = principal(app, call).await?;
    let account = Account::User(principal.user().clone());
    match principal.role() {
        Role::User | Role::Admin => must_not_be_banned(app, call, principal.user()).await?,
        Role::Guest => {
            count_client_ip(app, call).await?;
            must_not_be_banned(app, call, principal.user()).await?;
        }
        Role::Service => {
            let enter = Enter { rate_per_minute: app.config.limits.service_per_minute };
            let entering = app.ports.ledger().enter(&account, enter);
            let entrance = call.timed(&app.ports, Stage::Admit, entering).await?;
            call.tell_limit("service", entrance.rate);
            if let Some(refused) = entrance.refused {
                return Err(refuse(app, &account, refused).into());
            }
        }
    }
    Ok(principal.may_call(endpoint)?)
}

/// The ban of a user, who is known by a token, a password or a refresh token.
///
/// # Errors
/// `USER_BANNED`.
pub async fn must_not_be_banned<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    user: &UserId,
) -> Result<(), Failure> {
    let account = Account::User(user.clone());
    let asking = app.ports.ledger().standing(&account);
    let standing = call.timed(&app.ports, Stage::Admit, asking).await?;
    match standing.banned_until_ms {
        Some(until_ms) => {
            let left_s = until_ms.saturating_sub(app.ports.now_ms()).div_ceil(1000);
            let retry_after_s = u32::try_from(left_s).unwrap_or(u32::MAX);
            Err(refuse(app, &account, Refused { by: Barrier::Ban, retry_after_s }).into())
        }
        None => Ok(()),
    }
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
    let refused = match admission.outcome {
        Ok(leave) => return Ok(leave),
        Err(refused) => refused,
    };
    if refused.by == Barrier::Flood && permit.role() != Role::Service {
        // One strike a minute.
        let minute = (app.ports.now_ms() / 60_000).to_string();
        strike_uploader(app, call, permit, Offence::Flood, minute.as_bytes()).await;
    }
    Err(refuse(app, &Account::User(permit.owner().clone()), refused).into())
}

/// Counts a file that no honest caller sends against the user.
pub async fn judge<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    permit: &Permit,
    error: &ImageError,
    file: &[u8],
) {
    if let Some(offence) = offence(error, file.len() as u64) {
        strike_uploader(app, call, permit, offence, file).await;
    }
}

/// Counts a wrong password against the client IP; a repetition of the same one counts once an hour.
pub async fn judge_guess<P: Ports>(app: &App<P>, call: &Call<'_>, deed: &str) {
    strike_client_ip(app, &call.client_ip(), Offence::Guessing, deed.as_bytes()).await;
}

/// A guest's strike also counts against the client IP, because a new guest token costs nothing.
async fn strike_uploader<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    permit: &Permit,
    reason: Offence,
    deed: &[u8],
) {
    strike(app, &Account::User(permit.owner().clone()), 1, reason, deed).await;
    if permit.role() == Role::Guest {
        strike_client_ip(app, &call.client_ip(), reason, deed).await;
    }
}

async fn strike_for_token<P: Ports>(app: &App<P>, call: &Call<'_>) {
    let token = text_header(call.head, http::header::AUTHORIZATION).unwrap_or_default();
    strike_client_ip(app, &call.client_ip(), Offence::ForgedToken, token.as_bytes()).await;
}

async fn strike_client_ip<P: Ports>(
    app: &App<P>,
    client_ip: &ClientIp,
    reason: Offence,
    deed: &[u8],
) {
    for (account, factor) in client_ip.accounts() {
        if !account.is_never_banned() {
            strike(app, account, factor, reason, deed).await;
        }
    }
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

async fn strike<P: Ports>(
    app: &App<P>,
    account: &Account,
    factor: u32,
    reason: Offence,
    deed: &[u8],
) {
    let limits = &app.config.limits;
    let strike = Strike {
        reason,
        fingerprint: fingerprint(deed),
        strikes_to_ban: limits.strikes_to_ban.saturating_mul(factor),
        ban_s: limits.ban_s,
    };
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

fn refuse<P: Ports>(app: &App<P>, account: &Account, refused: Refused) -> Refusal {
    let limit = match account {
        Account::User(_) => Limit::User(refused.by),
        Account::Address(_) | Account::Email(_) => Limit::Address(refused.by),
    };
    app.isolate.tallies.count(Series::Limit(limit), 1);
    let after_s = refused.retry_after_s;
    match refused.by {
        Barrier::Ban => Refusal {
            until_ms: Some(app.ports.now_ms().saturating_add(u64::from(after_s) * 1000)),
            ..Refusal::retry(Code::UserBanned, after_s)
        },
        Barrier::Rate | Barrier::Flood => Refusal::retry(Code::RateLimited, after_s),
        Barrier::DailyCount | Barrier::DailyBytes => Refusal::retry(Code::QuotaExceeded, after_s),
        Barrier::TicketSpent => Refusal::new(Code::TicketSpent),
        Barrier::TicketExpired => Refusal::new(Code::TokenExpired),
    }
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
