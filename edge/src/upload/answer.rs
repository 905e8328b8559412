//! How an upload is answered: one picture as itself, several as a list in their order.

use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::{
    app::{App, Ports},
    call::Call,
    error::Failure,
    intake::FileName,
    ledger::message::{Receipt, Record},
    registry::ImageId,
    response::{self, Answer, timestamp},
    route::{Body, base_url},
};

/// What became of one file: what was taken, or why it was not and what it is called.
pub(super) type Outcome = Result<Taken, (Failure, Option<FileName>)>;

/// A picture that was taken.
pub(super) struct Taken {
    pub(super) receipt: Receipt,
    /// Whether it was stored now; if not, the same bytes were there already.
    pub(super) is_new: bool,
}

/// A stored picture as the contract tells of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    image_url: String,
    key: String,
    image_id: Option<ImageId>,
    form_id: Option<String>,
    file_size: u64,
    original_filename: Option<String>,
    content_type: &'static str,
    width: u32,
    height: u32,
    sha256: String,
    placeholder: String,
    original_size: u64,
    removed: Vec<String>,
    uploaded_at: String,
    expires_at: Option<String>,
}

impl Stored {
    fn new(receipt: Receipt, base_url: &str) -> Self {
        let Receipt { record, image_id, expires_ms } = receipt;
        let Record { key, sha256, format, width, height, .. } = record;
        Self {
            image_url: format!("{base_url}/{key}"),
            key: key.to_string(),
            image_id,
            form_id: record.form_id,
            file_size: record.size_bytes,
            original_filename: record.original_name,
            content_type: format.media_type(),
            width,
            height,
            sha256,
            placeholder: record.placeholder,
            original_size: record.original_size_bytes,
            removed: record.removed,
            uploaded_at: timestamp(record.stored_ms),
            expires_at: expires_ms.map(timestamp),
        }
    }
}

/// A file of several that was not taken.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Refused {
    code: &'static str,
    detail: String,
    original_filename: Option<FileName>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Entry {
    Stored(Box<Stored>),
    Refused(Refused),
}

#[derive(Serialize)]
struct Uploaded<'a, D> {
    message: &'static str,
    data: &'a D,
    /// Uppy reads it here.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    timestamp: String,
}

const MESSAGE: &str = "upload_image_success";

/// The answer to a request with one file or several.
pub(super) fn answer<P: Ports>(
    mut outcomes: Vec<Outcome>,
    app: &App<P>,
    call: &Call<'_>,
) -> Result<Answer<Body<P>>, Failure> {
    let base_url = base_url(&app.config, call.head);
    let now = timestamp(app.ports.now_ms());
    if outcomes.len() > 1 {
        return Ok(list(outcomes, call, &base_url, now));
    }
    match outcomes.pop() {
        Some(Ok(taken)) => Ok(single(taken, &base_url, now)),
        Some(Err((failure, _))) => Err(failure),
        None => Err(image_rules::Code::FileMissing.into()),
    }
}

fn single<C>(taken: Taken, base_url: &str, timestamp: String) -> Answer<response::Body<C>> {
    let status = if taken.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let stored = Stored::new(taken.receipt, base_url);
    let url = Some(stored.image_url.as_str());
    let mut answer =
        response::json(status, &Uploaded { message: MESSAGE, data: &stored, url, timestamp });
    if let Ok(location) = HeaderValue::from_str(&stored.image_url) {
        answer.headers_mut().insert(header::LOCATION, location);
    }
    answer
}

fn list<C>(
    outcomes: Vec<Outcome>,
    call: &Call<'_>,
    base_url: &str,
    timestamp: String,
) -> Answer<response::Body<C>> {
    let status = if outcomes.iter().all(Result::is_ok) {
        StatusCode::CREATED
    } else {
        StatusCode::MULTI_STATUS
    };
    let entries: Vec<_> =
        outcomes.into_iter().map(|outcome| Entry::new(outcome, call, base_url)).collect();
    // Who reads one address takes the first.
    let url = entries.iter().find_map(|entry| match entry {
        Entry::Stored(stored) => Some(stored.image_url.as_str()),
        Entry::Refused(_) => None,
    });
    response::json(status, &Uploaded { message: MESSAGE, data: &entries, url, timestamp })
}

impl Entry {
    fn new(outcome: Outcome, call: &Call<'_>, base_url: &str) -> Self {
        match outcome {
            Ok(taken) => Self::Stored(Box::new(Stored::new(taken.receipt, base_url))),
            Err((failure, original_filename)) => {
                let refusal = call.told(failure);
                Self::Refused(Refused {
                    code: refusal.code.name(),
                    detail: refusal.sentence(call.language()).into_owned(),
                    original_filename,
                })
            }
        }
    }
}
