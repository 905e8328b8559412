//! Copies of pictures in the cache of the data centre (the Cache API). A failure of the cache is no error: the
//! store is asked again.

use std::rc::Rc;

use edge_api::{
    EDGE_COPY_S,
    concurrency::{Lease, MemoryBudget},
    ports::{EdgeCache, Picture},
};
use edge_storage::{Content, ObjectFacts};
use edge_types::Clock;
use image_rules::Format;
use worker::{Cache, Context, Headers, Response, ResponseBody, ResponseBuilder};

use crate::{image_bytes::ImageBytes, runtime::Runtime};

pub struct CacheApi {
    /// Keeps the Worker alive until a copy is cached. Without it none is.
    pub context: Option<Rc<Context>>,
    /// Reserves the memory in which a copy is collected.
    pub memory: MemoryBudget,
    pub memory_budget_bytes: u64,
}

/// A stream may have no `Content-Length`, so the copy has a header of its own.
const SIZE: &str = "x-size-bytes";

impl EdgeCache for CacheApi {
    type Content = ImageBytes;

    async fn get(&self, url: &str) -> Option<Picture<ImageBytes>> {
        let copy = Cache::default().get(url, false).await.ok()??;
        let header = |name: &str| copy.headers().get(name).ok().flatten();
        let format = Format::from_media_type(&header("content-type")?)?;
        let facts = ObjectFacts { size_bytes: header(SIZE)?.parse().ok()?, etag: header("etag")? };
        Some(Picture { content: ImageBytes::new(copy.into_parts().1), facts, format })
    }

    fn put(&self, url: &str, picture: Picture<ImageBytes>) -> Picture<ImageBytes> {
        let Some(context) = &self.context else { return picture };
        let (now_ms, size_bytes) = (Runtime.now_ms(), picture.facts.size_bytes);
        let Some(lease) = self.memory.try_reserve(size_bytes, self.memory_budget_bytes, now_ms)
        else {
            return picture;
        };
        let Picture { content, facts, format } = picture;
        let (body, copy) = tee(content.into_stream(), &facts, format);
        if let Some(copy) = copy {
            context.wait_until(put_complete(url.to_owned(), size_bytes, copy, lease));
        }
        Picture { content: ImageBytes::new(body), facts, format }
    }

    fn content(&self, bytes: Vec<u8>) -> ImageBytes {
        ImageBytes::new(ResponseBody::Body(bytes))
    }

    async fn purge(&self, url: &str) {
        // A copy that cannot be deleted cannot be helped here.
        let _ = Cache::default().delete(url, false).await;
    }
}

/// Caches a copy once all of it has arrived. The cache may keep what it has of a stream that breaks, and would
/// serve it as the whole.
async fn put_complete(url: String, size_bytes: u64, copy: Response, _lease: Lease) {
    let (builder, body) = copy.into_parts();
    if let Ok(bytes) = ImageBytes::new(body).into_bytes(size_bytes).await {
        // The next caller is served from the store if this fails.
        let _ = Cache::default().put(url, builder.fixed(bytes)).await;
    }
}

/// The same body for the caller and for the cache.
fn tee(
    body: ResponseBody,
    facts: &ObjectFacts,
    format: Format,
) -> (ResponseBody, Option<Response>) {
    let Ok(headers) = headers(facts, format) else { return (body, None) };
    let mut copy = ResponseBuilder::new().with_headers(headers).body(body);
    match copy.cloned() {
        Ok(original) => (original.into_parts().1, Some(copy)),
        Err(_) => (copy.into_parts().1, None),
    }
}

fn headers(facts: &ObjectFacts, format: Format) -> worker::Result<Headers> {
    let headers = Headers::new();
    headers.set("cache-control", &format!("public, max-age={EDGE_COPY_S}"))?;
    headers.set("content-type", format.media_type())?;
    headers.set("etag", &facts.etag)?;
    headers.set(SIZE, &facts.size_bytes.to_string())?;
    Ok(headers)
}
