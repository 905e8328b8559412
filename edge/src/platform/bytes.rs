//! The bytes of a picture or of an answer, still on their way: from R2, from an S3 service, from the
//! cache, or made here.

use std::future::ready;

use futures_util::{Stream, StreamExt, TryStreamExt};
use worker::{FixedLengthStream, Response, ResponseBody, worker_sys};

use super::{
    deadline::{TimedOut, within},
    transfer::Transfer,
};
use crate::storage::{
    Content, Span, StoreFault,
    s3::{HttpBody, HttpFault},
};

/// Who reads bytes into memory waits no longer for them: 32 MiB, the most that is ever stored, come
/// in time at 27 Mbit/s.
const READING_MS: u64 = 10_000;

/// Bytes on their way.
pub struct PictureBytes {
    body: ResponseBody,
    transfer: Option<Transfer>,
}

impl PictureBytes {
    /// That nothing has to be done about when nobody wants them.
    pub const fn new(body: ResponseBody) -> Self {
        Self { body, transfer: None }
    }

    /// That come by a transfer of ours; it ends when nobody wants them.
    pub const fn fetched(body: ResponseBody, transfer: Transfer) -> Self {
        Self { body, transfer: Some(transfer) }
    }

    /// For the caller, to whom they stream without passing through our memory.
    pub fn into_stream(self) -> ResponseBody {
        if let Some(transfer) = self.transfer {
            transfer.let_go();
        }
        self.body
    }

    async fn collect(self, most: usize) -> Result<Vec<u8>, HttpFault> {
        let Self { body, transfer: until_read } = self;
        let bytes = gather_body(body, most).await?;
        // All that is wanted is here; to call it off now would cost as much as a question to a ledger.
        if let (Some(transfer), true) = (until_read, bytes.len() < most) {
            transfer.let_go();
        }
        Ok(bytes)
    }
}

async fn gather_body(body: ResponseBody, most: usize) -> Result<Vec<u8>, HttpFault> {
    match body {
        ResponseBody::Empty => Ok(Vec::new()),
        ResponseBody::Body(mut bytes) => {
            bytes.truncate(most);
            Ok(bytes)
        }
        body @ ResponseBody::Stream(_) => {
            let mut answer = Response::from_body(body).map_err(|_| HttpFault::Broken)?;
            let chunks = answer.stream().map_err(|_| HttpFault::Broken)?;
            within(READING_MS, gather(chunks, most)).await?
        }
    }
}

async fn gather(
    mut chunks: impl Stream<Item = worker::Result<Vec<u8>>> + Unpin,
    most: usize,
) -> Result<Vec<u8>, HttpFault> {
    let mut bytes = Vec::new();
    while bytes.len() < most
        && let Some(chunk) = chunks.next().await
    {
        bytes.extend(chunk.map_err(|_| HttpFault::Broken)?);
    }
    bytes.truncate(most);
    Ok(bytes)
}

impl From<TimedOut> for HttpFault {
    fn from(TimedOut: TimedOut) -> Self {
        Self::Timeout
    }
}

impl HttpBody for PictureBytes {
    async fn read(self, most: usize) -> Result<Vec<u8>, HttpFault> {
        self.collect(most).await
    }
}

impl Content for PictureBytes {
    async fn into_bytes(self) -> Result<Vec<u8>, StoreFault> {
        self.collect(usize::MAX).await.map_err(StoreFault::from)
    }

    fn part(self, span: Span) -> Self {
        let Self { body, transfer } = self;
        Self { body: part(body, span), transfer }
    }
}

/// A span of a body, chunk by chunk as the caller takes them.
fn part(body: ResponseBody, span: Span) -> ResponseBody {
    match body {
        ResponseBody::Empty => ResponseBody::Empty,
        ResponseBody::Body(bytes) => ResponseBody::Body(span.cut(0, bytes)),
        body @ ResponseBody::Stream(_) => {
            let chunks = Response::from_body(body).and_then(|mut answer| answer.stream());
            // What is not there does not have the length that was announced, so that the caller notices.
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
            // The platform sends a `Content-Length` only for a stream whose length it knows.
            let parts = FixedLengthStream::wrap(parts, span.length);
            ResponseBody::Stream(worker_sys::FixedLengthStream::from(parts).readable())
        }
    }
}
