//! What a container says of a picture: the [`Report`] of [`inspect`](crate::inspect).

use crate::Format;

/// How a picture is to be turned to stand upright: the eight values of EXIF tag 0x0112.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(into = "u8"))]
pub struct Orientation(u8);

impl Orientation {
    /// Upright as it is.
    pub const UPRIGHT: Self = Self(1);

    /// From the tag's value; whatever is not 1 to 8 counts as upright, as viewers do.
    #[must_use]
    pub const fn from_exif(value: u16) -> Self {
        match value.to_le_bytes() {
            [value @ 2..=8, 0] => Self(value),
            _ => Self::UPRIGHT,
        }
    }

    /// The tag's value.
    #[must_use]
    pub const fn exif(self) -> u8 {
        self.0
    }

    /// Whether turning swaps width and height.
    #[must_use]
    pub const fn swaps_axes(self) -> bool {
        self.0 >= 5
    }
}

impl Default for Orientation {
    fn default() -> Self {
        Self::UPRIGHT
    }
}

impl From<Orientation> for u8 {
    fn from(orientation: Orientation) -> Self {
        orientation.exif()
    }
}

/// Which colours the pixels carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Color {
    /// Gray, with or without alpha.
    Gray,
    /// Red, green, blue (or `YCbCr`), with or without alpha.
    Rgb,
    /// An index into a palette.
    Palette,
    /// Four inks (CMYK or YCCK), JPEG only.
    Cmyk,
}

/// Bytes of each kind of data in the file that is not needed to show the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Metadata {
    /// EXIF blocks, without what is counted below.
    pub exif: u64,
    /// The GPS directory inside EXIF.
    pub gps: u64,
    /// Thumbnails in EXIF, JFIF and vendor blocks.
    pub thumbnail: u64,
    /// XMP packets.
    pub xmp: u64,
    /// IPTC and Photoshop blocks.
    pub iptc: u64,
    /// ICC colour profiles. They stay, as colours depend on them; what is not colours in them goes.
    pub icc: u64,
    /// Comments and texts.
    pub comment: u64,
    /// Blocks of makers and programs.
    pub vendor: u64,
    /// Bytes after the picture's end, and other pictures or payloads hidden there.
    pub trailing: u64,
}

impl Metadata {
    /// The names of the kinds that occur, as in responses.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> + use<> {
        [
            ("exif", self.exif),
            ("gps", self.gps),
            ("thumbnail", self.thumbnail),
            ("xmp", self.xmp),
            ("iptc", self.iptc),
            ("icc", self.icc),
            ("comment", self.comment),
            ("vendor", self.vendor),
            ("trailing", self.trailing),
        ]
        .into_iter()
        .filter(|(_, bytes)| *bytes > 0)
        .map(|(name, _)| name)
    }

    /// Bytes of all kinds together.
    #[must_use]
    pub const fn size_bytes(&self) -> u64 {
        let Self { exif, gps, thumbnail, xmp, iptc, icc, comment, vendor, trailing } = *self;
        let blocks = exif.saturating_add(gps).saturating_add(thumbnail).saturating_add(xmp);
        let texts = iptc.saturating_add(icc).saturating_add(comment).saturating_add(vendor);
        blocks.saturating_add(texts).saturating_add(trailing)
    }

    /// Whether there is anything that must not be stored.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.exif == 0
            && self.gps == 0
            && self.thumbnail == 0
            && self.xmp == 0
            && self.iptc == 0
            && self.comment == 0
            && self.vendor == 0
            && self.trailing == 0
    }
}

/// What decoding goes over, in all frames and scans together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Coded {
    /// Pixels of the rectangles of all frames.
    pub pixels: u64,
    /// Those of them that are coded with loss, as `VP8 `; zero for other formats than WebP.
    pub lossy_pixels: u64,
    /// Those of them that have an alpha plane, `ALPH`; zero for other formats than WebP.
    pub alpha_pixels: u64,
    /// Bytes of the largest frame of an animated WebP; zero for other pictures.
    pub largest_frame_bytes: u64,
    /// Groups of Huffman codes of lossless streams, and pixels of the images that are coded beside their pixels; zero for
    /// other formats than WebP.
    pub code_groups: u64,
    /// See `code_groups`.
    pub side_pixels: u64,
    /// Bytes that the largest of these need in memory.
    pub largest_side_bytes: u64,
    /// Bytes that the pixels of a PNG inflate to, filters included; zero for other formats.
    pub inflated_bytes: u64,
    /// Blocks that the scans of a JPEG visit; zero for other formats. A progressive picture visits a block in
    /// several scans.
    pub scan_blocks: u64,
}

/// What the container says of the picture.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each read by itself")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Report {
    /// The format by its first bytes.
    pub format: Format,
    /// Size of the file.
    pub size_bytes: u64,
    /// Width as coded, before the orientation is applied.
    pub width: u32,
    /// Height as coded, before the orientation is applied.
    pub height: u32,
    /// How it is to be turned.
    pub orientation: Orientation,
    /// 1, or the number of frames of an animation.
    pub frames: u32,
    /// Whether any pixel may be transparent.
    pub has_alpha: bool,
    /// Bits a channel (of the palette index for palettes).
    pub bit_depth: u8,
    /// Which colours the pixels carry.
    pub color: Color,
    /// Progressive JPEG or interlaced PNG or GIF.
    pub progressive: bool,
    /// Whether the pixels were coded without loss.
    pub lossless: bool,
    /// The quality, 1 to 100, that the quantisation tables of a JPEG amount to on libjpeg's scale;
    /// nothing for other formats.
    pub jpeg_quality: Option<u8>,
    /// Blocks of eight by eight samples that a JPEG codes, with the padding of its last row and
    /// column; zero for other formats. The memory of decoding is counted in them.
    pub jpeg_blocks: u64,
    /// What decoding goes over. The work of decoding is counted in it.
    pub coded: Coded,
    /// Every pixel is there, yet the mark that ends the file is not: viewers show it, and it is
    /// stored only with the mark added.
    pub unterminated: bool,
    /// What else is in the file.
    pub metadata: Metadata,
    /// What the bytes after the end are, where they are of a known type: `ZIP`, `MP4`, `JPEG`.
    pub payload: Option<&'static str>,
}

impl Report {
    /// Whether the bytes may be stored as they are: nothing private in them, and none missing.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.metadata.is_clean() && !self.unterminated
    }

    /// Width and height as seen, after the orientation is applied.
    #[must_use]
    pub const fn upright_size(&self) -> (u32, u32) {
        if self.orientation.swaps_axes() {
            (self.height, self.width)
        } else {
            (self.width, self.height)
        }
    }
}
