//! A body that is counted against its lease while it arrives.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::Stream;

use super::Lease;
use crate::body::BodyStream;

/// Ends with `OutOfMemory` when there is no memory for a chunk.
pub struct MeteredBody<'a, S> {
    body: S,
    lease: &'a Lease,
}

impl<'a, S> MeteredBody<'a, S> {
    pub const fn new(body: S, lease: &'a Lease) -> Self {
        Self { body, lease }
    }
}

impl<S: BodyStream> Stream for MeteredBody<'_, S> {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = ready!(Pin::new(&mut self.body).poll_next(context));
        Poll::Ready(match chunk {
            Some(Ok(chunk)) if !self.lease.grow(chunk.len() as u64) => {
                Some(Err(io::ErrorKind::OutOfMemory.into()))
            }
            chunk => chunk,
        })
    }
}
