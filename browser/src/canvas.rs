//! Where the page puts the pixels of a type that only the browser decodes.

use image_rules::{
    ImageError,
    error::Corrupt,
    pipeline::foreign::{self, decodable_type},
    report::Orientation,
};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{Outcome, accepted, policy, refused};

/// Takes rows from the top and makes of them what is to be sent.
#[wasm_bindgen]
pub struct Canvas {
    inner: Result<foreign::PixelBuffer, ImageError>,
    language: String,
}

#[wasm_bindgen]
impl Canvas {
    /// For the file whose first bytes and declared type are these, as wide and high as it is coded;
    /// `orientation` as EXIF numbers it.
    #[must_use]
    #[wasm_bindgen(constructor)]
    #[expect(clippy::too_many_arguments, reason = "numbers cross the boundary one by one")]
    pub fn new(
        head: &[u8],
        declared_type: &str,
        width: u32,
        height: u32,
        orientation: u16,
        size_bytes: f64,
        policy: &[f64],
        language: &str,
    ) -> Self {
        let size_bytes = policy::whole(size_bytes).unwrap_or(u64::MAX);
        let orientation = Orientation::from_exif(orientation);
        let inner =
            decodable_type(head, declared_type).ok_or(ImageError::Unrecognised).and_then(|shown| {
                foreign::PixelBuffer::new(
                    shown,
                    (width, height),
                    orientation,
                    size_bytes,
                    &policy::read(policy),
                )
            });
        Self { inner, language: language.to_owned() }
    }

    /// Whether pixels are wanted; otherwise [`Self::prepare`] says why not.
    #[must_use]
    #[wasm_bindgen(getter)]
    pub fn wanted(&self) -> bool {
        self.inner.is_ok()
    }

    /// The next rows: red, green, blue, alpha.
    pub fn push(&mut self, rows: &[u8]) {
        if let Ok(canvas) = &mut self.inner {
            canvas.push(rows);
        }
    }

    /// Shrinks and encodes what was pushed.
    #[must_use]
    pub fn prepare(self) -> Outcome {
        match self.inner.and_then(foreign::PixelBuffer::prepare) {
            Ok(processed) => accepted(None, processed),
            Err(error) => refused(&error, &self.language),
        }
    }
}

/// What to say when the browser does not decode the file: because it never does with that type, or
/// because this one is broken.
#[wasm_bindgen]
#[must_use]
pub fn undecoded(head: &[u8], declared_type: &str, is_known: bool, language: &str) -> Outcome {
    let error = match decodable_type(head, declared_type) {
        _ if is_known => Corrupt::BadPixels.into(),
        Some(shown) => ImageError::NotDecodable(shown.foreign),
        None => ImageError::Unrecognised,
    };
    refused(&error, language)
}
