//! A file as decoders of others read it, which tells how far they have read.

use core::cell::Cell;
use std::io::{BufRead, Cursor, Read, Result, Seek, SeekFrom};

/// How far a decoder has read.
#[derive(Debug, Default)]
pub(crate) struct ReadPosition {
    at: Cell<usize>,
    left: Cell<usize>,
}

impl ReadPosition {
    /// Where it is.
    pub const fn at(&self) -> usize {
        self.at.get()
    }

    /// Where it was before it last went elsewhere.
    pub const fn left(&self) -> usize {
        self.left.get()
    }
}

/// Reads a file and keeps the position.
pub(crate) struct Source<'a> {
    file: Cursor<&'a [u8]>,
    position: &'a ReadPosition,
}

impl<'a> Source<'a> {
    pub const fn new(bytes: &'a [u8], position: &'a ReadPosition) -> Self {
        Self { file: Cursor::new(bytes), position }
    }

    fn tell(&self) {
        self.position.at.set(usize::try_from(self.file.position()).unwrap_or(usize::MAX));
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let read = self.file.read(buffer);
        self.tell();
        read
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        self.file.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.file.consume(count);
        self.tell();
    }
}

impl Seek for Source<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.position.left.set(self.position.at());
        let at = self.file.seek(to);
        self.tell();
        at
    }
}
