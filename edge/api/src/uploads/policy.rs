//! `GET /policy`: what is accepted. The browser checks with the same values.

use image_rules::{Format, Policy};
use serde::Serialize;

use crate::{
    body::MAX_FILES,
    config::{Config, UploadSwitch},
    response::{self, Body, Response},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublicPolicy<'a> {
    #[serde(flatten)]
    policy: &'a Policy,
    accepted_types: [&'static str; 4],
    max_files: usize,
    require_ticket: bool,
    uploads: UploadSwitch,
}

/// The public policy.
pub fn policy<C>(config: &Config) -> Response<Body<C>> {
    response::cacheable_json(&PublicPolicy {
        policy: &config.policy,
        accepted_types: Format::ALL.map(Format::media_type),
        max_files: MAX_FILES,
        require_ticket: config.uploads.require_ticket,
        uploads: config.uploads.switch,
    })
}
