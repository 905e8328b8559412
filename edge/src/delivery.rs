//! Hands out stored pictures: under their own key only, unchangeable, and never as anything but a
//! picture. Copies are kept near the caller; the store is asked when there is none.

mod conditions;
mod dates;
mod variant;

pub use variant::Variant;

use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use image_rules::{Code, Format};

use crate::{
    app::{App, Ports},
    error::Failure,
    memory::{Purpose, reserve},
    response::{self, Answer},
    route::{Body, base_url},
    storage::{Content, ObjectFacts, ObjectKey, ObjectStore, Span, StoredObject},
};
use conditions::{Validators, Wanted, wanted};

/// Objects are written once, so a copy is good for ever: a year is what caches take at most.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// A picture opened on its own runs nothing and loads nothing.
const PICTURE_CSP: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
/// Pictures are meant to be embedded by other sites.
const CROSS_ORIGIN: HeaderValue = HeaderValue::from_static("cross-origin");

/// Keeps copies of finished pictures near the caller.
pub trait Copies {
    /// The bytes of a copy.
    type Content: Content;

    /// The copy kept at this address.
    fn find(&self, address: &str) -> impl Future<Output = Option<Picture<Self::Content>>>;

    /// Keeps a copy while the picture goes to the caller; a copy that cannot be kept is no fault.
    fn keep(&self, address: &str, picture: Picture<Self::Content>) -> Picture<Self::Content>;

    /// Makes content of bytes.
    fn content(&self, bytes: Vec<u8>) -> Self::Content;

    /// Drops the copy at this address.
    fn forget(&self, address: &str) -> impl Future<Output = ()>;
}

/// A picture to be served.
pub struct Picture<C> {
    /// Its bytes.
    pub content: C,
    /// How many, and its entity tag.
    pub facts: ObjectFacts,
    /// What it is.
    pub format: Format,
}

/// Which picture is asked for.
struct Asked<'a> {
    key: &'a ObjectKey,
    variant: Option<Variant>,
    address: String,
}

/// Answers with the picture, with a part of it, or that the caller has it.
///
/// # Errors
/// `IMAGE_NOT_FOUND`, `MALFORMED_REQUEST` for a size that there is not, `STORAGE_UNAVAILABLE`.
pub async fn deliver<P: Ports>(
    app: &App<P>,
    head: &Parts,
    key: &ObjectKey,
) -> Result<Answer<Body<P>>, Failure> {
    let variant = match asked_variant(head) {
        Some(name) => Some(Variant::parse(name).ok_or(Code::MalformedRequest)?),
        None => None,
    };
    let address = address(&base_url(&app.config, head), key, variant);
    let asked = Asked { key, variant, address };
    let is_whole = head.method != Method::HEAD && !head.headers.contains_key(header::RANGE);
    if variant.is_none() && !is_whole {
        return part_of_original(app, head, key).await;
    }
    let picture = picture(app, &asked).await?;
    let wanted = wanted(head, validators(key, &picture.facts), picture.facts.size_bytes);
    let mut answer = describe(&picture.facts, picture.format, key, wanted);
    match wanted {
        Wanted::Whole => *answer.body_mut() = response::Body::Stored(picture.content),
        Wanted::Part(span) => {
            *answer.body_mut() = response::Body::Stored(picture.content.part(span));
        }
        _ => {}
    }
    Ok(answer)
}

/// The addresses at which copies of a picture may lie.
pub fn addresses(base_url: &str, key: &ObjectKey) -> impl Iterator<Item = String> {
    let variants = Variant::ALL.into_iter().map(Some);
    std::iter::once(None).chain(variants).map(move |variant| address(base_url, key, variant))
}

fn address(base_url: &str, key: &ObjectKey, variant: Option<Variant>) -> String {
    match variant {
        None => format!("{base_url}/{key}"),
        Some(variant) => format!("{base_url}/{key}?v={}", variant.name()),
    }
}

/// The value of `v` in the query; whatever else stands there changes nothing.
fn asked_variant(head: &Parts) -> Option<&str> {
    head.uri.query()?.split('&').find_map(|pair| pair.strip_prefix("v="))
}

/// The whole picture: a copy, or made from what is stored, which leaves a copy.
async fn picture<P: Ports>(
    app: &App<P>,
    asked: &Asked<'_>,
) -> Result<Picture<<P::Store as ObjectStore>::Content>, Failure> {
    let copies = app.ports.copies();
    if let Some(copy) = copies.find(&asked.address).await {
        return Ok(copy);
    }
    let stored = app.ports.store().get(asked.key, None).await?.ok_or(Code::ImageNotFound)?;
    let picture = match asked.variant {
        None => {
            let format = asked.key.format().ok_or(Code::ImageNotFound)?;
            Picture { content: stored.content, facts: stored.facts, format }
        }
        Some(variant) => small(app, stored, variant).await?,
    };
    Ok(copies.keep(&asked.address, picture))
}

async fn small<P: Ports>(
    app: &App<P>,
    stored: StoredObject<<P::Store as ObjectStore>::Content>,
    variant: Variant,
) -> Result<Picture<<P::Store as ObjectStore>::Content>, Failure> {
    let memory = reserve(app, Purpose::Body, stored.facts.size_bytes).await?;
    let original = stored.content.into_bytes().await?;
    let made = variant::make(app, original, variant, &memory).await?;
    let facts = ObjectFacts { size_bytes: made.bytes.len() as u64, etag: made.etag };
    Ok(Picture { content: app.ports.copies().content(made.bytes), facts, format: made.format })
}

/// `HEAD`, and a range of the original: the store is asked for no more than that.
async fn part_of_original<P: Ports>(
    app: &App<P>,
    head: &Parts,
    key: &ObjectKey,
) -> Result<Answer<Body<P>>, Failure> {
    let store = app.ports.store();
    let facts = store.head(key).await?.ok_or(Code::ImageNotFound)?;
    let format = key.format().ok_or(Code::ImageNotFound)?;
    let wanted = wanted(head, validators(key, &facts), facts.size_bytes);
    let mut answer = describe(&facts, format, key, wanted);
    let span = match wanted {
        Wanted::Whole => None,
        Wanted::Part(span) => Some(span),
        _ => return Ok(answer),
    };
    if head.method != Method::HEAD {
        let object = store.get(key, span).await?.ok_or(Code::ImageNotFound)?;
        *answer.body_mut() = response::Body::Stored(object.content);
    }
    Ok(answer)
}

fn validators<'a>(key: &ObjectKey, facts: &'a ObjectFacts) -> Validators<'a> {
    Validators { etag: &facts.etag, modified_s: modified_s(key) }
}

/// An object is never changed, so its key says when it was.
fn modified_s(key: &ObjectKey) -> i64 {
    i64::try_from(key.written_ms() / 1000).unwrap_or(i64::MAX)
}

/// Status and headers.
fn describe<C>(
    facts: &ObjectFacts,
    format: Format,
    key: &ObjectKey,
    wanted: Wanted,
) -> Answer<response::Body<C>> {
    let (status, length) = match wanted {
        Wanted::Whole => (StatusCode::OK, Some(facts.size_bytes)),
        Wanted::Part(span) => (StatusCode::PARTIAL_CONTENT, Some(span.length)),
        Wanted::Nothing => (StatusCode::NOT_MODIFIED, None),
        Wanted::Failed => return response::empty(StatusCode::PRECONDITION_FAILED),
        Wanted::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, None),
    };
    let mut answer = response::empty(status);
    let headers = answer.headers_mut();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(range) = content_range(wanted, facts.size_bytes) {
        headers.insert(header::CONTENT_RANGE, range);
    }
    if wanted == Wanted::Unsatisfiable {
        return answer;
    }
    headers.insert(header::CACHE_CONTROL, IMMUTABLE);
    headers.insert(header::CONTENT_SECURITY_POLICY, PICTURE_CSP);
    headers.insert("cross-origin-resource-policy", CROSS_ORIGIN);
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    if let Ok(etag) = HeaderValue::from_str(&facts.etag) {
        headers.insert(header::ETAG, etag);
    }
    if let Ok(modified) = HeaderValue::from_str(&dates::write(modified_s(key))) {
        headers.insert(header::LAST_MODIFIED, modified);
    }
    if let Some(length) = length {
        let media_type = HeaderValue::from_static(format.media_type());
        headers.insert(header::CONTENT_TYPE, media_type);
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    answer
}

fn content_range(wanted: Wanted, size_bytes: u64) -> Option<HeaderValue> {
    let text = match wanted {
        Wanted::Part(Span { offset, length }) => {
            format!("bytes {offset}-{}/{size_bytes}", offset + length - 1)
        }
        Wanted::Unsatisfiable => format!("bytes */{size_bytes}"),
        _ => return None,
    };
    HeaderValue::from_str(&text).ok()
}
