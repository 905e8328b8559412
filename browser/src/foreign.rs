//! Files of types that only the browser decodes: takes its pixels.

use image_rules::{
    Corrupt, ImageError, Orientation,
    pipeline::foreign::{self, decodable_type},
};
use js_sys::Object;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use web_sys::Blob;

use crate::{accepted, policy, refused, size_of};

/// Collects the rows that the browser decoded, from the top.
#[wasm_bindgen]
pub struct PixelBuffer {
    inner: Result<foreign::PixelBuffer, ImageError>,
    language: String,
}

#[wasm_bindgen]
impl PixelBuffer {
    /// A buffer for a file that begins with `head`, as wide and high as it is coded; `orientation`
    /// is the value of the EXIF tag.
    #[must_use]
    #[wasm_bindgen(constructor)]
    pub fn new(
        file: &Blob,
        head: &[u8],
        width: u32,
        height: u32,
        orientation: u16,
        policy: &JsValue,
        language: &str,
    ) -> Self {
        let inner = decodable_type(head, &file.type_()).ok_or(ImageError::Unrecognised).and_then(
            |decodable| {
                let orientation = Orientation::from_exif(orientation);
                let policy = policy::read(policy);
                let size = (width, height);
                foreign::PixelBuffer::new(decodable, size, orientation, size_of(file), &policy)
            },
        );
        Self { inner, language: language.to_owned() }
    }

    /// Whether it takes pixels; otherwise [`Self::prepare`] refuses.
    #[must_use]
    #[wasm_bindgen(getter, js_name = isOpen)]
    pub fn is_open(&self) -> bool {
        self.inner.is_ok()
    }

    /// The next rows: red, green, blue, alpha.
    pub fn push(&mut self, rows: &[u8]) {
        if let Ok(buffer) = &mut self.inner {
            buffer.push(rows);
        }
    }

    /// Resizes and encodes the pixels.
    #[must_use]
    pub fn prepare(self) -> Object {
        match self.inner.and_then(foreign::PixelBuffer::prepare) {
            Ok(processed) => accepted(None, &processed),
            Err(error) => refused(&error, &self.language),
        }
    }
}

/// The refusal of a file that the browser could not decode: it never decodes that type, or this
/// file is damaged.
#[must_use]
#[wasm_bindgen]
pub fn undecoded(file: &Blob, head: &[u8], is_supported: bool, language: &str) -> Object {
    let error = match decodable_type(head, &file.type_()) {
        _ if is_supported => Corrupt::BadPixels.into(),
        Some(decodable) => ImageError::NotDecodable(decodable.foreign),
        None => ImageError::Unrecognised,
    };
    refused(&error, language)
}
