//! A file as decoders of others read it, which tells how far they have read.

use core::cell::Cell;
use std::io::{BufRead, Cursor, Read, Result, Seek, SeekFrom};

/// Reads a file and keeps in `at` where it is.
pub(crate) struct Source<'a> {
    file: Cursor<&'a [u8]>,
    at: &'a Cell<usize>,
}

impl<'a> Source<'a> {
    pub const fn new(bytes: &'a [u8], at: &'a Cell<usize>) -> Self {
        Self { file: Cursor::new(bytes), at }
    }

    fn tell(&self) {
        self.at.set(usize::try_from(self.file.position()).unwrap_or(usize::MAX));
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
        let at = self.file.seek(to);
        self.tell();
        at
    }
}
