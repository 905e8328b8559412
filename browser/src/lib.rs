//! The image rules for the browser: takes and returns JavaScript values; every rule is the shared
//! crate's. The TypeScript side of this boundary is `browser/js/preflight/wasm.d.ts`.

mod foreign;
mod policy;
#[cfg(target_arch = "wasm32")]
mod puzzle;
mod result;

use std::task::Poll;

use image_rules::{
    Format, ImageError, Limits,
    pipeline::{foreign::decodable_type, prepare},
};
use js_sys::Object;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use web_sys::Blob;

pub use foreign::{PixelBuffer, undecoded};
#[cfg(target_arch = "wasm32")]
pub use puzzle::solve_puzzle;
use result::{accepted, foreign_type, refused};

/// Prepares a file in steps, so that a page without workers can handle events between them.
#[wasm_bindgen]
pub struct Preparation {
    next: Option<prepare::Preparation<'static>>,
    result: Option<Object>,
    language: String,
}

#[wasm_bindgen]
impl Preparation {
    /// Inspects a file with these bytes. `policy` is that of the edge, `language` the language of
    /// sentences: a tag or a whole `Accept-Language`.
    #[must_use]
    #[wasm_bindgen(constructor)]
    pub fn new(file: &Blob, bytes: Vec<u8>, policy: &JsValue, language: &str) -> Self {
        let declared_type = file.type_();
        let first = match Format::from_media_type(&declared_type) {
            Some(declared) => {
                prepare::Preparation::begin(bytes.into(), declared, &policy::read(policy))
                    .map_err(|error| refused(&error, language))
            }
            None => Err(match decodable_type(&bytes, &declared_type) {
                Some(decodable) => foreign_type(decodable.media_type),
                None => refused(&ImageError::DeclaredNotAccepted, language),
            }),
        };
        let language = language.to_owned();
        match first {
            Ok(next) => Self { next: Some(next), result: None, language },
            Err(result) => Self { next: None, result: Some(result), language },
        }
    }

    /// Makes the next step, if there is one; returns whether there is another.
    pub fn step(&mut self) -> bool {
        let Some(preparation) = &mut self.next else { return false };
        let Poll::Ready(prepared) = preparation.step() else { return true };
        self.next = None;
        self.result = Some(match prepared {
            Ok((report, processed)) => accepted(Some(&report), &processed),
            Err(error) => refused(&error, &self.language),
        });
        false
    }

    /// The result of the last step; nothing before it.
    #[must_use]
    pub fn result(self) -> Option<Object> {
        self.result
    }
}

/// The refusal of a file that has too many bytes to be read.
#[must_use]
#[wasm_bindgen(js_name = checkSize)]
pub fn check_size(file: &Blob, policy: &JsValue, language: &str) -> Option<Object> {
    let Limits { max_bytes: limit_bytes, .. } = policy::read(policy).before_sending().limits;
    let size_bytes = size_of(file);
    let error = ImageError::TooManyBytes { size_bytes, limit_bytes };
    (size_bytes > limit_bytes).then(|| refused(&error, language))
}

fn size_of(file: &Blob) -> u64 {
    policy::whole(file.size()).unwrap_or(u64::MAX)
}
