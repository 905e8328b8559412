//! Registered images: registering, listing, reading and deleting them.

mod claim;

pub use claim::{claim, register};

use edge_auth::Principal;
use edge_ledger::{LedgerClient, RemovalOutcome, RemoveImage};
use edge_registry::{Event, ImageListing, ImageRow, ImageStore};
use edge_storage::ObjectKey;
use edge_types::{FormId, ImageId, UserId, timestamp};
use http::{StatusCode, request::Parts};
use image_rules::Code;
use serde::Serialize;

use crate::{
    app::App,
    context::RequestContext,
    delivery::purge_copies,
    error::ApiError,
    forms,
    look_up::record_look_up,
    ports::Ports,
    request::{self, base_url},
    response::{self, HandlerResult},
};

/// The default and the largest page.
const PAGE: u32 = 20;
const MAX_PAGE: u32 = 100;

/// A registered image in the shape of the contract.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedImage {
    image_id: ImageId,
    image_url: String,
    key: String,
    user_id: String,
    form_id: Option<String>,
    file_size: u64,
    original_filename: Option<String>,
    content_type: String,
    width: u32,
    height: u32,
    sha256: String,
    created_at: String,
}

impl ListedImage {
    fn new(row: ImageRow, base_url: &str) -> Self {
        Self {
            image_id: row.id,
            image_url: format!("{base_url}/{}", row.key),
            key: row.key,
            user_id: row.owner,
            form_id: row.form_id,
            file_size: row.size_bytes,
            original_filename: row.original_name,
            content_type: row.media_type,
            width: row.width,
            height: row.height,
            sha256: row.sha256,
            created_at: timestamp(row.created_ms),
        }
    }
}

/// A page of images.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImagePage {
    images: Vec<ListedImage>,
    next_cursor: Option<String>,
}

/// Images of an owner, newest first, and the cursor of the next page.
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
    let base_url = base_url(&app.config, context.head);
    let images = rows.into_iter().map(|row| ListedImage::new(row, &base_url)).collect();
    Ok(ImagePage { images, next_cursor })
}

/// `GET /images`
///
/// # Errors
/// `USER_MISMATCH`, `MALFORMED_REQUEST` for an invalid query.
pub async fn list<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
) -> HandlerResult<P> {
    let query = ListQuery::read(context.head).ok_or(Code::MalformedRequest)?;
    let owner = query.user_id.unwrap_or_else(|| caller.user().clone());
    caller.check_access(&owner)?;
    record_look_up(app, caller, &owner).await?;
    let form_id = query.form_id.as_ref().map(FormId::as_str);
    let listing = ImageListing { owner: &owner, form_id, before: query.cursor, limit: query.limit };
    let data = page(app, context, listing).await?;
    let now_ms = app.ports.now_ms();
    Ok(response::success(StatusCode::OK, "list_images_success", &data, now_ms))
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
    let data = ListedImage::new(row, &base_url(&app.config, context.head));
    let now_ms = app.ports.now_ms();
    Ok(response::success(StatusCode::OK, "get_image_success", &data, now_ms))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Deleted {
    image_id: ImageId,
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
    let owner = key.owner().ok_or(Code::ImageNotFound)?;
    let place = forms::place_of(app, &row).await?;
    let command = RemoveImage { key: key.clone(), place };
    let status = match app.ports.ledger().send_to_user(&owner, command).await? {
        RemovalOutcome::Finished => StatusCode::OK,
        RemovalOutcome::Underway => StatusCode::ACCEPTED,
    };
    purge_copies(app.ports.edge_cache(), &base_url(&app.config, context.head), &key).await;
    let now_ms = app.ports.now_ms();
    app.record(deletion(&row, caller, now_ms)).await;
    let data = Deleted { image_id: id, key: row.key };
    Ok(response::success(status, "delete_image_success", &data, now_ms))
}

fn deletion(row: &ImageRow, caller: &Principal, at_ms: u64) -> Event {
    let is_own = caller.user().as_str() == row.owner;
    Event {
        idempotency_key: format!("delete:{}", row.id.0),
        at_ms,
        kind: "delete".to_owned(),
        subject: format!("user:{}", row.owner),
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
}

impl ListQuery {
    /// [`None`] for an invalid value; unknown names are ignored.
    fn read(head: &Parts) -> Option<Self> {
        let mut query = Self { user_id: None, form_id: None, cursor: None, limit: PAGE };
        for (name, value) in request::query(head)? {
            match name.as_str() {
                "userId" => query.user_id = Some(UserId::parse(&value)?),
                "formId" => query.form_id = Some(FormId::from_text(&value)?),
                "cursor" => query.cursor = Some(ImageId::parse(&value)?),
                "limit" => {
                    let limit = value.parse().ok();
                    query.limit = limit.filter(|limit| (1..=MAX_PAGE).contains(limit))?;
                }
                _ => {}
            }
        }
        Some(query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Option<ListQuery> {
        let uri = format!("https://edge.example/images?{query}");
        ListQuery::read(&http::Request::builder().uri(uri).body(()).expect("valid").into_parts().0)
    }

    #[test]
    fn queries_are_read_strictly() {
        let form_id = FormId::from_text("설문 1");
        let expected = ListQuery { user_id: None, form_id, cursor: Some(ImageId(7)), limit: 5 };
        assert_eq!(read("formId=%EC%84%A4%EB%AC%B8+1&cursor=7&limit=5&other=x"), Some(expected));
        for wrong in
            ["limit=0", "limit=101", "limit=x", "cursor=9007199254740992", "userId=a/b", "formId="]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
