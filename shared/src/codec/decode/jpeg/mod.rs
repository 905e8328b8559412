//! Decodes JPEG to planes, at full size or scaled in the DCT.
//!
//! Written for this crate, because nothing on the shelf does what uploads need: planes without a
//! detour over RGB, a scaled decode that also scales the memory of progressive pictures, no
//! threads, the same samples on every machine, and a reader that notices missing data. Tests
//! compare it with `jpeg-decoder` and libjpeg.

use alloc::vec::Vec;

use crate::{
    container::jpeg::{
        app::App,
        frame::{Frame, Scan},
        segment::{Piece, Pieces, marker},
        tables::Tables,
    },
    error::Corrupt,
    hidden_data::HiddenData,
    pace::Pace,
    plan::Scale,
    raster::Plane,
};

mod bits;
mod color;
mod huffman;
mod idct;
mod scan;
mod stride;

pub(crate) use color::{from_raster, planes};
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
    /// Bytes of the scans that no pixel comes from.
    pub hidden_data: HiddenData,
}

/// Decodes all scans of a picture whose frame must be of the `expected` size.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(crate) async fn decode(
    data: &[u8],
    scale: Scale,
    expected: (u32, u32),
    pace: &Pace,
) -> Result<Decoded, Corrupt> {
    let mut decoder = Decoder {
        data,
        side: scale.side() as usize,
        tables: Tables::default(),
        frame: None,
        jfif: false,
        adobe: None,
    };
    decoder.run(expected, pace).await
}

struct Decoder<'a> {
    data: &'a [u8],
    side: usize,
    tables: Tables<'a>,
    frame: Option<(Frame, Channels)>,
    jfif: bool,
    /// The transform that an Adobe segment names.
    adobe: Option<u8>,
}

impl<'a> Decoder<'a> {
    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    async fn run(&mut self, expected: (u32, u32), pace: &Pace) -> Result<Decoded, Corrupt> {
        let mut pieces = Pieces::new(self.data);
        loop {
            match pieces.next() {
                Some(Ok(Piece::Segment { marker: marker::SOS, payload, .. })) => {
                    let at = self.data.len() - pieces.rest().len();
                    // The last code says where a scan ends.
                    let end = self.scan(payload, at, pace).await?;
                    pieces = Pieces::continue_at(self.data, end);
                }
                Some(Ok(Piece::Segment { marker, payload, .. })) => {
                    self.segment(marker, payload, expected)?;
                }
                Some(Ok(Piece::Stray(_) | Piece::Entropy(_))) => {}
                Some(Ok(Piece::End { .. })) => return self.finish(true, pace).await,
                // A file that lost only its end mark may go on with half a segment.
                Some(Err(Corrupt::Truncated)) | None => return self.finish(false, pace).await,
                Some(Err(cause)) => return Err(cause),
            }
        }
    }

    fn segment(
        &mut self,
        marker: u8,
        payload: &'a [u8],
        expected: (u32, u32),
    ) -> Result<(), Corrupt> {
        match marker {
            marker::DHT => {
                let is_sound = self.tables.define_huffman(payload)?;
                // `inspect` takes an unsound table that no scan uses; libjpeg does not.
                if is_sound { Ok(()) } else { Err(Corrupt::BadHeader) }
            }
            marker::DQT => self.tables.define_quantisation(payload),
            marker::DRI => self.tables.define_restart_interval(payload),
            // The reserved FF C8 among them, which `inspect` skips.
            marker::SOF0..=marker::SOF15 => self.frame(marker, payload, expected),
            _ => {
                self.application(marker, payload);
                Ok(())
            }
        }
    }

    fn frame(&mut self, marker: u8, payload: &[u8], expected: (u32, u32)) -> Result<(), Corrupt> {
        let frame = Frame::parse(marker, payload)?;
        // The plan's memory was computed for the size that `inspect` saw.
        let size = (u32::from(frame.width), u32::from(frame.height));
        if self.frame.is_some() || size != expected {
            return Err(Corrupt::BadStructure);
        }
        let channels = Channels::new(&frame, self.side);
        self.frame = Some((frame, channels));
        Ok(())
    }

    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    async fn scan(&mut self, payload: &[u8], at: usize, pace: &Pace) -> Result<usize, Corrupt> {
        let (frame, channels) = self.frame.as_mut().ok_or(Corrupt::BadStructure)?;
        let scan = Scan::parse(payload, frame)?;
        channels.scan(self.data, at, frame, &scan, &self.tables, pace).await
    }

    fn application(&mut self, marker: u8, payload: &[u8]) {
        match App::of(marker, payload) {
            Some(App::Jfif(_)) => self.jfif = true,
            Some(App::Adobe([.., transform])) => self.adobe = Some(*transform),
            _ => {}
        }
    }

    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    async fn finish(&mut self, ended: bool, pace: &Pace) -> Result<Decoded, Corrupt> {
        let (frame, mut channels) = self.frame.take().ok_or(Corrupt::NoImageData)?;
        // Without an end marker more scans of a progressive picture may be missing.
        if !ended && frame.progressive {
            return Err(Corrupt::Truncated);
        }
        let (model, hidden_data) = (self.model(&frame), core::mem::take(&mut channels.hidden));
        Ok(Decoded { model, planes: channels.finish(pace).await?, hidden_data })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::run;

    const DC: &[u8] = b"\xFF\xC4\0\x14\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    const AC: &[u8] = b"\xFF\xC4\0\x14\x10\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    /// Gray, 8 x 8, one block of two bits; `before` stands before its frame.
    fn decoded(before: &[u8]) -> Result<Vec<u8>, Corrupt> {
        let file = [
            b"\xFF\xD8\xFF\xDB\0\x43\0",
            &[1; 64][..],
            DC,
            AC,
            before,
            b"\xFF\xC0\0\x0B\x08\0\x08\0\x08\x01\x01\x11\0",
            b"\xFF\xDA\0\x08\x01\x01\0\0\x3F\0?\xFF\xD9",
        ];
        let file = file.concat();
        let mut decoded = run!(decode(&file, Scale::Eighth, (8, 8), &Pace::default()))?;
        Ok(decoded.planes.remove(0).data)
    }

    #[test]
    fn tables_that_no_scan_uses_must_be_sound_all_the_same() {
        assert_eq!(decoded(b""), Ok([128].to_vec()));
        // Of two codes of one bit, one is all ones.
        let unsound = |number| [&[0xFF, 0xC4, 0, 0x15, number, 2][..], &[0; 15 + 2]].concat();
        assert_eq!(decoded(&unsound(1)), Err(Corrupt::BadHeader));
        let replaced = [&unsound(0)[..], DC].concat();
        assert_eq!(decoded(&replaced), Err(Corrupt::BadHeader));
    }

    #[test]
    fn reserved_frames_are_refused_and_other_reserved_segments_skipped() {
        assert_eq!(decoded(b"\xFF\xC8\0\x02"), Err(Corrupt::Unsupported));
        assert_eq!(decoded(b"\xFF\xF0\0\x02\xFF\x01.\xFF\xD0"), Ok([128].to_vec()));
    }
}
