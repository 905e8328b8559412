//! Copies of pictures in the data centre's cache (the Cache API), beside the answer that is on its
//! way. Whatever the cache does not do is no fault: the store is asked again.

use std::rc::Rc;

use image_rules::Format;
use worker::{Cache, Context, Date, Headers, Response, ResponseBody, ResponseBuilder};

use super::bytes::PictureBytes;
use crate::{
    delivery::{Copies, Picture},
    memory::{Lease, MemoryBudget},
    storage::{Content, ObjectFacts},
};

/// The cache.
pub struct CachedCopies {
    /// What keeps the Worker alive until a copy is in it.
    pub context: Option<Rc<Context>>,
    /// What copies are gathered in; without room none is kept.
    pub memory: MemoryBudget,
    /// How much of it there is.
    pub memory_budget_bytes: u64,
}

/// A stream may come without its length, so the copy carries it.
const SIZE: &str = "x-size-bytes";

impl Copies for CachedCopies {
    type Content = PictureBytes;

    async fn find(&self, address: &str) -> Option<Picture<PictureBytes>> {
        let copy = Cache::default().get(address, false).await.ok()??;
        let header = |name: &str| copy.headers().get(name).ok().flatten();
        let format = Format::from_media_type(&header("content-type")?)?;
        let facts = ObjectFacts { size_bytes: header(SIZE)?.parse().ok()?, etag: header("etag")? };
        Some(Picture { content: PictureBytes::new(copy.into_parts().1), facts, format })
    }

    fn keep(&self, address: &str, picture: Picture<PictureBytes>) -> Picture<PictureBytes> {
        let Some(context) = &self.context else { return picture };
        let (now_ms, bytes) = (Date::now().as_millis(), picture.facts.size_bytes);
        let Some(lease) = self.memory.spare(bytes, self.memory_budget_bytes, now_ms) else {
            return picture;
        };
        let Picture { content: bytes, facts, format } = picture;
        let (body, copy) = twice(bytes.into_stream(), &facts, format);
        if let Some(copy) = copy {
            context.wait_until(put_whole(address.to_owned(), facts.size_bytes, copy, lease));
        }
        Picture { content: PictureBytes::new(body), facts, format }
    }

    fn content(&self, bytes: Vec<u8>) -> PictureBytes {
        PictureBytes::new(ResponseBody::Body(bytes))
    }

    async fn forget(&self, address: &str) {
        let _ = Cache::default().delete(address, false).await;
    }
}

/// Puts a copy into the cache once it is whole. A cache may keep the part that came of a stream that
/// broke off in the middle, and it would be served for a year; so the bytes are gathered first. Not
/// kept is not lost: the next caller is served from the store.
async fn put_whole(address: String, size_bytes: u64, copy: Response, _lease: Lease) {
    let (builder, body) = copy.into_parts();
    if let Ok(bytes) = PictureBytes::new(body).into_bytes().await
        && bytes.len() as u64 == size_bytes
    {
        let _ = Cache::default().put(address, builder.fixed(bytes)).await;
    }
}

/// The same body for the caller and for the cache.
fn twice(
    body: ResponseBody,
    facts: &ObjectFacts,
    format: Format,
) -> (ResponseBody, Option<Response>) {
    let builder =
        headers(facts, format).map(|headers| ResponseBuilder::new().with_headers(headers));
    let Ok(builder) = builder else { return (body, None) };
    let mut copy = builder.body(body);
    match copy.cloned() {
        Ok(original) => (original.into_parts().1, Some(copy)),
        Err(_) => (copy.into_parts().1, None),
    }
}

fn headers(facts: &ObjectFacts, format: Format) -> worker::Result<Headers> {
    let headers = Headers::new();
    headers.set("cache-control", "public, max-age=31536000, immutable")?;
    headers.set("content-type", format.media_type())?;
    headers.set("etag", &facts.etag)?;
    headers.set(SIZE, &facts.size_bytes.to_string())?;
    Ok(headers)
}
