//! The tables that a JPEG defines before its scans, and what quality they amount to.

use alloc::boxed::Box;

use crate::error::Corrupt;

/// A Huffman table as stored (section B.2.4.2): codes of each length, then the symbols.
#[derive(Clone, Copy, Debug)]
pub struct Huffman<'a> {
    /// How many codes have 1, 2, … 16 bits.
    pub counts: &'a [u8; 16],
    /// The symbols, shortest code first.
    pub symbols: &'a [u8],
}

impl Huffman<'_> {
    /// Bits of the shortest code.
    #[must_use]
    pub fn shortest_code_bits(&self) -> u64 {
        let zeros = self.counts.iter().take_while(|count| **count == 0).count();
        zeros as u64 + 1
    }

    /// Whether the codes fit in their lengths, none of them all ones (section C.2), and a DC table
    /// asks for no more bits than a difference can have.
    fn is_sound(&self, is_dc: bool) -> bool {
        let mut code = 0_u32;
        for (count, bits) in self.counts.iter().zip(1..) {
            code += u32::from(*count);
            if code >= 1 << bits {
                return false;
            }
            code <<= 1;
        }
        !self.symbols.is_empty() && (!is_dc || self.symbols.iter().all(|bits| *bits <= 15))
    }
}

/// What has been defined so far; a later definition replaces an earlier one.
#[derive(Debug, Default)]
pub struct Tables<'a> {
    /// Tables of DC differences, by number.
    pub dc: [Option<Huffman<'a>>; 4],
    /// Tables of AC coefficients, by number.
    pub ac: [Option<Huffman<'a>>; 4],
    quantisation: [Option<Box<[u16; 64]>>; 4],
    /// Units between restarts; 0 for none.
    pub restart_interval: u16,
}

impl<'a> Tables<'a> {
    /// Takes a DHT segment; returns whether all its tables are sound. An unsound one counts as undefined, so that
    /// it matters only to a scan that uses it.
    ///
    /// # Errors
    /// A number or length that the format forbids.
    pub fn define_huffman(&mut self, mut payload: &'a [u8]) -> Result<bool, Corrupt> {
        let mut all_sound = true;
        while let Some((&class_and_number, rest)) = payload.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or(Corrupt::BadLength)?;
            let symbols = counts.iter().map(|count| usize::from(*count)).sum();
            let (symbols, rest) = rest.split_at_checked(symbols).ok_or(Corrupt::BadLength)?;
            if symbols.len() > 256 {
                return Err(Corrupt::BadHeader);
            }
            let (is_dc, slots) = match class_and_number >> 4 {
                0 => (true, &mut self.dc),
                1 => (false, &mut self.ac),
                _ => return Err(Corrupt::BadHeader),
            };
            let slot =
                slots.get_mut(usize::from(class_and_number & 15)).ok_or(Corrupt::BadHeader)?;
            *slot = Some(Huffman { counts, symbols }).filter(|table| table.is_sound(is_dc));
            all_sound &= slot.is_some();
            payload = rest;
        }
        Ok(all_sound)
    }

    /// Takes a DQT segment (section B.2.4.1).
    ///
    /// # Errors
    /// A number or length that the format forbids.
    pub fn define_quantisation(&mut self, mut payload: &'a [u8]) -> Result<(), Corrupt> {
        while let Some((&precision_and_number, rest)) = payload.split_first() {
            let number = usize::from(precision_and_number & 15);
            let slot = self.quantisation.get_mut(number).ok_or(Corrupt::BadHeader)?;
            let mut table = Box::new([0; 64]);
            payload = if precision_and_number >> 4 == 0 {
                let (values, rest) = rest.split_first_chunk::<64>().ok_or(Corrupt::BadLength)?;
                *table = values.map(u16::from);
                rest
            } else {
                let (values, rest) = rest.split_first_chunk::<128>().ok_or(Corrupt::BadLength)?;
                for (to, from) in table.iter_mut().zip(values.as_chunks::<2>().0) {
                    *to = u16::from_be_bytes(*from);
                }
                rest
            };
            *slot = Some(table);
        }
        Ok(())
    }

    /// Takes a DRI segment (section B.2.4.4).
    ///
    /// # Errors
    /// A payload that is not two bytes.
    pub fn define_restart_interval(&mut self, payload: &[u8]) -> Result<(), Corrupt> {
        let interval = payload.try_into().map_err(|_| Corrupt::BadLength)?;
        self.restart_interval = u16::from_be_bytes(interval);
        Ok(())
    }

    /// The steps of a quantisation table, in zigzag order.
    #[must_use]
    pub fn quantisation(&self, number: u8) -> Option<&[u16; 64]> {
        self.quantisation.get(usize::from(number))?.as_deref()
    }

    /// The quality on libjpeg's scale whose luminance table is nearest in sum to this one.
    #[must_use]
    pub fn quality(&self, number: u8) -> Option<u8> {
        let sum: u32 = self.quantisation(number)?.iter().map(|step| u32::from(*step)).sum();
        (1..=100).min_by_key(|quality| libjpeg_sum(*quality).abs_diff(sum))
    }
}

/// Annex K, table K.1: the steps that libjpeg scales, in any order since only their sum is used.
const LUMINANCE: [u32; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113,
    92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];

/// The sum of the luminance steps at a quality, scaled as libjpeg's `jpeg_quality_scaling` does.
fn libjpeg_sum(quality: u8) -> u32 {
    let quality = u32::from(quality);
    let percent = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    LUMINANCE.iter().map(|step| ((step * percent + 50) / 100).clamp(1, 255)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn quantisation(quality: u32) -> Vec<u8> {
        let percent = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
        let steps = LUMINANCE.map(|step| ((step * percent + 50) / 100).clamp(1, 255) as u8);
        [&[0][..], &steps].concat()
    }

    #[test]
    fn the_quality_of_libjpegs_tables_is_found() {
        for quality in [5, 30, 50, 75, 80, 92, 95, 100] {
            let payload = quantisation(quality);
            let mut tables = Tables::default();
            tables.define_quantisation(&payload).unwrap();
            assert_eq!(tables.quality(0).map(u32::from), Some(quality));
            assert_eq!(tables.quality(1), None);
        }
    }

    #[test]
    fn tables_with_impossible_numbers_or_lengths_are_refused() {
        let mut tables = Tables::default();
        for (payload, expected) in [
            (&[4; 65][..], Corrupt::BadHeader),
            (&[0; 64], Corrupt::BadLength),
            (&[0x10; 128], Corrupt::BadLength),
        ] {
            assert_eq!(tables.define_quantisation(payload), Err(expected));
        }
        for (payload, expected) in [
            (&[0x20; 17][..], Corrupt::BadLength),
            (&[0; 16], Corrupt::BadLength),
            (&[0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Corrupt::BadHeader),
            (&[0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Corrupt::BadHeader),
        ] {
            assert_eq!(Tables::default().define_huffman(payload), Err(expected), "{payload:?}");
        }
    }

    /// A DHT segment of one table: its class and number, how many codes of 1, 2, … bits, its symbols.
    fn huffman(head: u8, counts: &[u8], symbols: &[u8]) -> Vec<u8> {
        let mut all = [0; 16];
        all[..counts.len()].copy_from_slice(counts);
        [&[head][..], &all, symbols].concat()
    }

    #[test]
    fn an_unsound_huffman_table_counts_as_missing() {
        const DC: u8 = 0x00;
        const AC: u8 = 0x10;
        for (head, counts, symbols, shortest) in [
            (DC, &[0, 1][..], &[5][..], Some(2)),
            (DC, &[2], &[5, 6], None), // `1` is all ones
            (DC, &[1, 1, 1], &[5, 6, 7], Some(1)),
            (DC, &[1, 2], &[5, 6, 7], None), // `11` is
            (DC, &[1, 1, 3], &[5, 6, 7, 8, 9], None),
            (DC, &[1; 16], &[5; 16], Some(1)),
            (DC, &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2], &[5; 17], None), // the longest
            (DC, &[], &[], None),
            (AC, &[], &[], None),
            (DC, &[1], &[15], Some(1)),
            (DC, &[1], &[16], None), // a difference has no 16 bits
            (AC, &[1], &[16], Some(1)),
        ] {
            let payload = huffman(head, counts, symbols);
            let mut tables = Tables::default();
            assert_eq!(tables.define_huffman(&payload), Ok(shortest.is_some()));
            let table = if head == DC { tables.dc[0] } else { tables.ac[0] };
            let found = table.map(|table| table.shortest_code_bits());
            assert_eq!(found, shortest, "{head} {counts:?} {symbols:?}");
        }
    }

    #[test]
    fn a_huffman_table_has_at_most_256_symbols() {
        let mut counts = [0; 16];
        counts[14..].copy_from_slice(&[1, 255]);
        let most = huffman(0x10, &counts, &[0; 256]);
        let mut tables = Tables::default();
        tables.define_huffman(&most).unwrap();
        assert_eq!(tables.ac[0].map(|table| table.symbols.len()), Some(256));
        counts[14] = 2;
        let more = huffman(0x10, &counts, &[0; 257]);
        assert_eq!(Tables::default().define_huffman(&more), Err(Corrupt::BadHeader));
    }

    #[test]
    fn quantisation_steps_have_one_byte_or_two() {
        let one = [&[3][..], &[0x12; 64]].concat();
        let two = [&[0x11][..], &[0, 0x12].repeat(64)].concat();
        let (both, mut tables) = ([one, two].concat(), Tables::default());
        tables.define_quantisation(&both).unwrap();
        for number in [1, 3] {
            assert_eq!(tables.quantisation(number), Some(&[0x12; 64]), "{number}");
        }
        assert_eq!((tables.quantisation(0), tables.quantisation(2)), (None, None));
    }
}
