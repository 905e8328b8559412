//! How an upload is answered: one picture as itself, several as a list in their order.

use http::{StatusCode, header, request::Parts};
use serde::Serialize;

use crate::{
    error::Failure,
    intake::{FileName, FormId},
    registry::ImageId,
    response::{self, Answer, RequestId, timestamp},
};

/// What became of one file: what was taken, or why it was not and what it is called.
pub(super) type Outcome = Result<Taken, (Failure, Option<FileName>)>;

/// A picture that was taken.
pub(super) struct Taken {
    pub(super) record: Record,
}

/// A stored picture as the contract tells of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) image_url: String,
    pub(super) key: String,
    pub(super) image_id: Option<ImageId>,
    pub(super) form_id: Option<FormId>,
    pub(super) file_size: u64,
    pub(super) original_filename: Option<FileName>,
    pub(super) content_type: &'static str,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) sha256: String,
    pub(super) placeholder: String,
    pub(super) original_size: u64,
    pub(super) removed: Vec<&'static str>,
    pub(super) uploaded_at: String,
    pub(super) expires_at: Option<String>,
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
    Stored(Box<Record>),
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
pub(super) fn answer<C>(
    mut outcomes: Vec<Outcome>,
    head: &Parts,
    id: &RequestId,
    now_ms: u64,
) -> Result<Answer<response::Body<C>>, Failure> {
    if outcomes.len() > 1 {
        return Ok(list(outcomes, head, id, now_ms));
    }
    match outcomes.pop() {
        Some(Ok(taken)) => Ok(single(&taken)),
        Some(Err((failure, _))) => Err(failure),
        None => Err(image_rules::Code::FileMissing.into()),
    }
}

fn single<C>(taken: &Taken) -> Answer<response::Body<C>> {
    let record = &taken.record;
    let answer = Uploaded {
        message: MESSAGE,
        data: record,
        url: Some(&record.image_url),
        timestamp: record.uploaded_at.clone(),
    };
    let mut answer = response::json(StatusCode::CREATED, &answer);
    if let Ok(location) = record.image_url.parse() {
        answer.headers_mut().insert(header::LOCATION, location);
    }
    answer
}

fn list<C>(
    outcomes: Vec<Outcome>,
    head: &Parts,
    id: &RequestId,
    now_ms: u64,
) -> Answer<response::Body<C>> {
    let status = if outcomes.iter().all(Result::is_ok) {
        StatusCode::CREATED
    } else {
        StatusCode::MULTI_STATUS
    };
    let language = response::language(head);
    let entries: Vec<_> = outcomes
        .into_iter()
        .map(|outcome| match outcome {
            Ok(taken) => Entry::Stored(Box::new(taken.record)),
            Err((failure, original_filename)) => {
                let refusal = response::told(failure, id);
                Entry::Refused(Refused {
                    code: refusal.code.name(),
                    detail: refusal.sentence(language).into_owned(),
                    original_filename,
                })
            }
        })
        .collect();
    // Uppy's bundle takes the first address as that of all.
    let url = entries.iter().find_map(|entry| match entry {
        Entry::Stored(record) => Some(record.image_url.as_str()),
        Entry::Refused(_) => None,
    });
    let timestamp = timestamp(now_ms);
    response::json(status, &Uploaded { message: MESSAGE, data: &entries, url, timestamp })
}
