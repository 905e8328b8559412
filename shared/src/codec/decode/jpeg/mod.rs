//! Decodes JPEG to planes, at full size or scaled in the DCT.
//!
//! Written for this crate, because nothing on the shelf does what uploads need: planes without a
//! detour over RGB, a scaled decode that also scales the memory of progressive pictures, no
//! threads, the same samples on every machine, and a reader that notices missing data. Tests
//! compare it with `jpeg-decoder` and libjpeg.

use alloc::vec::Vec;

use crate::{
    container::jpeg::app::App, error::Corrupt, hidden_data::HiddenData, plan::Scale, raster::Plane,
};

mod bits;
mod color;
mod frame;
mod huffman;
mod idct;
mod scan;
mod stride;

pub(crate) use color::{from_raster, planes};
use frame::{Frame, Scan, Tables};
use scan::Channels;

/// What the components of a JPEG mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Model {
    Gray,
    YCbCr,
    Rgb,
    Inks(Inks),
}

/// How four inks are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inks {
    /// The first three as luma and chroma (YCCK).
    pub luma: bool,
    /// 255 means no ink, as Adobe stores them; every decoder tells by Adobe's segment.
    pub inverted: bool,
}

/// A decoded JPEG.
pub(crate) struct Decoded {
    pub model: Model,
    /// One for each component; still padded to whole blocks.
    pub planes: Vec<Plane>,
    /// Bytes of the scans that say nothing of the picture.
    pub slack: HiddenData,
}

/// Decodes all scans of a picture whose frame must be of the `expected` size.
pub(crate) fn decode(data: &[u8], scale: Scale, expected: (u32, u32)) -> Result<Decoded, Corrupt> {
    let mut decoder = Decoder {
        data,
        side: scale.side() as usize,
        tables: Tables::default(),
        interval: 0,
        frame: None,
        jfif: false,
        adobe: None,
    };
    decoder.run(expected)
}

struct Decoder<'a> {
    data: &'a [u8],
    side: usize,
    tables: Tables,
    /// MCUs between restart markers; 0 for none.
    interval: usize,
    frame: Option<(Frame, Channels)>,
    jfif: bool,
    /// The transform that an Adobe segment names.
    adobe: Option<u8>,
}

impl<'a> Decoder<'a> {
    fn run(&mut self, expected: (u32, u32)) -> Result<Decoded, Corrupt> {
        let mut at = 2;
        loop {
            let Some((code, after)) = self.marker(at) else {
                return self.finish(false);
            };
            at = after;
            // Standalone markers (T.81 table B.1).
            if matches!(code, 0x01 | 0xD0..=0xD8) {
                continue;
            }
            if code == 0xD9 {
                return self.finish(true);
            }
            let body = match self.body(at) {
                // A file that lost only its end mark may go on with half a segment.
                Err(Corrupt::Truncated) => return self.finish(false),
                body => body?,
            };
            at += 2 + body.len();
            match code {
                0xC4 => self.tables.huffman(body)?,
                0xC0..=0xC2 => self.frame(code, body, expected)?,
                // Lossless, hierarchical and arithmetic pictures, which no browser shows.
                0xC3 | 0xC5..=0xCF => return Err(Corrupt::Unsupported),
                0xDB => self.tables.quantization(body)?,
                0xDD => {
                    let interval = body.first_chunk().ok_or(Corrupt::BadLength)?;
                    self.interval = usize::from(u16::from_be_bytes(*interval));
                }
                0xDA => at = self.scan(body, at)?,
                _ => self.application(code, body),
            }
        }
    }

    /// The next marker's code and where its segment goes on; other bytes between segments are
    /// skipped, as every decoder does.
    fn marker(&self, mut at: usize) -> Option<(u8, usize)> {
        loop {
            at += self.data.get(at..)?.iter().position(|&byte| byte == 0xFF)?;
            at += self.data.get(at..)?.iter().take_while(|&&byte| byte == 0xFF).count();
            match *self.data.get(at)? {
                0 => at += 1,
                code => return Some((code, at + 1)),
            }
        }
    }

    fn body(&self, at: usize) -> Result<&'a [u8], Corrupt> {
        let rest = self.data.get(at..).ok_or(Corrupt::Truncated)?;
        let (length, rest) = rest.split_first_chunk().ok_or(Corrupt::Truncated)?;
        let length = usize::from(u16::from_be_bytes(*length));
        rest.get(..length.checked_sub(2).ok_or(Corrupt::BadLength)?).ok_or(Corrupt::Truncated)
    }

    fn frame(&mut self, code: u8, body: &[u8], expected: (u32, u32)) -> Result<(), Corrupt> {
        let frame = Frame::parse(code, body)?;
        // The plan's memory was computed for the size that `inspect` saw.
        let size = (frame.width as u64, frame.height as u64);
        if self.frame.is_some() || size != (expected.0.into(), expected.1.into()) {
            return Err(Corrupt::BadStructure);
        }
        let channels = Channels::new(&frame, self.side);
        self.frame = Some((frame, channels));
        Ok(())
    }

    fn scan(&mut self, body: &[u8], at: usize) -> Result<usize, Corrupt> {
        let (frame, channels) = self.frame.as_mut().ok_or(Corrupt::BadStructure)?;
        let scan = Scan::parse(frame, body)?;
        channels.scan(self.data, at, frame, &scan, &self.tables, self.interval)
    }

    fn application(&mut self, code: u8, body: &'a [u8]) {
        match App::of(code, body) {
            Some(App::Jfif(_)) => self.jfif = true,
            Some(App::Adobe([.., transform])) => self.adobe = Some(*transform),
            _ => {}
        }
    }

    fn finish(&mut self, ended: bool) -> Result<Decoded, Corrupt> {
        let (frame, mut channels) = self.frame.take().ok_or(Corrupt::NoImageData)?;
        // Without an end marker more scans of a progressive picture may be missing.
        if !ended && frame.progressive {
            return Err(Corrupt::Truncated);
        }
        let (model, slack) = (self.model(&frame), core::mem::take(&mut channels.hidden));
        Ok(Decoded { model, planes: channels.finish()?, slack })
    }

    /// What libjpeg decides (jdapimin.c, `default_decompress_parms`).
    fn model(&self, frame: &Frame) -> Model {
        let ids = frame.components.iter().map(|component| component.id);
        match (frame.components.len(), self.adobe) {
            (1, _) => Model::Gray,
            (3, _) if self.jfif => Model::YCbCr,
            (3, Some(0)) => Model::Rgb,
            (3, None) if ids.eq(*b"RGB") => Model::Rgb,
            (3, _) => Model::YCbCr,
            (_, adobe) => Model::Inks(Inks { luma: adobe == Some(2), inverted: adobe.is_some() }),
        }
    }
}
