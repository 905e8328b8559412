//! The body of a request as it arrives, and how long it may take.

use std::{
    io,
    pin::Pin,
    task::{self, Poll, ready},
    time::Duration,
};

use edge_api::concurrency::SINGLE_READ_BYTES;
use edge_types::{Clock, with_timeout};
use futures_util::{Stream, StreamExt, stream};
use worker::{Delay, Request, send::SendWrapper};

use crate::runtime::Runtime;

type Chunks = Pin<Box<dyn Stream<Item = io::Result<Vec<u8>>>>>;

/// The body of a request; one that pauses or is too slow ends with `TimedOut`. Wasm has one thread, so what is
/// wrapped is never sent to another one.
pub struct RequestBody {
    /// Until reading begins.
    request: SendWrapper<Option<Request>>,
    announced_bytes: Option<u64>,
    chunks: SendWrapper<Chunks>,
    timeout: SendWrapper<Pin<Box<Delay>>>,
    read_bytes: u64,
    /// When it was first polled. Before that, the request waited for us.
    began_ms: Option<u64>,
}

/// A phone that changes to another cell is silent for some seconds.
const SILENCE_MS: u64 = 20_000;
/// A body that is slower than this, apart from one silence, is ended: at 128 kbit/s 300 KB take 20 s, and the
/// largest image takes little more than the lease of an upload.
const MIN_BYTES_PER_S: u64 = 16 * 1024;

impl RequestBody {
    /// Nothing is read before the first poll.
    pub fn new(request: Request, announced_bytes: Option<u64>) -> Self {
        Self {
            request: SendWrapper::new(Some(request)),
            announced_bytes,
            chunks: SendWrapper::new(Box::pin(stream::empty())),
            timeout: delay(SILENCE_MS),
            read_bytes: 0,
            began_ms: None,
        }
    }

    /// Begins to read, unless it has begun. A body that is read with one call is in memory as a whole, so its
    /// length must be known.
    fn begin(&mut self, may_read_at_once: bool) {
        let Some(mut request) = self.request.0.take() else { return };
        let failed = |error: worker::Error| io::Error::other(error.to_string());
        let read_at_once =
            self.announced_bytes.filter(|bytes| may_read_at_once && *bytes <= SINGLE_READ_BYTES);
        self.chunks.0 = if read_at_once.is_some() {
            Box::pin(stream::once(async move { request.bytes().await.map_err(failed) }))
        } else {
            // A request without a body has no stream, and is an empty body.
            let chunks = stream::iter(request.stream().ok()).flatten();
            Box::pin(chunks.map(move |chunk| chunk.map_err(failed)))
        };
        self.timeout = delay(max_duration_ms(read_at_once.unwrap_or_default()));
    }

    /// Reads and drops what is left of the body. A client that is still sending does not read a response, so
    /// this is nginx's lingering close. 32 MiB exceed the largest form that is accepted by default; a client
    /// that pauses has stopped sending.
    pub async fn drain(mut self) {
        const MAX_BYTES: usize = 32 * 1024 * 1024;
        const PAUSE_MS: u64 = 2_000;
        self.begin(false);
        let mut dropped_bytes = 0;
        while let Some(Some(Ok(chunk))) = with_timeout(&Runtime, PAUSE_MS, self.next()).await {
            dropped_bytes += chunk.len();
            if dropped_bytes > MAX_BYTES {
                break;
            }
        }
    }
}

const fn max_duration_ms(bytes: u64) -> u64 {
    SILENCE_MS + bytes.saturating_mul(1000) / MIN_BYTES_PER_S
}

fn delay(ms: u64) -> SendWrapper<Pin<Box<Delay>>> {
    SendWrapper::new(Box::pin(Delay::from(Duration::from_millis(ms))))
}

impl Stream for RequestBody {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        self.begin(true);
        let now_ms = Runtime.now_ms();
        let began_ms = *self.began_ms.get_or_insert(now_ms);
        let timed_out = || Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
        let Poll::Ready(chunk) = self.chunks.0.as_mut().poll_next(context) else {
            ready!(self.timeout.0.as_mut().poll(context));
            return timed_out();
        };
        if let Some(Ok(chunk)) = &chunk {
            self.read_bytes += chunk.len() as u64;
        }
        if now_ms.saturating_sub(began_ms) > max_duration_ms(self.read_bytes) {
            return timed_out();
        }
        self.timeout = delay(SILENCE_MS);
        Poll::Ready(chunk)
    }
}
