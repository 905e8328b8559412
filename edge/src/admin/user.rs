//! One user: how they stand, what is left of their limits, the uploads in their ledger's hands, and
//! their pictures.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::Serialize;

use super::{Desk, query::Query};
use crate::{
    app::Ports,
    auth::UserId,
    error::Failure,
    images::{self, Images},
    ledger::{
        Account, Ledger,
        message::{Gauge, Known, Phase, Sight},
    },
    registry::{ImageId, Listing},
    response::{Answer, timestamp},
    route::Body,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct User {
    #[serde(rename = "userId")]
    id: String,
    /// What stands for the user in the log.
    pseudonym: String,
    standing: Standing,
    limits: Limits,
    /// How many uploads are in each state.
    states: BTreeMap<&'static str, u32>,
    latest: Vec<Upload>,
    #[serde(flatten)]
    images: Images,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Standing {
    strikes: u32,
    banned_until: Option<String>,
    ban_reason: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Limits {
    rate: Limit,
    daily_count: Limit,
    daily_bytes: Limit,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Limit {
    quota: u64,
    remaining: u64,
    window_s: u32,
    reset_s: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Upload {
    /// What its key begins with.
    key: String,
    state: &'static str,
    /// When the ledger looks at it again.
    due_at: String,
}

impl<P: Ports> Desk<'_, P> {
    pub(super) async fn user(&self, id: UserId, query: Query) -> Result<Answer<Body<P>>, Failure> {
        let account = Account::User(id.clone());
        let sight = self.app.ports.ledger().look(&account, self.terms(&account)).await?;
        let before = query.cursor.map(ImageId);
        let wanted = Listing { owner: &id, form_id: None, before, limit: query.limit };
        let images = images::page(self.app, self.call, wanted).await?;
        let Sight { standing, gauges, states, latest } = sight;
        let data = User {
            id: id.to_string(),
            pseudonym: self.app.config.signing.pseudonym(id.as_str()),
            standing: Standing {
                strikes: standing.strikes,
                banned_until: standing.banned_until_ms.map(timestamp),
                ban_reason: standing.ban_reason,
            },
            limits: Limits {
                rate: gauges.rate.into(),
                daily_count: gauges.daily_count.into(),
                daily_bytes: gauges.daily_bytes.into(),
            },
            states: states.into_iter().map(|it| (name(it.state), it.count)).collect(),
            latest: latest.into_iter().map(Upload::from).collect(),
            images,
        };
        Ok(self.tell(StatusCode::OK, "get_user_success", &data))
    }
}

impl From<Gauge> for Limit {
    fn from(Gauge { quota, window_s, remaining, reset_s }: Gauge) -> Self {
        Self { quota, remaining, window_s, reset_s }
    }
}

impl From<Known> for Upload {
    fn from(known: Known) -> Self {
        Self { key: known.key, state: name(known.state), due_at: timestamp(known.due_ms) }
    }
}

const fn name(state: Phase) -> &'static str {
    match state {
        Phase::Intent => "intent",
        Phase::Registering => "registering",
        Phase::Pending => "pending",
        Phase::Claiming => "claiming",
        Phase::Kept => "kept",
        Phase::Removing => "removing",
    }
}
