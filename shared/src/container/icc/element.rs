//! One tag of a colour profile, written with exactly the bytes that its type has (ICC.1:2022 section 10).

use alloc::vec::Vec;

use crate::cursor::Cursor;

/// Entries of a curve or of a table before or after a grid, at most: section 10.10 allows as many in tables, and
/// screens are measured in 256 to 4096 steps.
const MAX_ENTRIES: usize = 4096;

/// What every description and copyright says.
const TEXT: &[u8] = b"colour";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text whose type was its own in version 2.
    Description,
    Text,
    Xyz,
    /// Nine numbers.
    Matrix,
    Curve,
    /// A table from the device's numbers to colours.
    FromDevice,
    /// A table the other way.
    ToDevice,
    CodePoints,
}

/// Which numbers the picture has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    Gray,
    Rgb,
    Inks,
}

impl Space {
    const fn channels(self) -> u8 {
        match self {
            Self::Gray => 1,
            Self::Rgb => 3,
            Self::Inks => 4,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Element {
    pub kind: Kind,
    pub space: Space,
    pub major: u8,
}

impl Element {
    /// Writes what `data` says, as far as its type needs; nothing when it is of no type that the tag can have.
    pub fn write(self, data: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let mut source = Cursor::new(data);
        match self.kind {
            Kind::Description | Kind::Text => self.text(out),
            Kind::Xyz => fixed(&mut source, *b"XYZ ", 12, out)?,
            Kind::Matrix => fixed(&mut source, *b"sf32", 36, out)?,
            Kind::CodePoints => fixed(&mut source, *b"cicp", 4, out)?,
            Kind::Curve => curve(&mut source, out)?,
            Kind::FromDevice | Kind::ToDevice => self.table(data, out)?,
        }
        Some(())
    }

    fn text(self, out: &mut Vec<u8>) {
        // Far below 255.
        let [.., length] = TEXT.len().to_be_bytes();
        if self.major >= 4 {
            // multiLocalizedUnicodeType: one record of twelve bytes, its length and place.
            out.extend(b"mluc\0\0\0\0\0\0\0\x01\0\0\0\x0CenUS\0\0\0");
            out.extend([2 * length, 0, 0, 0, 28]);
            out.extend(TEXT.iter().flat_map(|letter| [0, *letter]));
        } else if self.kind == Kind::Description {
            // textDescriptionType (ICC.1:2001-04 section 6.5.17), without its Unicode and Macintosh forms.
            out.extend([b'd', b'e', b's', b'c', 0, 0, 0, 0, 0, 0, 0, length + 1]);
            out.extend(TEXT);
            out.extend([0; 1 + 4 + 4 + 2 + 1 + 67]);
        } else {
            out.extend(b"text\0\0\0\0");
            out.extend(TEXT);
            out.push(0);
        }
    }

    fn table(self, data: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let mut source = Cursor::new(data);
        let kind: [u8; 4] = source.array().ok()?;
        let _reserved: [u8; 4] = source.array().ok()?;
        let [inputs, outputs, points, _] = source.array().ok()?;
        let device = self.space.channels();
        let is_from_device = self.kind == Kind::FromDevice;
        // Colours have three numbers.
        let expected = if is_from_device { (device, 3) } else { (3, device) };
        if (inputs, outputs) != expected {
            return None;
        }
        out.extend(kind);
        out.extend([0, 0, 0, 0, inputs, outputs]);
        let (inputs, outputs) = (usize::from(inputs), usize::from(outputs));
        match &kind {
            b"mft1" | b"mft2" => {
                let is_wide = kind == *b"mft2";
                out.extend([points, 0]);
                out.extend_from_slice(source.take(36).ok()?);
                let (mut before, mut after) = (256, 256);
                if is_wide {
                    let [b0, b1, a0, a1] = source.array().ok()?;
                    out.extend([b0, b1, a0, a1]);
                    before = usize::from(u16::from_be_bytes([b0, b1]));
                    after = usize::from(u16::from_be_bytes([a0, a1]));
                }
                if before.max(after) > MAX_ENTRIES {
                    return None;
                }
                let grid = volume(core::iter::repeat_n(points, inputs))?.checked_mul(outputs)?;
                let samples = grid.checked_add(before * inputs + after * outputs)?;
                let bytes = samples.checked_mul(if is_wide { 2 } else { 1 })?;
                out.extend_from_slice(source.take(bytes).ok()?);
            }
            b"mAB " if is_from_device => parts(data, (outputs, inputs), (inputs, outputs), out)?,
            b"mBA " if !is_from_device => parts(data, (inputs, outputs), (inputs, outputs), out)?,
            _ => return None,
        }
        Some(())
    }
}

/// A type whose size never differs.
fn fixed(source: &mut Cursor<'_>, kind: [u8; 4], bytes: usize, out: &mut Vec<u8>) -> Option<()> {
    if source.array().ok()? != kind {
        return None;
    }
    let _reserved: [u8; 4] = source.array().ok()?;
    out.extend(kind);
    out.extend([0; 4]);
    out.extend_from_slice(source.take(bytes).ok()?);
    Some(())
}

/// Entries (section 10.6), or the numbers of a function (section 10.18).
fn curve(source: &mut Cursor<'_>, out: &mut Vec<u8>) -> Option<()> {
    let kind: [u8; 4] = source.array().ok()?;
    let _reserved: [u8; 4] = source.array().ok()?;
    out.extend(kind);
    out.extend([0; 4]);
    let bytes = match &kind {
        b"curv" => {
            let count = source.array().ok()?;
            out.extend(count);
            let count = usize::try_from(u32::from_be_bytes(count)).ok()?;
            (count <= MAX_ENTRIES).then_some(2 * count)?
        }
        b"para" => {
            let [0, function, _, _] = source.array().ok()? else { return None };
            out.extend([0, function, 0, 0]);
            let numbers: usize = *[1, 3, 4, 5, 7].get(usize::from(function))?;
            4 * numbers
        }
        _ => return None,
    };
    out.extend_from_slice(source.take(bytes).ok()?);
    Some(())
}

/// How many points a grid has.
fn volume(mut sides: impl Iterator<Item = u8>) -> Option<usize> {
    sides.try_fold(1, |volume: usize, side| volume.checked_mul(usize::from(side)))
}

/// The parts of a table of version 4 behind its head (sections 10.12 and 10.13), each where its offset says:
/// curves of the colours, a matrix, curves, a grid, curves of the device.
fn parts(
    data: &[u8],
    (colours, device): (usize, usize),
    (inputs, outputs): (usize, usize),
    out: &mut Vec<u8>,
) -> Option<()> {
    const OFFSETS_AT: usize = 12;
    const PARTS: usize = 5;
    let start = out.len().checked_sub(OFFSETS_AT - 2)?;
    out.extend([0; 2 + 4 * PARTS]);
    let mut written: Vec<(usize, usize)> = Vec::with_capacity(PARTS);
    for part in 0..PARTS {
        let field = OFFSETS_AT + 4 * part;
        let offset = u32::from_be_bytes(*data.get(field..)?.first_chunk()?);
        if offset == 0 {
            continue;
        }
        let mut source = Cursor::new(data.get(usize::try_from(offset).ok()?..)?);
        let from = out.len();
        match part {
            1 => out.extend_from_slice(source.take(4 * 12).ok()?),
            3 => grid(&mut source, inputs, outputs, out)?,
            4 => curves(&mut source, device, out)?,
            _ => curves(&mut source, colours, out)?,
        }
        out.resize(out.len().next_multiple_of(4), 0);
        // Parts may share their data. Equal parts are written once, so the element does not grow.
        let (before, new) = out.split_at_checked(from)?;
        let same = written.iter().find(|(at, end)| before.get(*at..*end) == Some(new));
        let at = if let Some(&(at, _)) = same {
            out.truncate(from);
            at
        } else {
            written.push((from, out.len()));
            from
        };
        if out.len() - start > data.len().next_multiple_of(4) {
            return None;
        }
        let at = u32::try_from(at - start).ok()?.to_be_bytes();
        out.get_mut(start + field..)?.first_chunk_mut().map(|field| *field = at)?;
    }
    Some(())
}

/// Curves one after another, each from a multiple of four bytes.
fn curves(source: &mut Cursor<'_>, count: usize, out: &mut Vec<u8>) -> Option<()> {
    for _ in 0..count {
        let before = *source;
        out.resize(out.len().next_multiple_of(4), 0);
        curve(source, out)?;
        let padding = source.since(&before).len().wrapping_neg() % 4;
        // The last may end with the profile.
        source.take(padding.min(source.rest().len())).ok()?;
    }
    Some(())
}

fn grid(source: &mut Cursor<'_>, inputs: usize, outputs: usize, out: &mut Vec<u8>) -> Option<()> {
    let sides: [u8; 16] = source.array().ok()?;
    let [precision @ 1..=2, _, _, _] = source.array().ok()? else { return None };
    let (used, unused) = sides.split_at_checked(inputs)?;
    out.extend_from_slice(used);
    out.resize(out.len() + unused.len(), 0);
    out.extend([precision, 0, 0, 0]);
    let samples = volume(used.iter().copied())?.checked_mul(outputs)?;
    out.extend_from_slice(source.take(samples.checked_mul(usize::from(precision))?).ok()?);
    Some(())
}
