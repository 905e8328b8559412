//! Which picture a query asks for: the stored one, or one that is derived from it by a recipe.

use core::fmt::Write;

use http::{header, request::Parts};
use image_rules::{Bounds, Format, Output};

use edge_types::Problem;

use crate::{config::Config, request::text_header};

/// Counts up whenever the same recipe makes other bytes.
const ENCODER_VERSION: u32 = 2;
/// Up to this side WebP of a photo has at least 5 % fewer bytes than a JPEG that looks as good.
const MAX_WEBP_PHOTO_SIDE: u32 = 200;
/// The longest side that can be asked for.
const MAX_SIDE: u32 = 16_383;

/// How a picture is derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    size: Size,
    pub output: Output,
    pub quality: u8,
}

/// The size of a derived picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Size {
    #[default]
    Full,
    Variant(Variant),
    Contain {
        width: Option<u32>,
        height: Option<u32>,
    },
    Cover {
        width: u32,
        height: u32,
    },
}

impl Size {
    /// Whether the result has at most [`MAX_WEBP_PHOTO_SIDE`] in one direction.
    const fn is_small(self) -> bool {
        const fn is_short(side: Option<u32>) -> bool {
            matches!(side, Some(..=MAX_WEBP_PHOTO_SIDE))
        }
        match self {
            Self::Full => false,
            Self::Variant(variant) => variant.edge() <= MAX_WEBP_PHOTO_SIDE,
            Self::Contain { width, height } => is_short(width) || is_short(height),
            Self::Cover { width, height } => is_short(Some(width)) && is_short(Some(height)),
        }
    }
}

/// A square that a picture fits in; the value of `v`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum Variant {
    /// For lists and grids.
    Thumb,
    /// For a card on a phone.
    Small,
    /// For a page on a phone, or a card on a large screen.
    Medium,
}

impl Variant {
    /// 100, 240 and 512 points, doubled for dense screens.
    const fn edge(self) -> u32 {
        match self {
            Self::Thumb => 200,
            Self::Small => 480,
            Self::Medium => 1024,
        }
    }
}

impl Recipe {
    pub const fn bounds(&self) -> Bounds {
        match self.size {
            Size::Full => Bounds::Contain { width: u32::MAX, height: u32::MAX },
            Size::Variant(variant) => Bounds::Edge(variant.edge()),
            Size::Contain { width, height } => Bounds::Contain {
                width: if let Some(width) = width { width } else { u32::MAX },
                height: if let Some(height) = height { height } else { u32::MAX },
            },
            Size::Cover { width, height } => Bounds::Cover { width, height },
        }
    }

    /// The name of the derived picture, also for the version of the encoders.
    pub fn name(&self) -> String {
        let mut name = match self.size {
            Size::Full => "full".to_owned(),
            Size::Variant(variant) => variant.into_str().to_owned(),
            Size::Contain { width, height } => {
                let side = |letter, side: Option<u32>| side.map(|side| format!("{letter}{side}"));
                let sides = [side('w', width), side('h', height)];
                sides.into_iter().flatten().collect::<Vec<_>>().join("-")
            }
            Size::Cover { width, height } => format!("w{width}-h{height}-cover"),
        };
        let output = match self.output {
            Output::Source | Output::Preview => "",
            Output::Compatible => "-compatible",
            Output::WebP => "-webp",
            Output::Jpeg => "-jpeg",
            Output::Png => "-png",
        };
        // Writing to a string cannot fail.
        let _ = write!(name, "{output}-q{}-{ENCODER_VERSION}", self.quality);
        name
    }
}

/// The format of what is derived from this one, if it does not depend on the pixels.
pub const fn known_format(source: Format, output: Output) -> Option<Format> {
    match (source, output) {
        (Format::Jpeg, Output::WebP) => Some(Format::WebP),
        // An animation that takes too much work as WebP stays a GIF.
        (Format::Gif, Output::WebP) | (Format::Png | Format::WebP, _) => None,
        (Format::Jpeg | Format::Gif, _) => Some(source),
    }
}

/// What a query asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureQuery {
    /// [`None`] for the stored picture.
    pub recipe: Option<Recipe>,
    /// Whether the answer depends on `Accept`.
    pub negotiates: bool,
    /// Whether everybody may ask for it; else a signature is needed.
    pub is_free: bool,
}

/// The parameters as they are written.
#[derive(Default)]
struct Parameters<'a> {
    variant: Option<&'a str>,
    width: Option<&'a str>,
    height: Option<&'a str>,
    fit: Option<&'a str>,
    quality: Option<&'a str>,
    format: Option<&'a str>,
}

impl<'a> Parameters<'a> {
    /// Other parameters are ignored: pages and mail programs add some.
    fn read(query: &'a str) -> Result<Self, Problem> {
        let mut parameters = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let field = match name {
                "v" => &mut parameters.variant,
                "w" => &mut parameters.width,
                "h" => &mut parameters.height,
                "fit" => &mut parameters.fit,
                "q" => &mut parameters.quality,
                "format" => &mut parameters.format,
                _ => continue,
            };
            if field.replace(value).is_some() {
                return Err(Problem::field(name, Some("only one value")));
            }
        }
        Ok(parameters)
    }
}

impl PictureQuery {
    /// # Errors
    /// As [`Self::parse`].
    pub fn read(head: &Parts, config: &Config, source: Format) -> Result<Self, Problem> {
        let accept = text_header(head, header::ACCEPT).unwrap_or_default();
        Self::parse(head.uri.query().unwrap_or_default(), accept, config, source)
    }

    /// # Errors
    /// `MALFORMED_REQUEST`, which names the parameter.
    pub fn parse(
        query: &str,
        accept: &str,
        config: &Config,
        source: Format,
    ) -> Result<Self, Problem> {
        let parameters = Parameters::read(query)?;
        let (size, is_free) = size(&parameters, &config.delivery.widths)?;
        let (quality, has_quality) = match parameters.quality {
            None => (config.policy.quality, false),
            Some(text) => {
                let quality = number("q", text, "1 to 100", 100)?;
                (u8::try_from(quality).unwrap_or(u8::MAX), true)
            }
        };
        let (output, negotiates) = match parameters.format {
            None => (Output::Preview, false),
            Some("jpeg") => (Output::Jpeg, false),
            Some("png") => (Output::Png, false),
            Some("webp") => (Output::WebP, false),
            Some("auto") if accepts_webp(accept) => (Output::WebP, true),
            Some("auto") => (Output::Compatible, true),
            Some(_) => return Err(Problem::field("format", Some("auto, jpeg, png or webp"))),
        };
        let output = simplified(output, source, size);
        let is_stored = size == Size::Full && output == Output::Preview && !has_quality;
        let recipe = (!is_stored).then_some(Recipe { size, output, quality });
        Ok(Self { recipe, negotiates, is_free: is_free && !has_quality })
    }
}

/// The size, and whether everybody may ask for it.
fn size(parameters: &Parameters<'_>, widths: &[u32]) -> Result<(Size, bool), Problem> {
    const SIDE: &str = "pixels from 1 to 16383";
    let Parameters { variant, width, height, fit, .. } = parameters;
    let pixels =
        |name, text: Option<&str>| text.map(|text| number(name, text, SIDE, MAX_SIDE)).transpose();
    let (width, height) = (pixels("w", *width)?, pixels("h", *height)?);
    if let Some(name) = variant {
        let variant = name.parse().ok().filter(|_| width.is_none() && height.is_none());
        let variant = variant
            .ok_or_else(|| Problem::field("v", Some("thumb, small or medium, without w and h")))?;
        return Ok((Size::Variant(variant), true));
    }
    let size = match (width, height, *fit) {
        (None, None, None) => return Ok((Size::Full, true)),
        (Some(width), Some(height), Some("cover")) => Size::Cover { width, height },
        (None, None, _) | (_, _, Some("cover")) => {
            return Err(Problem::field("fit", Some("w and h beside cover, w or h beside contain")));
        }
        (width, height, None | Some("contain")) => Size::Contain { width, height },
        _ => return Err(Problem::field("fit", Some("contain or cover"))),
    };
    let is_free = match size {
        Size::Contain { width: Some(width), height: None } => widths.contains(&width),
        _ => false,
    };
    Ok((size, is_free))
}

fn number(name: &str, text: &str, expected: &'static str, most: u32) -> Result<u32, Problem> {
    let is_digits = !text.starts_with(['+', '0']);
    let number = text.parse().ok().filter(|number| is_digits && (1..=most).contains(number));
    number.ok_or_else(|| Problem::field(name, Some(expected)))
}

/// The simplest output that is the same for a picture stored in this format, so that it is derived once.
const fn simplified(output: Output, source: Format, size: Size) -> Output {
    match (source, output) {
        (Format::Jpeg, Output::WebP) if size.is_small() => output,
        (Format::Gif, Output::WebP) if !matches!(size, Size::Full) => output,
        (Format::Jpeg | Format::Gif, _)
        | (Format::Png, Output::Compatible)
        | (Format::WebP, Output::WebP) => Output::Preview,
        _ => output,
    }
}

/// Whether the caller names WebP. `*/*` and `image/*` do not count: old programs send them as well.
fn accepts_webp(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_webp = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("image/webp"));
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map(str::parse::<f32>);
        is_webp && weight.is_none_or(|weight| weight.is_ok_and(|weight| weight > 0.0))
    })
}
