//! Data after the zlib stream of a PNG's pixels, in its IDAT and fdAT chunks.
//!
//! The decoder reports its position at the last row. Only when more bytes are left than an encoder leaves, the
//! stream is inflated once more to find its end to the byte.

use alloc::{vec, vec::Vec};
use core::ops::Range;

use fdeflate::Decompressor;

use super::HiddenData;
use crate::{
    container::png::{self as chunk, Chunk, Header},
    cursor::Cursor,
    error::Corrupt,
    pace::Pace,
    plan::work::cost,
};

/// Bytes that may be left at the last row: the end of the block, the checksum, an empty block that some encoders
/// write before the end.
const MOST_TAIL: usize = 4 + 2 * 5;

/// As far back as deflate reaches (RFC 1951 section 2).
const WINDOW: usize = 32 * 1024;

/// Bytes that the decoder may read ahead: it holds at most 64 bits.
const AHEAD: usize = 8;

/// Chunks that one frame may be cut into: 128 KiB for their places, and as much again while the list grows.
/// In the chunks of 8 KiB that libpng writes they hold 64 MiB.
const MAX_PARTS: usize = 8192;

struct Stream {
    /// How many bytes they inflate to.
    raw_bytes: u64,
    /// The stream, in the order of the file.
    parts: Vec<Range<usize>>,
}

/// `ends` has the position of the decoder at the last row of each frame.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(crate) async fn find(bytes: &[u8], ends: &[usize], pace: &Pace) -> Result<HiddenData, Corrupt> {
    let mut hidden = HiddenData::default();
    let mut streams = Streams::new(bytes)?;
    let mut ends = ends.iter();
    while let Some(stream) = streams.next()? {
        let end = *ends.next().ok_or(Corrupt::BadStructure)?;
        let tail: usize =
            stream.parts.iter().map(|part| part.end.saturating_sub(end.max(part.start))).sum();
        if tail <= MOST_TAIL {
            continue;
        }
        let mut length = stream_bytes(bytes, &stream, pace).await?;
        for part in &stream.parts {
            let taken = length.min(part.len());
            length -= taken;
            hidden.push(part.start + taken..part.end)?;
        }
    }
    Ok(hidden)
}

/// The pixels of each frame, a still one that is not animated among them.
struct Streams<'a> {
    bytes: &'a [u8],
    chunks: Cursor<'a>,
    still: Option<Header>,
    open: Option<Stream>,
}

impl<'a> Streams<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, Corrupt> {
        Ok(Self { bytes, chunks: chunks(bytes)?, still: None, open: None })
    }

    fn next(&mut self) -> Result<Option<Stream>, Corrupt> {
        while let Some((chunk, data)) = next_chunk(self.bytes, &mut self.chunks)? {
            if let Some(stream) = self.chunk(&chunk, data)? {
                return Ok(Some(stream));
            }
        }
        Ok(None)
    }

    /// Takes a chunk; returns the stream that ends before it.
    fn chunk(&mut self, chunk: &Chunk<'_>, data: Range<usize>) -> Result<Option<Stream>, Corrupt> {
        let mut ended = None;
        match &chunk.kind {
            b"IHDR" => self.still = Some(Header::parse(chunk.data)?),
            b"fcTL" | b"IEND" => {
                ended = self.open.take_if(|stream| !stream.parts.is_empty());
            }
            _ => {}
        }
        let header = self.still.ok_or(Corrupt::BadStructure)?;
        match &chunk.kind {
            b"fcTL" => {
                let size: Option<&[u8; 8]> = chunk.data.get(4..).and_then(<[u8]>::first_chunk);
                let [w0, w1, w2, w3, h0, h1, h2, h3] = *size.ok_or(Corrupt::BadLength)?;
                let width = u32::from_be_bytes([w0, w1, w2, w3]);
                let height = u32::from_be_bytes([h0, h1, h2, h3]);
                let raw_bytes = Header { width, height, ..header }.filtered_bytes();
                self.open = Some(Stream { raw_bytes, parts: Vec::new() });
            }
            b"IDAT" | b"fdAT" => {
                let raw_bytes = header.filtered_bytes();
                let stream = self.open.get_or_insert(Stream { raw_bytes, parts: Vec::new() });
                if stream.parts.len() == MAX_PARTS {
                    return Err(Corrupt::BadStructure);
                }
                if !data.is_empty() {
                    stream.parts.push(data);
                }
            }
            _ => {}
        }
        Ok(ended)
    }
}

/// The chunks of a PNG.
fn chunks(bytes: &[u8]) -> Result<Cursor<'_>, Corrupt> {
    let mut cursor = Cursor::new(bytes);
    cursor.take(chunk::SIGNATURE.len())?;
    Ok(cursor)
}

/// The next chunk and the place of its pixels, if it has some.
fn next_chunk<'a>(
    bytes: &'a [u8],
    chunks: &mut Cursor<'a>,
) -> Result<Option<(Chunk<'a>, Range<usize>)>, Corrupt> {
    if chunks.is_empty() {
        return Ok(None);
    }
    let start = bytes.len() - chunks.rest().len();
    let chunk = Chunk::read(chunks)?;
    // Length and type; fdAT has a number before its pixels.
    let before = if chunk.kind == *b"fdAT" { 8 + 4 } else { 8 };
    let data = start + before..start + 8 + chunk.data.len();
    Ok(Some((chunk, data)))
}

/// How many bytes the zlib stream has, its checksum included. The decoder reads some bytes ahead, so it is
/// asked twice: the second time byte by byte where the end must be.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn stream_bytes(bytes: &[u8], stream: &Stream, pace: &Pace) -> Result<usize, Corrupt> {
    let about = inflate(bytes, stream, usize::MAX, pace).await?;
    inflate(bytes, stream, about.saturating_sub(AHEAD), pace).await
}

/// How many bytes are read to the end of the stream: as many as there are at a time, and single ones after
/// the first `fast`. Without an end all of it is stream: decoders that have the rows do not miss it.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn inflate(
    bytes: &[u8],
    stream: &Stream,
    fast: usize,
    pace: &Pace,
) -> Result<usize, Corrupt> {
    let mut inflate = Decompressor::new();
    inflate.ignore_adler32();
    let mut out = vec![0; 3 * WINDOW];
    let (mut taken, mut made, mut at) = (0, 0, 0);
    for part in &stream.parts {
        let mut data = bytes.get(part.clone()).unwrap_or_default();
        loop {
            let piece = data.len().min(fast.saturating_sub(taken).max(1));
            let (input, _) = data.split_at_checked(piece).ok_or(Corrupt::BadPixels)?;
            let read = inflate.read(input, &mut out, at, false);
            let (consumed, produced) = read.map_err(|_| Corrupt::BadPixels)?;
            pace.add((consumed as u64).saturating_mul(cost::DEFLATED_BYTE));
            pace.begin((produced as u64).saturating_mul(cost::INFLATED_BYTE)).await;
            data = data.get(consumed..).unwrap_or_default();
            taken += consumed;
            made += produced as u64;
            at += produced;
            // More rows than the picture has are a place to hide in as well.
            if made > stream.raw_bytes {
                return Err(Corrupt::BadPixels);
            }
            if inflate.is_done() {
                return Ok(taken);
            }
            if at > 2 * WINDOW {
                out.copy_within(at - WINDOW..at, 0);
                at = WINDOW;
            } else if consumed == 0 && produced == 0 {
                break;
            }
        }
    }
    Ok(taken)
}

/// Removes hidden data and writes new lengths and checksums.
pub(crate) fn remove(bytes: &[u8], hidden: &HiddenData) -> Result<Vec<u8>, Corrupt> {
    let mut out = Vec::with_capacity(bytes.len());
    out.extend(chunk::SIGNATURE);
    let mut chunks = chunks(bytes)?;
    while let Some((chunk, data)) = next_chunk(bytes, &mut chunks)? {
        match hidden.starts_in(&data) {
            Some(start) if matches!(&chunk.kind, b"IDAT" | b"fdAT") => {
                let kept = start.saturating_sub(data.start) + (chunk.data.len() - data.len());
                // The numbers of fdAT must go on without a gap.
                if kept > 0 {
                    chunk::write(chunk.kind, chunk.data.get(..kept).unwrap_or_default(), &mut out);
                }
            }
            _ => out.extend_from_slice(chunk.raw),
        }
    }
    Ok(out)
}
