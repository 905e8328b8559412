//! APNG: the animation that rides in acTL, fcTL and fdAT (PNG 3rd edition, sections 4.9 and 11.3.6).
//!
//! It checks numbers, rectangles and order. Whether the pixels decode is left to `decode`.

use crate::{
    container::png::{Chunk, Header},
    error::Corrupt,
    report::Coded,
};

/// What the walk has seen of an animation.
#[derive(Clone, Copy, Debug)]
pub struct Animation {
    /// How many frames acTL promises, not zero.
    pub frames: u32,
    /// Of the frames so far, without the still picture.
    pub coded: Coded,
    frames_seen: u32,
    next_sequence: u32,
    open: Open,
}

/// Whether a frame waits for its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    No,
    Waiting,
    Fed,
}

impl Animation {
    /// From acTL; nothing when it has a wrong length or promises no frame, in which case browsers show
    /// the still picture, so the animation's chunks are of no use.
    pub fn promised(chunk: &Chunk<'_>) -> Option<Self> {
        let [f0, f1, f2, f3, _plays @ ..] = *chunk.fields::<8>()?;
        let frames = u32::from_be_bytes([f0, f1, f2, f3]);
        (frames > 0).then_some(Self {
            frames,
            coded: Coded::default(),
            frames_seen: 0,
            next_sequence: 0,
            open: Open::No,
        })
    }

    /// A frame begins with its fcTL.
    pub fn frame(
        &mut self,
        chunk: &Chunk<'_>,
        header: &Header,
        before_pixels: bool,
    ) -> Result<(), Corrupt> {
        let fields: &[u8; 26] = chunk.fields().ok_or(Corrupt::BadLength)?;
        self.close()?;
        self.sequence(fields)?;
        let field = |at: usize| {
            fields.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |it| u32::from_be_bytes(*it))
        };
        let (width, height, left, top) = (field(4), field(8), field(12), field(16));
        if width == 0 || height == 0 {
            return Err(Corrupt::NoPixels);
        }
        let within = left.checked_add(width).is_some_and(|right| right <= header.width)
            && top.checked_add(height).is_some_and(|bottom| bottom <= header.height);
        let [.., dispose, blend] = *fields;
        if !within || dispose > 2 || blend > 1 {
            return Err(Corrupt::BadHeader);
        }
        // The still picture is the first frame, so it covers the canvas. That there is but one is
        // known already: another fcTL before the pixels finds it without data.
        if before_pixels && (width, height) != (header.width, header.height) {
            return Err(Corrupt::BadStructure);
        }
        self.frames_seen += 1;
        if !before_pixels {
            let Coded { pixels, inflated_bytes, .. } = &mut self.coded;
            *pixels = pixels.saturating_add(u64::from(width).saturating_mul(height.into()));
            let frame = Header { width, height, ..*header };
            *inflated_bytes = inflated_bytes.saturating_add(frame.filtered_bytes());
        }
        self.open = Open::Waiting;
        if self.frames_seen > self.frames { Err(Corrupt::BadStructure) } else { Ok(()) }
    }

    /// Pixels of the still picture; they are the first frame's when its fcTL came before.
    pub fn still_data(&mut self) {
        if self.open == Open::Waiting {
            self.open = Open::Fed;
        }
    }

    /// Pixels of a later frame, fdAT.
    pub fn frame_data(&mut self, chunk: &Chunk<'_>) -> Result<(), Corrupt> {
        self.sequence(chunk.data)?;
        if self.open == Open::No {
            return Err(Corrupt::BadStructure);
        }
        self.open = Open::Fed;
        Ok(())
    }

    /// The file ends.
    pub fn finish(&mut self) -> Result<(), Corrupt> {
        self.close()?;
        if self.frames_seen == self.frames { Ok(()) } else { Err(Corrupt::BadStructure) }
    }

    fn close(&mut self) -> Result<(), Corrupt> {
        if self.open == Open::Waiting { Err(Corrupt::NoImageData) } else { Ok(()) }
    }

    fn sequence(&mut self, data: &[u8]) -> Result<(), Corrupt> {
        let number = data.first_chunk().map(|it| u32::from_be_bytes(*it));
        if number != Some(self.next_sequence) {
            return Err(Corrupt::BadStructure);
        }
        self.next_sequence = self.next_sequence.checked_add(1).ok_or(Corrupt::BadStructure)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::png::Samples;

    /// Section 11.3.6.2: three ways to dispose, two to blend, and a rectangle inside the canvas.
    #[test]
    fn a_frame_says_what_it_may() {
        let header =
            Header { width: 3, height: 2, depth: 8, samples: Samples::Gray, interlaced: false };
        for (before_pixels, [width, height, left, top, dispose, blend], expected) in [
            (true, [3, 2, 0, 0, 0, 0], Ok(())),
            (true, [3, 2, 0, 0, 2, 1], Ok(())),
            (true, [3, 2, 0, 0, 3, 0], Err(Corrupt::BadHeader)),
            (true, [3, 2, 0, 0, 0, 2], Err(Corrupt::BadHeader)),
            (true, [2, 2, 0, 0, 0, 0], Err(Corrupt::BadStructure)),
            (true, [3, 1, 0, 0, 0, 0], Err(Corrupt::BadStructure)),
            (false, [2, 1, 1, 1, 1, 0], Ok(())),
            (false, [2, 1, 2, 1, 1, 0], Err(Corrupt::BadHeader)),
            (false, [2, 1, 1, 2, 1, 0], Err(Corrupt::BadHeader)),
        ] {
            let mut data = [0; 26];
            (data[7], data[11], data[15], data[19]) = (width, height, left, top);
            (data[24], data[25]) = (dispose, blend);
            let promise = Chunk { kind: *b"acTL", data: &[0, 0, 0, 1, 0, 0, 0, 0], raw: &[] };
            let mut animation = Animation::promised(&promise).unwrap();
            let frame = Chunk { kind: *b"fcTL", data: &data, raw: &[] };
            let verdict = animation.frame(&frame, &header, before_pixels);
            assert_eq!(verdict, expected, "{data:?}");
        }
    }
}
