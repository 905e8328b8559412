//! Tells the team, in one message, of what it must hear: bans, refresh tokens that were used twice, a store
//! that is down, bursts of failures, sweeps that fail or find something.
//!
//! What happened is in the sums that metrics tell of, so it is known across isolates and restarts. Of each
//! kind there is one message in a while; what happens meanwhile is in the next one's counts. Whoever sends
//! takes it in hand in the registry before, so that there is one message of however many isolates; if it
//! is never heard of again, the next turn sends.

mod kind;
mod webhook;

pub use webhook::{Messenger, MessengerFault, Webhook, WebhookKind};

use crate::{
    app::{App, Ports, in_time},
    log,
    registry::{AlertStanding, Meters, RegistryFault, Total, Untold},
    stats::Series,
};
use kind::Kind;

/// After a message of a kind there is none of it for so long: whoever is told at once and then every ten
/// minutes can act and is not drowned.
const WINDOW_MS: u64 = 600_000;
/// How long a message is in one isolate's hands: the webhook's deadline and the registry's, thrice.
const LEASE_MS: u64 = 30_000;
/// How long the webhook may take.
const DEADLINE_MS: u64 = 5_000;

/// Whether a sum is one that there may be something to tell of.
#[must_use]
pub fn watches(total: &Total) -> bool {
    Kind::ALL.iter().any(|kind| kind.weight(total) > 0)
}

/// Tells of what has come to be worth it; after something was written that is watched.
pub async fn tell<P: Ports>(app: &App<P>) {
    if app.config.webhook.is_some() {
        logged(look(app, false).await);
    }
}

/// The same every few minutes. What was too little to be told by then is forgotten, so that ten failures
/// are a burst only when they come within one turn.
pub async fn tend<P: Ports>(app: &App<P>) {
    let outcome = if app.config.webhook.is_some() {
        look(app, true).await
    } else {
        // Whoever sets a webhook up later does not want the past.
        app.ports.registry().settle_all().await
    };
    logged(outcome);
}

fn logged(outcome: Result<(), RegistryFault>) {
    if let Err(fault) = outcome {
        log::error("alerts_untold", &[("cause", &fault.0)]);
    }
}

/// A kind with what is to be told of it.
struct Matter {
    kind: Kind,
    totals: Vec<Total>,
    since_ms: u64,
}

async fn look<P: Ports>(app: &App<P>, is_turn: bool) -> Result<(), RegistryFault> {
    let (registry, now_ms) = (app.ports.registry(), app.ports.now_ms());
    let Untold { totals, standings } = registry.untold().await?;
    let mut matters = Vec::new();
    for kind in Kind::ALL {
        let totals: Vec<_> = totals.iter().filter(|it| kind.weight(it) > 0).cloned().collect();
        let standing = standings.iter().find(|standing| standing.kind == kind.name());
        let (since_ms, free_ms) = standing.map_or((0, 0), |it| (it.since_ms, it.free_ms));
        if totals.is_empty() || free_ms > now_ms {
            continue;
        }
        if !kind.is_worth_telling(&totals) {
            if is_turn {
                registry.settle(&standing_of(kind, now_ms, free_ms), &totals).await?;
            }
        } else if registry.claim(kind.name(), free_ms, now_ms + LEASE_MS).await? {
            matters.push(Matter { kind, totals, since_ms });
        }
    }
    if matters.is_empty() || !send(app, &matters).await {
        return Ok(());
    }
    for Matter { kind, totals, .. } in matters {
        registry.settle(&standing_of(kind, now_ms, now_ms + WINDOW_MS), &totals).await?;
    }
    Ok(())
}

fn standing_of(kind: Kind, since_ms: u64, free_ms: u64) -> AlertStanding {
    AlertStanding { kind: kind.name().to_owned(), since_ms, free_ms }
}

/// Whether the message was taken. The webhook's address is a secret: no log has it.
async fn send<P: Ports>(app: &App<P>, matters: &[Matter]) -> bool {
    let Some(webhook) = &app.config.webhook else { return false };
    let body = webhook.body(&text(app.config.public_base_url.as_deref(), matters));
    let sending = app.ports.messenger().send(webhook.url(), body);
    let outcome = in_time(&app.ports, DEADLINE_MS, sending).await;
    let outcome = outcome.unwrap_or(Err(MessengerFault::Late));
    app.isolate.tallies.count(Series::Message(outcome.is_ok()), 1);
    let kinds: Vec<_> = matters.iter().map(|matter| matter.kind.name()).collect();
    let kinds = kinds.join(" ");
    match &outcome {
        Ok(()) => log::info("alert_sent", &[("kinds", &kinds)]),
        Err(fault) => {
            log::error("alert_unsent", &[("kinds", &kinds), ("cause", &format!("{fault:?}"))]);
        }
    }
    outcome.is_ok()
}

/// The message. All of it is words and numbers of ours: nothing that a caller wrote can be in it.
fn text(base_url: Option<&str>, matters: &[Matter]) -> String {
    let lines = matters.iter().map(|matter| matter.kind.line(&matter.totals, matter.since_ms));
    let mut lines: Vec<_> = std::iter::once("The-Form Images".to_owned()).chain(lines).collect();
    lines.extend(base_url.map(|base_url| format!("{base_url}/admin/")));
    lines.join("\n")
}
