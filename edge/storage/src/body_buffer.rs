//! Collects the chunks of a body whose size is known.

use crate::{InvalidReply, StoreError};

/// Allocates the size of a body once. A vector that grows takes up to twice the size, and three times while it is moved.
#[derive(Debug)]
pub struct BodyBuffer {
    bytes: Vec<u8>,
    size_bytes: usize,
}

impl BodyBuffer {
    /// # Errors
    /// [`StoreError::Failed`] without memory for it.
    pub fn new(size_bytes: u64) -> Result<Self, StoreError> {
        let no_memory = || StoreError::Failed(format!("no memory for {size_bytes} bytes"));
        let mut bytes = Vec::new();
        let capacity = usize::try_from(size_bytes).map_err(|_| no_memory())?;
        bytes.try_reserve_exact(capacity).map_err(|_| no_memory())?;
        Ok(Self { bytes, size_bytes: capacity })
    }

    /// # Errors
    /// [`InvalidReply::OtherSize`] when the body has more bytes.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), InvalidReply> {
        if chunk.len() > self.size_bytes - self.bytes.len() {
            return Err(InvalidReply::OtherSize);
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    /// All bytes.
    ///
    /// # Errors
    /// [`InvalidReply::OtherSize`] when the body has fewer bytes.
    pub fn finish(self) -> Result<Vec<u8>, InvalidReply> {
        if self.bytes.len() == self.size_bytes {
            Ok(self.bytes)
        } else {
            Err(InvalidReply::OtherSize)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 5_000_001;

    fn filled(size_bytes: usize) -> Result<Vec<u8>, StoreError> {
        let mut buffer = BodyBuffer::new(SIZE as u64)?;
        for chunk in vec![7; size_bytes].chunks(65_536) {
            buffer.push(chunk)?;
        }
        Ok(buffer.finish()?)
    }

    #[test]
    fn a_body_takes_no_more_memory_than_its_size() {
        let bytes = filled(SIZE).expect("complete");
        assert_eq!((bytes.len(), bytes.capacity()), (SIZE, SIZE));
    }

    #[test]
    fn a_body_of_another_size_is_an_error() {
        for size_bytes in [0, SIZE - 1, SIZE + 1, 2 * SIZE] {
            assert_eq!(filled(size_bytes), Err(StoreError::InvalidReply(InvalidReply::OtherSize)));
        }
    }

    #[test]
    fn a_size_that_no_memory_holds_is_an_error() {
        assert!(matches!(BodyBuffer::new(u64::MAX), Err(StoreError::Failed(_))));
    }
}
