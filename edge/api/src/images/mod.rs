//! Registered images: registering, listing, reading and deleting them.

mod claim;
mod review;
mod sign_url;

pub use claim::{claim, register};
pub use review::{refuse, release};
pub use sign_url::sign_url;

use std::collections::BTreeSet;

use edge_auth::Principal;
use edge_ledger::{LedgerClient, LookUpUploads, RemovalOutcome, RemoveImage, UploadPhase};
use edge_registry::{Event, HeldListing, ImageListing, ImageRow, ImageStore, Registry, Review};
use edge_storage::{ObjectKey, UploadKey};
use edge_types::{FormId, ImageId, Problem, UserId, timestamp};
use http::{StatusCode, request::Parts};
use image_rules::Code;
use serde::Serialize;

use crate::{
    app::App,
    context::RequestContext,
    delivery::{Variant, purge_copies},
    error::ApiError,
    forms,
    look_up::{begin_look_up, record_look_up},
    ports::Ports,
    request::{self, QueryName, image_base_url},
    response::{self, HandlerResult},
    signed_urls::SignedUrls,
    webhooks,
};

/// The default and the largest page.
const PAGE: u32 = 20;
const MAX_PAGE: u32 = 100;
/// How many images are named at once.
pub const MAX_KEYS: usize = 100;

/// The key of an image that a request names by its key, by its URL at this deployment, or by both.
pub fn named_key(key: Option<&str>, url: Option<&str>, base_urls: &[String]) -> Option<ObjectKey> {
    let of_url = |url: &str| {
        let path = base_urls.iter().find_map(|base_url| url.strip_prefix(base_url.as_str()))?;
        ObjectKey::parse(path.strip_prefix('/')?)
    };
    match (key.map(ObjectKey::parse), url.map(of_url)) {
        (Some(key), None) => key,
        (None, Some(url)) => url,
        (Some(key), Some(url)) => key.filter(|key| url.as_ref() == Some(key)),
        (None, None) => None,
    }
}

/// A registered image in the shape of the contract.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedImage {
    image_id: ImageId,
    image_url: String,
    visibility: &'static str,
    review: Option<Review>,
    /// Why it was refused.
    review_reason: Option<String>,
    /// Under which the picture can be read, when that takes a signature.
    signed_url: Option<String>,
    signed_thumbnail_url: Option<String>,
    key: String,
    user_id: String,
    form_id: Option<String>,
    file_size: u64,
    original_filename: Option<String>,
    content_type: String,
    width: u32,
    height: u32,
    sha256: String,
    placeholder: Option<String>,
    created_at: String,
}

impl ListedImage {
    fn new(row: ImageRow, base_url: &str, signed_urls: &SignedUrls<'_>) -> Self {
        let object = row.object();
        let signed_url =
            |variant| object.as_ref().and_then(|object| signed_urls.url(object, variant));
        let is_private = ObjectKey::parse(&row.key).is_some_and(|key| key.is_private());
        Self {
            image_id: row.id,
            image_url: format!("{base_url}/{}", row.key),
            visibility: visibility(is_private),
            review: row.review,
            review_reason: row.review_reason,
            signed_url: signed_url(None),
            signed_thumbnail_url: signed_url(Some(Variant::Thumb)),
            key: row.key,
            user_id: row.owner,
            form_id: row.form_id,
            file_size: row.size_bytes,
            original_filename: row.original_name,
            content_type: row.media_type,
            width: row.width,
            height: row.height,
            sha256: row.sha256,
            placeholder: row.placeholder,
            created_at: timestamp(row.created_ms),
        }
    }
}

pub const fn visibility(is_private: bool) -> &'static str {
    if is_private { "private" } else { "public" }
}

/// The records of these rows.
fn records<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    rows: Vec<ImageRow>,
) -> Vec<ListedImage> {
    let base_url = image_base_url(&app.config, context.head);
    let signed_urls = SignedUrls::new(&app.config, &base_url, app.ports.now_ms());
    rows.into_iter().map(|row| ListedImage::new(row, &base_url, &signed_urls)).collect()
}

/// A page of images.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImagePage {
    images: Vec<ListedImage>,
    next_cursor: Option<String>,
}

/// Images, newest first, and the cursor of the next page.
///
/// # Errors
/// A database that fails.
pub async fn page<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    listing: ImageListing<'_>,
) -> Result<ImagePage, ApiError> {
    let limit = listing.limit as usize;
    // One more than requested shows whether there is another page.
    let listing = ImageListing { limit: listing.limit + 1, ..listing };
    let mut rows = app.ports.registry().list(listing).await?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| has_more).map(|row| row.id.0.to_string());
    Ok(ImagePage { images: records(app, context, rows), next_cursor })
}

/// `GET /images`: the images of a user, of a form, with these keys, or those that wait for a review. Who may access what is others' lists a form of
/// all users.
///
/// # Errors
/// `USER_MISMATCH`, `MALFORMED_REQUEST` for an invalid query.
pub async fn list<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
) -> HandlerResult<P> {
    let query = ListQuery::read(context.head)?;
    let data = if query.is_held {
        held(app, context, caller, &query).await?
    } else if query.keys.is_empty() {
        let is_of_all = query.form_id.is_some() && caller.may_access_others();
        let own = (!is_of_all).then(|| caller.user().clone());
        let owner = query.user_id.or(own);
        let form_id = query.form_id.as_ref().map(FormId::as_str);
        if let Some(owner) = &owner {
            begin_look_up(app, caller, owner).await?;
        } else if let Some(form_id) = form_id {
            record_look_up(app, caller, &format!("form:{form_id}")).await?;
        }
        let listing = ImageListing {
            owner: owner.as_ref(),
            form_id,
            before: query.cursor,
            limit: query.limit,
        };
        page(app, context, listing).await?
    } else {
        find_all(app, context, caller, &query.keys).await?
    };
    let now_ms = app.ports.now_ms();
    Ok(response::success(StatusCode::OK, "list_images_success", &data, now_ms))
}

/// The images that wait for a review, oldest first, for whom may decide.
async fn held<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    query: &ListQuery,
) -> Result<ImagePage, ApiError> {
    if !caller.may_access_others() {
        return Err(Code::UserMismatch.into());
    }
    record_look_up(app, caller, "review").await?;
    let limit = query.limit as usize;
    let listing = HeldListing {
        form_id: query.form_id.as_ref().map(FormId::as_str),
        after: query.cursor,
        limit: query.limit + 1,
    };
    let mut rows = app.ports.registry().list_held(listing).await?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| has_more).map(|row| row.id.0.to_string());
    Ok(ImagePage { images: records(app, context, rows), next_cursor })
}

/// The images with these keys that the caller may access. A key without a record is left out, as is that of another.
async fn find_all<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    keys: &[ObjectKey],
) -> Result<ImagePage, ApiError> {
    let mut rows = app.ports.registry().find_all(keys).await?;
    rows.retain(|row| caller.may_access_others() || row.owner == caller.user().as_str());
    let owners: BTreeSet<_> = rows.iter().map(|row| row.owner.as_str()).collect();
    for owner in owners {
        record_look_up(app, caller, &format!("user:{owner}")).await?;
    }
    Ok(ImagePage { images: records(app, context, rows), next_cursor: None })
}

/// `GET /images/{id}`
///
/// # Errors
/// `IMAGE_NOT_FOUND`, `USER_MISMATCH`.
pub async fn read<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    id: ImageId,
) -> HandlerResult<P> {
    let row = find(app, caller, id).await?;
    let data = records(app, context, vec![row]).pop();
    let now_ms = app.ports.now_ms();
    Ok(response::success(StatusCode::OK, "get_image_success", &data, now_ms))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Deleted {
    image_id: Option<ImageId>,
    key: String,
}

/// `DELETE /images/{id}`: deletes row, object, and the copies within reach. When a part of it fails, the ledger
/// retries it (202).
///
/// # Errors
/// `IMAGE_NOT_FOUND`, `USER_MISMATCH`.
pub async fn delete<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    id: ImageId,
) -> HandlerResult<P> {
    let row = find(app, caller, id).await?;
    let key = ObjectKey::parse(&row.key).ok_or(Code::ImageNotFound)?;
    remove(app, context, caller, &key, Some(&row)).await
}

/// `DELETE /images?key=`: the same, also for an image that nobody has claimed yet.
///
/// # Errors
/// `MALFORMED_REQUEST` without one valid key, `IMAGE_NOT_FOUND`, `USER_MISMATCH`.
pub async fn delete_by_key<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
) -> HandlerResult<P> {
    let query = ListQuery::read(context.head)?;
    let [key] = query.keys.as_slice() else { return Err(Code::MalformedRequest.into()) };
    let row = app.ports.registry().find(key).await?;
    let owner = match &row {
        Some(row) => UserId::parse(&row.owner),
        None => key.owner(),
    };
    caller.check_access(&owner.ok_or(Code::ImageNotFound)?)?;
    if row.is_none() && !is_pending(app, key).await? {
        return Err(Code::ImageNotFound.into());
    }
    remove(app, context, caller, key, row.as_ref()).await
}

async fn is_pending<P: Ports>(app: &App<P>, key: &ObjectKey) -> Result<bool, ApiError> {
    let owner = key.owner().ok_or(Code::ImageNotFound)?;
    let command = LookUpUploads { keys: vec![key.to_string()] };
    let known = app.ports.ledger().send_to_user(&owner, command).await?;
    Ok(known.iter().any(|upload| upload.phase == UploadPhase::Pending))
}

async fn remove<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    key: &ObjectKey,
    row: Option<&ImageRow>,
) -> HandlerResult<P> {
    let owner = key.owner().ok_or(Code::ImageNotFound)?;
    let place = match row {
        Some(row) => forms::place_of(app, row).await?,
        None => None,
    };
    let row_of_event = webhooks::row_of(app, row);
    let command = RemoveImage { place, row: row_of_event, ..RemoveImage::new(key.clone()) };
    let removal = app.ports.ledger().send_to_user(&owner, command).await?;
    let status = match removal.outcome {
        RemovalOutcome::Finished => StatusCode::OK,
        RemovalOutcome::Underway => StatusCode::ACCEPTED,
    };
    let base_url = image_base_url(&app.config, context.head);
    purge_copies(app.ports.edge_cache(), &base_url, key, &removal.derived).await;
    let now_ms = app.ports.now_ms();
    let row_owner = row.map_or(owner.as_str(), |row| &row.owner);
    app.record(deletion(key, row_owner, caller, now_ms)).await;
    let image_id = row.map(|row| row.id).or_else(|| UploadKey::of(key).pending_id());
    let data = Deleted { image_id, key: key.to_string() };
    Ok(response::success(status, "delete_image_success", &data, now_ms))
}

fn deletion(key: &ObjectKey, owner: &str, caller: &Principal, at_ms: u64) -> Event {
    let is_own = caller.user().as_str() == owner;
    // Without the user whom the key names.
    let file = key.as_str().rsplit('/').next().unwrap_or_default();
    Event {
        idempotency_key: format!("delete:{file}"),
        at_ms,
        kind: "delete".to_owned(),
        subject: format!("user:{owner}"),
        reason: if is_own { "own_picture" } else { "picture" }.to_owned(),
        until_ms: None,
        detail: (!is_own).then(|| format!("by {}", caller.user())),
    }
}

/// The row of an image that the caller may access.
async fn find<P: Ports>(
    app: &App<P>,
    caller: &Principal,
    id: ImageId,
) -> Result<ImageRow, ApiError> {
    let row = app.ports.registry().get(id).await?.ok_or(Code::ImageNotFound)?;
    let owner = UserId::parse(&row.owner).ok_or(Code::ImageNotFound)?;
    caller.check_access(&owner)?;
    Ok(row)
}

/// The query of a list.
#[derive(Debug, PartialEq, Eq)]
struct ListQuery {
    user_id: Option<UserId>,
    form_id: Option<FormId>,
    cursor: Option<ImageId>,
    limit: u32,
    keys: Vec<ObjectKey>,
    /// Whether those are wanted that wait for a review.
    is_held: bool,
}

impl ListQuery {
    /// # Errors
    /// `MALFORMED_REQUEST` for an invalid value, an unknown name, and keys together with anything else.
    fn read(head: &Parts) -> Result<Self, Problem> {
        let mut query = Self {
            user_id: None,
            form_id: None,
            cursor: None,
            limit: PAGE,
            keys: Vec::new(),
            is_held: false,
        };
        let mut has_others = false;
        request::read_query(head, |name, value| {
            has_others |= name != "key";
            match name {
                "userId" => query.user_id = Some(UserId::parse(&value)?),
                "formId" => query.form_id = Some(FormId::from_text(&value)?),
                "cursor" => query.cursor = Some(ImageId::parse(&value)?),
                "limit" => {
                    let limit = value.parse().ok();
                    query.limit = limit.filter(|limit| (1..=MAX_PAGE).contains(limit))?;
                }
                "review" => query.is_held = (value == Review::Held.name()).then_some(true)?,
                "key" if query.keys.len() < MAX_KEYS => query.keys.push(ObjectKey::parse(&value)?),
                "key" => return None,
                _ => return Some(QueryName::Unknown),
            }
            Some(QueryName::Known)
        })?;
        let is_of_two = query.is_held && query.user_id.is_some();
        if is_of_two || (has_others && !query.keys.is_empty()) {
            return Err(Problem::new(Code::MalformedRequest));
        }
        Ok(query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Option<ListQuery> {
        let uri = format!("https://edge.example/images?{query}");
        let head = http::Request::builder().uri(uri).body(()).expect("valid").into_parts().0;
        ListQuery::read(&head).ok()
    }

    #[test]
    fn queries_are_read_strictly() {
        let form_id = FormId::from_text("설문 1");
        let cursor = Some(ImageId(7));
        let mut expected = ListQuery {
            user_id: None,
            form_id,
            cursor,
            limit: 5,
            keys: Vec::new(),
            is_held: false,
        };
        let query = "formId=%EC%84%A4%EB%AC%B8+1&cursor=7&limit=5";
        assert_eq!(read(query).as_ref(), Some(&expected));
        expected.is_held = true;
        assert_eq!(read(&format!("{query}&review=held")), Some(expected));
        let key = "key=users/1/images/1-00000000-0000-4000-8000-000000000000.gif";
        for wrong in [
            "limit=0",
            "limit=101",
            "limit=x",
            "cursor=9007199254740992",
            "userId=a/b",
            "formId=",
            "key=users/1/images/1.gif",
            "other=x",
            &format!("{key}&userId=1"),
            &format!("{key}&review=held"),
            "review=held&userId=1",
            "review=refused",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(read(&[key; 100].join("&")).map(|query| query.keys.len()), Some(100));
        assert_eq!(read(&[key; 101].join("&")), None);
    }
}
