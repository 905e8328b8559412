//! The bytes of a picture or of an answer, still on their way: from R2, from an S3 service, from the
//! cache, or made here.

use futures_util::{Stream, StreamExt};
use worker::{AbortController, Response, ResponseBody};

use super::deadline::{TimedOut, within};
use crate::storage::{
    Content, StoreFault,
    s3::{HttpBody, HttpFault},
};

/// Who reads bytes into memory waits no longer for them: 32 MiB, the most that is ever stored, come
/// in time at 27 Mbit/s.
const READING_MS: u64 = 10_000;

/// Bytes on their way.
pub struct PictureBytes {
    body: ResponseBody,
    transfer: Transfer,
}

impl PictureBytes {
    /// That nothing has to be done about when nobody wants them.
    pub const fn new(body: ResponseBody) -> Self {
        Self { body, transfer: Transfer(None) }
    }

    /// That come by a transfer of ours; it ends when nobody wants them.
    pub const fn fetched(body: ResponseBody, controller: AbortController) -> Self {
        Self { body, transfer: Transfer(Some(controller)) }
    }

    /// For the caller, to whom they stream without passing through our memory.
    pub fn into_stream(mut self) -> ResponseBody {
        self.transfer.0 = None;
        self.body
    }

    async fn collect(self, most: usize) -> Result<Vec<u8>, HttpFault> {
        let Self { body, transfer: _until_read } = self;
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

/// Connections are few: a transfer that nobody wants any more is ended.
struct Transfer(Option<AbortController>);

impl Drop for Transfer {
    fn drop(&mut self) {
        if let Some(controller) = self.0.take() {
            controller.abort();
        }
    }
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
}
