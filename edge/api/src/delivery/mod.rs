//! Serves stored pictures: by their own key only, never as anything but an image, and in the size and format that is asked
//! for. Copies are cached near the caller; the store is asked when there is none.

mod conditions;
mod copies;
mod derive;
mod derived;
mod recipe;
mod signed;

pub use copies::{EDGE_COPY_S, copy_url, purge_copies};
pub use recipe::{PictureQuery, Variant};

use edge_auth::bearer;
use edge_storage::{Content, ObjectFacts, ObjectKey, ObjectStore, Span, StoredObject};
use edge_types::{Problem, Role};
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use image_rules::{Code, Format};

use crate::{
    admission,
    app::App,
    concurrency::Client,
    context::RequestContext,
    error::ApiError,
    ports::{EdgeCache, Picture, Ports, StoreContent},
    request::{base_urls, image_base_url, text_header},
    response::{self, Body, HandlerResult, Response},
};
use conditions::{Selection, Validators, http_date, select};
use copies::{FOR_NOW, cache_control};
use derived::{DerivedRequest, Obtained};
use recipe::Recipe;
use signed::{SignedUrl, check_size};

/// A picture that is opened on its own runs nothing and loads nothing.
const PICTURE_CSP: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
/// Other sites may embed pictures.
const CROSS_ORIGIN: HeaderValue = HeaderValue::from_static("cross-origin");

/// The requested picture.
struct PictureRequest<'a, P> {
    app: &'a App<P>,
    head: &'a Parts,
    key: &'a ObjectKey,
    /// The format of the stored picture.
    source: Format,
    /// How it is derived, and the name of that; [`None`] for the stored picture.
    recipe: Option<(Recipe, String)>,
    /// [`None`] for a picture that must not be in a shared cache.
    copy_url: Option<String>,
    /// Whether a signature was checked. Readers who have one are not limited.
    is_signed: bool,
}

/// `GET /users/{userId}/images/{file}`, also below `/private` with a signature.
///
/// # Errors
/// `IMAGE_NOT_FOUND`, `MALFORMED_REQUEST` for an unknown size or format, `RATE_LIMITED`, `STORAGE_UNAVAILABLE`;
/// `SIGNATURE_INVALID`, and below `/private` `ADDRESS_EXPIRED`.
pub async fn deliver<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    key: &ObjectKey,
) -> HandlerResult<P> {
    if !key.is_private() {
        return serve(app, context, key, false).await;
    }
    let signed_url = SignedUrl::check(&app.config, context.head, app.ports.now_ms())?;
    let mut response = match serve(app, context, key, true).await {
        // A held picture that was released meanwhile.
        Err(ApiError::Client(problem)) if problem.code == Code::ImageNotFound => {
            serve(app, context, &key.public(), true).await?
        }
        outcome => outcome?,
    };
    response.headers_mut().insert(header::CACHE_CONTROL, signed_url.cache_control());
    Ok(response)
}

/// Serves a picture. One that was asked for by the signed URL of a private picture is in no shared cache.
async fn serve<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    key: &ObjectKey,
    is_private: bool,
) -> HandlerResult<P> {
    let head = context.head;
    let base_url = image_base_url(&app.config, head);
    let referer = text_header(head, header::REFERER);
    if !app.config.delivery.allows_referer(referer, &base_urls(&app.config, head)) {
        return Err(Code::ImageNotFound.into());
    }
    let source = key.format().ok_or(Code::ImageNotFound)?;
    let query = PictureQuery::read(head, &app.config, source)?;
    let is_signed = is_private || check_size(&app.config, head)?;
    if !query.is_free && !is_signed {
        return Err(Problem::field("w", Some(FREE_SIZES)).into());
    }
    let recipe = query.recipe.map(|recipe| (recipe, recipe.name()));
    let name = recipe.as_ref().map(|(_, name)| &**name);
    let copy_url = (!is_private).then(|| copy_url(&base_url, key, name));
    let request = PictureRequest { app, head, key, source, recipe, copy_url, is_signed };
    let copy = match &request.copy_url {
        Some(url) => app.ports.edge_cache().get(url).await,
        None => None,
    };
    let mut response = match copy {
        Some(copy) => request.respond(copy),
        None => request.respond_from_store(context).await?,
    };
    if query.negotiates {
        response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept"));
    }
    Ok(response)
}

/// The URL of a public picture in a size, which is a query.
pub fn picture_url(base_url: &str, key: &ObjectKey, size: &str) -> String {
    if size.is_empty() { format!("{base_url}/{key}") } else { format!("{base_url}/{key}?{size}") }
}

/// What is expected of a query without a signature.
const FREE_SIZES: &str = "one of VARIANT_WIDTHS without h, fit and q, or a signature";

impl<P: Ports> PictureRequest<'_, P> {
    /// From the store. Pictures that are not there are remembered for a moment.
    async fn respond_from_store(&self, context: &RequestContext<'_>) -> HandlerResult<P> {
        let Self { app, key, .. } = self;
        if !self.is_signed {
            admit_read(app, context).await?;
        }
        let missing = &app.isolate.missing_pictures;
        if missing.contains(key, app.ports.now_ms()) {
            return Err(Code::ImageNotFound.into());
        }
        let found = self.find().await;
        if let Err(ApiError::Client(problem)) = &found
            && problem.code == Code::ImageNotFound
        {
            missing.add(key, app.ports.now_ms());
        }
        found
    }

    async fn find(&self) -> HandlerResult<P> {
        let Self { app, head, key, source, .. } = self;
        let (original, is_final) = match &self.recipe {
            None => (None, true),
            Some((recipe, name)) => {
                let client = Client::of_ip(&crate::request::client_ip(head));
                let request = DerivedRequest { app, key, source: *source, recipe, name, client };
                match request.obtain().await? {
                    Obtained::Derived(picture) => return Ok(self.respond_and_cache(picture)),
                    Obtained::Original(original) => (original, true),
                    Obtained::OriginalForNow(original) => (original, false),
                }
            }
        };
        let mut response =
            if head.method == Method::HEAD || head.headers.contains_key(header::RANGE) {
                self.part_of_original().await?
            } else {
                let original = match original {
                    Some(original) => original,
                    None => app.ports.store().get(*key, None).await?.ok_or(Code::ImageNotFound)?,
                };
                let StoredObject { content, facts } = original;
                let picture = Picture { content, facts, format: *source };
                if is_final { self.respond_and_cache(picture) } else { self.respond(picture) }
            };
        if !is_final {
            response.headers_mut().insert(header::CACHE_CONTROL, FOR_NOW);
        }
        Ok(response)
    }

    fn respond_and_cache(
        &self,
        picture: Picture<StoreContent<P>>,
    ) -> Response<Body<StoreContent<P>>> {
        self.respond(match &self.copy_url {
            Some(url) => self.app.ports.edge_cache().put(url, picture),
            None => picture,
        })
    }

    /// The whole picture, a part of it, or none of it.
    fn respond(&self, picture: Picture<StoreContent<P>>) -> Response<Body<StoreContent<P>>> {
        let validators = validators(self.key, &picture.facts);
        let selection = select(self.head, validators, picture.facts.size_bytes);
        let mut response = self.describe(&picture.facts, picture.format, selection);
        match selection {
            Selection::Whole => *response.body_mut() = Body::Stored(picture.content),
            Selection::Part(span) => {
                *response.body_mut() = Body::Stored(picture.content.part(span));
            }
            _ => {}
        }
        response
    }

    /// `HEAD`, and a range of the original: no more than that is read from the store.
    async fn part_of_original(&self) -> HandlerResult<P> {
        let store = self.app.ports.store();
        let facts = store.head(self.key).await?.ok_or(Code::ImageNotFound)?;
        let selection = select(self.head, validators(self.key, &facts), facts.size_bytes);
        let mut response = self.describe(&facts, self.source, selection);
        let span = match selection {
            Selection::Whole => None,
            Selection::Part(span) => Some(span),
            _ => return Ok(response),
        };
        if self.head.method != Method::HEAD {
            let object = store.get(self.key, span).await?.ok_or(Code::ImageNotFound)?;
            *response.body_mut() = Body::Stored(object.content);
        }
        Ok(response)
    }

    /// Status and headers.
    fn describe(
        &self,
        facts: &ObjectFacts,
        format: Format,
        selection: Selection,
    ) -> Response<Body<StoreContent<P>>> {
        let mut response = describe(facts, format, self.key, selection);
        if response.status() != StatusCode::RANGE_NOT_SATISFIABLE {
            let cache_control = cache_control(&self.app.config);
            response.headers_mut().insert(header::CACHE_CONTROL, cache_control);
        }
        response
    }
}

/// Checks the limit of pictures that are read from the store. A back end has no limit; its token is verified only when the
/// limit is reached.
///
/// # Errors
/// `RATE_LIMITED`.
async fn admit_read<P: Ports>(app: &App<P>, context: &RequestContext<'_>) -> Result<(), ApiError> {
    let refusal = match admission::check_read_limit(app, context).await {
        Err(ApiError::Client(refusal)) if bearer(context.head).is_ok() => refusal,
        admitted => return admitted,
    };
    match app.authenticator().authenticate(context.head).await {
        Ok(caller) if caller.role() == Role::Service => Ok(()),
        _ => Err(refusal.into()),
    }
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
