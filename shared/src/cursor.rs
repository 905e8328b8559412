//! Reads bytes from front to back and never past their end.

use crate::error::Corrupt;

#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Corrupt> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Corrupt::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Corrupt::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, Corrupt> {
        self.array().map(|[byte]| byte)
    }

    /// What was read since `earlier`, a copy of this cursor.
    pub fn since(&self, earlier: &Self) -> &'a [u8] {
        earlier.rest.get(..earlier.rest.len().saturating_sub(self.rest.len())).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_past_the_end_takes_nothing() {
        let mut cursor = Cursor::new(&[1, 2, 3]);
        let start = cursor;
        assert_eq!(cursor.byte(), Ok(1));
        assert_eq!(cursor.take(3), Err(Corrupt::Truncated));
        assert_eq!(cursor.array::<3>(), Err(Corrupt::Truncated));
        assert_eq!(cursor.rest(), [2, 3]);
        assert_eq!(cursor.since(&start), [1]);
        assert_eq!(cursor.array(), Ok([2, 3]));
        assert!(cursor.is_empty());
    }
}
