//! Magic bytes: which format is it, and which known type that is not taken. It looks at the first
//! bytes only; whether the rest keeps the promise is `inspect`'s business.

mod foreign;
mod formats;

pub use formats::Formats;

/// A format that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Format {
    /// ISO/IEC 10918-1.
    Jpeg,
    /// W3C PNG, third edition, APNG included.
    Png,
    /// `GIF87a` and `GIF89a`.
    Gif,
    /// RFC 9649.
    WebP,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Jpeg, Self::Png, Self::Gif, Self::WebP];

    /// The media type that is stored and served.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::WebP => "image/webp",
        }
    }

    /// The name that people know it by.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Gif => "GIF",
            Self::WebP => "WebP",
        }
    }

    /// The extension of the stored object's key.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Gif => "gif",
            Self::WebP => "webp",
        }
    }

    /// The format that a `Content-Type` names, whose parameters are ignored.
    #[must_use]
    pub fn from_media_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        match essence {
            _ if essence.eq_ignore_ascii_case("image/jpeg") => Some(Self::Jpeg),
            // Not registered, yet sent by old Windows browsers and some Android pickers.
            _ if essence.eq_ignore_ascii_case("image/jpg") => Some(Self::Jpeg),
            _ if essence.eq_ignore_ascii_case("image/pjpeg") => Some(Self::Jpeg),
            _ if essence.eq_ignore_ascii_case("image/png") => Some(Self::Png),
            _ if essence.eq_ignore_ascii_case("image/gif") => Some(Self::Gif),
            _ if essence.eq_ignore_ascii_case("image/webp") => Some(Self::WebP),
            _ => None,
        }
    }
}

/// A file type that is known and not taken; the sentence can name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignType {
    /// What people call it: `HEIC`, `PDF`, `SVG`.
    pub name: &'static str,
}

/// What the first bytes of a file say that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// One of the four formats.
    Accepted(Format),
    /// A type known by name.
    Foreign(ForeignType),
    /// No type that is known here, or no bytes.
    Unknown,
}

/// Tells the type from the first bytes.
#[must_use]
pub fn sniff(bytes: &[u8]) -> FileType {
    match bytes {
        [0xFF, 0xD8, 0xFF, ..] => FileType::Accepted(Format::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => FileType::Accepted(Format::Png),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => FileType::Accepted(Format::Gif),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => {
            FileType::Accepted(Format::WebP)
        }
        _ => foreign::foreign(bytes).map_or(FileType::Unknown, FileType::Foreign),
    }
}

/// What bytes are called, whether we take them or not.
#[must_use]
pub fn name(bytes: &[u8]) -> Option<&'static str> {
    match sniff(bytes) {
        FileType::Accepted(format) => Some(format.name()),
        FileType::Foreign(ForeignType { name }) => Some(name),
        FileType::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_known_by_the_first_bytes() {
        for (bytes, expected) in [
            (&b"\xFF\xD8\xFF\xE0"[..], Format::Jpeg),
            (b"\x89PNG\r\n\x1A\n", Format::Png),
            (b"GIF87a", Format::Gif),
            (b"GIF89a", Format::Gif),
            (b"RIFF\0\0\0\0WEBPVP8 ", Format::WebP),
        ] {
            assert_eq!(sniff(bytes), FileType::Accepted(expected));
            // One byte fewer or another first byte is not the format.
            assert!(!matches!(sniff(&bytes[1..]), FileType::Accepted(_)));
        }
    }

    #[test]
    fn other_types_are_named_or_unknown() {
        for (bytes, expected) in [
            (&b""[..], FileType::Unknown),
            (b"\xFF\xD8", FileType::Unknown),
            (b"GIF88a", FileType::Unknown),
            (b"\x89PNG\n\n\x1A\n", FileType::Unknown),
            (b"hello", FileType::Unknown),
            (b"%PDF-1.4", FileType::Foreign(ForeignType { name: "PDF" })),
        ] {
            assert_eq!(sniff(bytes), expected);
        }
    }

    #[test]
    fn a_format_has_the_same_name_everywhere() {
        for format in Format::ALL {
            assert_eq!(Format::from_media_type(format.media_type()), Some(format));
            // The registered types of RFC 2046, RFC 9649 and W3C PNG end in what the format is called.
            assert_eq!(format.media_type(), ["image", format.extension()].join("/"));
        }
    }

    #[test]
    fn types_have_their_common_names() {
        for (bytes, expected) in [
            (&b"\xFF\xD8\xFF\xE0"[..], Some("JPEG")),
            (b"\x89PNG\r\n\x1A\n", Some("PNG")),
            (b"GIF89a", Some("GIF")),
            (b"RIFF\0\0\0\0WEBPVP8 ", Some("WebP")),
            (b"%PDF-1.4", Some("PDF")),
            (b"hello", None),
            (b"", None),
        ] {
            assert_eq!(name(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn declared_types_are_parsed_in_common_spellings() {
        for (declared, expected) in [
            ("image/jpeg", Some(Format::Jpeg)),
            (" Image/JPG ; charset=binary", Some(Format::Jpeg)),
            ("image/pjpeg", Some(Format::Jpeg)),
            ("image/png", Some(Format::Png)),
            ("image/gif", Some(Format::Gif)),
            ("image/webp", Some(Format::WebP)),
            ("image/svg+xml", None),
            ("image", None),
            ("", None),
        ] {
            assert_eq!(Format::from_media_type(declared), expected, "{declared}");
        }
    }
}
