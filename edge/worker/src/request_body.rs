//! The body of a request as it arrives, and how long it may take.

use std::{
    io,
    pin::Pin,
    task::{self, Poll, ready},
    time::Duration,
};

use edge_api::concurrency::{CHUNK_BYTES, FIRST_BYTES};
use edge_types::{Clock, with_timeout};
use futures_util::{Stream, StreamExt, stream};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::{
    Delay, Request,
    js_sys::{Object, Promise, Uint8Array},
    send::SendWrapper,
    wasm_bindgen_futures::JsFuture,
    web_sys::{ReadableStream, ReadableStreamGetReaderOptions, ReadableStreamReaderMode},
};

use crate::runtime::Runtime;

#[wasm_bindgen]
extern "C" {
    type ByteReader;

    #[wasm_bindgen(method, catch)]
    fn read(
        this: &ByteReader,
        buffer: Uint8Array,
        options: &ReadOptions,
    ) -> Result<Promise, JsValue>;

    type ReadOptions;

    #[wasm_bindgen(method, setter)]
    fn set_min(this: &ReadOptions, bytes: u32);

    type ReadResult;

    #[wasm_bindgen(method, getter)]
    fn value(this: &ReadResult) -> Option<Uint8Array>;
}

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
    /// When it was first polled, and later by as much as the client has waited for us.
    began_ms: Option<u64>,
    /// When a chunk was handed out, until the next poll.
    paused_ms: Option<u64>,
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
            paused_ms: None,
        }
    }

    /// Begins to read, unless it has begun.
    fn begin(&mut self) {
        let Some(request) = self.request.0.take() else { return };
        // A request without a body has no stream, and is an empty body.
        if let Some(body) = request.inner().body() {
            self.chunks.0 = Box::pin(chunks(&body, self.announced_bytes).fuse());
        }
    }

    /// Reads and drops what is left of the body. A client that is still sending does not read a response, so
    /// this is nginx's lingering close. 32 MiB exceed the largest form that is accepted by default; a client
    /// that pauses has stopped sending.
    pub async fn drain(mut self) {
        const MAX_BYTES: usize = 32 * 1024 * 1024;
        const PAUSE_MS: u64 = 2_000;
        self.begin();
        let mut dropped_bytes = 0;
        while let Some(Some(Ok(chunk))) = with_timeout(&Runtime, PAUSE_MS, self.next()).await {
            dropped_bytes += chunk.len();
            if dropped_bytes > MAX_BYTES {
                break;
            }
        }
    }
}

/// Reads a body in pieces of at least [`FIRST_BYTES`], into buffers of at most [`CHUNK_BYTES`]. The platform's own
/// pieces have 4 KB, and a call through JavaScript costs as much as copying 10 KB, so larger pieces are cheaper. One
/// call for the whole body would not show how much has arrived.
fn chunks(
    body: &ReadableStream,
    announced_bytes: Option<u64>,
) -> impl Stream<Item = io::Result<Vec<u8>>> + use<> {
    let options = ReadableStreamGetReaderOptions::new();
    options.set_mode(ReadableStreamReaderMode::Byob);
    let reader: ByteReader = body.get_reader_with_options(&options).unchecked_into();
    let start = Some((reader, FIRST_BYTES, announced_bytes.unwrap_or(u64::MAX)));
    stream::unfold(start, |state| async {
        let (reader, buffer_bytes, left_bytes) = state?;
        let buffer_bytes = buffer_bytes.min(left_bytes);
        if buffer_bytes == 0 {
            return None;
        }
        match read(&reader, buffer_bytes).await {
            Ok(chunk) if chunk.is_empty() => None,
            Ok(chunk) => {
                let left_bytes = left_bytes.saturating_sub(chunk.len() as u64);
                Some((Ok(chunk), Some((reader, CHUNK_BYTES, left_bytes))))
            }
            Err(error) => Some((Err(io::Error::other(format!("{error:?}"))), None)),
        }
    })
}

/// Less than a piece, or nothing, at the end of the body.
async fn read(reader: &ByteReader, buffer_bytes: u64) -> Result<Vec<u8>, JsValue> {
    let in_js = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    let options: ReadOptions = JsValue::from(Object::new()).unchecked_into();
    options.set_min(in_js(buffer_bytes.min(FIRST_BYTES)));
    let buffer = Uint8Array::new_with_length(in_js(buffer_bytes));
    let result: ReadResult = JsFuture::from(reader.read(buffer, &options)?).await?.unchecked_into();
    Ok(result.value().map(|bytes| bytes.to_vec()).unwrap_or_default())
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
        self.begin();
        let now_ms = Runtime.now_ms();
        let paused_ms = self.paused_ms.take().map_or(0, |since_ms| now_ms.saturating_sub(since_ms));
        let began_ms = self.began_ms.map_or(now_ms, |began_ms| began_ms + paused_ms);
        self.began_ms = Some(began_ms);
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
        self.paused_ms = Some(now_ms);
        Poll::Ready(chunk)
    }
}
