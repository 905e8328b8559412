//! What callers solve who have used up a limit: a proof of work, or a Turnstile widget. A solution is sent in the header
//! `X-Challenge-Response` of the repeated request and is spent with it, whatever its outcome.

mod turnstile;
mod widget;

pub use widget::widget;

use edge_auth::{CHALLENGE_LIFETIME_S, PUZZLES, Purpose, puzzle_bits};
use edge_ledger::{LedgerClient, SpendChallenge, SpentTicket};
use edge_types::Problem;
use http::{HeaderName, StatusCode};
use image_rules::Code;
use serde::Serialize;

use crate::{
    app::App,
    config::ChallengeSettings,
    context::RequestContext,
    error::ApiError,
    ports::Ports,
    request,
    response::{self, HandlerResult},
    telemetry::Stage,
};

/// The header with the solution.
pub const HEADER: HeaderName = HeaderName::from_static("x-challenge-response");

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum IssuedChallenge<'a> {
    Pow { challenge: String, puzzles: usize, bits: u8, expires_in: u32 },
    Turnstile { site_key: &'a str, action: &'static str },
}

/// `GET /auth/challenge?purpose=`: a challenge for the caller's network. Nothing is stored.
///
/// # Errors
/// `NOT_FOUND` where no challenge is configured, `MALFORMED_REQUEST` for another purpose.
pub fn issue<P: Ports>(app: &App<P>, context: &RequestContext<'_>) -> HandlerResult<P> {
    let settings = app.config.challenge.as_ref().ok_or(Code::NotFound)?;
    let (purpose, now_ms) = (purpose(context)?, app.ports.now_ms());
    let issued = match settings {
        ChallengeSettings::ProofOfWork { bits } => {
            let (network, random) = (network(context), app.ports.random());
            let signing = &app.config.auth.signing;
            let challenge = signing.issue_challenge(purpose, &network, *bits, random, now_ms);
            let (bits, expires_in) = (puzzle_bits(*bits), CHALLENGE_LIFETIME_S);
            IssuedChallenge::Pow { challenge, puzzles: PUZZLES, bits, expires_in }
        }
        ChallengeSettings::Turnstile(turnstile) => {
            let (site_key, action) = (&*turnstile.site_key, purpose.into_str());
            IssuedChallenge::Turnstile { site_key, action }
        }
    };
    Ok(response::success(StatusCode::OK, "issue_challenge_success", &issued, now_ms))
}

/// The parameter `purpose`, once.
fn purpose(context: &RequestContext<'_>) -> Result<Purpose, ApiError> {
    let query = request::query(context.head).ok_or(Code::MalformedRequest)?;
    match &*query {
        [(name, value)] if name == "purpose" => {
            value.parse().map_err(|_| Code::MalformedRequest.into())
        }
        _ => Err(Code::MalformedRequest.into()),
    }
}

fn network(context: &RequestContext<'_>) -> String {
    context.client_ip().network().to_string()
}

/// Whether the request has a solved challenge, which is spent. Without a solution, and where no challenge is configured,
/// it has none.
///
/// # Errors
/// `CHALLENGE_REQUIRED` for a solution that is wrong, late, spent, or for another purpose or network; `BUSY` when it
/// cannot be verified.
pub async fn spend_solution<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    purpose: Purpose,
) -> Result<bool, ApiError> {
    let (Some(settings), Some(solution)) =
        (&app.config.challenge, request::text_header(context.head, HEADER))
    else {
        return Ok(false);
    };
    let is_solved = match settings {
        ChallengeSettings::ProofOfWork { .. } => {
            spend_work(app, context, purpose, solution).await?
        }
        ChallengeSettings::Turnstile(settings) => {
            let verifying = turnstile::verify(app, context, settings, purpose, solution);
            context.timed(&app.ports, Stage::Admit, verifying).await?
        }
    };
    if is_solved { Ok(true) } else { Err(Code::ChallengeRequired.into()) }
}

/// All client IPs of the network share a ledger, so that each solution is spent once.
async fn spend_work<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    purpose: Purpose,
    solution: &str,
) -> Result<bool, ApiError> {
    let (client_ip, signing) = (context.client_ip(), &app.config.auth.signing);
    let (network, now_ms) = (client_ip.network(), app.ports.now_ms());
    let solved = signing.check_solution(solution, purpose, &network.to_string(), now_ms);
    let Some(solved) = solved else { return Ok(false) };
    let challenge = SpentTicket { id: solved.id, expires_ms: solved.expires_ms };
    let spending = app.ports.ledger().send(network, SpendChallenge { challenge });
    Ok(context.timed(&app.ports, Stage::Admit, spending).await?)
}

/// The refusal of a limit: `CHALLENGE_REQUIRED` where a solved challenge may help and one is configured.
pub fn required_instead<P: Ports>(app: &App<P>, may_help: bool, refusal: Problem) -> Problem {
    if may_help && app.config.challenge.is_some() {
        Problem { code: Code::ChallengeRequired, ..refusal }
    } else {
        refusal
    }
}
