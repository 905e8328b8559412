//! Serves stored pictures: by their own key only, immutable, and never as anything but an image. Copies are cached near
//! the caller; the store is asked when there is none.

mod conditions;
mod signed;
mod variant;

pub use variant::Variant;

use edge_storage::{Content, ObjectFacts, ObjectKey, ObjectStore, Span, StoredObject};
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use image_rules::{Code, Format};

use crate::{
    app::App,
    concurrency::Client,
    error::ApiError,
    ports::{EdgeCache, Picture, Ports, StoreContent},
    request::{base_url, client_ip},
    response::{self, Body, HandlerResult, Response},
};
use conditions::{Selection, Validators, http_date, select};
use signed::SignedUrl;

/// Objects are written once. A year is the longest that caches accept.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// A picture that is opened on its own runs nothing and loads nothing.
const PICTURE_CSP: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
/// Other sites may embed pictures.
const CROSS_ORIGIN: HeaderValue = HeaderValue::from_static("cross-origin");

/// The requested picture.
struct PictureRequest<'a> {
    key: &'a ObjectKey,
    variant: Option<Variant>,
    /// [`None`] for a picture that must not be in a shared cache.
    cache_url: Option<String>,
    client: Client,
}

/// `GET /users/{userId}/images/{file}`, also below `/private` with a signature.
///
/// # Errors
/// `IMAGE_NOT_FOUND`, `MALFORMED_REQUEST` for an unknown variant, `STORAGE_UNAVAILABLE`; `SIGNATURE_INVALID` and
/// `ADDRESS_EXPIRED` below `/private`.
pub async fn deliver<P: Ports>(app: &App<P>, head: &Parts, key: &ObjectKey) -> HandlerResult<P> {
    if !key.is_private() {
        return serve(app, head, key, Some(&base_url(&app.config, head))).await;
    }
    let signed_url = SignedUrl::check(&app.config, head, app.ports.now_ms())?;
    let mut response = match serve(app, head, key, None).await {
        // A held picture that was released meanwhile.
        Err(ApiError::Client(problem)) if problem.code == Code::ImageNotFound => {
            serve(app, head, &key.public(), None).await?
        }
        outcome => outcome?,
    };
    response.headers_mut().insert(header::CACHE_CONTROL, signed_url.cache_control());
    Ok(response)
}

/// Serves a picture, which the edge cache may keep under this origin.
async fn serve<P: Ports>(
    app: &App<P>,
    head: &Parts,
    key: &ObjectKey,
    cached_at: Option<&str>,
) -> HandlerResult<P> {
    let variant = match variant_name(head) {
        Some(name) => Some(name.parse().map_err(|_| Code::MalformedRequest)?),
        None => None,
    };
    let is_whole = head.method != Method::HEAD && !head.headers.contains_key(header::RANGE);
    if variant.is_none() && !is_whole {
        return part_of_original(app, head, key).await;
    }
    let cache_url = cached_at.map(|base_url| picture_url(base_url, key, variant));
    let client = Client::of_ip(&client_ip(head));
    let picture = picture(app, &PictureRequest { key, variant, cache_url, client }).await?;
    let selection = select(head, validators(key, &picture.facts), picture.facts.size_bytes);
    let mut response = describe(&picture.facts, picture.format, key, selection);
    match selection {
        Selection::Whole => *response.body_mut() = Body::Stored(picture.content),
        Selection::Part(span) => *response.body_mut() = Body::Stored(picture.content.part(span)),
        _ => {}
    }
    Ok(response)
}

/// Deletes the copies of a picture and its variants from the edge cache. A private picture has none.
pub async fn purge_copies(cache: &impl EdgeCache, base_url: &str, key: &ObjectKey) {
    if key.is_private() {
        return;
    }
    for url in cache_urls(base_url, key) {
        cache.purge(&url).await;
    }
}

/// The URLs at which a picture and its variants may be cached.
pub fn cache_urls(base_url: &str, key: &ObjectKey) -> impl Iterator<Item = String> {
    let variants = <Variant as strum::VariantArray>::VARIANTS.iter().copied().map(Some);
    std::iter::once(None).chain(variants).map(move |variant| picture_url(base_url, key, variant))
}

/// The URL of a public picture.
pub fn picture_url(base_url: &str, key: &ObjectKey, variant: Option<Variant>) -> String {
    match variant {
        None => format!("{base_url}/{key}"),
        Some(variant) => format!("{base_url}/{key}?v={}", variant.into_str()),
    }
}

/// The value of `v`; other parameters are ignored.
fn variant_name(head: &Parts) -> Option<&str> {
    head.uri.query()?.split('&').find_map(|pair| pair.strip_prefix("v="))
}

/// The whole picture, from the cache or the store.
async fn picture<P: Ports>(
    app: &App<P>,
    request: &PictureRequest<'_>,
) -> Result<Picture<StoreContent<P>>, ApiError> {
    let cache = app.ports.edge_cache();
    if let Some(url) = &request.cache_url
        && let Some(copy) = cache.get(url).await
    {
        return Ok(copy);
    }
    let stored = app.ports.store().get(request.key, None).await?.ok_or(Code::ImageNotFound)?;
    let picture = match request.variant {
        None => {
            let format = request.key.format().ok_or(Code::ImageNotFound)?;
            Picture { content: stored.content, facts: stored.facts, format }
        }
        Some(variant) => derive(app, &request.client, stored, variant).await?,
    };
    Ok(match &request.cache_url {
        Some(url) => cache.put(url, picture),
        None => picture,
    })
}

async fn derive<P: Ports>(
    app: &App<P>,
    client: &Client,
    stored: StoredObject<StoreContent<P>>,
    variant: Variant,
) -> Result<Picture<StoreContent<P>>, ApiError> {
    let size_bytes = stored.facts.size_bytes;
    let memory = app.scheduler().reserve_body(client, size_bytes, None).await?;
    let original = stored.content.into_bytes(size_bytes).await?;
    let derived = variant::derive(app, original, variant, &memory).await?;
    let facts = ObjectFacts { size_bytes: derived.bytes.len() as u64, etag: derived.etag };
    let content = app.ports.edge_cache().content(derived.bytes);
    Ok(Picture { content, facts, format: derived.format })
}

/// `HEAD`, and a range of the original: no more than that is read from the store.
async fn part_of_original<P: Ports>(
    app: &App<P>,
    head: &Parts,
    key: &ObjectKey,
) -> HandlerResult<P> {
    let store = app.ports.store();
    let facts = store.head(key).await?.ok_or(Code::ImageNotFound)?;
    let format = key.format().ok_or(Code::ImageNotFound)?;
    let selection = select(head, validators(key, &facts), facts.size_bytes);
    let mut response = describe(&facts, format, key, selection);
    let span = match selection {
        Selection::Whole => None,
        Selection::Part(span) => Some(span),
        _ => return Ok(response),
    };
    if head.method != Method::HEAD {
        let object = store.get(key, span).await?.ok_or(Code::ImageNotFound)?;
        *response.body_mut() = Body::Stored(object.content);
    }
    Ok(response)
}

fn validators<'a>(key: &ObjectKey, facts: &'a ObjectFacts) -> Validators<'a> {
    Validators { etag: &facts.etag, modified_s: key.written_ms() / 1000 }
}

/// Status and headers.
fn describe<C>(
    facts: &ObjectFacts,
    format: Format,
    key: &ObjectKey,
    selection: Selection,
) -> Response<Body<C>> {
    let (status, length) = match selection {
        Selection::Whole => (StatusCode::OK, Some(facts.size_bytes)),
        Selection::Part(span) => (StatusCode::PARTIAL_CONTENT, Some(span.length)),
        Selection::NotModified => (StatusCode::NOT_MODIFIED, None),
        Selection::PreconditionFailed => {
            return response::empty(StatusCode::PRECONDITION_FAILED);
        }
        Selection::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, None),
    };
    let mut response = response::empty(status);
    let headers = response.headers_mut();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(range) = content_range(selection, facts.size_bytes) {
        headers.insert(header::CONTENT_RANGE, range);
    }
    if selection == Selection::Unsatisfiable {
        return response;
    }
    headers.insert(header::CACHE_CONTROL, IMMUTABLE);
    headers.insert(header::CONTENT_SECURITY_POLICY, PICTURE_CSP);
    headers.insert("cross-origin-resource-policy", CROSS_ORIGIN);
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    if let Ok(etag) = HeaderValue::from_str(&facts.etag) {
        headers.insert(header::ETAG, etag);
    }
    if let Ok(modified) = HeaderValue::from_str(&http_date(key.written_ms() / 1000)) {
        headers.insert(header::LAST_MODIFIED, modified);
    }
    if let Some(length) = length {
        let media_type = HeaderValue::from_static(format.media_type());
        headers.insert(header::CONTENT_TYPE, media_type);
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    response
}

fn content_range(selection: Selection, size_bytes: u64) -> Option<HeaderValue> {
    let text = match selection {
        Selection::Part(Span { offset, length }) => {
            format!("bytes {offset}-{}/{size_bytes}", offset + length - 1)
        }
        Selection::Unsatisfiable => format!("bytes */{size_bytes}"),
        _ => return None,
    };
    HeaderValue::from_str(&text).ok()
}
