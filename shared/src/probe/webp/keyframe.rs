//! The header of a VP8 key frame (RFC 6386 section 9) and the partitions that the frame is cut into, as far
//! as the header says. Pixels are not decoded.
//!
//! A partition's size has 24 bits, and decoders make room for it before they read it: 198 bytes of
//! file can ask for 16 MB. So the sizes are checked here, where nothing is made room for.

use super::bools::Bools;
use crate::error::Corrupt;

/// A frame whose partitions are all there.
#[cfg_attr(
    not(feature = "codec"),
    expect(dead_code, reason = "`slack` reads on, with pixels only")
)]
pub struct KeyFrame<'a> {
    /// Not zero.
    pub width: u16,
    /// Not zero.
    pub height: u16,
    /// The header's codes and the modes of all macroblocks.
    pub first: &'a [u8],
    /// The coefficients of every 1st, 2nd, 4th or 8th row of macroblocks.
    pub rest: Partitions<'a>,
    /// What the header says of segments.
    pub segments: Segments,
    /// Reads the first partition, from behind `log2_nbr_of_dct_partitions` on.
    pub bools: Bools<'a>,
}

/// Odds in the tree of the segment that each macroblock names, if it names one.
pub type Segments = Option<[u8; 3]>;

impl<'a> KeyFrame<'a> {
    /// From the data of a `VP8 ` chunk.
    ///
    /// # Errors
    /// A header that libwebp refuses.
    pub fn read(data: &'a [u8]) -> Result<Self, Corrupt> {
        let ([t0, t1, t2, s0, s1, s2, w0, w1, h0, h1], partitions) =
            data.split_first_chunk::<10>().ok_or(Corrupt::BadLength)?;
        let tag = u32::from_le_bytes([*t0, *t1, *t2, 0]);
        let (is_inter, version, is_shown) = (tag & 1 == 1, tag >> 1 & 7, tag >> 4 & 1 == 1);
        if is_inter || version > 3 || !is_shown || [*s0, *s1, *s2] != [0x9D, 0x01, 0x2A] {
            return Err(Corrupt::BadHeader);
        }
        let first_len = usize::try_from(tag >> 5).map_err(|_| Corrupt::BadLength)?;
        let (first, rest) = partitions.split_at_checked(first_len).ok_or(Corrupt::BadLength)?;
        let mut bools = Bools::new(first);
        let (segments, partitions_log2) = begin(&mut bools);
        let rest = Partitions::read(1 << partitions_log2, rest)?;
        // The upper two bits are a scale for players; WebP has none.
        let (width, height) =
            (u16::from_le_bytes([*w0, *w1]) & 0x3FFF, u16::from_le_bytes([*h0, *h1]) & 0x3FFF);
        if width == 0 || height == 0 {
            return Err(Corrupt::NoPixels);
        }
        Ok(Self { width, height, first, rest, segments, bools })
    }
}

/// The partitions behind the first one.
#[cfg_attr(not(any(feature = "codec", test)), expect(dead_code, reason = "as `KeyFrame`"))]
pub struct Partitions<'a> {
    all: [&'a [u8]; 8],
    count: usize,
}

impl<'a> Partitions<'a> {
    /// One to eight of them.
    ///
    /// # Errors
    /// [`Corrupt::BadLength`] when one does not fit in what is there.
    fn read(count: usize, bytes: &'a [u8]) -> Result<Self, Corrupt> {
        // Section 9.5: three bytes for the size of each but the last, which has what remains.
        let (sizes, mut data) =
            bytes.split_at_checked(3 * (count - 1)).ok_or(Corrupt::BadLength)?;
        let (sizes, _) = sizes.as_chunks::<3>();
        let mut all = [&[][..]; 8];
        let mut places = all.iter_mut();
        for (place, [s0, s1, s2]) in places.by_ref().zip(sizes) {
            let size = u32::from_le_bytes([*s0, *s1, *s2, 0]);
            let size = usize::try_from(size).map_err(|_| Corrupt::BadLength)?;
            (*place, data) = data.split_at_checked(size).ok_or(Corrupt::BadLength)?;
        }
        if let Some(last) = all.get_mut(count - 1) {
            *last = data;
        }
        Ok(Self { all, count })
    }

    /// In the order of the file.
    #[cfg(any(feature = "codec", test))]
    pub fn all(&self) -> &[&'a [u8]] {
        self.all.get(..self.count).unwrap_or_default()
    }
}

/// The header as far as `log2_nbr_of_dct_partitions` (sections 9.2 to 9.5 and 19.2), which is answered.
fn begin(bools: &mut Bools<'_>) -> (Segments, u32) {
    // Color space, clamping.
    bools.bits(2);
    let segments = if bools.flag() { segmentation(bools) } else { None };
    // Filter type, level, sharpness.
    bools.bits(1 + 6 + 3);
    // Deltas of the loop filter, when they are on and updated: four by reference, four by mode.
    if bools.flag() && bools.flag() {
        bools.optional(8, 6 + 1);
    }
    (segments, bools.bits(2))
}

/// Section 9.3.
fn segmentation(bools: &mut Bools<'_>) -> Segments {
    let (updates_map, updates_data) = (bools.flag(), bools.flag());
    if updates_data {
        // Mode; quantizers and filter levels of four segments, each with a sign.
        bools.bits(1);
        bools.optional(4, 7 + 1);
        bools.optional(4, 6 + 1);
    }
    updates_map.then(|| [(); 3].map(|()| if bools.flag() { bools.byte() } else { 255 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_zeros_has_one_partition() {
        assert_eq!(begin(&mut Bools::new(&[0; 8])), (None, 0));
        assert_eq!(Partitions::read(1, &[7]).unwrap().all(), [[7]]);
        assert_eq!(Partitions::read(1, &[]).unwrap().all(), [[]; 1]);
    }

    #[test]
    fn the_sizes_of_many_partitions_must_fit() {
        // At even odds the bits of the first byte or so come out as they are: no segments, no
        // filter, no deltas, then ones.
        assert_eq!(begin(&mut Bools::new(&[0, 0x03, 0xFF, 0xFF])), (None, 3));
        let lengths = |bytes: &[u8]| {
            Partitions::read(8, bytes)
                .map(|partitions| [0, 1, 7].map(|at| partitions.all()[at].len()))
        };
        let mut bytes = [0; 3 * 7 + 10];
        assert_eq!(lengths(&bytes), Ok([0, 0, 10]));
        assert_eq!(lengths(&bytes[..20]), Err(Corrupt::BadLength));
        bytes[0] = 9;
        assert_eq!(lengths(&bytes), Ok([9, 0, 1]));
        bytes[3] = 1;
        assert_eq!(lengths(&bytes), Ok([9, 1, 0]));
        bytes[0] = 10;
        assert_eq!(lengths(&bytes), Err(Corrupt::BadLength));
    }
}
