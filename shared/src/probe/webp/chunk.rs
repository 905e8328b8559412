//! One RIFF chunk after another: type, length, data, padding. What a chunk means is not known here.

use crate::{cursor::Cursor, error::Corrupt};

/// A chunk whose length fits in what holds it.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// Its four letters.
    pub kind: [u8; 4],
    /// What it holds, without padding.
    pub data: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// The next chunk and its padding.
    ///
    /// # Errors
    /// [`Corrupt::BadLength`]: the size of what holds it is known to be there, so a chunk that
    /// reaches beyond lies.
    pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Corrupt> {
        Self::read_within(cursor).map_err(|_| Corrupt::BadLength)
    }

    fn read_within(cursor: &mut Cursor<'a>) -> Result<Self, Corrupt> {
        let kind = cursor.array()?;
        let size =
            usize::try_from(u32::from_le_bytes(cursor.array()?)).map_err(|_| Corrupt::BadLength)?;
        let data = cursor.take(size)?;
        // RFC 9649 section 2.3: an odd size is followed by one byte of padding.
        cursor.take(size % 2)?;
        Ok(Self { kind, data })
    }

    /// Bytes that it takes in the file.
    #[must_use]
    pub const fn stored_bytes(&self) -> u64 {
        let data_bytes = self.data.len() as u64;
        8 + data_bytes + data_bytes % 2
    }
}

/// Writes a chunk with its length and padding.
pub fn write(kind: [u8; 4], data: &[u8], out: &mut alloc::vec::Vec<u8>) {
    // Every chunk written comes from a file whose sizes are below 2^32.
    let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
    out.extend(kind);
    out.extend(size.to_le_bytes());
    out.extend(data);
    out.extend((data.len() % 2 == 1).then_some(0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn odd_chunks_are_padded() {
        let mut out = Vec::new();
        write(*b"abcd", b"123", &mut out);
        write(*b"efgh", b"", &mut out);
        assert_eq!(out, b"abcd\x03\0\0\x00123\0efgh\0\0\0\0");
        let mut cursor = Cursor::new(&out);
        let chunk = Chunk::read(&mut cursor).unwrap();
        assert_eq!((&chunk.kind, chunk.data, chunk.stored_bytes()), (b"abcd", &b"123"[..], 12));
        assert_eq!(Chunk::read(&mut cursor).unwrap().stored_bytes(), 8);
        assert!(cursor.is_empty());
    }

    #[test]
    fn a_missing_padding_is_an_error_as_in_libwebp() {
        let read = |bytes: &[u8]| Chunk::read(&mut Cursor::new(bytes)).map(|_| ());
        assert_eq!(read(b"abcd\x03\0\0\x00123"), Err(Corrupt::BadLength));
        assert_eq!(read(b"abcd\xFF\xFF\xFF\xFF123"), Err(Corrupt::BadLength));
        assert_eq!(read(b"abcd"), Err(Corrupt::BadLength));
    }
}
