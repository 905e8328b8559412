//! The bytes of a picture or of a response that are not read yet: from R2, an S3 service or the cache, or made
//! here.

use std::future::ready;

use edge_storage::{
    BodyBuffer, Content, Span, StoreError,
    s3::{HttpBody, HttpError},
};
use edge_types::with_timeout;
use futures_util::{StreamExt, TryStreamExt};
use worker::{FixedLengthStream, Response, ResponseBody, worker_sys};

use crate::{fetch_guard::FetchGuard, runtime::Runtime};

/// How long reading into memory may take: 32 MiB, the most that is ever stored, need 27 Mbit/s.
const READ_TIMEOUT_MS: u64 = 10_000;

pub struct ImageBytes {
    body: ResponseBody,
    guard: Option<FetchGuard>,
}

impl ImageBytes {
    pub const fn new(body: ResponseBody) -> Self {
        Self { body, guard: None }
    }

    /// The body of a request of ours, which is aborted when this is dropped.
    pub const fn fetched(body: ResponseBody, guard: FetchGuard) -> Self {
        Self { body, guard: Some(guard) }
    }

    /// For the caller. The runtime streams it without passing through our memory.
    pub fn into_stream(self) -> ResponseBody {
        if let Some(guard) = self.guard {
            guard.disarm();
        }
        self.body
    }

    /// Passes the chunks to `take` until it returns `false` or fails.
    async fn each_chunk<E: From<HttpError>>(
        self,
        mut take: impl FnMut(&[u8]) -> Result<bool, E>,
    ) -> Result<(), E> {
        let Self { body, guard } = self;
        let is_complete = match body {
            ResponseBody::Empty => true,
            ResponseBody::Body(bytes) => take(&bytes)?,
            body @ ResponseBody::Stream(_) => {
                let mut response = Response::from_body(body).map_err(|_| HttpError::Broken)?;
                let mut chunks = response.stream().map_err(|_| HttpError::Broken)?;
                let reading = async {
                    while let Some(chunk) = chunks.next().await {
                        if !take(&chunk.map_err(|_| HttpError::Broken)?)? {
                            return Ok(false);
                        }
                    }
                    Ok::<_, E>(true)
                };
                let read = with_timeout(&Runtime, READ_TIMEOUT_MS, reading).await;
                read.unwrap_or_else(|| Err(HttpError::Timeout.into()))?
            }
        };
        // An abort would cost as much as a call of a ledger.
        if let (Some(guard), true) = (guard, is_complete) {
            guard.disarm();
        }
        Ok(())
    }
}

impl HttpBody for ImageBytes {
    async fn read(self, max_bytes: usize) -> Result<Vec<u8>, HttpError> {
        let mut bytes = Vec::new();
        let take = |chunk: &[u8]| {
            let left = max_bytes - bytes.len();
            bytes.extend_from_slice(chunk.get(..left).unwrap_or(chunk));
            Ok::<_, HttpError>(bytes.len() < max_bytes)
        };
        self.each_chunk(take).await?;
        Ok(bytes)
    }
}

impl Content for ImageBytes {
    async fn into_bytes(self, size_bytes: u64) -> Result<Vec<u8>, StoreError> {
        let mut buffer = BodyBuffer::new(size_bytes)?;
        self.each_chunk(|chunk| Ok::<_, StoreError>(buffer.push(chunk).map(|()| true)?)).await?;
        Ok(buffer.finish()?)
    }

    fn part(self, span: Span) -> Self {
        let Self { body, guard } = self;
        Self { body: part(body, span), guard }
    }
}

/// A span of a body, chunk by chunk while the caller reads.
fn part(body: ResponseBody, span: Span) -> ResponseBody {
    match body {
        ResponseBody::Empty => ResponseBody::Empty,
        ResponseBody::Body(bytes) => ResponseBody::Body(span.cut(0, bytes)),
        body @ ResponseBody::Stream(_) => {
            let chunks = Response::from_body(body).and_then(|mut response| response.stream());
            // The response is then shorter than announced, so the caller notices.
            let Ok(chunks) = chunks else { return ResponseBody::Empty };
            let parts = chunks.scan(0, move |at, chunk| {
                ready((*at < span.end()).then(|| {
                    chunk.map(|chunk| {
                        let begin = *at;
                        *at += chunk.len() as u64;
                        span.cut(begin, chunk)
                    })
                }))
            });
            let parts = parts.try_filter(|part| ready(!part.is_empty()));
            // The platform sends a `Content-Length` only for a stream of known length.
            let parts = FixedLengthStream::wrap(parts, span.length);
            ResponseBody::Stream(worker_sys::FixedLengthStream::from(parts).readable())
        }
    }
}
