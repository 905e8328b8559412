//! What the application segments of a JPEG hold: needed to show the picture, or private.

#[cfg(feature = "codec")]
use alloc::vec::Vec;

use super::segment::marker;
use crate::container::exif;

/// Bytes of a JFIF payload that say something of the picture (JFIF 1.02): the rest is a thumbnail.
pub const JFIF_BYTES: usize = 14;
/// Bytes of an Adobe payload (Adobe technical note 5116, section 18): name, version, flags, transform.
pub const ADOBE_BYTES: usize = 12;
/// Bytes before the profile in each part (ICC.1:2010 annex B.4): name, number of this part, of all.
pub const ICC_HEAD_BYTES: usize = 14;

/// What one application or comment segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum App<'a> {
    /// The JFIF header: density, and a thumbnail after the first [`JFIF_BYTES`].
    Jfif(&'a [u8; JFIF_BYTES]),
    /// Says how the components are to be turned into colours.
    Adobe(&'a [u8; ADOBE_BYTES]),
    /// A part of a colour profile.
    Icc(IccPart<'a>),
    /// An EXIF block, from its TIFF header on.
    Exif(&'a [u8]),
    /// A JFXX thumbnail.
    Thumbnail,
    /// An XMP packet or the extension of one.
    Xmp,
    /// Photoshop's blocks, IPTC among them.
    Iptc,
    /// A comment.
    Comment,
    /// Anything else.
    Vendor,
}

/// A part of a colour profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IccPart<'a> {
    number: u8,
    of: u8,
    bytes: &'a [u8],
}

impl<'a> App<'a> {
    /// What a segment is; nothing for one that is neither application's nor comment's.
    #[must_use]
    pub fn of(marker: u8, payload: &'a [u8]) -> Option<Self> {
        let app = match marker {
            marker::APP0 if payload.starts_with(b"JFIF\0") => {
                payload.first_chunk().map_or(Self::Vendor, Self::Jfif)
            }
            marker::APP0 if payload.starts_with(b"JFXX\0") => Self::Thumbnail,
            marker::APP1 if payload.starts_with(exif::PREFIX) => {
                Self::Exif(payload.get(exif::PREFIX.len()..).unwrap_or_default())
            }
            marker::APP1 if payload.starts_with(b"http://ns.adobe.com/x") => Self::Xmp,
            marker::APP2 if payload.starts_with(b"ICC_PROFILE\0") => {
                IccPart::parse(payload).map_or(Self::Vendor, Self::Icc)
            }
            marker::APP13 if payload.starts_with(b"Photoshop 3.0\0") => Self::Iptc,
            marker::APP14 if payload.starts_with(b"Adobe") => {
                payload.first_chunk().map_or(Self::Vendor, Self::Adobe)
            }
            marker::APP0..=marker::APP15 => Self::Vendor,
            marker::COM => Self::Comment,
            _ => return None,
        };
        Some(app)
    }
}

impl<'a> IccPart<'a> {
    fn parse(payload: &'a [u8]) -> Option<Self> {
        let (head, bytes) = payload.split_first_chunk::<ICC_HEAD_BYTES>()?;
        let [.., number, of] = *head;
        Some(Self { number, of, bytes })
    }
}

/// The profile that the parts make, if they make a whole one.
#[must_use]
#[cfg(feature = "codec")]
pub fn profile(parts: &[IccPart<'_>]) -> Option<Vec<u8>> {
    let mut set = IccSet::default();
    for part in parts {
        set.add(*part);
    }
    // Each number is there once.
    let in_order =
        (0..=set.of).flat_map(|number| parts.iter().filter(move |part| part.number == number));
    set.is_whole().then(|| in_order.flat_map(|part| part.bytes).copied().collect())
}

/// Whether the parts make one whole profile. A set that does not is ignored by every decoder, so
/// whatever it carries is not colour.
#[derive(Clone, Copy, Debug, Default)]
pub struct IccSet {
    parts: u32,
    of: u8,
    /// One bit for each number seen.
    seen: [u64; 4],
    broken: bool,
    signed: bool,
}

impl IccSet {
    /// Takes the next part.
    pub fn add(&mut self, part: IccPart<'_>) {
        if self.parts == 0 {
            self.of = part.of;
        }
        self.parts += 1;
        self.broken |= part.of != self.of || part.number == 0 || part.number > part.of;
        let bit = 1 << (part.number & 63);
        if let Some(word) = self.seen.get_mut(usize::from(part.number >> 6)) {
            self.broken |= *word & bit != 0;
            *word |= bit;
        }
        // ICC.1:2010 section 7.2.9: the signature of every profile.
        self.signed |= part.number == 1 && part.bytes.get(36..40) == Some(b"acsp");
    }

    /// Whether every part is there once and the first looks like a profile.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.broken && self.signed && self.parts == u32::from(self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn icc_payload(number: u8, of: u8) -> Vec<u8> {
        let mut payload = Vec::from(*b"ICC_PROFILE\0");
        payload.extend([number, of]);
        payload.extend([0; 36]);
        payload.extend(*b"acsp");
        payload
    }

    fn icc_set(numbers: &[(u8, u8)]) -> bool {
        let mut set = IccSet::default();
        for (number, of) in numbers {
            match App::of(0xE2, &icc_payload(*number, *of)) {
                Some(App::Icc(part)) => set.add(part),
                other => panic!("{other:?}"),
            }
        }
        set.is_whole()
    }

    #[test]
    fn only_a_whole_set_is_a_profile() {
        for (parts, expected) in [
            (&[(1, 1)][..], true),
            (&[(2, 2), (1, 2)], true),
            (&[], false),
            (&[(1, 2)], false),
            (&[(0, 1)], false),
            (&[(1, 2), (1, 2)], false),
            (&[(1, 2), (2, 3)], false),
            (&[(0, 2), (1, 2)], false),
            (&[(1, 2), (3, 2)], false),
            (&[(1, 1), (1, 1)], false),
        ] {
            assert_eq!(icc_set(parts), expected, "{parts:?}");
        }
        let most: Vec<_> = (1..=255).rev().map(|number| (number, 255)).collect();
        assert!(icc_set(&most), "as many as a byte can count");
        assert!(!icc_set(&most[1..]), "all but the last");
    }

    #[test]
    fn a_profile_is_put_together_in_the_order_of_its_parts() {
        let payloads = [icc_payload(2, 2), icc_payload(1, 2)];
        let parts = payloads.iter().filter_map(|payload| IccPart::parse(payload));
        let expected = [&payloads[1][14..], &payloads[0][14..]].concat();
        assert_eq!(profile(&parts.clone().collect::<Vec<_>>()), Some(expected));
        assert_eq!(profile(&parts.take(1).collect::<Vec<_>>()), None);
    }

    #[test]
    fn segments_are_known_by_their_names() {
        for (marker, payload, expected) in [
            (
                0xE0,
                &b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0"[..],
                Some(App::Jfif(b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0")),
            ),
            (0xE0, b"JFIF\0short", Some(App::Vendor)),
            (0xE0, b"JFXX\0\x10", Some(App::Thumbnail)),
            (0xE0, b"AVI1", Some(App::Vendor)),
            (0xE1, b"Exif\0\0MM", Some(App::Exif(b"MM"))),
            (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x", Some(App::Xmp)),
            (0xE1, b"http://ns.adobe.com/xmp/extension/\0", Some(App::Xmp)),
            (0xE1, b"http://example.com/x/1.0/\0<x", Some(App::Vendor)),
            (0xE2, b"MPF\0", Some(App::Vendor)),
            (0xE2, b"MPF\0MM\0*\0\0\0\x08\0\x03\xB0\0", Some(App::Vendor)),
            (0xED, b"Photoshop 3.0\08BIM", Some(App::Iptc)),
            (0xEE, b"Adobe\0\x64\0\0\0\0\x01", Some(App::Adobe(b"Adobe\0\x64\0\0\0\0\x01"))),
            (0xED, b"Adobe_CM\0", Some(App::Vendor)),
            (0xEE, b"Ducky", Some(App::Vendor)),
            (0xEE, b"Ducky\0\x01\0\x04\0\0\0\x3C", Some(App::Vendor)),
            (0xFE, b"hello", Some(App::Comment)),
            (0xDB, b"", None),
        ] {
            assert_eq!(App::of(marker, payload), expected);
        }
    }
}
