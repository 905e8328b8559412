//! `GET /policy`: what is accepted, of the form that the query names. The browser checks with the same values.

use edge_types::{FormId, FormName, timestamp};
use http::{HeaderValue, header, request::Parts};
use image_rules::{Code, Policy};
use serde::Serialize;

use crate::{
    app::App,
    body::MAX_FILES,
    config::UploadSwitch,
    form_cache::{Form, FormState},
    forms::UploadRules,
    ports::Ports,
    request,
    response::{self, HandlerResult},
};

/// As long as isolates use the policy of a form.
const FORM_MAX_AGE: HeaderValue = HeaderValue::from_static("public, max-age=30");

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublicPolicy<'a> {
    #[serde(flatten)]
    policy: Policy,
    max_files: usize,
    require_ticket: bool,
    require_form: bool,
    guests: bool,
    uploads: UploadSwitch,
    form: Option<PublicForm<'a>>,
}

/// What pages need to know of a form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublicForm<'a> {
    form_id: &'a FormName,
    state: FormState,
    opens_at: Option<String>,
    closes_at: Option<String>,
    max_files: Option<u32>,
    max_files_per_user: Option<u32>,
    pending_seconds: Option<u32>,
    visibility: &'static str,
    review: &'static str,
}

impl<'a> PublicForm<'a> {
    fn new(form: &'a Form, now_ms: u64) -> Self {
        let Form { name, policy, .. } = form;
        Self {
            form_id: name,
            state: form.state(now_ms),
            opens_at: policy.opens_ms.map(timestamp),
            closes_at: policy.closes_ms.map(timestamp),
            max_files: policy.max_files,
            max_files_per_user: policy.max_files_per_user,
            pending_seconds: policy.pending_s,
            visibility: policy.visibility(),
            review: policy.review(),
        }
    }
}

/// The public policy.
///
/// # Errors
/// `MALFORMED_REQUEST` for an invalid form id, `FORM_NOT_FOUND` with `REQUIRE_FORM`.
pub async fn policy<P: Ports>(app: &App<P>, head: &Parts) -> HandlerResult<P> {
    let config = &app.config;
    let query = request::query(head).ok_or(Code::MalformedRequest)?;
    let form_id = query.iter().find(|(name, _)| name == "formId");
    let form_id = match form_id {
        Some((_, text)) => Some(FormId::from_text(text).ok_or(Code::MalformedRequest)?),
        None => None,
    };
    let rules = match &form_id {
        Some(_) => UploadRules::of(app, form_id.as_ref()).await?,
        None => UploadRules { policy: config.policy, form: None },
    };
    let form = rules.form.as_deref();
    let mut response = response::cacheable_json(&PublicPolicy {
        policy: rules.policy,
        max_files: MAX_FILES,
        require_ticket: config.uploads.require_ticket,
        require_form: config.uploads.require_form,
        guests: config.guests && form.is_none_or(|form| form.policy.guests),
        uploads: config.uploads.switch,
        form: form.map(|form| PublicForm::new(form, app.ports.now_ms())),
    });
    if form_id.is_some() {
        response.headers_mut().insert(header::CACHE_CONTROL, FORM_MAX_AGE);
    }
    Ok(response)
}
