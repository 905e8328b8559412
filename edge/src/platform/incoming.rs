//! The body of a request as it comes, and how long it may take to come.

use std::{
    io,
    pin::Pin,
    task::{self, Poll, ready},
    time::Duration,
};

use futures_util::{Stream, StreamExt, stream};
use worker::{Date, Delay, Request, send::SendWrapper};

use super::deadline::within;
use crate::memory::ONE_GO_BYTES;

type BodyStream = Pin<Box<dyn Stream<Item = io::Result<Vec<u8>>>>>;

/// The body as it arrives; one that stops or hardly moves is given up. Wasm has one thread, so the
/// wrapper's promise that it may be sent to another holds.
pub struct Incoming {
    request: SendWrapper<Option<Request>>,
    announced_bytes: Option<u64>,
    chunks: SendWrapper<BodyStream>,
    patience: SendWrapper<Pin<Box<Delay>>>,
    came_bytes: u64,
    /// When somebody first asked for it: before, it waited for us.
    began_ms: Option<u64>,
}

/// A phone that changes from one mast to another is silent for some seconds.
const SILENCE_MS: u64 = 20_000;
/// Whoever sends less than that a second, apart from one silence, does not send a picture: 128 kbit/s
/// bring one of 300 KB in 20 s, and the largest in little more than an upload's lease.
const LEAST_BYTES_PER_S: u64 = 16 * 1024;

impl Incoming {
    /// A request without a body is a body without bytes. Nothing is read before somebody asks for it.
    pub fn new(request: Request, announced_bytes: Option<u64>) -> Self {
        Self {
            request: SendWrapper::new(Some(request)),
            announced_bytes,
            chunks: SendWrapper::new(Box::pin(stream::empty())),
            patience: delay(SILENCE_MS),
            came_bytes: 0,
            began_ms: None,
        }
    }

    /// Begins to read, unless it has begun. A body in one go lies in memory as a whole, so that only those
    /// who know how long it may be read it so.
    fn begin(&mut self, may_be_in_one_go: bool) {
        let Some(mut request) = self.request.0.take() else { return };
        let failed = |error: worker::Error| io::Error::other(error.to_string());
        let in_one_go =
            self.announced_bytes.filter(|bytes| may_be_in_one_go && *bytes <= ONE_GO_BYTES);
        self.chunks.0 = if in_one_go.is_some() {
            Box::pin(stream::once(async move { request.bytes().await.map_err(failed) }))
        } else {
            let chunks = stream::iter(request.stream().ok()).flatten();
            Box::pin(chunks.map(move |chunk| chunk.map_err(failed)))
        };
        self.patience = delay(allowed_ms(in_one_go.unwrap_or_default()));
    }

    /// A caller who is still sending cannot hear a refusal, so what is left of the body is read and
    /// dropped, as nginx lingers; 32 MiB are more than the largest form that is taken by default, and
    /// whoever pauses has stopped sending.
    pub async fn linger(mut self) {
        const MOST_BYTES: usize = 32 * 1024 * 1024;
        const PAUSE_MS: u64 = 2_000;
        self.begin(false);
        let mut dropped_bytes = 0;
        while let Ok(Some(Ok(chunk))) = within(PAUSE_MS, self.next()).await {
            dropped_bytes += chunk.len();
            if dropped_bytes > MOST_BYTES {
                break;
            }
        }
    }
}

/// How long so many bytes may take.
const fn allowed_ms(bytes: u64) -> u64 {
    SILENCE_MS + bytes.saturating_mul(1000) / LEAST_BYTES_PER_S
}

fn delay(ms: u64) -> SendWrapper<Pin<Box<Delay>>> {
    SendWrapper::new(Box::pin(Delay::from(Duration::from_millis(ms))))
}

impl Stream for Incoming {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        self.begin(true);
        let now_ms = Date::now().as_millis();
        let began_ms = *self.began_ms.get_or_insert(now_ms);
        let timed_out = || Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
        let Poll::Ready(chunk) = self.chunks.0.as_mut().poll_next(context) else {
            ready!(self.patience.0.as_mut().poll(context));
            return timed_out();
        };
        if let Some(Ok(chunk)) = &chunk {
            self.came_bytes += chunk.len() as u64;
        }
        if now_ms.saturating_sub(began_ms) > allowed_ms(self.came_bytes) {
            return timed_out();
        }
        self.patience = delay(SILENCE_MS);
        Poll::Ready(chunk)
    }
}
