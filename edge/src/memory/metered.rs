//! A body that is counted against its lease as it comes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::Stream;

use super::Lease;
use crate::intake::Chunks;

/// Breaks off with `OutOfMemory` when a chunk has no memory to go to.
pub struct Metered<'a, S> {
    body: S,
    lease: &'a Lease,
}

impl<'a, S> Metered<'a, S> {
    /// The body under its lease.
    pub const fn new(body: S, lease: &'a Lease) -> Self {
        Self { body, lease }
    }
}

impl<S: Chunks> Stream for Metered<'_, S> {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = ready!(Pin::new(&mut self.body).poll_next(context));
        Poll::Ready(match chunk {
            Some(Ok(chunk)) if !self.lease.fill(chunk.len() as u64) => {
                Some(Err(io::ErrorKind::OutOfMemory.into()))
            }
            chunk => chunk,
        })
    }
}
