//! Reads a body and stops where the limit is, whatever the length header promised.

use std::io;

use futures_util::StreamExt;
use image_rules::{Code, ImageError};

use super::Chunks;
use crate::{error::Failure, queue};

/// The whole body, when it has at most `limit_bytes`.
///
/// # Errors
/// `FILE_TOO_LARGE` as soon as more has come; `FILE_MISSING` when there is nothing;
/// `MALFORMED_REQUEST` when it breaks off, `REQUEST_TIMEOUT` when it is too slow.
pub async fn read_body(
    mut body: impl Chunks,
    declared_bytes: Option<u64>,
    limit_bytes: u64,
) -> Result<Vec<u8>, Failure> {
    // The declared length is a hint for one allocation and bounded by the limit, so a lie costs little.
    let hint = declared_bytes.map(|bytes| bytes.min(limit_bytes));
    let hint = hint.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
    let mut bytes = Vec::with_capacity(hint);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| broken_off(&error))?;
        let size_bytes = bytes.len() as u64 + chunk.len() as u64;
        if size_bytes > limit_bytes {
            return Err(ImageError::TooManyBytes { size_bytes, limit_bytes }.into());
        }
        bytes.extend_from_slice(&chunk);
    }
    if bytes.is_empty() { Err(ImageError::Empty.into()) } else { Ok(bytes) }
}

/// A body that breaks off is the connection's affair, unless it was we who had no memory for it.
pub fn broken_off(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::OutOfMemory => queue::busy().into(),
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

    fn code(outcome: Result<Vec<u8>, Failure>) -> Result<Vec<u8>, Code> {
        outcome.map_err(|failure| match failure {
            Failure::Refused(refusal) => refusal.code,
            Failure::Fault(fault) => panic!("{fault:?}"),
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
