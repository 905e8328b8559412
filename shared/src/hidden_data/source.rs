//! A reader for decoders of other crates that records their position in the file.

use core::cell::Cell;
use std::io::{BufRead, Cursor, Read, Result, Seek, SeekFrom};

#[derive(Debug, Default)]
pub(crate) struct ReadPosition {
    at: Cell<usize>,
    before_seek: Cell<usize>,
}

impl ReadPosition {
    pub const fn at(&self) -> usize {
        self.at.get()
    }

    /// The position before the last seek.
    pub const fn before_seek(&self) -> usize {
        self.before_seek.get()
    }
}

pub(crate) struct Source<'a> {
    file: Cursor<&'a [u8]>,
    position: &'a ReadPosition,
}

impl<'a> Source<'a> {
    pub const fn new(bytes: &'a [u8], position: &'a ReadPosition) -> Self {
        Self { file: Cursor::new(bytes), position }
    }

    fn record(&self) {
        self.position.at.set(usize::try_from(self.file.position()).unwrap_or(usize::MAX));
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let read = self.file.read(buffer);
        self.record();
        read
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        self.file.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.file.consume(count);
        self.record();
    }
}

impl Seek for Source<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.position.before_seek.set(self.position.at());
        let at = self.file.seek(to);
        self.record();
        at
    }
}
