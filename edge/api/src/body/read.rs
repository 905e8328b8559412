//! Reads a body up to the limit, whatever its announced length.

use std::io;

use futures_util::StreamExt;
use image_rules::{Code, ImageError};

use super::BodyStream;
use crate::error::{ApiError, busy};

/// The chunks in which the first bytes arrive: at least `bytes`, or all of a shorter body.
///
/// # Errors
/// Those of [`read_error`].
pub async fn first_chunks(
    body: &mut (impl BodyStream + ?Sized),
    bytes: u64,
) -> Result<Vec<Vec<u8>>, ApiError> {
    let (mut chunks, mut arrived_bytes) = (Vec::new(), 0);
    while arrived_bytes < bytes
        && let Some(chunk) = body.next().await
    {
        let chunk = chunk.map_err(|error| read_error(&error))?;
        arrived_bytes += chunk.len() as u64;
        chunks.push(chunk);
    }
    Ok(chunks)
}

/// The whole body.
///
/// # Errors
/// `FILE_TOO_LARGE` as soon as more than `limit_bytes` has arrived, `FILE_MISSING` for an empty body,
/// `MALFORMED_REQUEST` when it ends early, `REQUEST_TIMEOUT` when it is too slow.
pub async fn read_body(
    mut body: impl BodyStream,
    declared_bytes: Option<u64>,
    limit_bytes: u64,
) -> Result<Vec<u8>, ApiError> {
    // The announced length is only a hint for one allocation, bounded by the limit.
    let hint = declared_bytes.map(|bytes| bytes.min(limit_bytes));
    let hint = hint.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
    let mut bytes = Vec::with_capacity(hint);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| read_error(&error))?;
        let size_bytes = bytes.len() as u64 + chunk.len() as u64;
        if size_bytes > limit_bytes {
            return Err(ImageError::TooManyBytes { size_bytes, limit_bytes }.into());
        }
        bytes.extend_from_slice(&chunk);
    }
    if bytes.is_empty() { Err(ImageError::Empty.into()) } else { Ok(bytes) }
}

/// A body that ends early is a client error, unless this isolate has no memory for it.
pub fn read_error(error: &io::Error) -> ApiError {
    match error.kind() {
        io::ErrorKind::OutOfMemory => busy().into(),
        io::ErrorKind::TimedOut => Code::RequestTimeout.into(),
        _ => Code::MalformedRequest.into(),
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use futures_util::stream;

    use super::*;

    type Chunk = Result<Vec<u8>, io::Error>;

    fn code(outcome: Result<Vec<u8>, ApiError>) -> Result<Vec<u8>, Code> {
        outcome.map_err(|error| match error {
            ApiError::Client(problem) => problem.code,
            ApiError::Internal(error) => panic!("{error:?}"),
        })
    }

    fn read(chunks: Vec<Chunk>, declared: Option<u64>) -> Result<Vec<u8>, Code> {
        code(block_on(read_body(stream::iter(chunks), declared, 10)))
    }

    #[test]
    fn chunks_come_together_up_to_the_limit() {
        let chunks = vec![Ok(vec![1; 4]), Ok(vec![]), Ok(vec![2; 6])];
        assert_eq!(read(chunks, Some(10)).map(|bytes| bytes.len()), Ok(10));
    }

    #[test]
    fn the_first_chunks_are_enough_bytes_or_all() {
        for (bytes, read) in [(1, 1), (3, 1), (4, 2), (10, 3), (11, 3)] {
            let mut chunks = stream::iter((0..3).map(|_| -> Chunk { Ok(vec![0; 3]) }));
            let first = block_on(first_chunks(&mut chunks, bytes)).expect("no error");
            assert_eq!(first.len(), read, "{bytes}");
        }
        let mut broken = stream::iter([Ok(vec![1]), Err(io::Error::other("connection reset"))]);
        assert_eq!(block_on(first_chunks(&mut broken, 2)).map_err(|_| ()), Err(()));
    }

    #[test]
    fn a_length_that_lies_is_cut() {
        let endless = stream::repeat_with(|| -> Chunk { Ok(vec![0; 3]) });
        assert_eq!(code(block_on(read_body(endless, Some(5), 10))), Err(Code::FileTooLarge));
    }

    #[test]
    fn nothing_and_a_broken_body_have_their_codes() {
        assert_eq!(read(vec![], None), Err(Code::FileMissing));
        assert_eq!(read(vec![Ok(vec![])], Some(0)), Err(Code::FileMissing));
        let broken = vec![Ok(vec![1]), Err(io::Error::other("connection reset"))];
        assert_eq!(read(broken, None), Err(Code::MalformedRequest));
        let no_room = vec![Ok(vec![1]), Err(io::ErrorKind::OutOfMemory.into())];
        assert_eq!(read(no_room, None), Err(Code::Busy), "that is our affair");
        let too_slow = vec![Ok(vec![1]), Err(io::ErrorKind::TimedOut.into())];
        assert_eq!(read(too_slow, None), Err(Code::RequestTimeout));
    }
}
