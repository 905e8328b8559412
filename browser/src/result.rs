//! Results as JavaScript objects, in the shapes of `browser/js/preflight/messages.ts`.

use image_rules::{Action, Color, ImageError, Language, Metadata, Processed, Report};
use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::JsValue;

/// `Accepted`. `bytes` is left out when the file itself is to be sent, `report` for foreign types.
pub fn accepted(report: Option<&Report>, processed: &Processed<'_>) -> Object {
    let removed: Array = processed.removed().kinds().map(JsValue::from_str).collect();
    let accepted = object(&[
        ("width", processed.width().into()),
        ("height", processed.height().into()),
        ("contentType", processed.format().media_type().into()),
        ("removed", removed.into()),
        ("placeholder", Uint8Array::from(processed.placeholder()).into()),
    ]);
    if let Some(report) = report {
        set(&accepted, "report", &report_object(report));
    }
    if processed.action() != Action::Keep {
        set(&accepted, "bytes", &Uint8Array::from(processed.bytes()));
    }
    accepted
}

/// `Refused`.
pub fn refused(error: &ImageError, language: &str) -> Object {
    let message = error.message(Language::negotiate(language));
    object(&[("code", error.code().name().into()), ("message", (*message).into())])
}

/// `ForeignType`.
pub fn foreign_type(media_type: &str) -> Object {
    object(&[("mediaType", media_type.into())])
}

fn report_object(report: &Report) -> Object {
    let color = match report.color {
        Color::Gray => "gray",
        Color::Rgb => "rgb",
        Color::Palette => "palette",
        Color::Cmyk => "cmyk",
    };
    object(&[
        ("format", report.format.extension().into()),
        ("sizeBytes", number(report.size_bytes)),
        ("width", report.width.into()),
        ("height", report.height.into()),
        ("orientation", report.orientation.exif().into()),
        ("frames", report.frames.into()),
        ("hasAlpha", report.has_alpha.into()),
        ("bitDepth", report.bit_depth.into()),
        ("color", color.into()),
        ("progressive", report.progressive.into()),
        ("lossless", report.lossless.into()),
        ("metadata", metadata_object(&report.metadata).into()),
    ])
}

fn metadata_object(metadata: &Metadata) -> Object {
    object(&[
        ("exif", number(metadata.exif)),
        ("gps", number(metadata.gps)),
        ("thumbnail", number(metadata.thumbnail)),
        ("xmp", number(metadata.xmp)),
        ("iptc", number(metadata.iptc)),
        ("icc", number(metadata.icc)),
        ("comment", number(metadata.comment)),
        ("vendor", number(metadata.vendor)),
        ("trailing", number(metadata.trailing)),
    ])
}

/// A number: an integer of 64 bits would become a `BigInt`.
#[expect(clippy::cast_precision_loss, reason = "counts bytes of a file that is in memory")]
fn number(value: u64) -> JsValue {
    JsValue::from_f64(value as f64)
}

fn object(properties: &[(&str, JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in properties {
        set(&object, name, value);
    }
    object
}

fn set(object: &Object, name: &str, value: &JsValue) {
    // Fails for frozen objects and proxies only.
    let _ = Reflect::set(object, &name.into(), value);
}
