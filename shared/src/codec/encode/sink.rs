//! A buffer that does not grow beyond a limit, so that an encoder whose output is larger than the source stops early
//! and its memory stays within the budget.

use alloc::vec::Vec;
use std::io::{Error, ErrorKind, Result, Write};

use super::EncodeError;

pub(crate) struct Sink {
    bytes: Vec<u8>,
    limit: usize,
}

impl Sink {
    pub const fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit }
    }

    /// What was written, when the encoder says that it is `complete`.
    pub fn finish(self, complete: bool) -> core::result::Result<Vec<u8>, EncodeError> {
        // A full sink is the one write error there is; encoders wrap it in their own.
        match (complete, self.bytes.len() == self.limit) {
            (true, _) => Ok(self.bytes),
            (false, true) => Err(EncodeError::TooLong),
            (false, false) => Err(EncodeError::Unwritable),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, buffer: &[u8]) -> Result<usize> {
        let room = self.limit - self.bytes.len();
        if room == 0 && !buffer.is_empty() {
            return Err(Error::from(ErrorKind::StorageFull));
        }
        let part = buffer.get(..room).unwrap_or(buffer);
        let need = self.bytes.len() + part.len();
        if need > self.bytes.capacity() {
            // Doubling, yet never beyond the limit.
            let capacity = need.max(self.bytes.capacity() * 2).clamp(need, self.limit.max(need));
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
