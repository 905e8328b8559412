//! Reads bytes front to back without ever stepping past their end. It knows no format.

use crate::error::Corrupt;

/// What is still to be read.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// At the first of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is still to be read.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether all has been read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`Corrupt::Truncated`] when there are fewer; then nothing is read.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Corrupt> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Corrupt::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// [`Corrupt::Truncated`] when there are fewer; then nothing is read.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Corrupt::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// The next byte.
    ///
    /// # Errors
    /// [`Corrupt::Truncated`] when there is none.
    pub fn byte(&mut self) -> Result<u8, Corrupt> {
        self.array().map(|[byte]| byte)
    }

    /// What was read since `earlier`, a copy of this cursor.
    #[must_use]
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
