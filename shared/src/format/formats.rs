//! Sets of formats.

use alloc::{format, string::String};

use super::Format;

/// A set of formats. In JSON, a list of media types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Formats(u8);

impl Formats {
    /// All four.
    pub const ALL: Self = Self(0b1111);

    const fn bit(format: Format) -> u8 {
        match format {
            Format::Jpeg => 1,
            Format::Png => 2,
            Format::Gif => 4,
            Format::WebP => 8,
        }
    }

    /// Whether the format is in the set.
    #[must_use]
    pub const fn contains(self, format: Format) -> bool {
        self.0 & Self::bit(format) != 0
    }

    /// The formats that are in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Its formats, in the order of [`Format::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Format> {
        Format::ALL.into_iter().filter(move |format| self.contains(*format))
    }

    /// The set of these media types; nothing for an empty list and for a type of no format.
    #[must_use]
    pub fn from_media_types<'a>(types: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut set = Self(0);
        for name in types {
            let format = Format::ALL.into_iter().find(|format| format.media_type() == name)?;
            set.0 |= Self::bit(format);
        }
        (set.0 != 0).then_some(set)
    }

    /// The names, for a sentence: `JPEG`, `JPEG and PNG`, `JPEG, PNG and GIF`.
    pub(crate) fn names(self, and: &str) -> String {
        let mut names = String::new();
        let count = self.iter().count();
        for (index, format) in self.iter().enumerate() {
            let before = match index {
                0 => "",
                _ if index + 1 == count => and,
                _ => ", ",
            };
            names = format!("{names}{before}{}", format.name());
        }
        names
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Formats {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Format::media_type))
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Formats {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let types = <alloc::vec::Vec<String> as serde::Deserialize>::deserialize(deserializer)?;
        let set = Self::from_media_types(types.iter().map(String::as_str));
        set.ok_or_else(|| serde::de::Error::custom("expected media types of pictures"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_made_of_media_types_and_names_its_formats() {
        let set = |types: &[&'static str]| Formats::from_media_types(types.iter().copied());
        assert_eq!(set(&["image/png", "image/jpeg", "image/png"]).map(|it| it.0), Some(3));
        for wrong in [&[][..], &["image/jpg"], &["image/jpeg", "image/avif"], &["IMAGE/PNG"]] {
            assert_eq!(set(wrong), None, "{wrong:?}");
        }
        let all = Formats::from_media_types(Format::ALL.map(Format::media_type));
        assert_eq!(all, Some(Formats::ALL));
        let names = |types: &[&'static str]| set(types).map(|set| set.names(" and "));
        assert_eq!(names(&["image/png"]).as_deref(), Some("PNG"));
        assert_eq!(names(&["image/png", "image/jpeg"]).as_deref(), Some("JPEG and PNG"));
        assert_eq!(Formats::ALL.names(" and "), "JPEG, PNG, GIF and WebP");
        let (one, other) = (Formats(0b0011), Formats(0b0110));
        assert!(one.intersection(other).iter().eq([Format::Png]));
    }
}
