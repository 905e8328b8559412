//! One PNG chunk after another: length, type, data, checksum. What a chunk means is not known here.

use crate::{cursor::Cursor, error::Corrupt};

/// The eight bytes that every PNG begins with (PNG 3rd edition, section 5.2).
pub const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n'];

/// A four-letter chunk type.
pub type Kind = [u8; 4];

/// A chunk whose length fits in the file.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// Its type.
    pub kind: Kind,
    /// What it holds.
    pub data: &'a [u8],
    /// The whole chunk, as it stands in the file.
    pub raw: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// The next chunk.
    ///
    /// # Errors
    /// A length that the format forbids or the file does not hold, a type that is not four letters.
    pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Corrupt> {
        let start = *cursor;
        let length = u32::from_be_bytes(cursor.array()?);
        // Section 5.3: four letters, at most 2^31 - 1 bytes.
        let kind: Kind = cursor.array()?;
        if !kind.iter().all(u8::is_ascii_alphabetic) {
            return Err(Corrupt::BadStructure);
        }
        if length > 0x7FFF_FFFF {
            return Err(Corrupt::BadLength);
        }
        let data = cursor.take(usize::try_from(length).map_err(|_| Corrupt::Truncated)?)?;
        let _checksum: [u8; 4] = cursor.array()?;
        Ok(Self { kind, data, raw: cursor.since(&start) })
    }

    /// Whether the checksum over type and data holds.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let covered = self.raw.get(4..self.raw.len().saturating_sub(4)).unwrap_or_default();
        self.raw.last_chunk() == Some(&crc32fast::hash(covered).to_be_bytes())
    }

    /// Whether no decoder may skip it (section 5.4: a capital first letter).
    #[must_use]
    pub const fn is_critical(&self) -> bool {
        let [first, ..] = self.kind;
        first.is_ascii_uppercase()
    }

    /// Its data when that has exactly `N` bytes.
    #[must_use]
    pub fn fields<const N: usize>(&self) -> Option<&'a [u8; N]> {
        self.data.try_into().ok()
    }

    /// Bytes that it takes in the file.
    #[must_use]
    pub const fn stored_bytes(&self) -> u64 {
        self.raw.len() as u64
    }
}

/// Writes a chunk with its length and checksum.
pub fn write(kind: Kind, data: &[u8], out: &mut alloc::vec::Vec<u8>) {
    // Callers write blocks of a few dozen bytes; the format could not say more than u32 anyway.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&kind);
    checksum.update(data);
    out.extend(length.to_be_bytes());
    out.extend(kind);
    out.extend(data);
    out.extend(checksum.finalize().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_end_chunk_has_the_checksum_that_everybody_knows() {
        let mut out = Vec::new();
        write(*b"IEND", &[], &mut out);
        assert_eq!(out, [0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xAE, 0x42, 0x60, 0x82]);
        let chunk = Chunk::read(&mut Cursor::new(&out)).unwrap();
        assert!(chunk.is_sound() && chunk.is_critical());
        assert_eq!(chunk.raw, out);
    }

    #[test]
    fn lengths_and_types_that_cannot_be() {
        let read = |bytes: &[u8]| Chunk::read(&mut Cursor::new(bytes)).map(|chunk| chunk.kind);
        assert_eq!(read(b"\x80\0\0\0tEXt"), Err(Corrupt::BadLength));
        assert_eq!(read(b"\x7F\xFF\xFF\xFFtEXt"), Err(Corrupt::Truncated));
        assert_eq!(read(b"\0\0\0\0t\0Xt\0\0\0\0"), Err(Corrupt::BadStructure));
        assert_eq!(read(b"\0\0\0\0tEXt\0\0\0"), Err(Corrupt::Truncated));
    }
}
