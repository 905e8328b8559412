//! The settings of delivery.

use edge_types::Reader;

use super::is_origin;

/// How pictures are delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliverySettings {
    /// The origin of image URLs, which serves nothing else; that of the API when not set.
    pub image_base_url: Option<String>,
    /// The widths that everybody may ask for. Others need a signature.
    pub widths: Vec<u32>,
    /// How long a browser may keep a picture.
    pub max_age_s: u32,
    /// The sites that may show pictures; all when not set.
    pub referers: Option<Vec<String>>,
}

/// From an icon in a list to the full width of a dense screen.
const WIDTHS: [u32; 8] = [160, 320, 480, 640, 960, 1280, 1600, 2048];
/// Each width may become an object of each picture.
const MAX_WIDTHS: usize = 16;

impl DeliverySettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let image_base_url = reader.parsed(
            "IMAGE_BASE_URL",
            "an origin such as https://images.example, without a path",
            |text| Some(text.trim_end_matches('/').to_owned()).filter(|origin| is_origin(origin)),
        );
        let widths = reader.parsed(
            "VARIANT_WIDTHS",
            "1 to 16 widths from 16 to 4096, separated by commas",
            |text| {
                let width =
                    |text: &str| text.trim().parse().ok().filter(|it| (16..=4096).contains(it));
                let widths = text.split(',').map(width).collect::<Option<Vec<u32>>>()?;
                (1..=MAX_WIDTHS).contains(&widths.len()).then_some(widths)
            },
        );
        let referers =
            reader.parsed("ALLOWED_REFERERS", "exact origins separated by commas", |text| {
                let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
                let origins: Vec<_> = origins.map(str::to_owned).collect();
                origins.iter().all(|origin| is_origin(origin)).then_some(origins)
            });
        Self {
            image_base_url,
            widths: widths.unwrap_or_else(|| WIDTHS.to_vec()),
            // A day.
            max_age_s: reader.number("PICTURE_MAX_AGE_S", 86_400, 0..=31_536_000),
            referers,
        }
    }

    /// Whether a page with this `Referer` may show pictures. Mails and pages that send none may.
    pub fn allows_referer(&self, referer: Option<&str>, own: &[String]) -> bool {
        let (Some(allowed), Some(referer)) = (&self.referers, referer) else { return true };
        let is_of = |origin: &str| {
            referer
                .strip_prefix(origin)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        own.iter().chain(allowed).any(|origin| is_of(origin))
    }
}
