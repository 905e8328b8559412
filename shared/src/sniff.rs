//! Magic bytes: which format is it, and which known type that is not taken. It looks at the first
//! bytes only; whether the rest keeps the promise is `probe`'s business.

mod foreign;

use crate::ImageError;

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

    /// The format that a `Content-Type` names; parameters are ignored.
    ///
    /// # Errors
    /// [`ImageError::DeclaredNotAccepted`] for every other type.
    pub fn from_media_type(content_type: &str) -> Result<Self, ImageError> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        match essence {
            _ if essence.eq_ignore_ascii_case("image/jpeg") => Ok(Self::Jpeg),
            // Not registered, yet sent by old Windows browsers and some Android pickers.
            _ if essence.eq_ignore_ascii_case("image/jpg") => Ok(Self::Jpeg),
            _ if essence.eq_ignore_ascii_case("image/pjpeg") => Ok(Self::Jpeg),
            _ if essence.eq_ignore_ascii_case("image/png") => Ok(Self::Png),
            _ if essence.eq_ignore_ascii_case("image/gif") => Ok(Self::Gif),
            _ if essence.eq_ignore_ascii_case("image/webp") => Ok(Self::WebP),
            _ => Err(ImageError::DeclaredNotAccepted),
        }
    }
}

/// A file type that is known and not taken; the sentence can name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// What people call it: `HEIC`, `PDF`, `SVG`.
    pub name: &'static str,
}

/// Tells the format from the first bytes.
///
/// # Errors
/// [`ImageError::Empty`], [`ImageError::Foreign`] for a type known by name,
/// [`ImageError::Unrecognised`] for all else.
pub fn sniff(bytes: &[u8]) -> Result<Format, ImageError> {
    match bytes {
        [] => Err(ImageError::Empty),
        [0xFF, 0xD8, 0xFF, ..] => Ok(Format::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Ok(Format::Png),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(Format::Gif),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(Format::WebP),
        _ => Err(foreign::foreign(bytes).map_or(ImageError::Unrecognised, ImageError::Foreign)),
    }
}

/// What bytes are called, whether we take them or not.
#[must_use]
pub fn name(bytes: &[u8]) -> Option<&'static str> {
    match sniff(bytes) {
        Ok(format) => Some(format.name()),
        Err(ImageError::Foreign(Foreign { name })) => Some(name),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_format() {
        for (bytes, expected) in [
            (&b"\xFF\xD8\xFF\xE0"[..], Format::Jpeg),
            (b"\x89PNG\r\n\x1A\n", Format::Png),
            (b"GIF87a", Format::Gif),
            (b"GIF89a", Format::Gif),
            (b"RIFF\0\0\0\0WEBPVP8 ", Format::WebP),
        ] {
            assert_eq!(sniff(bytes), Ok(expected));
            // One byte fewer or another first byte is not the format.
            assert!(sniff(&bytes[1..]).is_err());
        }
    }

    #[test]
    fn all_else_is_refused_by_the_right_cause() {
        for (bytes, expected) in [
            (&b""[..], ImageError::Empty),
            (b"\xFF\xD8", ImageError::Unrecognised),
            (b"GIF88a", ImageError::Unrecognised),
            (b"\x89PNG\n\n\x1A\n", ImageError::Unrecognised),
            (b"hello", ImageError::Unrecognised),
            (b"%PDF-1.4", ImageError::Foreign(Foreign { name: "PDF" })),
        ] {
            assert_eq!(sniff(bytes), Err(expected));
        }
    }

    #[test]
    fn a_format_is_called_the_same_wherever_it_is_named() {
        for format in Format::ALL {
            assert_eq!(Format::from_media_type(format.media_type()), Ok(format));
            // The registered types of RFC 2046, RFC 9649 and W3C PNG end in what the format is called.
            assert_eq!(format.media_type(), ["image", format.extension()].join("/"));
        }
    }

    #[test]
    fn bytes_are_called_what_people_call_them() {
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
    fn a_declared_type_is_read_as_senders_write_it() {
        for (declared, expected) in [
            ("image/jpeg", Ok(Format::Jpeg)),
            (" Image/JPG ; charset=binary", Ok(Format::Jpeg)),
            ("image/pjpeg", Ok(Format::Jpeg)),
            ("image/png", Ok(Format::Png)),
            ("image/gif", Ok(Format::Gif)),
            ("image/webp", Ok(Format::WebP)),
            ("image/svg+xml", Err(ImageError::DeclaredNotAccepted)),
            ("image", Err(ImageError::DeclaredNotAccepted)),
            ("", Err(ImageError::DeclaredNotAccepted)),
        ] {
            assert_eq!(Format::from_media_type(declared), expected, "{declared}");
        }
    }
}
