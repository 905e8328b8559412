//! The response of an upload: one image as itself, several as a list in their order.

use edge_ledger::{Receipt, StoredImage};
use edge_registry::Review;
use edge_storage::UploadKey;
use edge_types::{FileName, ImageId, timestamp};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::Value;

use crate::{
    app::App,
    context::RequestContext,
    error::ApiError,
    images::visibility,
    ports::Ports,
    request::image_base_url,
    response::{self, Body, HandlerResult, Response},
    signed_urls::SignedUrls,
};

/// What became of one file: what was taken, or why it was not and what it is called.
pub(super) type Outcome = Result<AcceptedImage, (ApiError, Option<FileName>)>;

pub(super) struct AcceptedImage {
    pub(super) receipt: Receipt,
    /// Whether it was stored now; otherwise the same bytes were stored before.
    pub(super) is_new: bool,
    /// What the back end answered, for a form whose uploads wait for it: null if it gave no data.
    pub(super) server_data: Option<Value>,
}

/// A stored image in the shape of the contract.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StoredFile {
    image_url: String,
    visibility: &'static str,
    review: Option<Review>,
    signed_url: Option<String>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    server_data: Option<Value>,
}

impl StoredFile {
    fn new(accepted: AcceptedImage, base_url: &str, signed_urls: &SignedUrls<'_>) -> Self {
        let AcceptedImage { receipt, server_data, .. } = accepted;
        let Receipt { image, image_id, expires_ms } = receipt;
        let object = image.object();
        let StoredImage { key, sha256, format, width, height, .. } = image;
        Self {
            image_url: format!("{base_url}/{key}"),
            visibility: visibility(key.is_private()),
            review: if image.is_held { Some(Review::Held) } else { None },
            signed_url: signed_urls.url(&object, None),
            key: key.to_string(),
            image_id: image_id.or_else(|| UploadKey::of(&key).pending_id()),
            form_id: image.form_id,
            file_size: image.size_bytes,
            original_filename: image.original_name,
            content_type: format.media_type(),
            width,
            height,
            sha256,
            placeholder: image.placeholder,
            original_size: image.original_size_bytes,
            removed: image.removed,
            uploaded_at: timestamp(image.stored_ms),
            expires_at: expires_ms.map(timestamp),
            server_data,
        }
    }
}

/// A refused file of several.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefusedFile {
    code: &'static str,
    backend_code: &'static str,
    detail: String,
    original_filename: Option<FileName>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ResultItem {
    Stored(Box<StoredFile>),
    Refused(RefusedFile),
}

#[derive(Serialize)]
struct Uploaded<'a, D> {
    message: &'static str,
    data: &'a D,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    timestamp: String,
}

const MESSAGE: &str = "upload_image_success";

/// The response of a request with one file or several.
pub(super) fn respond<P: Ports>(
    mut outcomes: Vec<Outcome>,
    app: &App<P>,
    context: &RequestContext<'_>,
) -> HandlerResult<P> {
    let base_url = image_base_url(&app.config, context.head);
    let now_ms = app.ports.now_ms();
    let stored = |accepted| {
        StoredFile::new(accepted, &base_url, &SignedUrls::new(&app.config, &base_url, now_ms))
    };
    if outcomes.len() > 1 {
        return Ok(list(outcomes, context, stored, timestamp(now_ms)));
    }
    match outcomes.pop() {
        Some(Ok(accepted)) => {
            let is_new = accepted.is_new;
            Ok(single(&stored(accepted), is_new, timestamp(now_ms)))
        }
        Some(Err((error, _))) => Err(error),
        None => Err(image_rules::Code::FileMissing.into()),
    }
}

fn single<C>(stored: &StoredFile, is_new: bool, timestamp: String) -> Response<Body<C>> {
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let url = Some(stored.image_url.as_str());
    let mut response =
        response::json(status, &Uploaded { message: MESSAGE, data: stored, url, timestamp });
    if let Ok(location) = HeaderValue::from_str(&stored.image_url) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn list<C>(
    outcomes: Vec<Outcome>,
    context: &RequestContext<'_>,
    stored: impl Fn(AcceptedImage) -> StoredFile,
    timestamp: String,
) -> Response<Body<C>> {
    let status = if outcomes.iter().all(Result::is_ok) {
        StatusCode::CREATED
    } else {
        StatusCode::MULTI_STATUS
    };
    let items: Vec<_> = outcomes
        .into_iter()
        .map(|outcome| match outcome {
            Ok(accepted) => ResultItem::Stored(Box::new(stored(accepted))),
            Err((error, name)) => ResultItem::refused(error, name, context),
        })
        .collect();
    // For clients that read one URL.
    let url = items.iter().find_map(|item| match item {
        ResultItem::Stored(stored) => Some(stored.image_url.as_str()),
        ResultItem::Refused(_) => None,
    });
    response::json(status, &Uploaded { message: MESSAGE, data: &items, url, timestamp })
}

impl ResultItem {
    fn refused(
        error: ApiError,
        original_filename: Option<FileName>,
        context: &RequestContext<'_>,
    ) -> Self {
        let problem = context.to_problem(error);
        Self::Refused(RefusedFile {
            code: problem.code.name(),
            backend_code: problem.code.backend_code(),
            detail: problem.message(context.language()).into_owned(),
            original_filename,
        })
    }
}
