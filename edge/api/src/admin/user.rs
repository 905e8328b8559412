//! One user: strikes and ban, what is left of the limits, the uploads in the ledger, and the images.

use std::collections::BTreeMap;

use edge_ledger::{self as ledger, Inspect, KnownUpload, LedgerClient};
use edge_registry::ImageListing;
use edge_types::{ImageId, Subject, UserId, timestamp};
use http::StatusCode;
use serde::Serialize;

use super::{AdminRequest, query::Query};
use crate::{
    erased,
    images::{self, ImagePage},
    look_up::record_look_up,
    ports::Ports,
    response::HandlerResult,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct User {
    #[serde(rename = "userId")]
    id: String,
    /// The name of the user in the log.
    pseudonym: String,
    #[serde(rename = "standing")]
    abuse_status: AbuseStatus,
    limits: Limits,
    /// How many uploads are in each phase.
    states: BTreeMap<&'static str, u32>,
    latest: Vec<Upload>,
    #[serde(flatten)]
    images: ImagePage,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AbuseStatus {
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
    key: String,
    state: &'static str,
    /// When the alarm of the ledger handles it.
    due_at: String,
}

impl<P: Ports> AdminRequest<'_, P> {
    pub async fn user(&self, id: UserId, query: &Query) -> HandlerResult<P> {
        let subject = Subject::User(id.clone());
        record_look_up(self.app, &self.caller, &subject.to_string()).await?;
        let command = Inspect { limits: self.upload_limits(&subject) };
        let snapshot = self.app.ports.ledger().send(&subject, command).await?;
        let before = query.cursor.map(ImageId);
        let listing = ImageListing { owner: Some(&id), form_id: None, before, limit: query.limit };
        let images = images::page(self.app, self.context, listing).await?;
        let ledger::AccountSnapshot { abuse_status, limit_statuses, phases, latest } = snapshot;
        let banned_until_ms =
            abuse_status.banned_until_ms.max(erased::banned_until_ms(self.app, &id).await?);
        let data = User {
            id: id.to_string(),
            pseudonym: self.app.config.auth.signing.pseudonym(id.as_str()),
            abuse_status: AbuseStatus {
                strikes: abuse_status.strikes,
                banned_until: banned_until_ms.map(timestamp),
                ban_reason: abuse_status.ban_reason,
            },
            limits: Limits {
                rate: limit_statuses.rate.into(),
                daily_count: limit_statuses.daily_count.into(),
                daily_bytes: limit_statuses.daily_bytes.into(),
            },
            states: phases.into_iter().map(|it| (it.phase.into_str(), it.count)).collect(),
            latest: latest.into_iter().map(Upload::from).collect(),
            images,
        };
        Ok(self.success(StatusCode::OK, "get_user_success", &data))
    }
}

impl From<edge_types::LimitStatus> for Limit {
    fn from(
        edge_types::LimitStatus { quota, window_s, remaining, reset_s }: edge_types::LimitStatus,
    ) -> Self {
        Self { quota, remaining, window_s, reset_s }
    }
}

impl From<KnownUpload> for Upload {
    fn from(known: KnownUpload) -> Self {
        Self { key: known.key, state: known.phase.into_str(), due_at: timestamp(known.due_ms) }
    }
}
