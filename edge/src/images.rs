//! The registered pictures: claiming, listing, reading and deleting them.

mod claim;

pub use claim::{claim, register};

use http::{StatusCode, request::Parts};
use image_rules::Code;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::{
    admission::caller,
    app::{App, Ports},
    auth::{Principal, UserId},
    call::Call,
    delivery::{Copies, addresses},
    error::Failure,
    intake::FormId,
    ledger::{Ledger, message::Removal},
    registry::{Catalogue, Event, ImageId, Listing, Row},
    response::{self, Answer, timestamp},
    route::{Body, Endpoint, base_url},
    storage::ObjectKey,
};

/// How many rows a page has unless asked otherwise, and at most.
const PAGE: u32 = 20;
const MOST_PAGE: u32 = 100;

/// A registered picture as the contract tells of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
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

impl Listed {
    fn new(row: Row, base_url: &str) -> Self {
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

/// Some of an owner's pictures.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Images {
    images: Vec<Listed>,
    next_cursor: Option<String>,
}

/// Some pictures of an owner, newest first, and where the next ones begin.
///
/// # Errors
/// A registry that does not answer.
pub async fn page<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    wanted: Listing<'_>,
) -> Result<Images, Failure> {
    let limit = wanted.limit as usize;
    // One more than asked for tells whether there is another page.
    let listing = Listing { limit: wanted.limit + 1, ..wanted };
    let mut rows = app.ports.registry().list(listing).await?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| has_more).map(|row| row.id.0.to_string());
    let base_url = base_url(&app.config, call.head);
    let images = rows.into_iter().map(|row| Listed::new(row, &base_url)).collect();
    Ok(Images { images, next_cursor })
}

/// Lists the caller's pictures, newest first; of another user for a back end or an administrator.
///
/// # Errors
/// `USER_MISMATCH`, `MALFORMED_REQUEST` for a query that makes no sense.
pub async fn list<P: Ports>(app: &App<P>, call: &Call<'_>) -> Result<Answer<Body<P>>, Failure> {
    let caller = caller(app, call, &Endpoint::ListImages).await?;
    let query = Query::read(call.head).ok_or(Code::MalformedRequest)?;
    let owner = query.user_id.unwrap_or_else(|| caller.user().clone());
    caller.must_reach(&Endpoint::ListImages, &owner)?;
    let form_id = query.form_id.as_ref().map(FormId::as_str);
    let wanted = Listing { owner: &owner, form_id, before: query.cursor, limit: query.limit };
    let data = page(app, call, wanted).await?;
    Ok(response::never_cached(response::message(
        StatusCode::OK,
        "list_images_success",
        &data,
        app.ports.now_ms(),
    )))
}

/// Tells of one picture.
///
/// # Errors
/// `IMAGE_NOT_FOUND`, `USER_MISMATCH`.
pub async fn read<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    id: ImageId,
) -> Result<Answer<Body<P>>, Failure> {
    let (row, _) = reachable(app, call, &Endpoint::ReadImage(id), id).await?;
    let data = Listed::new(row, &base_url(&app.config, call.head));
    Ok(response::never_cached(response::message(
        StatusCode::OK,
        "get_image_success",
        &data,
        app.ports.now_ms(),
    )))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Deleted {
    image_id: ImageId,
    key: String,
}

/// Deletes a picture: its row, its object and the copies within reach. What does not answer now is
/// finished later (202).
///
/// # Errors
/// `IMAGE_NOT_FOUND`, `USER_MISMATCH`.
pub async fn delete<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    id: ImageId,
) -> Result<Answer<Body<P>>, Failure> {
    let (row, caller) = reachable(app, call, &Endpoint::DeleteImage(id), id).await?;
    let key = ObjectKey::parse(&row.key).ok_or(Code::ImageNotFound)?;
    let owner = key.owner().ok_or(Code::ImageNotFound)?;
    let status = match app.ports.ledger().remove(&owner, key.clone()).await? {
        Removal::Finished => StatusCode::OK,
        Removal::Underway => StatusCode::ACCEPTED,
    };
    for address in addresses(&base_url(&app.config, call.head), &key) {
        app.ports.copies().forget(&address).await;
    }
    app.record(deletion(app, &row, &caller)).await;
    let data = Deleted { image_id: id, key: row.key };
    Ok(response::never_cached(response::message(
        status,
        "delete_image_success",
        &data,
        app.ports.now_ms(),
    )))
}

fn deletion<P: Ports>(app: &App<P>, row: &Row, caller: &Principal) -> Event {
    let is_own = caller.user().as_str() == row.owner;
    Event {
        mark: format!("delete:{}", row.id.0),
        at_ms: app.ports.now_ms(),
        kind: "delete".to_owned(),
        subject: format!("user:{}", row.owner),
        reason: if is_own { "own_picture" } else { "picture" }.to_owned(),
        until_ms: None,
        detail: (!is_own).then(|| format!("by {}", caller.user())),
    }
}

/// The row, when the caller may reach it.
async fn reachable<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    endpoint: &Endpoint,
    id: ImageId,
) -> Result<(Row, Principal), Failure> {
    let caller = caller(app, call, endpoint).await?;
    let row = app.ports.registry().get(id).await?.ok_or(Code::ImageNotFound)?;
    let owner = UserId::parse(&row.owner).ok_or(Code::ImageNotFound)?;
    caller.must_reach(endpoint, &owner)?;
    Ok((row, caller))
}

/// What a listing asks for.
#[derive(Debug, PartialEq, Eq)]
struct Query {
    user_id: Option<UserId>,
    form_id: Option<FormId>,
    cursor: Option<ImageId>,
    limit: u32,
}

impl Query {
    /// Nothing when a value makes no sense; names that are not ours change nothing.
    fn read(head: &Parts) -> Option<Self> {
        let mut query = Self { user_id: None, form_id: None, cursor: None, limit: PAGE };
        for pair in head.uri.query().unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value.replace('+', " ");
            let value = percent_decode_str(&value).decode_utf8().ok()?;
            match name {
                "userId" => query.user_id = Some(UserId::parse(&value)?),
                "formId" => query.form_id = Some(FormId::from_text(&value)?),
                "cursor" => query.cursor = Some(ImageId::parse(&value)?),
                "limit" => {
                    let limit = value.parse().ok();
                    query.limit = limit.filter(|limit| (1..=MOST_PAGE).contains(limit))?;
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

    fn read(query: &str) -> Option<Query> {
        let uri = format!("https://edge.example/images?{query}");
        Query::read(&http::Request::builder().uri(uri).body(()).expect("valid").into_parts().0)
    }

    #[test]
    fn queries_are_read_strictly() {
        let form_id = FormId::from_text("설문 1");
        let expected = Query { user_id: None, form_id, cursor: Some(ImageId(7)), limit: 5 };
        assert_eq!(read("formId=%EC%84%A4%EB%AC%B8+1&cursor=7&limit=5&other=x"), Some(expected));
        for wrong in
            ["limit=0", "limit=101", "limit=x", "cursor=9007199254740992", "userId=a/b", "formId="]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
