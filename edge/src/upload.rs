//! One upload from top to bottom. Each step needs what the one before it made, so none can be
//! skipped: `Principal -> Permit -> Draft -> Processed -> Stored -> Record`.

use base64ct::{Base64, Encoding};
use futures_util::Stream;
use http::{StatusCode, header, request::Parts};
use image_rules::{Format, Plan, Policy, Processed, inspect_as, probe::Metadata, process};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    app::{App, Ports},
    auth::{Permit, authenticate},
    error::Failure,
    intake::{self, FileName},
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
    let policy = &app.config.policy;
    let principal = authenticate(app, head).await?;
    let permit = principal.may_upload()?;
    let draft = intake::receive(&permit, head, body, &policy.limits).await?;
    let original = Original { size_bytes: draft.bytes.len() as u64, name: draft.original_name };
    let processed = apply_rules(draft.bytes, draft.declared, policy)?;
    let stored = store(app, &permit, original, processed).await?;
    let image_id = register(app, &permit, &stored).await?;
    Ok(created(app, head, &stored, image_id))
}

/// What came, as far as the answer tells of it.
struct Original {
    size_bytes: u64,
    name: Option<FileName>,
}

/// Looks into the bytes, decides, and keeps, scrubs or optimises.
fn apply_rules(
    bytes: Vec<u8>,
    declared: Format,
    policy: &Policy,
) -> Result<Processed<'static>, Failure> {
    let report = inspect_as(&bytes, declared, policy)?;
    let plan = Plan::new(&report, policy)?;
    Ok(process(bytes, &plan, &policy.limits)?)
}

/// A picture that is durably stored.
struct Stored {
    key: ObjectKey,
    format: Format,
    width: u32,
    height: u32,
    size_bytes: u64,
    sha256: String,
    placeholder: String,
    removed: Metadata,
    original: Original,
    written_ms: u64,
}

async fn store<P: Ports>(
    app: &App<P>,
    permit: &Permit,
    original: Original,
    processed: Processed<'static>,
) -> Result<Stored, Failure> {
    let now_ms = app.ports.now_ms();
    let digest = Sha256::digest(processed.bytes());
    let stored = Stored {
        key: ObjectKey::new(&KeyParts {
            owner: permit.owner(),
            now_ms,
            random: app.ports.random(),
            format: processed.format(),
        }),
        format: processed.format(),
        width: processed.width(),
        height: processed.height(),
        size_bytes: processed.bytes().len() as u64,
        sha256: format!("{digest:x}"),
        placeholder: Base64::encode_string(processed.placeholder()),
        removed: *processed.removed(),
        original,
        written_ms: now_ms,
    };
    let object = NewObject {
        key: &stored.key,
        bytes: processed.into_bytes().into_owned(),
        format: stored.format,
        sha256: digest.into(),
    };
    app.ports.store().put(object).await?;
    Ok(stored)
}

/// Registers what was stored; what cannot be registered is not kept.
async fn register<P: Ports>(
    app: &App<P>,
    permit: &Permit,
    stored: &Stored,
) -> Result<ImageId, Failure> {
    let row = NewRow {
        key: &stored.key,
        owner: permit.owner(),
        format: stored.format,
        width: stored.width,
        height: stored.height,
        size_bytes: stored.size_bytes,
        sha256: &stored.sha256,
        original_name: stored.original.name.as_ref().map(FileName::as_str),
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
    placeholder: &'a str,
    original_size: u64,
    removed: Vec<&'static str>,
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
    let uploaded_at = timestamp(stored.written_ms);
    let data = Record {
        image_url: &url,
        key: stored.key.as_str(),
        image_id,
        file_size: stored.size_bytes,
        original_filename: stored.original.name.as_ref().map(FileName::as_str),
        content_type: stored.format.media_type(),
        width: stored.width,
        height: stored.height,
        sha256: &stored.sha256,
        placeholder: &stored.placeholder,
        original_size: stored.original.size_bytes,
        removed: stored.removed.kinds().collect(),
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
