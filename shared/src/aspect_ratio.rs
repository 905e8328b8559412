//! The proportions that a form asks for.

#[cfg(feature = "serde")]
use alloc::string::String;
use core::fmt;

/// The ratio of width to height. In JSON, a text such as `4:3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AspectRatio {
    width: u16,
    height: u16,
}

impl AspectRatio {
    const MAX: u16 = 1000;

    /// Two whole numbers from 1 to 1000, with a colon between them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (width, height) = text.split_once(':')?;
        let side = |text: &str| {
            let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
            let side = text.parse().ok().filter(|_| is_number)?;
            (1..=Self::MAX).contains(&side).then_some(side)
        };
        Some(Self { width: side(width)?, height: side(height)? })
    }

    /// Whether a picture has this ratio: within 1 %, or within half a pixel, which resizing rounds away.
    #[must_use]
    pub fn allows(self, (width, height): (u32, u32)) -> bool {
        let (w, h) = (u64::from(self.width), u64::from(self.height));
        // At most 42 bits each.
        let (is, should) = (u64::from(width) * h, u64::from(height) * w);
        is.abs_diff(should) * 100 <= should.max(50 * w.max(h))
    }

    /// Whether width and height are the same.
    pub(crate) const fn is_square(self) -> bool {
        self.width == self.height
    }
}

impl fmt::Display for AspectRatio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.width, self.height)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for AspectRatio {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for AspectRatio {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        let ratio = Self::parse(&text);
        ratio.ok_or_else(|| serde::de::Error::custom("expected a ratio such as 4:3"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_two_numbers_and_allows_a_hundredth() {
        for wrong in ["", "1", "1:", ":1", "0:1", "1:0", "1:1001", "1:1:1", "+1:1", " 1:1", "a:b"] {
            assert_eq!(AspectRatio::parse(wrong), None, "{wrong}");
        }
        for (ratio, size, expected) in [
            ("1:1", (1000, 1000), true),
            ("1:1", (1010, 1000), true),
            ("1:1", (1011, 1000), false),
            ("1:1", (990, 1000), true),
            ("1:1", (989, 1000), false),
            ("16:9", (1920, 1080), true),
            ("16:9", (1080, 1920), false),
            ("2:2", (500, 500), true),
            // 50 x 37.5 is rounded to a whole pixel.
            ("4:3", (50, 38), true),
            ("4:3", (50, 39), false),
            ("1:1000", (1, 1000), true),
            ("1000:1", (u32::MAX, u32::MAX), false),
            ("1:1", (u32::MAX, u32::MAX), true),
        ] {
            let ratio = AspectRatio::parse(ratio).expect("a ratio");
            assert_eq!(ratio.allows(size), expected, "{ratio} {size:?}");
        }
    }
}
