//! A file as decoders of others read it, which tells how far they have read.

use core::cell::Cell;
use std::io::{BufRead, Cursor, Read, Result, Seek, SeekFrom};

/// How far a decoder has read.
#[derive(Debug, Default)]
pub(crate) struct Bookmark {
    at: Cell<usize>,
    left: Cell<usize>,
}

impl Bookmark {
    /// Where it is.
    pub const fn at(&self) -> usize {
        self.at.get()
    }

    /// Where it was before it last went elsewhere.
    pub const fn left(&self) -> usize {
        self.left.get()
    }
}

/// Reads a file and keeps the bookmark.
pub(crate) struct Source<'a> {
    file: Cursor<&'a [u8]>,
    bookmark: &'a Bookmark,
}

impl<'a> Source<'a> {
    pub const fn new(bytes: &'a [u8], bookmark: &'a Bookmark) -> Self {
        Self { file: Cursor::new(bytes), bookmark }
    }

    fn tell(&self) {
        self.bookmark.at.set(usize::try_from(self.file.position()).unwrap_or(usize::MAX));
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
        self.bookmark.left.set(self.bookmark.at());
        let at = self.file.seek(to);
        self.tell();
        at
    }
}
