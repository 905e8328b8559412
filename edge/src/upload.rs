//! One upload from top to bottom. Each step needs what the one before it made, so none can be
//! skipped: `Principal -> Permit -> Draft -> Report -> Stored -> Record`.

use futures_util::Stream;
use http::{StatusCode, header, request::Parts};
use image_rules::{Policy, Report, inspect};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    app::{App, Ports},
    auth::{Permit, authenticate},
    error::Failure,
    intake::{self, Draft, FileName},
    registry::{ImageId, NewRow, Registry},
    response::{self, Answer, timestamp},
    route::Body,
    storage::{KeyParts, NewObject, ObjectKey, ObjectStore},
};

/// Takes a picture, stores it, registers it and answers with its URL.
///
/// # Errors
/// Whatever the first step says that does not let it pass.
pub async fn upload<P: Ports, S, C>(
    app: &App<P>,
    head: &Parts,
    body: S,
) -> Result<Answer<Body<P>>, Failure>
where
    S: Stream<Item = Result<C, std::io::Error>>,
    C: AsRef<[u8]>,
{
    let principal = authenticate(&app.config.keys, head, app.ports.now_ms())?;
    let permit = principal.may_upload()?;
    let draft = intake::receive(&permit, head, body, &app.config.policy.limits).await?;
    let report = check(&draft, &app.config.policy)?;
    let stored = store(app, &permit, draft, report).await?;
    let image_id = register(app, &permit, &stored).await?;
    Ok(created(app, head, &stored, image_id))
}

fn check(draft: &Draft, policy: &Policy) -> Result<Report, Failure> {
    Ok(inspect(&draft.bytes, policy)?.declared_as(draft.declared)?)
}

/// A picture that is durably stored.
struct Stored {
    key: ObjectKey,
    report: Report,
    sha256: String,
    original_name: Option<FileName>,
    written_ms: u64,
}

async fn store<P: Ports>(
    app: &App<P>,
    permit: &Permit,
    draft: Draft,
    report: Report,
) -> Result<Stored, Failure> {
    let now_ms = app.ports.now_ms();
    let key = ObjectKey::new(&KeyParts {
        owner: permit.owner(),
        now_ms,
        random: app.ports.random(),
        format: report.format,
    });
    let digest = Sha256::digest(&draft.bytes);
    let object =
        NewObject { key: &key, bytes: draft.bytes, format: report.format, sha256: digest.into() };
    app.ports.store().put(object).await?;
    let sha256 = format!("{digest:x}");
    Ok(Stored { key, report, sha256, original_name: draft.original_name, written_ms: now_ms })
}

/// Registers what was stored; what cannot be registered is not kept.
async fn register<P: Ports>(
    app: &App<P>,
    permit: &Permit,
    stored: &Stored,
) -> Result<ImageId, Failure> {
    let (width, height) = stored.report.upright_size();
    let row = NewRow {
        key: &stored.key,
        owner: permit.owner(),
        format: stored.report.format,
        width,
        height,
        size_bytes: stored.report.size_bytes,
        sha256: &stored.sha256,
        original_name: stored.original_name.as_ref().map(FileName::as_str),
        created_ms: stored.written_ms,
    };
    match app.ports.registry().add(row).await {
        Ok(image_id) => Ok(image_id),
        Err(fault) => {
            app.ports.store().delete(&stored.key).await?;
            Err(fault.into())
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Uploaded<'a> {
    message: &'static str,
    data: Record<'a>,
    url: &'a str,
    timestamp: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    image_url: &'a str,
    key: &'a str,
    image_id: ImageId,
    file_size: u64,
    original_filename: Option<&'a str>,
    content_type: &'static str,
    width: u32,
    height: u32,
    sha256: &'a str,
    uploaded_at: String,
    expires_at: Option<String>,
}

fn created<P: Ports>(
    app: &App<P>,
    head: &Parts,
    stored: &Stored,
    image_id: ImageId,
) -> Answer<Body<P>> {
    let base = app.config.public_base_url.clone().unwrap_or_else(|| origin(head));
    let url = format!("{base}/{}", stored.key);
    let (width, height) = stored.report.upright_size();
    let uploaded_at = timestamp(stored.written_ms);
    let data = Record {
        image_url: &url,
        key: stored.key.as_str(),
        image_id,
        file_size: stored.report.size_bytes,
        original_filename: stored.original_name.as_ref().map(FileName::as_str),
        content_type: stored.report.format.media_type(),
        width,
        height,
        sha256: &stored.sha256,
        uploaded_at: uploaded_at.clone(),
        expires_at: None,
    };
    let answer =
        Uploaded { message: "upload_image_success", data, url: &url, timestamp: uploaded_at };
    let mut answer = response::json(StatusCode::CREATED, &answer);
    if let Ok(location) = url.parse() {
        answer.headers_mut().insert(header::LOCATION, location);
    }
    answer
}

/// Scheme and authority of the request itself.
fn origin(head: &Parts) -> String {
    let scheme = head.uri.scheme_str().unwrap_or("https");
    let authority = head.uri.authority().map_or("", |authority| authority.as_str());
    format!("{scheme}://{authority}")
}
